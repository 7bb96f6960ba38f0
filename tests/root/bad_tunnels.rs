//! Tunnels and existing devices that cannot be had: one sentence, and the running lab is left as it
//! was.

use std::net::UdpSocket;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::http;
use crate::underlay::{cable, has_ip, lab, pair};
use crate::world::World;

/// What is written wrong, in words that a lab file and JSON share, the status of the refusal, and
/// words of it.
struct Wrong {
    keys: &'static [(&'static str, &'static str)],
    status: u16,
    words: Vec<String>,
}

fn wrong(keys: &'static [(&'static str, &'static str)], status: u16, words: &[&str]) -> Wrong {
    Wrong { keys, status, words: words.iter().map(|word| (*word).to_owned()).collect() }
}

#[test]
fn a_wrong_tunnel_is_one_sentence_and_changes_nothing() {
    let Some([world, _far]) = pair(1500) else { return };
    let here = world.here();
    let _narrow = beside(&here, "n0", "192.168.20.1/24", 600);
    let _down = beside(&here, "d0", "192.168.30.1/24", 1500);
    here.switch("d0", false);
    let taken = here.run(|| UdpSocket::bind("0.0.0.0:4791")).unwrap();
    let text = lab(1, &[2], "");
    let daemon = Daemon::with(&world, &text);
    let before = daemon.lab_and_tunnels();
    let mut cases = vec![
        wrong(
            &[("vni", "16777216"), ("remotes", "[\"192.168.10.2\"]")],
            400,
            &["`vni` is 16777216", "0 to 16777215"],
        ),
        wrong(
            &[("vni", "43"), ("remotes", "[\"192.168.10.1\"]")],
            409,
            &["192.168.10.1 is an address of this machine"],
        ),
        wrong(&[("vni", "43"), ("remotes", "[\"127.0.0.1\"]")], 400, &["127.0.0.1"]),
        wrong(
            &[("vni", "43"), ("remotes", "[\"198.51.100.7\"]")],
            409,
            &["no route leads to 198.51.100.7", "ip route add"],
        ),
        wrong(
            &[("vni", "43"), ("remotes", "[\"192.168.30.2\"]")],
            409,
            &["no route leads to 192.168.30.2"],
        ),
        wrong(
            &[("vni", "43"), ("remotes", "[\"192.168.20.2\"]")],
            409,
            &["packets of 600 bytes", "550 inside", "576"],
        ),
        wrong(
            &[
                ("vni", "43"),
                ("remotes", "[\"192.168.10.2\"]"),
                ("port", "4790"),
                ("local", "\"192.168.10.99\""),
            ],
            409,
            &["no device here has the address 192.168.10.99"],
        ),
    ];
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    cases.push(Wrong {
        keys: &[("vni", "43"), ("remotes", "[\"192.168.10.2\"]"), ("port", "4791")],
        status: 409,
        words: vec![
            "UDP port 4791 is taken by".into(),
            format!("process {} ({})", std::process::id(), own.trim_end()),
        ],
    });
    if has_ip() {
        here.ip("link add vxk type vxlan id 7 remote 192.168.10.2 dstport 4792 dev u0");
        here.ip("link set vxk up");
        cases.push(wrong(
            &[("vni", "43"), ("remotes", "[\"192.168.10.2\"]"), ("port", "4792")],
            409,
            &["UDP port 4792 is taken by the kernel's VXLAN device vxk", "ip link del vxk"],
        ));
    }
    for case in &cases {
        by_run(&world, "[bridge.sw9]\n[tunnel.bad]\nbridge = \"sw9\"\n", case);
        by_verb(&world, "tunnels", "{\"bridge\": \"sw0\"", case);
        assert_eq!(daemon.lab_and_tunnels(), before, "{:?}", case.keys);
    }
    let sentence = "remote 192.168.10.2 with VNI 42 and port 4789 too";
    let twice = wrong(&[("vni", "42"), ("remotes", "[\"192.168.10.2\"]")], 400, &[sentence]);
    by_run(&world, &format!("{text}[tunnel.bad]\nbridge = \"sw0\"\n"), &twice);
    by_verb(&world, "tunnels", "{\"bridge\": \"sw0\"", &twice);
    // The same by the command, with the sentence on standard error.
    let words = ["--bridge", "sw0", "--vni", "43", "--remote", "192.168.10.1"];
    let said = world.tapswitch(&[&["tunnel", "add", "bad"], &words[..]].concat()).sentence();
    assert!(said.contains("tunnel bad: 192.168.10.1 is an address of this machine"), "{said}");
    assert_eq!(daemon.lab_and_tunnels(), before);
    assert_eq!(daemon.apply(&text), "no changes\n");
    assert!(!daemon.has_logged("panicked"));
    drop(taken);
}

/// A device with an address, and a namespace behind it.
fn beside(here: &Host, device: &str, address: &str, mtu: u32) -> Host {
    let far = Host::anonymous(device);
    cable((here, device, Some(address)), (&far, "u0", None), mtu);
    far
}

