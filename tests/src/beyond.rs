//! What tunnels make of frames, as the books say it: congestion marks, a lowered MSS, and answers
//! in the name of who is beyond them. Written apart from the switch on purpose; never asks it.

use packet::arp::Operation;
use packet::{Frame, Mac};

use crate::wire::{Packet, SYN, Seen, sum};

/// Gives the packet inside the congestion mark that RFC 6040 section 4.2 wants, where its frame
/// survives at all.
pub(crate) fn mark(outer: u8, frame: &mut Frame) {
    const NOT_ECT: u8 = 0;
    const ECT1: u8 = 1;
    const ECT0: u8 = 2;
    const CE: u8 = 3;
    let Some((at, version)) = network(frame.bytes()) else { return };
    let bytes = &mut frame.bytes_mut()[at..];
    let (place, shift) = if version == 4 { (1, 0) } else { (1, 4) };
    let Some(inner) = bytes.get(place).map(|byte| byte >> shift & 3) else { return };
    let new = match (inner, outer & 3) {
        (ECT0, ECT1) => ECT1,
        (ECT0 | ECT1, CE) => CE,
        (NOT_ECT | ECT0 | ECT1 | CE, _) => inner,
        _ => unreachable!("two bits"),
    };
    if new == inner {
        return;
    }
    let old = [bytes[0], bytes[1]];
    bytes[place] = bytes[place] & !(3 << shift) | new << shift;
    if version == 4 && bytes.len() >= 12 {
        // RFC 1624, equation 3: a checksum that was wrong stays as wrong as it was.
        let terms = [!bytes[10], !bytes[11], !old[0], !old[1], bytes[0], bytes[1]];
        let mended = !sum(&terms);
        bytes[10..12].copy_from_slice(&mended.to_be_bytes());
    }
}

/// Where the IP header is, behind up to two tags, and its version; it is whole.
fn network(bytes: &[u8]) -> Option<(usize, u8)> {
    let at = (14..=22).step_by(4).find(|at| {
        let ethertype = bytes.get(at - 2..*at);
        !matches!(ethertype, Some([0x81, 0x00] | [0x88, 0xa8] | [0x91..=0x93, 0x00]))
    })?;
    let (first, len) = (*bytes.get(at)?, bytes.len() - at);
    let header = usize::from(first & 15) * 4;
    match (bytes.get(at - 2..at)?, first >> 4) {
        ([0x08, 0x00], 4) if header >= 20 && len >= header => Some((at, 4)),
        ([0x86, 0xdd], 6) if len >= 40 => Some((at, 6)),
        _ => None,
    }
}

/// Whether `new` is `old` with nothing but its TCP SYN's MSS lowered, and the checksum with it.
pub(crate) fn is_lowered(old: &[u8], new: &[u8]) -> bool {
    let Some((at, version)) = network(old) else { return false };
    let header = if version == 4 { usize::from(old[at] & 15) * 4 } else { 40 };
    let protocol = old.get(at + if version == 4 { 9 } else { 6 });
    let tcp = at + header;
    let is_syn = old.get(tcp + 13).is_some_and(|flags| flags & SYN != 0);
    if old.len() != new.len() || protocol != Some(&6) || !is_syn {
        return false;
    }
    let differs = |at: &usize| old[*at] != new[*at] && !(tcp + 16..tcp + 18).contains(at);
    let changed: Vec<usize> = (0..old.len()).filter(differs).collect();
    let options = tcp + 20..tcp + usize::from(old[tcp + 12] >> 4) * 4;
    let option = changed.first().and_then(|first| {
        [first - 2, first - 3].into_iter().find(|at| old.get(*at..at + 2) == Some(&[2, 4]))
    });
    let Some(option) = option.filter(|at| options.contains(at)) else { return false };
    let value = |bytes: &[u8]| u16::from_be_bytes([bytes[option + 2], bytes[option + 3]]);
    changed.iter().all(|at| (option + 2..option + 4).contains(at)) && value(new) < value(old)
}

/// Whether a frame begins a TCP connection with a larger MSS than fits IP packets of `mtu` bytes.
/// Options that are not of the usual kind end the list.
pub(crate) fn announces_too_much(bytes: &[u8], mtu: u16) -> bool {
    let Some((at, version)) = network(bytes) else { return false };
    let Some(len) = bytes.get(at + 2..at + 6) else { return false };
    let (header, protocol, end) = match version {
        4 => (
            usize::from(bytes[at] & 15) * 4,
            bytes.get(at + 9),
            usize::from(len[0]) << 8 | usize::from(len[1]),
        ),
        _ => (40, bytes.get(at + 6), 40 + (usize::from(len[2]) << 8 | usize::from(len[3]))),
    };
    let is_later =
        version == 4 && bytes.get(at + 6..at + 8).is_some_and(|f| f[0] & 0x1f | f[1] != 0);
    let Some(tcp) = bytes.get(at + header..at + end) else { return false };
    if protocol != Some(&6) || header < 20 || is_later || tcp.len() < 20 || tcp[13] & SYN == 0 {
        return false;
    }
    let mut options = tcp.get(20..usize::from(tcp[12] >> 4) * 4).unwrap_or(&[]);
    let most = usize::from(mtu).saturating_sub(if version == 4 { 40 } else { 60 });
    loop {
        options = match *options {
            [1, ref rest @ ..] => rest,
            [2, 4, high, low, ..] => return (usize::from(high) << 8 | usize::from(low)) > most,
            [kind, len, ..] if kind > 2 && len > 1 => {
                options.get(usize::from(len)..).unwrap_or(&[])
            }
            _ => return false,
        };
    }
}

/// Whether `answer` is the ARP reply, in some station's name, to the one who asked.
pub(crate) fn is_reply_to(asked: &Seen, answer: &Seen) -> bool {
    let (Some(question), Some(reply)) = (asked.arp(), answer.arp()) else { return false };
    question.operation == Operation::Request
        && reply.operation == Operation::Reply
        && (reply.sender, reply.target) == (question.target, question.sender)
        && reply.target_mac == question.sender_mac
        && (answer.destination(), answer.source()) == (question.sender_mac, reply.sender_mac)
        && reply.sender_mac.is_station()
        && reply.sender_mac != question.sender_mac
        && answer.bytes.len() == 60
}

/// Whether `answer` tells the sender of `packet`, in the name of whom that was for, that it was too
/// large.
pub(crate) fn is_too_big_for(mtu: u16, packet: &Seen, answer: &Seen) -> bool {
    let cause = Packet::parse_quote(packet.payload());
    let (Ok(cause), Some(told)) = (cause, answer.packet()) else { return false };
    let quote = told.payload.get(8..).unwrap_or(&[]);
    let swapped: (Mac, Mac) = (packet.source(), packet.destination());
    (answer.destination(), answer.source()) == swapped
        && packet.ethertype() == 0x0800
        && told.kind() == (3, 4)
        && told.next_hop_mtu() == mtu
        && (told.source, told.destination) == (cause.destination, cause.source)
        && cause.dont_fragment
        && cause.offset == 0
        && !cause.is_error()
        && told.checksum_holds(answer.offload)
        && packet.payload().starts_with(quote)
        && told.bytes().len() <= 576
}
