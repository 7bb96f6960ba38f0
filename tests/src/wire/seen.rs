//! A frame as it arrived at a cable's end.

use packet::arp::Arp;
use packet::{Instant, Mac, Offload};

use super::Packet;

/// A frame that arrived, tag and all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// From the destination address to the end.
    pub bytes: Vec<u8>,
    /// What is left to do to it.
    pub offload: Offload,
}

impl Seen {
    /// Whom it is for.
    pub fn destination(&self) -> Mac {
        Mac(*self.bytes.first_chunk().expect("a frame has addresses"))
    }

    /// Who sent it.
    pub fn source(&self) -> Mac {
        Mac(*self.bytes[6..].first_chunk().expect("a frame has addresses"))
    }

    /// The sixteen bits of its 802.1Q tag.
    pub fn tag(&self) -> Option<u16> {
        (self.word(12) == 0x8100).then(|| self.word(14))
    }

    /// The VLAN that its tag names.
    pub fn vlan(&self) -> Option<u16> {
        self.tag().map(|bits| bits & 0xfff)
    }

    /// The EtherType behind the tag.
    pub fn ethertype(&self) -> u16 {
        self.word(self.start() - 2)
    }

    /// What is behind the EtherType.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.start()..]
    }

    /// The ARP packet in it.
    pub fn arp(&self) -> Option<Arp> {
        (self.ethertype() == 0x0806).then(|| Arp::parse(self.payload()))?
    }

    /// The IPv4 packet in it; nothing when it is not a right one.
    pub fn packet(&self) -> Option<Packet> {
        (self.ethertype() == 0x0800).then(|| Packet::parse(self.payload()).ok())?
    }

    fn start(&self) -> usize {
        if self.tag().is_some() { 18 } else { 14 }
    }

    fn word(&self, at: usize) -> u16 {
        let bytes = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk::<2>());
        bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
    }
}
