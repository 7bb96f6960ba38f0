//! A frame in a few words, as tcpdump would put it.

use packet::arp::{Arp, Operation};
use packet::transport::TcpFlags;
use packet::{EtherType, Ethernet, Frame, Ipv4, Protocol, Transport};

/// The words for a frame that lies with its tag in its bytes, or beside them.
pub(crate) fn words(frame: Frame) -> String {
    let ethernet = match Ethernet::parse(frame) {
        Ok(ethernet) => ethernet,
        Err(dropped) => return format!("no frame: {}", dropped.reason),
    };
    let vlan = ethernet.tag().map_or_else(String::new, |tag| match tag.vlan() {
        Some(vlan) => format!("VLAN {vlan} "),
        None => "VLAN 4095 ".to_owned(),
    });
    let inside = match ethernet.ethertype() {
        EtherType::ARP => arp(ethernet.payload()),
        EtherType::IPV4 => match Ipv4::parse(ethernet) {
            Ok(packet) => ipv4(&packet),
            Err(dropped) => format!("IPv4 {}", dropped.reason),
        },
        EtherType::IPV6 => "IPv6".to_owned(),
        EtherType(other) => format!("type {other:#06x}"),
    };
    vlan + &inside
}

fn arp(payload: &[u8]) -> String {
    let Some(Arp { operation, sender_mac, sender, target, .. }) = Arp::parse(payload) else {
        return "ARP of another kind".to_owned();
    };
    match operation {
        Operation::Request if sender == target => format!("ARP announces {sender}"),
        Operation::Request => format!("ARP who-has {target} tell {sender}"),
        Operation::Reply => format!("ARP {sender} is-at {sender_mac}"),
    }
}

fn ipv4(packet: &Ipv4) -> String {
    let (from, to) = (packet.source(), packet.destination());
    match packet.transport() {
        Transport::Tcp { source, destination, flags } => {
            format!("TCP {from}:{source} > {to}:{destination} {}", control(flags))
        }
        Transport::Udp { source, destination } => {
            format!("UDP {from}:{source} > {to}:{destination}")
        }
        Transport::Query { identifier, reply, kind } => {
            let name = if matches!(kind, 0 | 8) { "echo" } else { "timestamp" };
            let side = if reply { "reply" } else { "request" };
            format!("ICMP {from} > {to} {name} {side} id {identifier}")
        }
        Transport::Error { kind, code } => format!("ICMP {from} > {to} error {kind}/{code}"),
        Transport::OtherIcmp { kind } => format!("ICMP {from} > {to} type {kind}"),
        Transport::LaterFragment => {
            format!("IPv4 {from} > {to} fragment at {}", packet.ip().fragment_offset())
        }
        Transport::Other(Protocol(number)) => format!("IPv4 {from} > {to} protocol {number}"),
        Transport::Malformed => format!("IPv4 {from} > {to}, cut off"),
    }
}

/// The control bits that are set: `SYN,ACK`; a dot for none.
pub(crate) fn control(flags: TcpFlags) -> String {
    let names = [
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
    ];
    let set = names.iter().filter(|(bit, _)| flags.has(*bit)).map(|(_, name)| *name);
    let set: Vec<&str> = set.collect();
    if set.is_empty() { ".".to_owned() } else { set.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_told_in_words() {
        let mut request = vec![0xff; 6];
        request.extend([2, 0, 0, 0, 0, 1, 0x81, 0, 0, 10, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        request.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        let said = words(Frame::copied_from(&request));
        assert_eq!(said, "VLAN 10 ARP who-has 10.0.0.1 tell 10.0.0.2");
        assert_eq!(words(Frame::copied_from(&[2; 5])), "no frame: runt");
        let mut lldp = vec![2; 12];
        lldp.extend([0x88, 0xcc, 0, 0]);
        assert_eq!(words(Frame::copied_from(&lldp)), "type 0x88cc");
        assert_eq!(control(TcpFlags(TcpFlags::SYN | TcpFlags::ACK)), "SYN,ACK");
    }

    proptest! {
        #[test]
        fn any_bytes_have_words(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(!words(Frame::copied_from(&bytes)).is_empty());
        }
    }
}
