//! Bytes as tests write and read them: frames, and IPv4 packets as plain values that can be
//! compared.
//!
//! Written apart from the `packet` crate on purpose, slow and simple, so that one is a second
//! opinion on the other.

mod frame;
pub mod inside;
mod packet;
mod seen;

pub use frame::{Builder, announcement, arp_probe, arp_reply, arp_request, frame};
pub use packet::{ACK, FIN, Packet, RST, SYN, SYN_ACK};
pub use seen::Seen;

use core::net::{Ipv4Addr, SocketAddrV4};

/// What can be read as an IPv4 address.
pub trait Address {
    /// The address.
    fn address(self) -> Ipv4Addr;
}

impl Address for Ipv4Addr {
    fn address(self) -> Ipv4Addr {
        self
    }
}

impl Address for &str {
    fn address(self) -> Ipv4Addr {
        self.parse().unwrap_or_else(|_| panic!("not an IPv4 address: {self}"))
    }
}

/// What can be read as an IPv4 address with a port.
pub trait Socket {
    /// The address and the port.
    fn socket(self) -> SocketAddrV4;
}

impl Socket for SocketAddrV4 {
    fn socket(self) -> SocketAddrV4 {
        self
    }
}

impl Socket for &str {
    fn socket(self) -> SocketAddrV4 {
        self.parse().unwrap_or_else(|_| panic!("not an address:port: {self}"))
    }
}

/// One's complement sum of big-endian words, folded: the slow way.
pub fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    words.fold(0u16, |total, word| {
        let total = u32::from(total) + word;
        ((total & 0xffff) + (total >> 16)) as u16
    })
}

/// Sum of the pseudo-header of TCP and UDP.
pub fn pseudo(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, len: usize) -> u16 {
    let [a, b] = (len as u16).to_be_bytes();
    let parts = [&source.octets()[..], &destination.octets(), &[0, protocol, a, b]];
    sum(&parts.concat())
}
