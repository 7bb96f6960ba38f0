//! Devices, addresses, routes and numbers of namespaces, as netlink shows them.

use std::process::Command;

use os::links::Links;
use os::netns::Netns;
use packet::Mac;
use rtnetlink::LinkBridge;

use crate::scene::{Host, is_root, netlink, play};

#[test]
fn a_device_shows_what_was_set() {
    if !is_root() {
        return;
    }
    play(async {
        let host = Host::new(true, 1).await;
        let index = host.device.index;
        assert_eq!(host.device.kind.as_deref(), Some("tun"));
        assert!(!host.device.up);
        let mac = Mac([0x02, 0, 0, 0, 0, 7]);
        host.links.set_mac(index, mac).await.unwrap();
        host.links.set_mtu(index, 9000).await.unwrap();
        host.links.set_queue_len(index, 77).await.unwrap();
        host.links.set_up(index).await.unwrap();
        let device = host.links.find("eth0").await.unwrap().unwrap();
        assert_eq!((device.mac, device.mtu, device.up, device.master), (mac, 9000, true, None));
        assert_eq!(device.queue_len, 77);
        host.links.loopback_up().await.unwrap();
        let all = host.links.list().await.unwrap();
        let seen: Vec<_> = all.iter().map(|link| (link.name.as_str(), link.up)).collect();
        assert_eq!(seen, [("lo", true), ("eth0", true)]);
        host.links.set_down(index).await.unwrap();
        assert!(!host.links.find("eth0").await.unwrap().unwrap().up);
        assert_eq!(host.links.find("eth1").await.unwrap(), None);
    });
}

#[test]
fn addresses_come_and_go_and_twice_is_once() {
    if !is_root() {
        return;
    }
    play(async {
        let host = Host::new(true, 1).await;
        let (links, index) = (&host.links, host.device.index);
        let first = "192.0.2.2/24".parse().unwrap();
        let second = "198.51.100.7/32".parse().unwrap();
        for address in [first, second, first] {
            links.add_address(index, address).await.unwrap();
        }
        let mut addresses = links.addresses(index).await.unwrap();
        addresses.sort();
        assert_eq!(addresses, [first, second]);
        for address in [first, first] {
            links.delete_address(index, address).await.unwrap();
        }
        assert_eq!(links.addresses(index).await.unwrap(), [second]);
        assert_eq!(links.addresses(1).await.unwrap(), []);
    });
}

#[test]
fn the_default_route_is_set_replaced_and_taken_away() {
    if !is_root() {
        return;
    }
    play(async {
        let host = Host::new(true, 1).await;
        host.up("192.0.2.2/24", 1500).await;
        let (links, index) = (&host.links, host.device.index);
        assert_eq!(links.default_route().await.unwrap(), None);
        for gateway in [[192, 0, 2, 1], [192, 0, 2, 9], [192, 0, 2, 9]] {
            links.set_default_route(gateway.into(), index).await.unwrap();
            assert_eq!(links.default_route().await.unwrap(), Some((gateway.into(), index)));
        }
        let elsewhere = "203.0.113.77/24".parse().unwrap();
        for _ in 0..2 {
            links.add_route(elsewhere, Some([192, 0, 2, 1].into()), index).await.unwrap();
            links.add_route("198.51.100.0/25".parse().unwrap(), None, index).await.unwrap();
        }
        let table = host.netns.run(|| std::fs::read_to_string("/proc/thread-self/net/route"));
        let table = table.unwrap().unwrap();
        let fields = |line: &str| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        let routes: Vec<String> = table.lines().skip(1).map(fields).collect();
        // Destination and gateway as the kernel prints them: in network order, read as a
        // little-endian number.
        for route in ["eth0 007100CB 010200C0", "eth0 006433C6 00000000"] {
            let count = routes.iter().filter(|line| *line == route).count();
            assert_eq!(count, 1, "{route} in {routes:?}");
        }
        for _ in 0..2 {
            links.delete_route(elsewhere).await.unwrap();
            links.delete_default_route().await.unwrap();
        }
        assert_eq!(links.default_route().await.unwrap(), None);
    });
}

#[test]
fn a_refusal_names_the_operation_the_device_and_the_kernels_words() {
    if !is_root() {
        return;
    }
    play(async {
        let host = Host::new(true, 1).await;
        host.up("192.0.2.2/24", 1500).await;
        let (links, index) = (&host.links, host.device.index);
        let error = links.set_default_route([203, 0, 113, 1].into(), index).await.unwrap_err();
        let text = error.to_string();
        let expected = "cannot add the route to everywhere by 203.0.113.1 through device `eth0`";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("Nexthop has invalid gateway"), "{text}");
        assert_eq!(error.errno(), Some(libc::ENETUNREACH));

        let error = links.set_mtu(index, 70_000).await.unwrap_err().to_string();
        assert!(error.contains("set the MTU to 70000 on device `eth0`"), "{error}");
        assert!(error.contains("mtu greater than device maximum"), "{error}");

        let error = links.set_up(999).await.unwrap_err();
        assert!(error.is_missing_device());
        assert!(error.to_string().contains("the device with index 999"), "{error}");
        links.delete(999).await.unwrap();
    });
}

#[test]
fn a_device_becomes_a_port_of_a_bridge_and_is_freed_again() {
    if !is_root() {
        return;
    }
    play(async {
        let host = Host::new(true, 1).await;
        let handle = netlink(&host.netns);
        handle.link().add(LinkBridge::new("br0").build()).execute().await.unwrap();
        let bridge = host.links.find("br0").await.unwrap().unwrap();
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        for master in [Some(bridge.index), None] {
            host.links.set_master(host.device.index, master).await.unwrap();
            assert_eq!(host.links.find("eth0").await.unwrap().unwrap().master, master);
        }
    });
}

#[test]
fn a_namespace_gets_one_number_and_keeps_it() {
    if !is_root() {
        return;
    }
    play(async {
        let here = Netns::anonymous().unwrap();
        let (red, blue) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
        let links = Links::open(&here).await.unwrap();
        assert_eq!(links.nsid(&red).await.unwrap(), None);
        let number = links.assign_nsid(&red).await.unwrap();
        assert!(number >= 0);
        assert_eq!(links.assign_nsid(&red).await.unwrap(), number);
        assert_eq!(links.nsid(&red).await.unwrap(), Some(number));
        // As `ip netns list-id` shows it, on a machine that has it.
        let list = || Command::new("ip").args(["netns", "list-id"]).output();
        if let Ok(output) = here.run(list).unwrap() {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains(&format!("nsid {number}")), "{text}");
        }
        assert_ne!(links.assign_nsid(&blue).await.unwrap(), number);
    });
}

/// The control plane keeps both across tasks and threads.
#[test]
fn requests_and_queues_move_between_threads() {
    fn may_move<T: Send>(value: T) -> T {
        value
    }
    fn may_share<T: Send + Sync>() {}
    may_share::<Links>();
    may_share::<Netns>();
    may_share::<os::tap::Queue>();
    may_share::<os::packet_socket::PacketSocket>();
    may_share::<os::links::Watch>();
    may_share::<os::poller::Waker>();
    may_share::<os::poller::Poller>();
    if !is_root() {
        return;
    }
    let netns = Netns::anonymous().unwrap();
    play(may_move(async move {
        let links = Links::open(&netns).await.unwrap();
        links.loopback_up().await.unwrap();
        links.assign_nsid(&netns).await.unwrap();
        links.delete_default_route().await.unwrap();
        assert_eq!(links.addresses(1).await.unwrap().len(), 1);
        assert_eq!(links.list().await.unwrap().len(), 1);
    }));
}
