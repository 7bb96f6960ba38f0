//! Who may speak on a guarded port: its own MAC address and its own IPv4 addresses, and nobody
//! else.
//!
//! # Theory of operation
//! Judged ahead of all else, so that what is refused teaches nobody anything. The frame's source
//! has to be the port's MAC address. In ARP and in IPv4, behind however many tags, the sender has
//! to be one of the port's addresses, too; only who has no address yet may be 0.0.0.0: in an ARP
//! probe (RFC 5227 section 2.1.1), and as a DHCP client (RFC 2131 section 4.1). A lab knows of no
//! other addresses: IPv6 and all else is judged by its MAC address alone.

use core::net::Ipv4Addr;

use packet::arp::Arp;
use packet::ip::V4;
use packet::transport::ports;
use packet::{DropReason, EtherType, Ethernet, Mac, Protocol};
use serde::{Deserialize, Serialize};

/// What a port may speak as.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Guard {
    /// Its MAC address.
    pub mac: Mac,
    /// Its IPv4 addresses.
    pub addresses: Vec<Ipv4Addr>,
}

/// UDP ports of a DHCP client and server.
const DHCP: (u16, u16) = (68, 67);

impl Guard {
    /// Whether a frame may come in.
    ///
    /// # Errors
    /// [`DropReason::GuardMac`] or [`DropReason::GuardAddress`]: it speaks as somebody else, or so
    /// brokenly that nobody knows.
    pub(crate) fn admit(&self, ethernet: &Ethernet) -> Result<(), DropReason> {
        if ethernet.source() != self.mac {
            return Err(DropReason::GuardMac);
        }
        let (ethertype, payload) = behind_tags(ethernet);
        let speaks_as_itself = match ethertype {
            EtherType::ARP => self.owns_arp(payload),
            EtherType::IPV4 => self.owns_packet(payload),
            _ => true,
        };
        speaks_as_itself.then_some(()).ok_or(DropReason::GuardAddress)
    }

    fn owns_arp(&self, payload: &[u8]) -> bool {
        Arp::parse(payload).is_some_and(|arp| {
            arp.sender_mac == self.mac && (arp.is_probe() || self.addresses.contains(&arp.sender))
        })
    }

    fn owns_packet(&self, payload: &[u8]) -> bool {
        let Some(ip) = V4::of(payload) else { return false };
        let asks_for_one = ip.source().is_unspecified()
            && ip.protocol() == Protocol::UDP
            && ports(ip.payload()) == Some(DHCP);
        asks_for_one || self.addresses.contains(&ip.source())
    }
}

/// What a frame carries, and its type. A tag that is cut off hides nothing.
fn behind_tags(ethernet: &Ethernet) -> (EtherType, &[u8]) {
    let (mut ethertype, mut payload) = (ethernet.ethertype(), ethernet.payload());
    while matches!(ethertype, EtherType::VLAN | EtherType::SERVICE_VLAN)
        && let Some(([_, _, high, low], rest)) = payload.split_first_chunk::<4>()
    {
        (ethertype, payload) = (EtherType(u16::from_be_bytes([*high, *low])), rest);
    }
    (ethertype, payload)
}
