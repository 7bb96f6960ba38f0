//! The two routers: our switch, and the kernel with `ip_forward` and nftables. Equal addresses,
//! routes and rules.

use std::fs;
use std::thread;

use os::links::Links;
use socket2::{Domain, Protocol, Socket, Type};

use super::decode::Names;
use super::flows::{Flow, translated};
use super::wires::{Wire, Wires};
use crate::daemon::Daemon;
use crate::host::{Host, play};
use crate::process::locate;
use crate::scenery::linux_bridge;
use crate::underlay::{cables, enslave, has_ip};
use crate::world::{World, skip, world};

/// What both routers are set to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Routes alone.
    Routing,
    /// Masquerade and published ports too.
    Translating,
    /// The same, with flows of UDP that end after four seconds.
    Hasty,
}

/// A fault that the kernel's side is given, for the comparison to find.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    Nothing,
    /// Masquerade knows no exceptions.
    NoException,
    /// Packets of its own begin with another TTL.
    OtherTtl,
    /// Flows of UDP live longer.
    OtherLifetime,
}

/// A router with its wires.
pub(crate) struct Side<'w> {
    setting: Setting,
    router: Router<'w>,
    pub(crate) wires: Wires,
}

enum Router<'w> {
    Ours { world: &'w World, _daemon: Daemon<'w> },
    Kernel(Host),
}

/// A world to build both sides in; `None` where this machine cannot, which is said.
pub(crate) fn arena() -> Option<World> {
    if !has_ip() {
        return None;
    }
    if locate("nft").is_none() {
        skip("there is no `nft` to make the kernel translate with");
        return None;
    }
    world()
}

impl<'w> Side<'w> {
    /// Ours and the kernel's.
    pub(crate) fn both(world: &'w World, setting: Setting, plant: Plant) -> [Self; 2] {
        thread::scope(|scope| {
            let ours = scope.spawn(|| Self::ours(world, setting));
            let kernel = scope.spawn(|| Self::kernel(world, setting, plant));
            [ours, kernel].map(|side| match side.join() {
                Ok(side) => side,
                Err(cause) => std::panic::resume_unwind(cause),
            })
        })
    }

    /// Our switch.
    fn ours(world: &'w World, setting: Setting) -> Self {
        let here = world.here();
        let field = wired(&here);
        let text = match setting {
            Setting::Routing => format!("{SWITCH}{LAB}"),
            Setting::Translating => format!("{SWITCH}{LAB}{RULES}"),
            Setting::Hasty => format!("{SWITCH}{HASTE}{LAB}{RULES}"),
        };
        let daemon = Daemon::with(world, &text);
        let wires = Wires::new(field);
        wires.greet();
        Self { setting, router: Router::Ours { world, _daemon: daemon }, wires }
    }

    /// The kernel.
    fn kernel(world: &World, setting: Setting, plant: Plant) -> Self {
        let router = Host::anonymous("the kernel's router");
        let field = wired(&router);
        linux_bridge(&router, "br0", "192.168.7.1/24");
        for wire in Wire::ALL {
            let device = match wire {
                Wire::Red | Wire::Blue => "br0",
                Wire::Wan | Wire::Thin => wire.name(),
            };
            play(async {
                let links = Links::open(router.netns()).await.unwrap();
                let index = links.find(device).await.unwrap().unwrap().index;
                links.set_mac(index, wire.router_mac()).await.unwrap();
                if device != "br0" {
                    let net = format!("{}/24", wire.router());
                    links.add_address(index, net.parse().unwrap()).await.unwrap();
                }
            });
            if device == "br0" {
                enslave(&router, wire.name(), "br0");
            }
        }
        for route in ROUTES {
            router.ip(&format!("route add {route}"));
        }
        for (path, value) in SYSCTLS {
            router.set(path, value);
        }
        if setting != Setting::Routing {
            let exception = if plant == Plant::NoException { "" } else { EXCEPTION };
            let rules = world.file(NFT.replace("EXCEPTION", exception));
            let mut nft = std::process::Command::new(locate("nft").unwrap());
            world.start_on(&router, nft.arg("-f").arg(rules)).finish(crate::wait::PATIENCE).ok();
        }
        if setting == Setting::Hasty {
            router.set("net/netfilter/nf_conntrack_udp_timeout", "4");
            router.set("net/netfilter/nf_conntrack_udp_timeout_stream", "4");
        }
        match plant {
            Plant::Nothing | Plant::NoException => {}
            Plant::OtherTtl => router.set("net/ipv4/ip_default_ttl", "63"),
            Plant::OtherLifetime => router.set("net/netfilter/nf_conntrack_udp_timeout", "60"),
        }
        let wires = Wires::new(field);
        wires.greet();
        Self { setting, router: Router::Kernel(router), wires }
    }

    /// The translated flows, which end by being told.
    pub(crate) fn take_flows(&self, names: &mut Names) -> Vec<Flow> {
        if self.setting == Setting::Routing {
            return Vec::new();
        }
        let listing = match &self.router {
            Router::Ours { world, .. } => {
                let listing = world.tapswitch(&["conntrack", "list"]).ok();
                world.tapswitch(&["conntrack", "flush"]).ok();
                listing
            }
            Router::Kernel(host) => host.run(|| {
                let listing = fs::read_to_string("/proc/thread-self/net/nf_conntrack").unwrap();
                flush_conntrack();
                listing
            }),
        };
        translated(&listing, names)
    }
}

