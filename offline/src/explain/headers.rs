//! A frame's headers in words, a line a layer, as tcpdump would put them. Whatever can be read is
//! told, also of frames that the switch refuses: this reads with `etherparse`, which forgives what
//! the switch's own views do not.

use etherparse::{
    Icmpv4Type, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice,
};
use packet::Mac;
use packet::transport::TcpFlags;

use crate::replay::words::control;

/// The lines, from the outside in; never none.
pub(super) fn headers(bytes: &[u8]) -> Vec<String> {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(bytes) else {
        return vec![format!("{} bytes, which is less than an Ethernet header", bytes.len())];
    };
    let mut lines = vec![link(&packet, bytes.len())];
    lines.extend(packet.net.as_ref().map(net));
    lines.extend(packet.transport.as_ref().map(transport));
    if let Some((error, _)) = &packet.stop_err {
        lines.push(format!("cannot be read further: {error}"));
    }
    lines
}

fn link(packet: &LaxSlicedPacket<'_>, len: usize) -> String {
    let Some(LinkSlice::Ethernet2(header)) = &packet.link else {
        return format!("{len} bytes");
    };
    let mut line = format!("{} > {}", Mac(header.source()), Mac(header.destination()));
    let mut kind = header.ether_type().0;
    for ext in &packet.link_exts {
        if let LaxLinkExtSlice::Vlan(tag) = ext {
            let (vlan, priority) = (tag.vlan_identifier(), tag.priority_code_point());
            line += &format!(", VLAN {vlan}");
            if priority.value() != 0 {
                line += &format!(" priority {}", priority.value());
            }
            kind = tag.ether_type().0;
        }
    }
    format!("{line}, {}, {len} bytes", protocol(kind))
}

fn protocol(kind: u16) -> String {
    match kind {
        0x0800 => "IPv4".to_owned(),
        0x0806 => "ARP".to_owned(),
        0x86dd => "IPv6".to_owned(),
        0x88cc => "LLDP".to_owned(),
        0..=1500 => format!("802.3 length {kind}"),
        other => format!("type {other:#06x}"),
    }
}

fn net(net: &LaxNetSlice<'_>) -> String {
    match net {
        LaxNetSlice::Ipv4(packet) => {
            let header = packet.header();
            let mut line = format!(
                "IPv4 {} > {}, ttl {}, id {}, {} bytes",
                header.source_addr(),
                header.destination_addr(),
                header.ttl(),
                header.identification(),
                header.total_len(),
            );
            let at = header.fragments_offset().value() * 8;
            if at != 0 || header.more_fragments() {
                let more = if header.more_fragments() { "more follow" } else { "the last" };
                line += &format!(", fragment at {at}, {more}");
            }
            if header.dont_fragment() {
                line += ", DF";
            }
            if !header.options().is_empty() {
                line += &format!(", {} bytes of options", header.options().len());
            }
            line
        }
        LaxNetSlice::Ipv6(packet) => {
            let header = packet.header();
            format!(
                "IPv6 {} > {}, hop limit {}, next header {}, {} bytes behind the header",
                header.source_addr(),
                header.destination_addr(),
                header.hop_limit(),
                header.next_header().0,
                header.payload_length(),
            )
        }
        LaxNetSlice::Arp(packet) => arp(packet),
    }
}

fn arp(packet: &etherparse::ArpPacketSlice<'_>) -> String {
    let address = |bytes: &[u8]| match bytes {
        &[a, b, c, d] => format!("{a}.{b}.{c}.{d}"),
        other => format!("{} bytes", other.len()),
    };
    let station = |bytes: &[u8]| {
        bytes.first_chunk().map_or_else(|| "somebody".to_owned(), |mac| Mac(*mac).to_string())
    };
    let sender = address(packet.sender_protocol_addr());
    let target = address(packet.target_protocol_addr());
    let from = station(packet.sender_hw_addr());
    match packet.operation().0 {
        1 if sender == target => format!("ARP {sender} announces itself at {from}"),
        1 => format!("ARP who-has {target} tell {sender} at {from}"),
        2 => format!("ARP reply: {sender} is-at {from}"),
        other => format!("ARP operation {other}"),
    }
}

fn transport(transport: &TransportSlice<'_>) -> String {
    match transport {
        TransportSlice::Tcp(tcp) => {
            let bits = [
                (tcp.fin(), TcpFlags::FIN),
                (tcp.syn(), TcpFlags::SYN),
                (tcp.rst(), TcpFlags::RST),
                (tcp.psh(), TcpFlags::PSH),
                (tcp.ack(), TcpFlags::ACK),
            ];
            let set = bits.iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum();
            let mut line = format!(
                "TCP {} > {}, {}, seq {}",
                tcp.source_port(),
                tcp.destination_port(),
                control(TcpFlags(set)),
                tcp.sequence_number(),
            );
            if tcp.ack() {
                line += &format!(", ack {}", tcp.acknowledgment_number());
            }
            line + &format!(", win {}, {} bytes of data", tcp.window_size(), tcp.payload().len())
        }
        TransportSlice::Udp(udp) => format!(
            "UDP {} > {}, {} bytes of data",
            udp.source_port(),
            udp.destination_port(),
            udp.payload().len()
        ),
        TransportSlice::Icmpv4(icmp) => match icmp.icmp_type() {
            Icmpv4Type::EchoRequest(echo) => {
                format!("ICMP echo request, id {}, seq {}", echo.id, echo.seq)
            }
            Icmpv4Type::EchoReply(echo) => {
                format!("ICMP echo reply, id {}, seq {}", echo.id, echo.seq)
            }
            _ => format!("ICMP type {}, code {}", icmp.type_u8(), icmp.code_u8()),
        },
        TransportSlice::Icmpv6(icmp) => {
            format!("ICMPv6 type {}, code {}", icmp.type_u8(), icmp.code_u8())
        }
        TransportSlice::Igmp(_) => "IGMP".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_are_told_a_line_a_layer() {
        let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0xa0, 10, 8, 0];
        bytes.extend([0x45, 0, 0, 40, 0, 7, 0x40, 0, 64, 6, 0, 0, 192, 168, 0, 2, 198, 51, 100, 7]);
        bytes.extend([0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 1, 0, 0, 0, 0, 0]);
        assert_eq!(
            headers(&bytes),
            [
                "02:00:00:00:00:01 > 02:00:00:00:00:09, VLAN 10 priority 5, IPv4, 58 bytes",
                "IPv4 192.168.0.2 > 198.51.100.7, ttl 64, id 7, 40 bytes, DF",
                "TCP 40000 > 80, SYN,ACK, seq 1, ack 2, win 256, 0 bytes of data",
            ]
        );
        assert_eq!(headers(&[2; 5]), ["5 bytes, which is less than an Ethernet header"]);
    }

    #[test]
    fn a_frame_that_breaks_off_is_told_as_far_as_it_goes() {
        let mut bytes = vec![2; 12];
        bytes.extend([8, 0, 0x45, 0, 0, 40]);
        let lines = headers(&bytes);
        assert_eq!(lines[0], "02:02:02:02:02:02 > 02:02:02:02:02:02, IPv4, 18 bytes");
        assert!(lines[1].starts_with("cannot be read further: "), "{lines:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_have_headers(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            prop_assert!(!headers(&bytes).is_empty());
        }
    }
}
