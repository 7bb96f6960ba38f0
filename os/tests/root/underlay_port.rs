//! A tunnel's port that is taken, and the sentence that says by whom.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::process::{Command, Stdio};

use os::underlay::{Holder, Listener, Sender, SenderOptions, UnderlayError};
use socket2::{Domain, Protocol, Socket, Type};

use crate::underlay::alone;

const PORT: u16 = 4789;
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn taken(local: Ipv4Addr) -> String {
    let error = Listener::open(local, PORT, 2).unwrap_err();
    assert!(matches!(error, UnderlayError::PortTaken { .. }), "{error}");
    error.to_string()
}

fn ip(arguments: &str) -> bool {
    let ip = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    ip.is_ok_and(|status| status.success())
}

#[test]
fn the_process_that_has_the_port_is_named_even_if_it_would_share() {
    alone(65_536, || {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        let process = format!("process {} ({})", std::process::id(), name.trim_end());
        let sentence = format!(
            "UDP port 4789 is taken by {process}: stop it, or write `port = ...` in the tunnel"
        );
        for (theirs, ours) in [(ANY, ANY), (Ipv4Addr::LOCALHOST, ANY), (ANY, Ipv4Addr::LOCALHOST)] {
            let plain = UdpSocket::bind((theirs, PORT)).unwrap();
            assert_eq!(taken(ours), sentence);
            drop(plain);
            let sharing = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
            sharing.set_reuse_port(true).unwrap();
            let address = SocketAddr::from((theirs, PORT));
            sharing.bind(&address.into()).unwrap();
            assert_eq!(taken(ours), sentence);
        }
        let theirs = UdpSocket::bind("[::]:4789").unwrap();
        assert_eq!(taken(ANY), sentence);
        drop(theirs);

        // Neither another address nor another port is in the way, and ours are not in their own.
        let _other = UdpSocket::bind("127.0.0.2:4789").unwrap();
        let ours = Listener::open(Ipv4Addr::LOCALHOST, PORT, 3).unwrap();
        assert_eq!(ours.len(), 3);
        assert_eq!(taken(Ipv4Addr::LOCALHOST), sentence);
        assert_eq!(Listener::open(ANY, PORT + 1, 1).unwrap().len(), 1);
    });
}

#[test]
fn the_kernels_vxlan_device_is_named() {
    alone(65_536, || {
        if !ip("link add vx7 type vxlan id 1 dstport 4789") {
            println!("skipped: there is no `ip`, or the kernel has no VXLAN");
            return;
        }
        assert!(ip("link add vx8 type vxlan id 2 dstport 8472"));
        assert_eq!(
            Listener::open(ANY, PORT, 1).unwrap().len(),
            1,
            "a device that is down is no matter"
        );
        assert!(ip("link set vx8 up") && ip("link set vx7 up"));
        let sentence = format!(
            "UDP port 4789 is taken by the kernel's VXLAN device vx7: delete it with `nsenter \
             --net=/proc/{}/ns/net ip link del vx7`, or write `port = ...` in the tunnel",
            std::process::id()
        );
        assert_eq!(taken(ANY), sentence);
        assert_eq!(taken(Ipv4Addr::LOCALHOST), sentence);
        assert_eq!(Holder::of(SocketAddrV4::new(ANY, 8472)), Holder::Device { name: "vx8".into() });
        assert!(ip("link del vx7"));
        assert_eq!(Listener::open(ANY, PORT, 1).unwrap().len(), 1);
        assert_eq!(Holder::of(SocketAddrV4::new(ANY, PORT)), Holder::Unseen);
    });
}

#[test]
fn an_address_that_is_not_here_is_named() {
    alone(65_536, || {
        let local = Ipv4Addr::new(192, 0, 2, 7);
        let options = SenderOptions { local, dont_fragment: true, checksum: true, lanes: 1 };
        let listener = Listener::open(local, PORT, 1).unwrap_err();
        let sender = Sender::open(&options).unwrap_err();
        for error in [listener, sender] {
            assert!(matches!(error, UnderlayError::NotOurs { .. }), "{error}");
            assert!(error.to_string().contains("no device here has the address 192.0.2.7"));
        }
        for count in [0, 257] {
            let error = Listener::open(ANY, PORT, count).unwrap_err();
            assert!(matches!(error, UnderlayError::BadCount { .. }), "{error}");
        }
    });
}
