//! Ethernet frames written byte by byte: addresses, any tags, any payload.

use packet::arp::{Arp, Operation};
use packet::{Frame, Mac};

use super::{Address, Packet};

/// Begins a frame to one station from another.
pub fn frame(to: Mac, from: Mac) -> Builder {
    Builder { bytes: [to.0, from.0].concat() }
}

/// A frame being written: addresses, then tags.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// Adds an 802.1Q tag of priority 0.
    #[must_use]
    pub fn tag(self, vlan: u16) -> Self {
        self.tag_bits(vlan)
    }

    /// Adds an 802.1Q tag of these sixteen bits: priority, drop eligibility, VLAN.
    #[must_use]
    pub fn tag_bits(self, bits: u16) -> Self {
        self.words(&[0x8100, bits])
    }

    /// Adds an 802.1ad service tag.
    #[must_use]
    pub fn service_tag(self, vlan: u16) -> Self {
        self.words(&[0x88a8, vlan])
    }

    /// Ends with an EtherType (or a length) and what it carries.
    pub fn payload(self, ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.words(&[ethertype]).bytes;
        bytes.extend(payload);
        bytes
    }

    /// Ends with an IPv4 packet.
    pub fn ip(self, packet: &Packet) -> Vec<u8> {
        self.payload(0x0800, &packet.bytes())
    }

    /// Ends with an ARP packet, padded as Ethernet wants it.
    pub fn arp(self, arp: &Arp) -> Vec<u8> {
        let mut whole = Frame::copied_from(&[0; 60]);
        assert!(arp.emit(&mut whole, Mac::BROADCAST), "60 bytes hold an ARP packet");
        self.payload(0x0806, &whole.bytes()[14..])
    }

    /// What has been written, cut off here.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn words(mut self, words: &[u16]) -> Self {
        self.bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        self
    }
}

/// "Who has `target`? Tell `sender`."
pub fn arp_request(sender_mac: Mac, sender: impl Address, target: impl Address) -> Arp {
    Arp {
        operation: Operation::Request,
        sender_mac,
        sender: sender.address(),
        target_mac: Mac::ZERO,
        target: target.address(),
    }
}

/// "`sender` is at `sender_mac`", to one who asked.
pub fn arp_reply(
    sender_mac: Mac,
    sender: impl Address,
    target_mac: Mac,
    target: impl Address,
) -> Arp {
    Arp {
        operation: Operation::Reply,
        sender_mac,
        sender: sender.address(),
        target_mac,
        target: target.address(),
    }
}

/// "Does anybody have `target`?", before using it (RFC 5227 section 2.1.1).
pub fn arp_probe(sender_mac: Mac, target: impl Address) -> Arp {
    arp_request(sender_mac, "0.0.0.0", target)
}

/// "`address` is mine" (RFC 5227 section 2.3).
pub fn announcement(mac: Mac, address: impl Address) -> Arp {
    let address = address.address();
    arp_request(mac, address, address)
}
