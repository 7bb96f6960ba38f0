//! Traffic of many kinds at once, and changes in the middle of it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::host::{Answer, Host};
use crate::traffic::lab;
use crate::transfer::{self, WHOLE};
use crate::wait;
use crate::world::world;

#[test]
fn many_streams_at_once_arrive_whole() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    let (red, blue, net) = (world.host("red"), world.host("blue"), world.host("net"));
    thread::scope(|scope| {
        for number in 0..4 {
            let (outside, inside) = (net.listen(6000 + number), blue.listen(7000 + number));
            let out =
                red.connect(format!("203.0.113.254:{}", 6000 + number).parse().unwrap(), &outside);
            let over =
                red.connect(format!("192.168.0.3:{}", 7000 + number).parse().unwrap(), &inside);
            scope.spawn(|| transfer::tcp(out, WHOLE / 4));
            scope.spawn(|| transfer::tcp(over, WHOLE / 4));
        }
    });
}

#[test]
fn a_transfer_goes_on_while_the_lab_around_it_changes() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let without = text.replace("[port.blue]", "[port.teal]").replace("\"blue\"", "\"teal\"");
    let moved = text.replace("10.1.0.", "10.2.0.");
    let more = format!("{text}[bridge.br9]\nrouter = \"10.9.0.1/24\"\n");
    let daemon = Daemon::with(&world, &text);
    let (red, net) = (world.host("red"), world.host("net"));
    let listener = net.listen(443);
    let flow = red.connect("203.0.113.254:443".parse().unwrap(), &listener);
    thread::scope(|scope| {
        let transfer = scope.spawn(|| transfer::tcp(flow, 4 * WHOLE));
        let mut changes = 0;
        while !transfer.is_finished() || changes == 0 {
            for lab in [&without, &moved, &more, &text] {
                daemon.apply(lab);
            }
            changes += 4;
        }
        println!("{changes} changes during the transfer");
        transfer.join().unwrap();
    });
}

/// The invariant of masquerade: while ports and addresses come and go, the outside host sees
/// addresses of the way out and no other.
#[test]
fn no_inside_address_leaves_untranslated_while_the_lab_changes() {
    let Some(world) = world() else { return };
    let text = lab(true, 1500);
    let renumbered = text.replace("203.0.113.1", "203.0.113.2");
    let inside = text.replace("192.168.0.3/24", "192.168.0.33/24");
    let twice = text.replacen(
        "[[masquerade]]",
        "[[masquerade]]\nsource = \"192.168.0.2\"\nout = \"wan\"\n\n[[masquerade]]",
        1,
    );
    let daemon = Daemon::with(&world, &text);
    let (red, net) = (world.host("red"), world.host("net"));
    // Or its kernel would hide what this looks for.
    for device in ["all", "eth0"] {
        let path = format!("net/ipv4/conf/{device}/rp_filter");
        os::sysctl::set_in(net.netns(), &path, "0").unwrap();
    }
    let (far, near) = (net.udp(53), red.udp(0));
    far.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // There is no way out for a moment, now and then. New ports make new flows.
                let _ = near.send_to(b"x", "203.0.113.254:53");
                let _ = red.udp(0).send_to(b"x", "203.0.113.254:53");
            }
        });
        let listening = scope.spawn(|| {
            let (mut sources, mut count) = (Vec::new(), 0_u64);
            while !over.load(Ordering::Relaxed) {
                if let Ok((_, from)) = far.recv_from(&mut [0; 4]) {
                    count += 1;
                    if !sources.contains(&from.ip()) {
                        sources.push(from.ip());
                    }
                }
            }
            (sources, count)
        });
        for _ in 0..8 {
            for lab in [&renumbered, &inside, &twice, &text] {
                daemon.apply(lab);
            }
        }
        over.store(true, Ordering::Relaxed);
        listening.join().unwrap()
    });
    let own = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
    println!("{} datagrams, from {:?}", seen.1, seen.0);
    assert!(seen.1 > 100, "too few to prove anything");
    assert!(seen.0.iter().all(|source| own.iter().any(|own| source == own)), "{:?}", seen.0);
}

/// The bridge carries what it does not understand, IPv6 super-frames too.
#[test]
fn ipv6_passes_the_bridge() {
    let Some(world) = world() else { return };
    for offload in [true, false] {
        let daemon = Daemon::with(&world, &lab(offload, 1500));
        let (red, blue) = (world.host("red"), world.host("blue"));
        let (own, address) = (link_local(&red, "eth0"), link_local(&blue, "eth0"));
        let (Some(_), Some(address)) = (own, address) else {
            return crate::world::skip("this kernel has no IPv6");
        };
        let listener = blue.run(|| std::net::TcpListener::bind("[::]:4006")).unwrap();
        let to = SocketAddrV6::new(address, 4006, 0, red.link("eth0").index);
        let near = wait::until("duplicate address detection", || {
            red.run(|| std::net::TcpStream::connect_timeout(&SocketAddr::V6(to), wait::PATIENCE))
                .ok()
        });
        let (far, _) = listener.accept().unwrap();
        transfer::tcp((near, far), WHOLE);
        daemon.stop(nix::sys::signal::Signal::SIGTERM);
    }
}

/// The address that the kernel gave a device, once it may be used.
fn link_local(host: &Host, device: &str) -> Option<std::net::Ipv6Addr> {
    const TENTATIVE: u8 = 0x40;
    let read = || std::fs::read_to_string("/proc/thread-self/net/if_inet6");
    host.run(read).ok()?;
    wait::within(wait::PATIENCE, || {
        let text = host.run(read).unwrap();
        let line = text.lines().find(|line| line.ends_with(&format!(" {device}")))?;
        let mut words = line.split_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u8::from_str_radix(words.nth(3)?, 16).ok()?;
        (flags & TENTATIVE == 0).then(|| address.into())
    })
}

/// The largest device that Linux allows.
#[test]
fn the_largest_mtu_carries_the_largest_packets() {
    let Some(world) = world() else { return };
    for offload in [true, false] {
        let daemon = Daemon::with(&world, &lab(offload, 65_521));
        let (red, net) = (world.host("red"), world.host("net"));
        for (to, length) in [("192.168.0.3", 65_493), ("203.0.113.254", 65_493)] {
            let to = to.parse().unwrap();
            assert_eq!(red.probe(to, 64, length), Answer::Reply(to), "offload {offload}");
        }
        let listener = net.listen(443);
        let flow = red.connect("203.0.113.254:443".parse().unwrap(), &listener);
        transfer::tcp(flow, WHOLE);
        daemon.stop(nix::sys::signal::Signal::SIGTERM);
    }
}
