//! TCP's maximum segment size (RFC 9293 section 3.7.1), lowered on its way past.
//!
//! For paths whose MTU the two ends cannot learn, such as a tunnel that drops what does not fit. It
//! adds no option: without one the receiver assumes 536 bytes, which fit everywhere.

use crate::checksum;
use crate::frame::Frame;
use crate::ip::{Ip, Options, Protocol};
use crate::transport::{TcpFlags, TcpHeader};

const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Lowers the MSS that a TCP SYN announces to `most` bytes and mends the checksum; whether it
/// changed.
///
/// A partial checksum is left alone: the option is summed later. So is everything that is no whole
/// TCP header of a SYN behind an IPv4 header or right behind an IPv6 one, an MSS that is low
/// enough, and all options when one ahead of the MSS has an impossible length.
pub fn clamp_mss(frame: &mut Frame, most: u16) -> bool {
    let Some((start, at, old)) = find(frame.bytes()).filter(|&(_, _, old)| old > most) else {
        return false;
    };
    let is_partial = frame.offload().span().is_some_and(|span| usize::from(span.start) == start);
    let segment = frame.bytes_mut().get_mut(start..).unwrap_or_default();
    super::edit_word(segment, at, |_| most);
    if !is_partial {
        // At an odd position its bytes are halves of two words, which sum as its swapped bytes do
        // (RFC 1071 section 2 B).
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
    let (at, ip) = Ip::in_frame(bytes)?;
    let is_later = matches!(ip, Ip::V4(v4) if v4.fragment_offset() != 0);
    if is_later || ip.protocol() != Protocol::TCP {
        return None;
    }
    let segment = ip.payload().get(..ip.total_len().checked_sub(ip.header_len())?)?;
    let (position, mss) = mss_option(TcpHeader::of(segment)?)?;
    Some((at + ip.header_len(), position, mss))
}

/// Where a SYN's MSS lies in its segment, and what it is.
fn mss_option(tcp: TcpHeader<'_>) -> Option<(usize, u16)> {
    if !tcp.flags().has(TcpFlags::SYN) {
        return None;
    }
    let mut at = TcpHeader::LEAST;
    for option in Options(tcp.options()) {
        match *option {
            [MAXIMUM_SEGMENT_SIZE, 4, high, low] => {
                return Some((at + 2, u16::from_be_bytes([high, low])));
            }
            [MAXIMUM_SEGMENT_SIZE, ..] => return None,
            _ => at += option.len(),
        }
    }
    None
}
