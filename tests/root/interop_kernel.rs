//! The kernel's own VXLAN device as the far end. Its machine verifies every checksum, inside and
//! outside.

use crate::daemon::Daemon;
use crate::host::{Answer, Host};
use crate::transfer::WHOLE;
use crate::underlay::{cable, has_ip, lab, no_wrong_checksums, pair, tcp_both_ways, udp_both_ways};
use crate::world::{World, world};

#[test]
fn the_kernel_is_the_far_end() {
    with_the_kernel(1500, "", "", 4 * WHOLE);
}

#[test]
fn the_kernel_is_the_far_end_of_jumbo_frames() {
    with_the_kernel(9000, "", "", 4 * WHOLE);
}

/// Neither side fills outer checksums in, and both take what has none.
#[test]
fn the_kernel_is_the_far_end_without_outer_checksums() {
    with_the_kernel(1500, "checksum = \"zero\"", " noudpcsum udp6zerocsumrx", WHOLE / 2);
}

/// What the kernel leaves to do is done here where the port's device cannot do it.
#[test]
fn the_kernel_is_the_far_end_of_a_plain_device() {
    let Some((world, far)) = beside_the_kernel(1500, "") else { return };
    let plain = lab(1, &[2], "").replacen("netns =", "offload = false\nnetns =", 1);
    let _daemon = Daemon::with(&world, &plain);
    let near = world.host("c1");
    let (one, other) = ((&near, "10.1.0.1"), (&far, "10.1.0.2"));
    udp_both_ways(one, other, 1422, WHOLE / 16);
    tcp_both_ways(one, other, WHOLE / 2);
    no_wrong_checksums(&[&near, &far, &world.here()]);
}

/// On another port, from a written address, with the far end strict as well.
#[test]
fn the_kernel_is_the_far_end_on_another_port() {
    let keys = "port = 8472\nlocal = \"192.168.10.1\"\nttl = 9\ndscp = \"inherit\"\ndf = false\n\
                strict_reserved = true";
    with_the_kernel(1500, keys, " dstport 8472", WHOLE / 4);
}

fn with_the_kernel(outer: u32, keys: &str, words: &str, total: usize) {
    let Some((world, far)) = beside_the_kernel(outer, words) else { return };
    let daemon = Daemon::with(&world, &lab(1, &[2], keys));
    let near = world.host("c1");
    assert_eq!(near.link("eth0").mtu, far.link("vx0").mtu, "both leave the same room inside");
    near.ping("10.1.0.2");
    far.ping("10.1.0.1");
    // The router behind the tunnel, from the kernel.
    far.ping("10.1.255.1");
    // In fragments, both ways.
    let to = "10.1.0.2".parse().unwrap();
    assert_eq!(near.probe(to, 64, 20_000), Answer::Reply(to));
    let (one, other) = ((&near, "10.1.0.1"), (&far, "10.1.0.2"));
    let largest = usize::try_from(outer).unwrap() - 50 - 28;
    for size in [1, 60, 1000, largest] {
        udp_both_ways(one, other, size, (total / 16).min(size << 12));
    }
    tcp_both_ways(one, other, total);
    no_wrong_checksums(&[&near, &far, &world.here()]);
    assert!(world.rows(&["drops"]).iter().all(|row| row["reason"] != "bad-vxlan"));
    drop(daemon);
}

/// A machine, and beside it a host with a VXLAN device that leads to it and has the address
/// 10.1.0.2.
fn beside_the_kernel(outer: u32, words: &str) -> Option<(World, Host)> {
    if !has_ip() {
        return None;
    }
    let (world, far) = (world()?, Host::anonymous("the kernel's machine"));
    let (near_end, far_end) = (Some("192.168.10.1/24"), Some("192.168.10.2/24"));
    cable((&world.here(), "u0", near_end), (&far, "u0", far_end), outer);
    let port = if words.contains("dstport") { "" } else { " dstport 4789" };
    let ends = "id 42 local 192.168.10.2 remote 192.168.10.1 dev u0";
    far.ip(&format!("link add vx0 type vxlan {ends}{port}{words}"));
    far.ip("address add 10.1.0.2/16 dev vx0");
    far.ip("link set vx0 up");
    Some((world, far))
}

/// Tags pass a trunk as they are, and the kernel takes them off; its own come back.
#[test]
fn tags_inside_are_those_of_the_kernels_machine() {
    if !has_ip() {
        return;
    }
    let Some((world, far)) = beside_the_kernel(1500, "") else { return };
    let text = "[bridge.sw0]\n[bridge.sw0.vlan.10]\nrouter = \"10.10.0.1/24\"\n\
                [port.c1]\nbridge = \"sw0\"\nvlan = 10\nnetns = \"c1\"\n\
                address = \"10.10.0.9/24\"\n[tunnel.vx0]\nbridge = \"sw0\"\nvni = 42\n\
                remotes = [\"192.168.10.2\"]\ntrunk = true\n";
    let _daemon = Daemon::with(&world, text);
    assert_eq!(world.host("c1").link("eth0").mtu, 1446, "a tag takes its room");
    let raw = crate::raw::Raw::on_device(&far, "vx0");
    let own = [10, 10, 0, 2].into();
    // Not of its VLAN: nobody answers. Then of its VLAN.
    raw.ask(20, own, [10, 10, 0, 9].into());
    raw.ask(10, own, [10, 10, 0, 1].into());
    raw.ask(10, own, [10, 10, 0, 9].into());
    let answers = raw.answers_until([10, 10, 0, 9].into());
    assert_eq!(answers, [[10, 10, 0, 1].into(), std::net::Ipv4Addr::new(10, 10, 0, 9)]);
}

/// The kernel's machine pings while the tunnel is taken away and comes back, and the kernel's
/// bridge learns anew.
#[test]
fn a_linux_bridge_continues_the_segment() {
    if !has_ip() {
        return;
    }
    let Some([one, two]) = pair(1500) else { return };
    let far = two.here();
    far.ip("link add br0 type bridge");
    far.ip("link add vx0 type vxlan id 42 remote 192.168.10.1 dstport 4789 dev u0");
    for device in ["vx0", "br0"] {
        far.ip(&format!("link set {device} up"));
    }
    far.ip("link set vx0 master br0");
    let container = Host::anonymous("a container");
    cable((&far, "v0", None), (&container, "eth0", Some("10.1.0.7/16")), 1450);
    far.ip("link set v0 master br0");
    let daemon = Daemon::with(&one, &lab(1, &[2], ""));
    let near = one.host("c1");
    near.ping("10.1.0.7");
    tcp_both_ways((&near, "10.1.0.1"), (&container, "10.1.0.7"), WHOLE / 2);
    one.tapswitch(&["tunnel", "del", "vx0"]).ok();
    daemon.apply(&lab(1, &[2], ""));
    container.ping("10.1.0.1");
    no_wrong_checksums(&[&near, &container, &far]);
}
