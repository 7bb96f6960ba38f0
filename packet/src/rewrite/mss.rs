//! TCP's maximum segment size (RFC 9293 section 3.7.1), lowered on its way past.
//!
//! For paths whose MTU the two ends cannot learn, such as a tunnel that drops what does not fit. It adds no option:
//! without one the receiver assumes 536 bytes, which fit everywhere.

use crate::checksum;
use crate::ethernet::{EtherType, network_header};
use crate::frame::Frame;
use crate::ipv4::Protocol;
use crate::transport::TcpFlags;

const IPV6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Lowers the MSS that a TCP SYN announces to `most` bytes and mends the checksum; whether it changed.
///
/// A partial checksum is left alone: the option is summed later. So is everything that is no whole TCP header of a SYN
/// behind an IPv4 header or right behind an IPv6 one, an MSS that is low enough, and all options when one ahead of the
/// MSS has an impossible length.
pub fn clamp_mss(frame: &mut Frame, most: u16) -> bool {
    let Some((start, at, old)) = find(frame.bytes()).filter(|&(_, _, old)| old > most) else {
        return false;
    };
    let is_partial = frame.offload().span().is_some_and(|span| usize::from(span.start) == start);
    let segment = frame.bytes_mut().get_mut(start..).unwrap_or_default();
    super::edit_word(segment, at, |_| most);
    if !is_partial {
        // At an odd position its bytes are halves of two words, which sum as its swapped bytes do (RFC 1071 section
        // 2 B).
        let swap = |value: u16| if at % 2 == 0 { value } else { value.swap_bytes() };
        super::edit_word(segment, 16, |sum| checksum::update(sum, swap(old), swap(most)));
    }
    true
}

/// The MSS that a TCP SYN in a frame of `bytes` announces, where [`clamp_mss`] would find it.
pub fn announced_mss(bytes: &[u8]) -> Option<u16> {
    find(bytes).map(|(_, _, mss)| mss)
}

/// Where a TCP segment starts, and where in it its MSS lies, which is the last.
fn find(bytes: &[u8]) -> Option<(usize, usize, u16)> {
    let (network, ethertype) = network_header(bytes)?;
    let (header_len, segment) = tcp_segment(bytes.get(network..)?, ethertype)?;
    let (at, mss) = mss_option(segment)?;
    Some((network + header_len, at, mss))
}

/// The length of the IP header and the TCP segment in a `packet`, as far as the frame holds it; not a later fragment.
fn tcp_segment(packet: &[u8], ethertype: EtherType) -> Option<(usize, &[u8])> {
    let (header_len, protocol, end) = match ethertype {
        EtherType::IPV4 => {
            let header = packet.first_chunk::<20>()?;
            let is_later = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
            let header_len = usize::from(header[0] & 0x0f) * 4;
            if header[0] >> 4 != 4 || header_len < header.len() || is_later {
                return None;
            }
            (header_len, header[9], usize::from(u16::from_be_bytes([header[2], header[3]])))
        }
        EtherType::IPV6 => {
            let header = packet.first_chunk::<IPV6_HEADER>()?;
            let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
            if header[0] >> 4 != 6 {
                return None;
            }
            (IPV6_HEADER, header[6], IPV6_HEADER + payload)
        }
        _ => return None,
    };
    let is_tcp = Protocol(protocol) == Protocol::TCP;
    packet.get(header_len..end).filter(|_| is_tcp).map(|segment| (header_len, segment))
}

/// Where a SYN's MSS lies in its segment, and what it is.
fn mss_option(segment: &[u8]) -> Option<(usize, u16)> {
    let header = segment.first_chunk::<TCP_HEADER>()?;
    let options = segment.get(TCP_HEADER..usize::from(header[12] >> 4) * 4)?;
    if !TcpFlags(header[13]).has(TcpFlags::SYN) {
        return None;
    }
    let mut rest = options;
    loop {
        let len = match *rest {
            [NO_OPERATION, ..] => 1,
            [MAXIMUM_SEGMENT_SIZE, 4, high, low, ..] => {
                let at = TCP_HEADER + options.len() - rest.len() + 2;
                return Some((at, u16::from_be_bytes([high, low])));
            }
            [END_OF_OPTIONS | MAXIMUM_SEGMENT_SIZE, ..] | [] | [_] => return None,
            [_, len, ..] => usize::from(len),
        };
        if len == 0 {
            return None;
        }
        rest = rest.get(len..)?;
    }
}
