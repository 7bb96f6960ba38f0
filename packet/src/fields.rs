//! IPv4 headers that the switch writes itself.

use core::net::Ipv4Addr;

use crate::checksum;
use crate::ethernet::HEADER_LEN as ETHERNET;
use crate::frame::Frame;
use crate::ip::{Protocol, V4_HEADER};

/// The fields of a header that the switch writes itself.
#[derive(Copy, Clone, Debug)]
pub struct Fields {
    /// Our own address.
    pub source: Ipv4Addr,
    /// Whom it is for.
    pub destination: Ipv4Addr,
    /// What follows.
    pub protocol: Protocol,
    /// Hops it may make.
    pub ttl: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Identification; zero is right for packets that are never fragmented (RFC 6864 section 4.1).
    pub identification: u16,
    /// Whether routers must not fragment it.
    pub dont_fragment: bool,
}

impl Fields {
    /// Writes the 20 bytes behind the Ethernet header of a frame that has its final length,
    /// checksum included. `false` when the frame is too short or beyond 65,535 bytes.
    #[must_use]
    pub fn emit(&self, frame: &mut Frame) -> bool {
        let Some(total) = frame.len().checked_sub(ETHERNET).and_then(|len| u16::try_from(len).ok())
        else {
            return false;
        };
        let Some(place) = frame.bytes_mut().get_mut(ETHERNET..).and_then(|b| b.first_chunk_mut())
        else {
            return false;
        };
        let mut bytes: [u8; V4_HEADER] = [0; V4_HEADER];
        bytes[0] = 0x45;
        bytes[1] = self.traffic_class;
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.identification.to_be_bytes());
        bytes[6] = if self.dont_fragment { 0x40 } else { 0 };
        bytes[8] = self.ttl;
        bytes[9] = self.protocol.0;
        bytes[12..16].copy_from_slice(&self.source.octets());
        bytes[16..20].copy_from_slice(&self.destination.octets());
        let sum = checksum::of(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        *place = bytes;
        true
    }
}
