//! Random labs applied over each other, with random damage to the machine in between: after each
//! the machine is what the lab says, and applying the same again changes nothing.

use std::env;
use std::fmt::Write;
use std::process::Command;

use ::lab::rng::Rng;
use nix::sys::signal::Signal;
use os::links::Links;
use os::netns::Netns;
use packet::{Ipv4Net, Mac};
use serde_json::{Value, json};

use crate::binary;
use crate::daemon::Daemon;
use crate::host::{Host, play};
use crate::process::{Finished, locate};
use crate::underlay::has_ip;
use crate::wait::{self, PATIENCE};
use crate::world::{World, world};

/// How a port is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Netns,
    Veth,
    Host,
    Enslaved,
}

/// A port of a random lab, and what its device has to be.
#[derive(Clone, Debug)]
struct Port {
    name: String,
    kind: Kind,
    netns: String,
    device: String,
    bridge: &'static str,
    mac: Mac,
    mtu: u32,
    addresses: Vec<Ipv4Net>,
    gateway: bool,
}

impl Port {
    fn random(number: u8, rng: &mut Rng) -> Self {
        let kind = *rng.pick(&[Kind::Netns, Kind::Netns, Kind::Veth, Kind::Host, Kind::Enslaved]);
        let has_address = kind != Kind::Enslaved && rng.chance(800);
        let host = 2 + 20 * number + rng.below(3) as u8;
        let mut addresses = Vec::new();
        if has_address {
            addresses.push(format!("10.0.0.{host}/24").parse().unwrap());
            if rng.chance(300) {
                addresses.push(format!("10.1.{number}.{host}/24").parse().unwrap());
            }
        }
        Self {
            name: format!("p{number}"),
            kind,
            // Of two ports in one namespace only the first one may lead out.
            netns: format!("n{}", number / 2),
            device: format!("d{number}{}", ["", "x"][rng.below(2) as usize]),
            bridge: if rng.chance(800) { "br0" } else { "br1" },
            mac: Mac([2, 0, 0, 0, number, rng.below(2) as u8]),
            mtu: 1400 + 100 * rng.below(2) as u32,
            gateway: !addresses.is_empty()
                && number.is_multiple_of(2)
                && matches!(kind, Kind::Netns | Kind::Veth),
            addresses,
        }
    }

    fn write(&self, text: &mut String) {
        let Self { name, netns, device, bridge, mac, mtu, .. } = self;
        writeln!(text, "[port.{name}]\nbridge = \"{bridge}\"\ndevice = \"{device}\"").unwrap();
        writeln!(text, "mac = \"{mac}\"\nmtu = {mtu}").unwrap();
        text.push_str(&match self.kind {
            Kind::Netns => format!("netns = \"{netns}\"\n"),
            Kind::Veth => format!("netns = \"{netns}\"\nlink = \"veth\"\n"),
            Kind::Host => "host = true\n".to_owned(),
            Kind::Enslaved => "host = true\nmaster = \"docker0\"\n".to_owned(),
        });
        if !self.addresses.is_empty() {
            let nets: Vec<String> = self.addresses.iter().map(|net| format!("\"{net}\"")).collect();
            writeln!(text, "address = [{}]", nets.join(", ")).unwrap();
        }
        if self.gateway {
            text.push_str("gateway = \"10.0.0.1\"\n");
        } else if matches!(self.kind, Kind::Netns | Kind::Veth) && !self.addresses.is_empty() {
            text.push_str("gateway = false\n");
        }
    }

    fn host(&self, world: &World) -> Host {
        match self.kind {
            Kind::Netns | Kind::Veth => world.host(&self.netns),
            Kind::Host | Kind::Enslaved => world.here(),
        }
    }

