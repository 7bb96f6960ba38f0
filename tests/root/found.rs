//! Namespaces that somebody else made are given back as they were found, whatever happened to the
//! lab in between.

use nix::sys::signal::Signal;
use os::netns::Netns;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::ports::{BRIDGE, port};
use crate::scenery::{Container, Found};
use crate::world::world;

#[test]
fn a_found_namespace_is_left_as_it_was() {
    let Some(world) = world() else { return };
    let named = Found::named(&world, "old", "up0");
    let path = Found::anonymous("up0");
    let container = Container::start(&path.host);
    let before = [named.host.state(), path.host.state()];
    let by_path = format!("netns = \"/proc/{}/ns/net\"", container.id());
    let lab = [BRIDGE, &port("old", "netns = \"old\"", 2), &port("path", &by_path, 3)].concat();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let daemon = Daemon::with(&world, &lab);
        named.host.ping("192.168.0.3");
        path.host.ping("192.168.0.1");
        assert_ne!(named.host.state(), before[0]);
        daemon.stop(signal);
        assert_eq!(named.host.state(), before[0]);
        assert_eq!(path.host.state(), before[1]);
        assert_eq!(world.names(), ["old"]);
    }
    // And when a change takes the port away while the rest goes on.
    let daemon = Daemon::with(&world, &lab);
    daemon.apply(&[BRIDGE, &port("old", "netns = \"old\"", 2)].concat());
    assert_eq!(path.host.state(), before[1]);
    named.host.ping("192.168.0.1");
}

#[test]
fn a_found_namespace_without_a_default_route_has_none_afterwards() {
    let Some(world) = world() else { return };
    let bare = Host::new("bare", world.run(|| Netns::create("bare")).unwrap());
    let before = bare.state();
    let lab = format!("{BRIDGE}{}", port("bare", "netns = \"bare\"", 2));
    let daemon = Daemon::with(&world, &lab);
    bare.ping("192.168.0.1");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(bare.state(), before);
    assert_eq!(world.names(), ["bare"]);
}

#[test]
fn two_ports_in_a_found_namespace_leave_it_as_it_was() {
    is_given_back(&[&[FIRST, SECOND]]);
}

#[test]
fn two_ports_that_both_lead_out_leave_a_found_namespace_as_it_was() {
    is_given_back(&[&[FIRST, SECOND_OUT]]);
    is_given_back(&[&[SECOND_OUT], &[FIRST, SECOND_OUT], &[FIRST]]);
}

#[test]
fn the_second_of_two_ports_gives_back_what_the_first_found() {
    is_given_back(&[&[FIRST, SECOND], &[SECOND]]);
}

#[test]
fn the_first_of_two_ports_gives_back_what_it_found() {
    is_given_back(&[&[FIRST, SECOND], &[FIRST]]);
}

#[test]
fn a_default_route_that_is_replaced_later_comes_back() {
    is_given_back(&[&[FIRST_WITHOUT], &[FIRST]]);
    is_given_back(&[&[FIRST_WITHOUT], &[FIRST_ELSEWHERE]]);
}

#[test]
fn a_default_route_that_was_replaced_for_a_while_comes_back() {
    is_given_back(&[&[FIRST], &[FIRST_WITHOUT]]);
    is_given_back(&[&[FIRST], &[FIRST_ELSEWHERE]]);
}

#[test]
fn a_device_that_is_made_anew_gives_back_what_the_old_one_found() {
    is_given_back(&[&[FIRST], &[FIRST_PLAIN], &[FIRST]]);
}

const FIRST: &str = "[port.a]\nbridge = \"br0\"\nnetns = \"old\"\naddress = \"192.168.0.2/24\"\n";
const FIRST_WITHOUT: &str = "[port.a]\nbridge = \"br0\"\nnetns = \"old\"\n\
                             address = \"192.168.0.2/24\"\ngateway = false\n";
const FIRST_ELSEWHERE: &str = "[port.a]\nbridge = \"br0\"\nnetns = \"old\"\n\
                               address = \"192.168.0.2/24\"\ngateway = \"192.168.0.9\"\n";
