//! Frames byte by byte on a device, for what no other socket can say: tags.
#![allow(unsafe_code, reason = "packet sockets as no crate wraps them")]

use std::io::Read;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, recv};
use packet::arp::{Arp, Operation};
use packet::{Frame, Mac, Tag, VlanId};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::host::Host;

/// A packet socket on a device of a host. The kernel takes the tags of frames that arrive off their
/// bytes.
pub(crate) struct Raw {
    socket: Socket,
    mac: Mac,
}

impl Raw {
    /// On `eth0`.
    pub(crate) fn on(host: &Host) -> Self {
        Self::on_device(host, "eth0")
    }

    pub(crate) fn on_device(host: &Host, device: &str) -> Self {
        let link = host.link(device);
        let all = (libc::ETH_P_ALL as u16).to_be();
        let socket = host.run(|| {
            let protocol = Protocol::from(i32::from(all));
            Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap()
        });
        // SAFETY: the storage is larger than a sockaddr_ll and zeroed, and the length set is that
        // of one.
        let (_, address) = unsafe {
            SockAddr::try_init(|storage, len| {
                let address = &mut *storage.cast::<libc::sockaddr_ll>();
                address.sll_family = libc::AF_PACKET as libc::sa_family_t;
                address.sll_protocol = all;
                address.sll_ifindex = link.index as i32;
                *len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
                Ok(())
            })
        }
        .unwrap();
        socket.bind(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, mac: link.mac }
    }

    /// Sends a frame, from the destination address to the end.
    pub(crate) fn send(&self, frame: &[u8]) {
        self.socket.send(frame).unwrap();
    }

    /// The next frame that has arrived, if one has.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 1 << 16];
        let count = recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT).ok()?;
        bytes.truncate(count);
        Some(bytes)
    }

    /// Waits until a frame has arrived on any of these, or the time is over.
    pub(crate) fn await_any(several: &[Self], time: Duration) {
        let sockets = several.iter().map(|raw| raw.socket.as_fd());
        let mut sockets: Vec<_> =
            sockets.map(|socket| PollFd::new(socket, PollFlags::POLLIN)).collect();
        let milliseconds = u16::try_from(time.as_millis()).unwrap();
        // Interrupted or over: the caller looks either way.
        let _ = poll(&mut sockets, milliseconds);
    }

    /// Asks in a VLAN, as `own`, who has an address.
    pub(crate) fn ask(&self, vlan: u16, own: Ipv4Addr, target: Ipv4Addr) {
        let arp = Arp {
            operation: Operation::Request,
            sender_mac: self.mac,
            sender: own,
            target_mac: Mac::ZERO,
            target,
        };
        let mut frame = Frame::in_buffer(vec![0; 256].into_boxed_slice());
        assert!(arp.emit(&mut frame, Mac::BROADCAST));
        frame.set_tag(Some(Tag::new(VlanId::new(vlan).unwrap())));
        assert!(frame.push_tag());
        self.socket.send(frame.bytes()).unwrap();
    }

    /// Whose answers come until that of `last`, which must come in time.
    pub(crate) fn answers_until(&self, last: Ipv4Addr) -> Vec<Ipv4Addr> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut answers = Vec::new();
        let mut bytes = [0; 2048];
        while answers.last() != Some(&last) {
            assert!(Instant::now() < deadline, "no answer from {last}, only from {answers:?}");
            let Ok(count) = (&self.socket).read(&mut bytes) else { continue };
            let heard = bytes.get(14..count).and_then(Arp::parse);
            if let Some(arp) = heard.filter(|arp| arp.operation == Operation::Reply) {
                answers.push(arp.sender);
            }
        }
        answers
    }
}