    /// The kernel says that the device is what the lab says.
    fn is_made(&self, world: &World, told: &str) {
        let host = self.host(world);
        let all = host.links();
        let link = all.iter().find(|link| link.name == self.device);
        let link = link.unwrap_or_else(|| panic!("{self:?} has no device: {told}"));
        assert!(link.up, "{self:?}: {told}");
        assert_eq!((link.mac, link.mtu), (self.mac, self.mtu), "{self:?}: {told}");
        let master = all.iter().find(|other| Some(other.index) == link.master);
        let master = master.map(|master| master.name.as_str());
        assert_eq!(master, (self.kind == Kind::Enslaved).then_some("docker0"), "{self:?}: {told}");
        let (addresses, default) = play(async {
            let links = Links::open(host.netns()).await.unwrap();
            let addresses = links.addresses(link.index).await.unwrap();
            (addresses, links.default_route().await.unwrap())
        });
        for net in &self.addresses {
            assert!(addresses.contains(net), "{self:?} has {addresses:?}: {told}");
        }
        if self.gateway {
            let gateway = "10.0.0.1".parse().unwrap();
            assert_eq!(default, Some((gateway, link.index)), "{self:?}: {told}");
        }
        if self.kind == Kind::Veth {
            assert!(world.here().link(&format!("ts-{}", self.name)).up, "{self:?}: {told}");
        }
    }

    /// Something that anybody with rights on this machine may do to a device.
    fn damage(&self, world: &World, rng: &mut Rng) -> String {
        let host = self.host(world);
        let Some(link) = host.links().into_iter().find(|link| link.name == self.device) else {
            return String::new();
        };
        let device = &self.device;
        let words = match rng.below(9) {
            0 => format!("link set dev {device} down"),
            1 => format!("link set dev {device} address 02:00:00:00:99:{:02x}", rng.below(99)),
            2 => format!("link set dev {device} mtu {}", 1300 + rng.below(9)),
            3 => format!("address flush dev {device}"),
            4 if self.gateway && link.up => "route del default".to_owned(),
            4 => format!("link set dev {device} name other{}", self.name),
            5 => format!("link del dev {device}"),
            6 => format!("link set dev {device} netns elsewhere"),
            7 if self.kind == Kind::Veth => {
                world.here().switch(&format!("ts-{}", self.name), false);
                return format!("the near end of {device} down");
            }
            7 if self.kind == Kind::Enslaved => format!("link set dev {device} nomaster"),
            7 => format!("address add 10.200.0.{}/24 dev {device}", 1 + rng.below(200)),
            8 if self.kind == Kind::Veth => {
                let near = format!("ts-{}", self.name);
                run_ip(world, &world.here(), &format!("link set dev {near} netns elsewhere"));
                return format!("{near} moved");
            }
            _ => format!("link set dev {device} txqueuelen 10"),
        };
        // It may refuse, as where a name is taken.
        run_ip(world, &host, &words);
        words
    }
}

/// `ip` on a host, where it knows the names of this machine's namespaces.
fn run_ip(world: &World, host: &Host, words: &str) -> Finished {
    let mut ip = Command::new(locate("ip").expect("asked for ahead of the test"));
    world.start_on(host, ip.args(words.split(' '))).finish(PATIENCE)
}

fn lab(ports: &[Port]) -> String {
    let mut text =
        "[switch]\nworkers = 1\n[bridge.br0]\nrouter = \"10.0.0.1/24\"\n[bridge.br1]\n".to_owned();
    ports.iter().for_each(|port| port.write(&mut text));
    text
}

fn random_ports(rng: &mut Rng) -> Vec<Port> {
    let ports = (0..6).filter(|_| rng.chance(700)).collect::<Vec<u8>>();
    let mut ports: Vec<Port> = ports.into_iter().map(|n| Port::random(n, rng)).collect();
    // One on another bridge than its gateway leads nowhere.
    ports.retain(|port| port.bridge == "br0" || !port.gateway);
    ports
}