/// What a failed change has closed for the new sockets is open again.
#[test]
fn a_tunnel_whose_new_port_is_taken_goes_on_at_the_old_one() {
    let Some(worlds) = pair(1500) else { return };
    let taken = worlds[0].here().run(|| UdpSocket::bind("192.168.10.1:4791")).unwrap();
    let _far = Daemon::with(&worlds[1], &lab(2, &[1], ""));
    let daemon = Daemon::with(&worlds[0], &lab(1, &[2], ""));
    let c1 = worlds[0].host("c1");
    c1.ping("10.1.0.2");
    let before = daemon.lab_and_tunnels();
    for keys in ["port = 4791", "port = 4791\nlocal = \"192.168.10.1\""] {
        let file = worlds[0].file(lab(1, &[2], keys));
        let said = worlds[0].tapswitch_on(&["apply", "--strict"], &file).sentence();
        assert!(said.contains("UDP port 4791 is taken"), "{said}");
        assert_eq!(daemon.lab_and_tunnels(), before);
        c1.ping("10.1.0.2");
    }
    // From every address to one and back: the sockets make room for each other.
    for keys in ["local = \"192.168.10.1\"", ""] {
        daemon.apply(&lab(1, &[2], keys));
        c1.ping("10.1.0.2");
    }
    // And a change that fails after they have made room.
    let bad = lab(1, &[2], "local = \"192.168.10.1\"")
        + "[port.x]\nbridge = \"sw0\"\ninterface = \"nobody\"\n";
    let said = worlds[0].tapswitch_on(&["apply", "--strict"], &worlds[0].file(bad)).sentence();
    assert!(said.contains("no interface `nobody`"), "{said}");
    assert_eq!(daemon.lab_and_tunnels(), before);
    c1.ping("10.1.0.2");
    drop(taken);
}

#[test]
fn a_wrong_interface_is_one_sentence_and_changes_nothing() {
    if !has_ip() {
        return;
    }
    let Some([world, _far]) = pair(1500) else { return };
    world.here().ip("tuntap add tun9 mode tun");
    let text = lab(1, &[2], "");
    let daemon = Daemon::with(&world, &text);
    let before = (daemon.lab_and_tunnels(), world.here().state());
    let cases = [
        wrong(
            &[("interface", "\"nobody\"")],
            409,
            &["port bad", "no interface `nobody`", "ip link"],
        ),
        wrong(&[("interface", "\"lo\"")], 400, &["port \"bad\"", "`interface` \"lo\""]),
        wrong(
            &[("interface", "\"tun9\"")],
            409,
            &["port bad", "`tun9`", "not an Ethernet interface"],
        ),
        wrong(
            &[("interface", "\"u0\""), ("address", "\"10.1.0.9/16\"")],
            400,
            &["port \"bad\"", "`address`", "interface"],
        ),
        wrong(
            &[("interface", "\"u0\""), ("netns", "\"c9\"")],
            400,
            &["port \"bad\"", "`netns` and `interface` exclude each other"],
        ),
    ];
    for case in &cases {
        by_run(&world, "[bridge.sw9]\n[port.bad]\nbridge = \"sw9\"\n", case);
        by_verb(&world, "ports", "{\"bridge\": \"sw0\"", case);
        assert_eq!((daemon.lab_and_tunnels(), world.here().state()), before, "{:?}", case.keys);
    }
    assert_eq!(daemon.apply(&text), "no changes\n");
}

/// A second daemon does not start.
#[track_caller]
fn by_run(world: &World, head: &str, case: &Wrong) {
    let lines = case.keys.iter().map(|(key, value)| format!("{key} = {value}\n"));
    let text = head.to_owned() + &lines.collect::<String>();
    let file = world.file(&text);
    let run = world.tapswitch_on(&["run", "--strict", "--socket", "/run/second.sock"], &file);
    let code = run.status.code();
    let said = run.refusal();
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(code, Some(if case.status == 400 { 2 } else { 1 }), "{said}");
    for word in &case.words {
        assert!(last.contains(word.as_str()), "`run` says no {word}, but\n{said}\nof\n{text}");
    }
}

/// The running daemon refuses.
#[track_caller]
fn by_verb(world: &World, table: &str, head: &str, case: &Wrong) {
    let keys = case.keys.iter().map(|(key, value)| format!(", \"{key}\": {value}"));
    let body = format!("{head}{}}}", keys.collect::<String>());
    let (status, answer) = http::json(world, &format!("POST /v1/{table}/bad"), body.as_bytes());
    let said = answer["error"].as_str().unwrap_or_else(|| panic!("{answer} to {body}"));
    assert_eq!(status, case.status, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in &case.words {
        assert!(said.contains(word.as_str()), "it says no {word}, but\n{said}\nof\n{body}");
    }
}
