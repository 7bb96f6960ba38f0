//! ARP for Ethernet and IPv4 (RFC 826), as a value.

use core::net::Ipv4Addr;

use crate::ethernet::{EtherType, Ethernet, HEADER_LEN};
use crate::frame::Frame;
use crate::mac::Mac;

/// Length of an ARP packet for Ethernet and IPv4.
pub const LEN: usize = 28;
/// Ethernet's least frame without FCS; ARP is padded to it.
const MIN_FRAME: usize = 60;
/// Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4.
const PREAMBLE: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What an ARP packet asks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has its address.
    Reply,
}

/// An ARP packet about Ethernet and IPv4.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// Hardware address of who speaks.
    pub sender_mac: Mac,
    /// Protocol address of who speaks; 0.0.0.0 in a probe (RFC 5227).
    pub sender: Ipv4Addr,
    /// Hardware address of who is asked; zero in requests.
    pub target_mac: Mac,
    /// Protocol address asked for.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Reads the payload of an ARP frame; padding behind is ignored. `None`: cut off, or about
    /// other hardware, another protocol or another operation.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let bytes = payload.first_chunk::<LEN>()?;
        let (preamble, rest) = bytes.split_first_chunk::<6>()?;
        if *preamble != PREAMBLE {
            return None;
        }
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let operation = match u16::from_be_bytes(*operation) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return None,
        };
        let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        Some(Self {
            operation,
            sender_mac: Mac(*sender_mac),
            sender: Ipv4Addr::from(*sender),
            target_mac: Mac(*target_mac),
            target: Ipv4Addr::from(*target),
        })
    }

    /// Makes `frame` this packet in an Ethernet frame from the sender's MAC to `to`, padded to 60
    /// bytes. `false` when the buffer is too small.
    #[must_use]
    pub fn emit(&self, frame: &mut Frame, to: Mac) -> bool {
        if !frame.reset(MIN_FRAME) {
            return false;
        }
        Ethernet::emit(frame, to, self.sender_mac, EtherType::ARP);
        let operation: [u8; 2] = match self.operation {
            Operation::Request => [0, 1],
            Operation::Reply => [0, 2],
        };
        let mut rest = frame.bytes_mut().get_mut(HEADER_LEN..).unwrap_or_default();
        for part in [
            &PREAMBLE[..],
            &operation,
            &self.sender_mac.0,
            &self.sender.octets(),
            &self.target_mac.0,
            &self.target.octets(),
        ] {
            let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else {
                return false;
            };
            place.copy_from_slice(part);
            rest = behind;
        }
        true
    }

    /// Whether the sender asks if an address is free before using it (RFC 5227 section 2.1.1).
    pub fn is_probe(&self) -> bool {
        self.operation == Operation::Request && self.sender.is_unspecified()
    }

    /// Whether the sender tells everybody its address (gratuitous ARP, RFC 5227 section 2.3).
    pub fn is_announcement(&self) -> bool {
        self.sender == self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed() {
        let arp = Arp {
            operation: Operation::Reply,
            sender_mac: Mac([2, 0, 0, 0, 0, 1]),
            sender: Ipv4Addr::new(192, 168, 0, 1),
            target_mac: Mac([2, 0, 0, 0, 0, 2]),
            target: Ipv4Addr::new(192, 168, 0, 2),
        };
        let mut frame = Frame::in_buffer(vec![0xaa; 256].into_boxed_slice());
        assert!(arp.emit(&mut frame, arp.target_mac));
        assert_eq!(frame.len(), 60);
        let ethernet = Ethernet::parse(frame).unwrap();
        assert_eq!(ethernet.ethertype(), EtherType::ARP);
        assert_eq!(Arp::parse(ethernet.payload()), Some(arp));
    }

    #[test]
    fn other_hardware_and_cut_packets_are_not_arp() {
        let mut frame = Frame::in_buffer(vec![0; 256].into_boxed_slice());
        let arp = Arp {
            operation: Operation::Request,
            sender_mac: Mac::ZERO,
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: Mac::ZERO,
            target: Ipv4Addr::UNSPECIFIED,
        };
        assert!(arp.emit(&mut frame, Mac::BROADCAST));
        let good = frame.bytes()[14..42].to_vec();
        assert!(Arp::parse(&good).is_some());
        assert!(Arp::parse(&good[..27]).is_none());
        for at in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(Arp::parse(&bad).is_none(), "byte {at}");
        }
    }
}
