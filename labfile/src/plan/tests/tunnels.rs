//! Plans with tunnels: their words, and tunnels at random for the others' property.

use std::collections::{BTreeMap, BTreeSet};

use super::lab;
use crate::plan::Plan;

const BASE: &str = "[bridge.br0]\n[bridge.br1]\n";

fn tunnel(name: &str, lines: &str) -> String {
    format!("[tunnel.{name}]\nbridge = \"br0\"\n{lines}\n")
}

fn plan(before: &str, after: &str) -> String {
    Plan::between(&lab(&format!("{BASE}{before}")), &lab(&format!("{BASE}{after}"))).to_string()
}

const VX0: &str = "vni = 42\nremotes = \"192.0.2.1\"";

#[test]
fn a_tunnel_comes_after_its_bridge_and_ports_and_goes_before_them() {
    let text =
        "[bridge.br0]\n[[bridge.br0.static]]\nmac = \"2:0:0:0:0:1\"\nport = \"vx0\"\n[port.red]\n\
                bridge = \"br0\"\nnetns = \"red\"\n"
            .to_owned()
            + &tunnel("vx0", VX0);
    let (empty, full) = (lab("empty = true"), lab(&text));
    assert_eq!(
        Plan::between(&empty, &full).to_string(),
        "+ bridge br0\n\
         + port red (netns red, eth0) on br0\n\
         + tunnel vx0 vni 42 on br0 to 192.0.2.1\n\
         + static 02:00:00:00:00:01 on br0 at tunnel vx0 to 192.0.2.1"
    );
    assert_eq!(
        Plan::between(&full, &empty).to_string(),
        "- static 02:00:00:00:00:01 on br0 at tunnel vx0 to 192.0.2.1\n\
         - tunnel vx0 vni 42 on br0 to 192.0.2.1\n\
         - port red (netns red, eth0) on br0\n\
         - bridge br0"
    );
}

#[test]
fn every_setting_of_a_tunnel_has_its_word() {
    let after = "vni = 43\nremotes = [\"192.0.2.1\", \"192.0.2.2\"]\nmtu = 1400\nvlan = 10\nttl = \
                 \"inherit\"\ndscp = 46\ndf = false\nchecksum = false\nstrict_reserved = true\n\
                 arp_suppression = true\nmss_clamp = true\nlearning = false\nisolated = true";
    assert_eq!(
        plan(&tunnel("vx0", VX0), &tunnel("vx0", after)),
        "~ tunnel vx0: vni 42 -> 43, remotes 192.0.2.1 -> 192.0.2.1,192.0.2.2, mtu 1450 -> 1400, vlan \
         untagged -> access 10, ttl 64 -> inherit, dscp 0 -> 46, df true -> false, checksum true -> \
         false, strict_reserved false -> true, arp_suppression false -> true, mss_clamp false -> true, \
         learning true -> false, isolated false -> true"
    );
}

#[test]
fn a_tunnel_with_another_socket_or_bridge_is_made_anew() {
    let elsewhere =
        |line: &str| plan(&tunnel("vx0", VX0), &tunnel("vx0", &format!("{VX0}\n{line}")));
    assert_eq!(
        elsewhere("port = 4790\nlocal = \"192.0.2.9\"\ntrunk = true\nisolated = true"),
        "- tunnel vx0 vni 42 on br0 to 192.0.2.1\n\
         + tunnel vx0 vni 42 on br0 to 192.0.2.1 from 192.0.2.9, port 4790, trunk all, isolated"
    );
    let moved = tunnel("vx0", VX0).replace("br0", "br1");
    assert_eq!(
        plan(&tunnel("vx0", VX0), &moved),
        "- tunnel vx0 vni 42 on br0 to 192.0.2.1\n+ tunnel vx0 vni 42 on br1 to 192.0.2.1"
    );
}

