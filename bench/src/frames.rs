//! Small frames, as stations send them: the smallest that Ethernet carries, every checksum right.

use std::net::SocketAddrV4;

use packet::{Frame, Mac, Protocol, checksum};

/// What a frame says.
#[derive(Copy, Clone, Debug)]
pub struct Talk {
    /// Ethernet source.
    pub from_mac: Mac,
    /// Ethernet destination.
    pub to_mac: Mac,
    /// IPv4 source and its port.
    pub from: SocketAddrV4,
    /// IPv4 destination and its port.
    pub to: SocketAddrV4,
    /// What is said.
    pub segment: Segment,
}

/// The transport header.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    /// UDP with 18 bytes of zeros.
    Udp,
    /// A TCP segment without data, with these flags, number and acknowledgement.
    Tcp {
        /// [`SYN`] and [`ACK`].
        flags: u8,
        /// Sequence number.
        number: u32,
        /// Acknowledged up to here.
        acknowledged: u32,
    },
}

/// TCP's flag that opens.
pub const SYN: u8 = 0x02;
/// TCP's flag that acknowledges.
pub const ACK: u8 = 0x10;

impl Talk {
    /// Makes `frame`, which has a buffer, the frame that says this. Allocates nothing.
    pub fn write(&self, frame: &mut Frame) {
        let fits = frame.reset(LEN);
        debug_assert!(fits, "the frame has no buffer");
        let Some(bytes) = frame.bytes_mut().first_chunk_mut::<LEN>() else {
            return;
        };
        bytes[0..6].copy_from_slice(&self.to_mac.0);
        bytes[6..12].copy_from_slice(&self.from_mac.0);
        bytes[12..14].copy_from_slice(&[0x08, 0x00]);
        let (protocol, transport) = self.write_transport(bytes);
        let total = (20 + transport) as u16;
        let [high, low] = total.to_be_bytes();
        bytes[14..24].copy_from_slice(&[0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol.0]);
        bytes[26..30].copy_from_slice(&self.from.ip().octets());
        bytes[30..34].copy_from_slice(&self.to.ip().octets());
        let sum = checksum::of(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    }

    /// Writes what is behind the IPv4 header; says what it is and how long.
    fn write_transport(&self, bytes: &mut [u8; LEN]) -> (Protocol, usize) {
        bytes[34..36].copy_from_slice(&self.from.port().to_be_bytes());
        bytes[36..38].copy_from_slice(&self.to.port().to_be_bytes());
        let (protocol, len, field) = match self.segment {
            Segment::Udp => {
                bytes[38..40].copy_from_slice(&26_u16.to_be_bytes());
                (Protocol::UDP, 26, 40)
            }
            Segment::Tcp { flags, number, acknowledged } => {
                bytes[38..42].copy_from_slice(&number.to_be_bytes());
                bytes[42..46].copy_from_slice(&acknowledged.to_be_bytes());
                bytes[46..50].copy_from_slice(&[0x50, flags, 0xff, 0xff]);
                (Protocol::TCP, 20, 50)
            }
        };
        let (from, to) = (*self.from.ip(), *self.to.ip());
        let pseudo = checksum::pseudo_header(from, to, protocol.0, len);
        let sum = !checksum::sum(&bytes[34..34 + usize::from(len)], pseudo);
        bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        (protocol, usize::from(len))
    }
}

/// Ethernet's smallest frame, without the FCS.
const LEN: usize = 60;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use packet::{Ethernet, Ipv4, Pool};

    #[test]
    fn what_is_written_parses_with_every_checksum_right() {
        let tcp = Segment::Tcp { flags: ACK, number: 7, acknowledged: 9 };
        for (segment, len) in [(Segment::Udp, 26), (tcp, 20)] {
            let talk = Talk {
                from_mac: Mac::from_u64(0x0200_0000_0001),
                to_mac: Mac::from_u64(0x0200_0000_0002),
                from: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 1024),
                to: SocketAddrV4::new(Ipv4Addr::new(198, 18, 0, 1), 80),
                segment,
            };
            let mut frame = Pool::new(1).take();
            talk.write(&mut frame);
            assert_eq!(frame.len(), LEN);
            let packet = Ipv4::parse(Ethernet::parse(frame).unwrap()).unwrap();
            assert_eq!((packet.source(), packet.destination()), (*talk.from.ip(), *talk.to.ip()));
            let protocol = packet.protocol().0;
            let pseudo = checksum::pseudo_header(*talk.from.ip(), *talk.to.ip(), protocol, len);
            let frame = packet.into_frame();
            let transport = &frame.bytes()[34..34 + usize::from(len)];
            assert_eq!(checksum::sum(transport, pseudo), 0xffff);
        }
    }
}