#[test]
fn whatever_was_done_to_the_machine_the_next_apply_makes_it_what_the_lab_says() {
    let Some(world) = world() else { return };
    if !has_ip() {
        return;
    }
    let rounds = env::var("DAMAGE_ROUNDS").map_or(100, |rounds| rounds.parse().unwrap());
    let seed = env::var("DAMAGE_SEED").map_or(13, |seed| seed.parse().unwrap());
    let here = world.here();
    here.speak_ipv4_only();
    here.ip("link add docker0 up type bridge");
    let elsewhere = Host::new("elsewhere", world.run(|| Netns::create("elsewhere")).unwrap());
    let mut rng = Rng::new(seed);
    let mut ports = random_ports(&mut rng);
    let daemon = Daemon::with(&world, &lab(&ports));
    for round in 0..rounds {
        let mut told = format!("round {round} of seed {seed}");
        for port in &ports {
            port.is_made(&world, &told);
        }
        for port in &ports {
            for _ in 0..rng.below(3) {
                write!(told, ", {}", port.damage(&world, &mut rng)).unwrap();
            }
        }
        if rng.chance(100) {
            here.ip("link del docker0");
            here.ip("link add docker0 up type bridge");
            told += ", docker0 made anew";
        }
        if rng.chance(100)
            && let Some(name) = world.names().iter().find(|name| *name != "elsewhere")
        {
            world.run(|| os::netns::remove(name)).unwrap();
            write!(told, ", namespace {name} removed").unwrap();
        }
        if rng.chance(500) {
            ports = random_ports(&mut rng);
        }
        let text = lab(&ports);
        let plan = daemon.apply_file(&["--dry-run"], &world.file(&text));
        assert_eq!(daemon.apply(&text), plan, "{told}");
        assert_eq!(daemon.apply(&text), "no changes\n", "{told}:\n{plan}");
        for row in world.rows(&["port", "list"]) {
            assert_eq!(row["state"], "up", "{told}: {row}");
            assert!(row["differs"].is_null(), "{told}: {row}");
        }
    }
    daemon.stop(Signal::SIGTERM);
    assert_eq!(world.names(), ["elsewhere"]);
    assert_eq!(elsewhere.links().len(), 1, "only lo");
}

/// A row of `port list`.
fn row(world: &World, port: &str) -> Value {
    let rows = world.rows(&["port", "list"]);
    rows.into_iter().find(|row| row["name"] == port).expect("a port of the lab")
}

const LAB: &str = "[bridge.br0]\nrouter = \"10.0.0.1/24\"\n\
    [port.red]\nbridge = \"br0\"\nnetns = \"red\"\naddress = \"10.0.0.2/24\"\n";

#[test]
fn listings_show_a_device_as_it_is_and_other_changes_let_it_be() {
    let Some(world) = world() else { return };
    if !has_ip() {
        return;
    }
    let daemon = Daemon::with(&world, LAB);
    let red = world.host("red");
    red.ip("link set dev eth0 mtu 1400");
    red.ip("link set dev eth0 address 02:00:00:00:00:99");
    red.ip("address add 10.9.9.9/24 dev eth0");
    let seen = row(&world, "red");
    assert_eq!((&seen["mtu"], &seen["mac"]), (&1400.into(), &"02:00:00:00:00:99".into()));
    assert_eq!(seen["address"], json!(["10.0.0.2/24", "10.9.9.9/24"]));
    assert_eq!(seen["gateway"], "10.0.0.1");
    red.switch("eth0", false);
    let seen = row(&world, "red");
    assert_eq!((&seen["state"], &seen["gateway"]), (&"down".into(), &Value::Null));
    daemon.until_logged("port red differs on the machine: mac 02:00:00:00:00:99 (lab: ");
    // A command about something else.
    world.tapswitch(&["bridge", "set", "br0", "--ageing", "60"]).ok();
    assert!(!red.link("eth0").up);
    // And one about the port itself.
    let said = world.tapswitch(&["port", "set", "red", "--mtu", "1450"]).ok();
    assert!(said.contains("differs on the machine: mac 02:00:00:00:00:99"), "{said}");
    assert!(said.contains("~ port red: mtu 1500 -> 1450"), "{said}");
    let link = red.link("eth0");
    assert!(link.up && link.mtu == 1450, "{link:?}");
    red.ping("10.0.0.1");
    assert_eq!(row(&world, "red")["address"], json!(["10.0.0.2/24", "10.9.9.9/24"]), "both");
}

#[test]
fn a_device_that_is_moved_away_is_a_lost_port_that_says_so() {
    let Some(world) = world() else { return };
    if !has_ip() {
        return;
    }
    let daemon = Daemon::with(&world, LAB);
    let elsewhere = Host::new("elsewhere", world.run(|| Netns::create("elsewhere")).unwrap());
    let red = world.host("red");
    run_ip(&world, &red, "link set eth0 netns elsewhere").ok();
    let state = row(&world, "red")["state"].clone();
    assert_eq!(state, "lost: device eth0 was moved to another namespace");
    assert_eq!(daemon.apply(LAB), "+ port red again, which was lost\n");
    red.ping("10.0.0.1");
    assert_eq!(elsewhere.links().len(), 1, "it is gone from there");
    // Of a veth pair the near end may be the one.
    let lab = LAB.replace("netns", "link = \"veth\"\nnetns");
    daemon.apply(&lab);
    run_ip(&world, &world.here(), "link set ts-red netns elsewhere").ok();
    let state = row(&world, "red")["state"].clone();
    assert_eq!(state, "lost: device ts-red was moved to another namespace");
    assert_eq!(daemon.apply(&lab), "+ port red again, which was lost\n");
    red.ping("10.0.0.1");
    assert_eq!(elsewhere.links().len(), 1, "the other end took it along");
}