const FIRST_PLAIN: &str = "[port.a]\nbridge = \"br0\"\nnetns = \"old\"\noffload = false\n\
                           address = \"192.168.0.2/24\"\n";
const SECOND: &str = "[port.b]\nbridge = \"br0\"\nnetns = \"old\"\ndevice = \"eth1\"\n\
                      address = \"192.168.0.3/24\"\ngateway = false\n";

const SECOND_OUT: &str = "[port.b]\nbridge = \"br0\"\nnetns = \"old\"\ndevice = \"eth1\"\n\
                          address = \"192.168.0.3/24\"\n";

/// Runs these labs one after the other on the found namespace `old`, and compares it afterwards.
#[track_caller]
fn is_given_back(labs: &[&[&str]]) {
    let Some(world) = world() else { return };
    let old = Found::named(&world, "old", "up0");
    let before = old.host.state();
    let daemon = Daemon::with(&world, BRIDGE);
    for ports in labs {
        daemon.apply(&[BRIDGE, &ports.concat()].concat());
        old.host.ping("192.168.0.1");
        assert_ne!(old.host.state(), before);
    }
    daemon.stop(Signal::SIGTERM);
    assert_eq!(old.host.state(), before, "after {labs:#?}");
}

#[test]
fn a_route_of_the_machine_itself_comes_back() {
    let Some(world) = world() else { return };
    let own = Found::furnish(world.here(), "up0");
    let before = own.host.state();
    let port = port("sw0", "host = true\ngateway = \"192.168.0.1\"", 9);
    let daemon = Daemon::with(&world, &[BRIDGE, &port].concat());
    assert_ne!(own.host.state(), before);
    own.host.ping("192.168.0.1");
    daemon.stop(Signal::SIGTERM);
    assert_eq!(own.host.state(), before);
}

/// The daemon made a namespace of this name, somebody removed it, and somebody made another.
#[test]
fn a_name_that_was_given_away_is_not_removed() {
    let Some(world) = world() else { return };
    let daemon = Daemon::with(&world, &[BRIDGE, &port("a", "netns = \"mine\"", 2)].concat());
    world.run(|| os::netns::remove("mine")).unwrap();
    let theirs = Found::named(&world, "mine", "up0");
    let before = theirs.host.state();
    daemon.stop(Signal::SIGTERM);
    assert_eq!(world.names(), ["mine"]);
    assert_eq!(theirs.host.state(), before);
}

/// A failure while the lab is made undoes what was done to namespaces ahead of it.
#[test]
fn a_found_namespace_is_left_as_it_was_by_a_lab_that_fails() {
    let Some(world) = world() else { return };
    let old = Found::named(&world, "old", "up0");
    let taken = Found::named(&world, "taken", "eth0");
    let before = [old.host.state(), taken.host.state()];
    let ports = [port("a", "netns = \"old\"", 2), port("b", "netns = \"taken\"", 3)].concat();
    let file = world.file([BRIDGE, &ports].concat());
    let said = world.tapswitch_on(&["run", "--strict"], &file).refusal();
    assert!(said.contains("port b"), "{said}");
    assert_eq!([old.host.state(), taken.host.state()], before);
    // The same when it is a change of a running lab that fails.
    let daemon = Daemon::with(&world, BRIDGE);
    world.tapswitch_on(&["apply", "--strict"], &file).refusal();
    assert_eq!([old.host.state(), taken.host.state()], before);
    daemon.stop(Signal::SIGTERM);
}

/// What the far end's last step refuses (a gateway that no route reaches) undoes the steps before.
#[test]
fn a_port_that_fails_at_its_last_step_leaves_nothing() {
    let Some(world) = world() else { return };
    let old = Found::named(&world, "old", "up0");
    let before = old.host.state();
    let far_away = "host = true\nmaster = \"nobody\"";
    let ports =
        [port("a", "netns = \"old\"", 2), format!("[port.b]\nbridge = \"br0\"\n{far_away}\n")];
    let said =
        world.tapswitch_on(&["run", "--strict"], &world.file([BRIDGE, &ports.concat()].concat()));
    assert!(said.refusal().contains("port b"));
    assert_eq!(old.host.state(), before);
}