/// Lays the four wires between a router and a new namespace that holds their far ends.
fn wired(router: &Host) -> Host {
    let field = Host::anonymous("the wires' far ends");
    for host in [router, &field] {
        host.speak_ipv4_only();
    }
    let ends = |wire: Wire| ((router, wire.name(), None), (&field, wire.name(), None), wire.mtu());
    cables(&Wire::ALL.map(ends));
    field
}

/// What `conntrack -F -f ipv4` asks the kernel for, in the namespace of the calling thread.
fn flush_conntrack() {
    const CTNETLINK_DELETE: u16 = 1 << 8 | 2;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    let netlink = Domain::from(libc::AF_NETLINK);
    let socket = Socket::new(netlink, Type::RAW, Some(Protocol::from(libc::NETLINK_NETFILTER)));
    let socket = socket.unwrap();
    socket.set_read_timeout(Some(crate::wait::PATIENCE)).unwrap();
    let mut request = 20_u32.to_ne_bytes().to_vec();
    request.extend([CTNETLINK_DELETE, REQUEST_AND_ACKNOWLEDGE].map(u16::to_ne_bytes).concat());
    request.extend([0; 8]);
    request.extend([libc::AF_INET as u8, 0, 0, 0]);
    assert_eq!(socket.send(&request).unwrap(), request.len());
    let mut answer = [0; 512];
    let count = nix::sys::socket::recv(
        std::os::fd::AsRawFd::as_raw_fd(&socket),
        &mut answer,
        nix::sys::socket::MsgFlags::empty(),
    );
    assert!(count.unwrap() >= 20 && answer[16..20] == [0; 4], "the kernel's flows were not ended");
}

const SWITCH: &str = "[switch]\nworkers = 1\ntimers = \"linux\"\n";
const HASTE: &str = "timeouts.udp = 4\n";

/// One worker, because marks need frames to leave in the order in which they came.
const LAB: &str = r#"
[bridge.br0]
router = "192.168.7.1/24"
mac = "02:00:00:00:08:01"

[port.red]
bridge = "br0"
interface = "red"

[port.blue]
bridge = "br0"
interface = "blue"

[port.wan]
interface = "wan"
router = "203.0.113.1/24"
router_mac = "02:00:00:00:08:02"

[port.thin]
interface = "thin"
router = "198.51.100.1/24"
router_mac = "02:00:00:00:08:03"

[[route]]
to = "198.18.0.0/15"
via = "203.0.113.2"

[[route]]
to = "100.64.1.0/24"
reject = "prohibit"

[[route]]
to = "100.64.2.0/24"
reject = "blackhole"

[[route]]
to = "100.64.3.0/24"
reject = "unreachable"
"#;

const ROUTES: [&str; 4] = [
    "198.18.0.0/15 via 203.0.113.2",
    "prohibit 100.64.1.0/24",
    "blackhole 100.64.2.0/24",
    "unreachable 100.64.3.0/24",
];

/// Ports as the kernel maps them: kept where they can be, shared by flows to different remotes.
const RULES: &str = r#"
[[masquerade]]
source = "192.168.7.0/24"
out = "wan"
except = ["203.0.113.9"]
mapping = "address-and-port-dependent"
parity = false

[[masquerade]]
source = "192.168.7.0/24"
out = "thin"
except = ["198.51.100.9"]
mapping = "address-and-port-dependent"
parity = false

[[publish]]
listen = "203.0.113.1:8080/tcp"
to = "192.168.7.2:80"

[[publish]]
listen = "203.0.113.1:22/tcp"
to = "192.168.7.2:22"

[[publish]]
listen = "203.0.113.1:5353/udp"
to = "192.168.7.3:53"

[[publish]]
listen = "203.0.113.1:8081/tcp"
to = "192.168.7.66:81"
"#;

/// The same. A connection that turns back inside leaves from the address that it was sent to (RFC
/// 4787 REQ-9).
const NFT: &str = "
table ip nat {
    chain prerouting {
        type nat hook prerouting priority -100;
        ip daddr 203.0.113.1 tcp dport 8080 dnat to 192.168.7.2:80
        ip daddr 203.0.113.1 tcp dport 22 dnat to 192.168.7.2
        ip daddr 203.0.113.1 udp dport 5353 dnat to 192.168.7.3:53
        ip daddr 203.0.113.1 tcp dport 8081 dnat to 192.168.7.66:81
    }
    chain postrouting {
        type nat hook postrouting priority 100;
        ip saddr 192.168.7.0/24 EXCEPTION oifname { wan, thin } masquerade
        ip saddr 192.168.7.0/24 oifname br0 ct status dnat snat to 203.0.113.1
    }
}
";
const EXCEPTION: &str = "ip daddr != { 203.0.113.9, 198.51.100.9 }";

/// What a router is set to, and what tests cannot wait for: no limit on ICMP errors (each is told
/// at once on both sides), no redirects, no reverse-path filter (neither has ours).
const SYSCTLS: [(&str, &str); 12] = [
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv4/icmp_ratemask", "0"),
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv4/conf/all/rp_filter", "2"),
    ("net/ipv4/conf/br0/rp_filter", "2"),
    ("net/ipv4/conf/wan/rp_filter", "2"),
    ("net/ipv4/conf/thin/rp_filter", "2"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/br0/send_redirects", "0"),
    ("net/ipv4/conf/wan/send_redirects", "0"),
    ("net/ipv4/conf/thin/send_redirects", "0"),
    ("net/bridge/bridge-nf-call-iptables", "0"),
];