#[test]
fn tunnels_that_swap_their_vnis_never_claim_the_same() {
    let other = VX0.replace("42", "43");
    let before = tunnel("a", VX0) + &tunnel("b", &other);
    let after = tunnel("a", &other) + &tunnel("b", VX0);
    assert_eq!(
        plan(&before, &after),
        "~ tunnel a: remotes 192.0.2.1 -> none\n\
         ~ tunnel b: remotes 192.0.2.1 -> none\n\
         ~ tunnel a: vni 42 -> 43, remotes none -> 192.0.2.1\n\
         ~ tunnel b: vni 43 -> 42, remotes none -> 192.0.2.1"
    );
}

#[test]
fn a_path_that_shrinks_changes_what_is_derived_from_it() {
    let text = tunnel("vx0", VX0) + "[port.red]\nbridge = \"br0\"\nnetns = \"red\"\n";
    let before = lab(&format!("{BASE}{text}"));
    let mut after = before.clone();
    after.derive_mtus(&BTreeMap::from([("vx0".parse().unwrap(), 1350)]));
    assert_eq!(
        Plan::between(&before, &after).to_string(),
        "~ port red: mtu 1450 -> 1350, super-frames 62024 -> 61518\n~ tunnel vx0: mtu 1450 -> 1350"
    );
    assert!(Plan::between(&after, &after).is_empty());
}

#[test]
fn an_mtu_that_is_written_as_it_was_derived_says_so() {
    assert_eq!(
        plan(&tunnel("vx0", VX0), &tunnel("vx0", &format!("{VX0}\nmtu = 1450"))),
        "~ tunnel vx0: mtu 1450 by default -> as written"
    );
}

#[test]
fn other_remotes_have_their_words() {
    let port = |lines: &str| format!("[port.p]\nbridge = \"br0\"\n{lines}\n");
    assert_eq!(
        plan(&port("netns = \"red\""), &port("netns = \"red\"\nlink = \"veth\"")),
        "~ port p: made anew, far end netns red, eth0 -> netns red, veth, eth0"
    );
    assert_eq!(plan("", &port("interface = \"eth1\"")), "+ port p (interface eth1) on br0");
}

/// Legal tunnels on the bridges `homes`, beside the ports of `others`.
pub(super) fn written(homes: &[&str], others: &str, roll: &mut dyn FnMut(u8) -> u8) -> String {
    let mut text = String::new();
    let mut taken = BTreeSet::new();
    let has_local = [roll(2) == 0, roll(2) == 0];
    // A name that was a port's may become a tunnel's.
    for (number, name) in ["t0", "t1", "t2", "p2"].iter().enumerate() {
        let (home, vni, port) = (usize::from(roll(2)), roll(2), roll(2));
        let far = [roll(2) == 0, roll(2) == 0];
        let (local, mtu, bound) = (roll(2), roll(2), roll(2));
        let Some(home) = homes.get(home) else { continue };
        if others.contains(&format!("[port.{name}]")) {
            continue;
        }
        let far = (1..=2).zip(far).filter(|(host, far)| *far && taken.insert((*host, vni, port)));
        let far: Vec<String> = far.map(|(host, _)| format!("192.0.2.{host}")).collect();
        let Some(first) = far.first() else { continue };
        text += &format!(
            "[tunnel.{name}]\nbridge = \"{home}\"\nvni = {vni}\nport = {}\nremotes = {far:?}\n",
            4789 + i32::from(port)
        );
        if has_local[usize::from(port)] {
            text += &format!("local = \"192.0.2.{}\"\n", 8 + local);
        }
        if mtu == 0 {
            text += "mtu = 1450\n";
        }
        if bound == 0 {
            let mac = format!("02:00:00:00:01:0{number}");
            text += &format!(
                "[[bridge.{home}.static]]\nmac = \"{mac}\"\nport = \"{name}\"\nremote = \"{first}\"\n"
            );
        }
    }
    text
}
