//! Every way for a port to be attached, and what is left behind when it goes: nothing.

use std::process::Command;

use nix::sys::signal::Signal;
use os::netns::{Netns, Place};

use crate::binary;
use crate::daemon::Daemon;
use crate::host::Host;
use crate::scenery::{Container, Found, linux_bridge};
use crate::transfer;
use crate::wait;
use crate::world::world;

/// A bridge to plug ports into.
pub(crate) const BRIDGE: &str = "[bridge.br0]\nrouter = \"192.168.0.1/24\"\n";

/// A port on it; `host` is the last byte of its address.
pub(crate) fn port(name: &str, attach: &str, host: u8) -> String {
    format!("[port.{name}]\nbridge = \"br0\"\n{attach}\naddress = \"192.168.0.{host}/24\"\n")
}

#[test]
fn a_named_namespace_is_made_when_absent_and_removed_at_the_end() {
    let Some(world) = world() else { return };
    let lab = format!("{BRIDGE}{}", port("red", "netns = \"red\"", 2));
    let daemon = Daemon::with(&world, &lab);
    assert_eq!(world.names(), ["red"]);
    if let Some(list) = world.program("ip", &["netns", "list"]) {
        assert!(list.ok().starts_with("red"));
    }
    let red = world.host("red");
    red.ping("192.168.0.1");
    red.ping("127.0.0.1");
    assert_eq!(world.rows(&["port", "list"])[0]["attach"], "netns red");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_port_that_moves_to_another_bridge_keeps_its_device() {
    let Some(world) = world() else { return };
    let second = "[bridge.br1]\nrouter = \"10.1.0.1/24\"\n";
    let lab = [BRIDGE, second, &port("red", "netns = \"red\"", 2)].concat();
    let _daemon = Daemon::with(&world, &lab);
    let red = world.host("red");
    let before = red.link("eth0");
    let said = world.tapswitch(&["port", "set", "red", "--bridge", "br1"]).ok();
    assert_eq!(said, "~ port red: gateway 192.168.0.1 -> none, bridge br0 -> br1\n");
    assert_eq!(red.link("eth0"), before);
    world.tapswitch(&["port", "set", "red", "--address", "10.1.0.2/24", "--unset", "gateway"]).ok();
    red.ping("10.1.0.1");
    let said = world.tapswitch(&["port", "set", "red", "--device", "eth7"]).ok();
    assert!(
        said.contains("~ port red: made anew, far end netns red, eth0 -> netns red, eth7"),
        "{said}"
    );
    assert_eq!(red.links().len(), 2);
    red.ping("10.1.0.1");
}

#[test]
fn a_process_leads_to_its_namespace() {
    let Some(world) = world() else { return };
    let inside = Host::new("a container", Netns::anonymous().unwrap());
    let container = Container::start(&inside);
    let by_pid = format!("pid = {}", container.id());
    let lab = [BRIDGE, &port("box", &by_pid, 2), &port("red", "netns = \"red\"", 3)].concat();
    let daemon = Daemon::with(&world, &lab);
    inside.ping("192.168.0.3");
    let rows = world.rows(&["port", "list"]);
    assert_eq!(rows[0]["attach"], format!("pid {}", container.id()));
    assert_eq!(rows[0]["ifindex"], inside.link("eth0").index);
    assert_eq!(world.names(), ["red"], "a process needs no name");
    drop(container);
    daemon.until_port("box", |state| state.starts_with("lost"));
    world.host("red").ping("192.168.0.1");
    // It stands in nobody's way: other changes are made without it.
    let more = world.file(format!("{lab}{}", port("blue", "netns = \"blue\"", 4)));
    let more = world.tapswitch_on(&["apply"], &more);
    assert_eq!(more.out, "+ port blue (netns blue, eth0, 192.168.0.4/24) on br0\n");
    assert!(more.status.code() == Some(1) && more.err.contains("port box is lost"), "{}", more.err);
    world.host("red").ping("192.168.0.4");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn two_ports_can_share_a_namespace() {
    let Some(world) = world() else { return };
    let second = "[bridge.br1]\nrouter = \"10.1.0.1/24\"\n[port.b]\nbridge = \"br1\"\n\
                  netns = \"both\"\ndevice = \"eth1\"\naddress = \"10.1.0.2/24\"\ngateway = false\n";
    let first = [BRIDGE, &port("a", "netns = \"both\"", 2)].concat();
    let daemon = Daemon::with(&world, &[&*first, second].concat());
    let both = world.host("both");
    both.ping("192.168.0.1");
    both.ping("10.1.0.1");
    daemon.apply(&first);
    both.ping("192.168.0.1");
    let names: Vec<String> = both.links().into_iter().map(|link| link.name).collect();
    assert_eq!(names, ["lo", "eth0"]);
    // The one that made the namespace goes first, the other takes it along.
    daemon.apply(&[&*first, second].concat());
    daemon.apply(&[BRIDGE, second].concat());
    assert_eq!(world.names(), ["both"]);
    both.ping("10.1.0.1");
    daemon.apply(BRIDGE);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_host_port_is_a_device_of_this_machine() {
    let Some(world) = world() else { return };
    let here = world.here();
    let before = here.state();
    let lab = [BRIDGE, &port("sw0", "host = true", 9), &port("red", "netns = \"red\"", 2)].concat();
    let daemon = Daemon::with(&world, &lab);
    here.ping("192.168.0.2");
    here.ping("192.168.0.1");
    world.host("red").ping("192.168.0.9");
    let link = here.link("sw0");
    let row = &world.rows(&["port", "list"])[1];
    assert_eq!((&row["attach"], &row["ifindex"]), (&"host".into(), &link.index.into()));
    assert!(!here.has_default_route(), "it never gets one unasked");
    daemon.stop(Signal::SIGINT);
    assert_eq!(here.state(), before);
}

#[test]
fn a_linux_bridge_takes_a_port_as_its_own() {
    let Some(world) = world() else { return };
    let here = world.here();
    linux_bridge(&here, "docker0", "192.168.0.254/24");
    let before = here.link("docker0");
    let uplink = "[port.up]\nbridge = \"br0\"\nhost = true\nmaster = \"docker0\"\n";
    let lab = [BRIDGE, uplink, &port("red", "netns = \"red\"", 2)].concat();
    let daemon = Daemon::with(&world, &lab);
    assert_eq!(here.link("up").master, Some(before.index));
    let red = world.host("red");
    red.ping("192.168.0.254");
    here.ping("192.168.0.2");
    let listener = here.listen(4000);
    transfer::tcp(red.connect("192.168.0.254:4000".parse().unwrap(), &listener), transfer::WHOLE);
    daemon.stop(Signal::SIGTERM);
    let names: Vec<String> = here.links().into_iter().map(|link| link.name).collect();
    assert_eq!(names, ["lo", "docker0"]);
}

#[test]
fn a_master_that_is_none_is_refused_and_leaves_nothing() {
    let Some(world) = world() else { return };
    let here = world.here();
    let _other = Found::furnish(here.clone(), "other0");
    let before = here.state();
    let red = port("red", "netns = \"red\"", 2);
    for (master, expected) in [("nobody", "no device `nobody`"), ("other0", "not a Linux bridge")] {
        let uplink = format!("[port.up]\nbridge = \"br0\"\nhost = true\nmaster = \"{master}\"\n");
        let lab = world.file([BRIDGE, &red, &uplink].concat());
        let said = world.tapswitch_on(&["run", "--strict"], &lab).refusal();
        assert!(said.contains("port up") && said.contains(expected), "{said}");
        assert_eq!(here.state(), before);
        assert_eq!(world.names(), [""; 0]);
    }
}

#[test]
fn a_port_that_cannot_be_made_is_lost_and_the_others_come_up() {
    let Some(world) = world() else { return };
    let two = port("two", "pid = 4194304", 3);
    let lab = world.file([BRIDGE, &port("red", "netns = \"red\"", 2), &two].concat());
    let daemon = world.start(Command::new(binary::path()).arg("run").arg(&lab));
    let ready = wait::until("ready", || daemon.printed().first().cloned());
    let lost = "two is lost: there is no process 4194304";
    assert!(ready.starts_with(&format!("ready, 1 of 2 ports: {lost}")), "{ready}");
    world.host("red").ping("192.168.0.1");
    let applied = world.tapswitch_on(&["apply"], &lab);
    assert_eq!((applied.status.code(), &*applied.out), (Some(1), "no changes\n"));
    assert!(applied.err.starts_with(&format!("tapswitch: port {lost}")), "{}", applied.err);
    let state = world.rows(&["port", "list"])[1]["state"].clone();
    assert!(state.as_str().unwrap().starts_with("lost: there is no process 4194304"), "{state}");
    // What has nothing to do with it does not speak of it, and is not kept from anything.
    let said = world.tapswitch(&["port", "set", "red", "--mtu", "1400"]).ok();
    assert_eq!(said, "~ port red: mtu 1500 -> 1400\n");
    // All or nothing, where that is asked for, and where one port alone is.
    let more = world.file([BRIDGE, &port("red", "pid = 4194303", 2), &two].concat());
    let said = world.tapswitch_on(&["apply", "--strict"], &more).sentence();
    assert!(said.contains("port red: there is no process 4194303"), "{said}");
    world.host("red").ping("192.168.0.1");
    let said = world.tapswitch(&["port", "add", "x", "--bridge", "br0", "--pid", "4194303"]);
    assert!(said.sentence().contains("port x: there is no process 4194303"));
    daemon.signal(Signal::SIGTERM);
    daemon.finish(wait::PATIENCE).ok();
    assert_eq!(world.names(), [""; 0]);
}

/// A plain device has one queue and finishes its frames itself.
#[test]
fn a_port_without_offload_is_a_plain_device() {
    let Some(world) = world() else { return };
    let plain = port("plain", "netns = \"plain\"\noffload = false", 2);
    let lab = [BRIDGE, &plain, &port("fast", "netns = \"fast\"", 3)].concat();
    let daemon = Daemon::with(&world, &lab);
    for (name, has_header) in [("plain", false), ("fast", true)] {
        let host = world.host(name);
        host.ping("192.168.0.1");
        let flags = host.run(tun_flags);
        assert_eq!(flags & libc::IFF_VNET_HDR != 0, has_header, "{name}: {flags:#x}");
    }
    let switched = lab.replace("offload = false", "");
    let plan = daemon.apply(&switched);
    assert!(plan.contains("port plain") && !plan.contains("port fast"), "{plan}");
    let flags = world.host("plain").run(tun_flags);
    assert_eq!(flags & libc::IFF_VNET_HDR, libc::IFF_VNET_HDR);
    world.host("plain").ping("192.168.0.3");
}

/// What sysfs, mounted anew for this namespace, tells of `eth0`.
fn tun_flags() -> i32 {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>).unwrap();
    let text = std::fs::read_to_string("/sys/class/net/eth0/tun_flags").unwrap();
    i32::from_str_radix(text.trim().trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn a_place_that_is_no_namespace_is_refused() {
    let Some(world) = world() else { return };
    let cases = [
        ("netns = \"/run/nothing\"", "no namespace at /run/nothing"),
        ("netns = \"/proc/version\"", "not a network namespace"),
        ("pid = 4194304", "no process 4194304"),
        ("netns = \"broken\"", "ip netns del broken"),
    ];
    // What a killed `ip netns add` leaves behind.
    world.run(|| {
        std::fs::create_dir_all("/run/netns").unwrap();
        std::fs::write("/run/netns/broken", "").unwrap();
    });
    for (attach, expected) in cases {
        let made = port("red", "netns = \"red\"", 2);
        let lab = world.file([BRIDGE, &made, &port("x", attach, 3)].concat());
        let said = world.tapswitch_on(&["run", "--strict"], &lab).refusal();
        assert!(said.contains("port x") && said.contains(expected), "{said}");
        assert_eq!(world.names(), ["broken"], "what was made for the rest is gone again");
    }
    assert!(world.run(|| Netns::open(&Place::Name("red".into()))).is_err());
}

#[test]
fn a_bridge_takes_its_ports_along_when_it_is_told_to() {
    let Some(world) = world() else { return };
    let lab = format!("{BRIDGE}{}", port("red", "netns = \"red\"", 2));
    let daemon = Daemon::with(&world, &lab);
    let said = world.tapswitch(&["bridge", "del", "br0"]).sentence();
    assert!(
        said.contains("delete port red first, or all of it with `bridge del --ports`"),
        "{said}"
    );
    let plan = world.tapswitch(&["bridge", "del", "br0", "--ports"]).ok();
    assert!(plan.contains("- port red") && plan.contains("- bridge br0"), "{plan}");
    assert_eq!(world.names(), [""; 0]);
    assert!(!daemon.has_logged("panicked"));
}