#[test]
fn what_cannot_be_mended_is_one_sentence_and_the_machine_is_as_it_was_found() {
    let Some(world) = world() else { return };
    if !has_ip() {
        return;
    }
    let blue = "[port.blue]\nbridge = \"br0\"\nnetns = \"blue\"\naddress = \"10.0.0.3/24\"\n";
    let lab = [LAB, blue].concat();
    let daemon = Daemon::with(&world, &lab);
    let (red, blue) = (world.host("red"), world.host("blue"));
    blue.ip("link set dev eth0 mtu 1300");
    blue.ip("address flush dev eth0");
    red.ip("link set dev eth0 name eth9");
    red.ip("link add eth0 type veth peer name far");
    let before = (red.state(), blue.state());
    let said = world.tapswitch_on(&["apply"], &world.file(&lab)).sentence();
    assert!(said.contains("port red: cannot give the name `eth0` to device `eth9`"), "{said}");
    assert_eq!((red.state(), blue.state()), before);
    red.delete("eth0");
    daemon.apply(&lab);
    assert_eq!(daemon.apply(&lab), "no changes\n");
    red.ping("10.0.0.3");
}

#[test]
fn a_master_that_returns_is_joined_again_by_itself_and_one_that_was_left_is_not() {
    let Some(world) = world() else { return };
    if !has_ip() {
        return;
    }
    let here = world.here();
    let lab = "[bridge.br0]\n[port.up]\nbridge = \"br0\"\nhost = true\ndevice = \"tap0\"\n\
               master = \"docker0\"\n";
    // At first there is none.
    let file = world.file(lab);
    let mut run = Command::new(binary::path());
    let daemon = world.start(run.args(["run"]).arg(file));
    wait::until("the port to be lost", || {
        let rows = world.tapswitch(&["port", "list"]).out;
        rows.contains("there is no device `docker0`").then_some(())
    });
    let until_joined = || {
        wait::until("the port to be docker0's", || {
            let row = row(&world, "up");
            (row["state"] == "up" && row["master"] == "docker0").then_some(())
        });
    };
    for _ in 0..2 {
        here.ip("link add docker0 up type bridge");
        until_joined();
        here.ip("link del docker0");
        assert_eq!(row(&world, "up")["differs"], json!(["no master (lab: docker0)"]));
    }
    here.ip("link add docker0 up type bridge");
    until_joined();
    // What has its name and is no bridge is no master.
    here.ip("link del docker0");
    here.ip("link add docker0 type veth peer name far");
    wait::until("it to be told", || {
        (row(&world, "up")["differs"] == json!(["no master (lab: docker0)"])).then_some(())
    });
    here.delete("docker0");
    here.ip("link add docker0 up type bridge");
    until_joined();
    here.ip("link set dev tap0 nomaster");
    world.tapswitch(&["bridge", "set", "br0", "--ageing", "60"]).ok();
    assert_eq!(row(&world, "up")["differs"], json!(["no master (lab: docker0)"]), "let alone");
    drop(daemon);
}

#[test]
fn an_existing_device_is_shown_under_its_own_mac_address() {
    let Some(world) = world() else { return };
    if !has_ip() {
        return;
    }
    let here = world.here();
    here.ip("link add ext0 type veth peer name ext1");
    here.switch("ext0", true);
    let lab = "[bridge.br0]\n[port.ext]\nbridge = \"br0\"\ninterface = \"ext0\"\n";
    let daemon = Daemon::with(&world, lab);
    assert_eq!(row(&world, "ext")["mac"], here.link("ext0").mac.to_string());
    here.ip("link set dev ext0 address 02:00:00:00:00:98");
    assert_eq!(row(&world, "ext")["mac"], "02:00:00:00:00:98");
    here.switch("ext0", false);
    assert_eq!(row(&world, "ext")["state"], "down");
    assert_eq!(daemon.apply(lab), "no changes\n", "it is its owner's");
}
