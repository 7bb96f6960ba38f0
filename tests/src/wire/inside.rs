//! Packets in tunnels: every TCP and UDP header that a frame can be read to hold, however deep, and
//! whether every length and checksum on the way there is right.
//!
//! It reads everything there may be, where the `packet` crate looks for one place.

use core::num::NonZeroU16;

use packet::{Frame, Offload, SegmentKind};

use super::sum;

/// The most headers on a way that are another in each segment, as the switch has it.
const MOST: usize = 6;

/// A header on the way, and where it starts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Header {
    Ip(usize),
    Udp(usize),
    Gre(usize),
}

/// A TCP or UDP header in a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inside {
    /// TCP's number or UDP's.
    protocol: u8,
    at: usize,
    /// Where the packet ends.
    end: usize,
    way: Vec<Header>,
    /// Whether a GRE header on the way counts packets.
    numbered: bool,
    /// Whether a tunnel is on the way.
    tunnelled: bool,
}

/// What `frame` owes to a packet in a tunnel, if that can be read.
pub fn owed_inside(frame: &Frame) -> Option<Inside> {
    let (bytes, offload) = (frame.bytes(), frame.offload());
    let span = offload.span()?;
    let protocol = if span.offset == 16 { 6 } else { 17 };
    let mut found = Vec::new();
    Reader { bytes, found: &mut found }.ethernet(0, &Inside::nothing(bytes));
    let inside = found.into_iter().find(|inside| {
        inside.tunnelled
            && (inside.protocol, inside.at) == (protocol, usize::from(span.start))
            && span.field() + 2 <= inside.end
    })?;
    let fits = match offload {
        Offload::Complete => false,
        Offload::Checksum(_) => matches!(span.offset, 6 | 16),
        Offload::Segment { kind, size, .. } => inside.may_be_cut(bytes, kind, size),
    };
    fits.then_some(inside)
}

/// The frame with the checksum completed that it owes to a packet in a tunnel; any other frame as
/// it is.
pub fn settled(frame: &Frame) -> Frame {
    let mut settled = frame.clone();
    if let (Some(inside), Offload::Checksum(span)) = (owed_inside(frame), frame.offload()) {
        let covered = &frame.bytes()[inside.at..inside.end];
        let sum = match !sum(covered) {
            0 if inside.protocol == 17 => 0xffff,
            sum => sum,
        };
        settled.bytes_mut()[span.field()..span.field() + 2].copy_from_slice(&sum.to_be_bytes());
        settled.set_offload(Offload::Complete);
    }
    settled
}

/// Whether all lengths and checksums on the way to the TCP or UDP header at `at` of a complete
/// frame are right, and its own; `None` when no such header is there.
pub fn is_right(bytes: &[u8], at: usize) -> Option<bool> {
    let mut found = Vec::new();
    Reader { bytes, found: &mut found }.ethernet(0, &Inside::nothing(bytes));
    let inside = found.into_iter().find(|inside| inside.at == at)?;
    Some(inside.is_right(bytes))
}

impl Inside {
    /// Whether the partial checksum is the sum of the inner pseudo-header, so that right ones can
    /// be made of it.
    pub fn sums_up(&self, bytes: &[u8]) -> bool {
        let Some(Header::Ip(ip)) = self.way.last() else { return false };
        let field = self.at + if self.protocol == 6 { 16 } else { 6 };
        let is = u16::from_be_bytes([bytes[field], bytes[field + 1]]);
        is % 0xffff == self.pseudo(bytes, *ip, self.at, self.protocol) % 0xffff
    }

    fn nothing(bytes: &[u8]) -> Self {
        let (end, way) = (bytes.len(), Vec::new());
        Self { protocol: 0, at: 0, end, way, numbered: false, tunnelled: false }
    }

    fn and(&self, header: Header) -> Option<Self> {
        let way = [&self.way[..], &[header]].concat();
        (way.len() <= MOST).then(|| Self { way, ..self.clone() })
    }

    fn may_be_cut(&self, bytes: &[u8], kind: SegmentKind, size: NonZeroU16) -> bool {
        let (protocol, version) = match kind {
            SegmentKind::Tcp4 { .. } => (6, Some(4)),
            SegmentKind::Tcp6 { .. } => (6, Some(6)),
            SegmentKind::Udp => (17, None),
            SegmentKind::Fragments => return false,
        };
        let header = match protocol {
            6 => bytes.get(self.at + 12).map_or(0, |byte| usize::from(byte >> 4) * 4),
            _ => 8,
        };
        let Some(Header::Ip(ip)) = self.way.last() else { return false };
        let least = if protocol == 6 { 20 } else { 8 };
        let data = self.end.saturating_sub(self.at + header);
        self.protocol == protocol
            && version.is_none_or(|version| bytes[*ip] >> 4 == version)
            && header >= least
            && data > 0
            && data.div_ceil(usize::from(size.get())) <= 2048
            && !self.numbered
    }

    fn is_right(&self, bytes: &[u8]) -> bool {
        let own = if self.protocol == 17 { Header::Udp(self.at) } else { Header::Gre(self.at) };
        let mut ip = 0;
        self.way.iter().chain([&own]).all(|header| match *header {
            Header::Ip(at) => {
                ip = at;
                let len = usize::from(bytes[at] & 15) * 4;
                bytes[at] >> 4 == 6 || sum(&bytes[at..at + len]) == 0xffff
            }
            Header::Udp(at) => {
                let none = bytes[at + 6..at + 8] == [0, 0];
                none && at != self.at || self.transport_is_right(bytes, ip, at, 17)
            }
            Header::Gre(at) if at == self.at => self.transport_is_right(bytes, ip, at, 6),
            Header::Gre(at) => sum(&bytes[at..self.end]) == 0xffff,
        })
    }

    fn transport_is_right(&self, bytes: &[u8], ip: usize, at: usize, protocol: u8) -> bool {
        let pseudo = self.pseudo(bytes, ip, at, protocol).to_be_bytes();
        sum(&[&pseudo, &bytes[at..self.end]].concat()) == 0xffff
    }

    fn pseudo(&self, bytes: &[u8], ip: usize, at: usize, protocol: u8) -> u16 {
        let addresses = match bytes[ip] >> 4 {
            4 => ip + 12..ip + 20,
            _ => ip + 8..ip + 40,
        };
        let len = u16::try_from(self.end - at).unwrap_or(0).to_be_bytes();
        sum(&[&bytes[addresses], &[0, protocol], &len].concat())
    }
}

/// Follows a frame's headers under every reading. Each function takes a position and the way there.
struct Reader<'a> {
    bytes: &'a [u8],
    found: &'a mut Vec<Inside>,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes([*self.bytes.get(at)?, *self.bytes.get(at + 1)?]))
    }

    fn ethernet(&mut self, at: usize, so_far: &Inside) -> Option<()> {
        let mut network = at + 14;
        for _ in 0..2 {
            if matches!(self.word(network - 2)?, 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300) {
                network += 4;
            }
        }
        self.network(self.word(network - 2)?, network, so_far)
    }

    fn network(&mut self, ethertype: u16, at: usize, so_far: &Inside) -> Option<()> {
        match ethertype {
            0x0800 => self.ip(4, at, so_far),
            0x86dd => self.ip(6, at, so_far),
            0x6558 => self.ethernet(at, so_far),
            0x8847 | 0x8848 => self.labels(at, so_far),
            _ => None,
        }
    }

    fn ip(&mut self, version: u8, at: usize, so_far: &Inside) -> Option<()> {
        let fixed = self.bytes.get(at..at + if version == 4 { 20 } else { 40 })?.to_vec();
        if fixed[0] >> 4 != version {
            return None;
        }
        let (mut next, mut behind, end, routed);
        if version == 4 {
            if fixed[0] & 15 < 5 || self.word(at + 6)? & 0x3fff != 0 {
                return None;
            }
            (next, behind) = (fixed[9], at + usize::from(fixed[0] & 15) * 4);
            (end, routed) = (at + usize::from(self.word(at + 2)?), false);
        } else {
            (next, behind) = (fixed[6], at + 40);
            end = behind + usize::from(self.word(at + 4)?);
            let mut seen = Vec::new();
            while matches!(next, 0 | 43 | 60 | 135) && seen.len() < 8 {
                seen.push(next);
                next = *self.bytes.get(behind)?;
                behind += 8 + 8 * usize::from(*self.bytes.get(behind + 1)?);
            }
            routed = seen.contains(&43);
        }
        let is_first = so_far.way.is_empty();
        if end > self.bytes.len() || !is_first && end != so_far.end {
            return None;
        }
        let so_far = Inside { end, ..so_far.and(Header::Ip(at))? };
        if routed && next == 17 {
            // Only as the last: the checksum is over another destination.
            self.found.push(Inside { protocol: 17, at: behind, ..so_far });
            return Some(());
        }
        self.protocol(next, behind, &so_far)
    }

    fn protocol(&mut self, protocol: u8, at: usize, so_far: &Inside) -> Option<()> {
        if matches!(protocol, 6 | 17) {
            self.found.push(Inside { protocol, at, ..so_far.clone() });
        }
        let so_far = Inside { tunnelled: true, ..so_far.clone() };
        match protocol {
            4 => self.ip(4, at, &so_far),
            41 => self.ip(6, at, &so_far),
            47 => self.gre(at, &so_far),
            137 => self.labels(at, &so_far),
            17 if at + usize::from(self.word(at + 4)?) == so_far.end => self.udp(at, &so_far),
            _ => None,
        }
    }

    fn gre(&mut self, at: usize, so_far: &Inside) -> Option<()> {
        let (flags, ethertype) = (self.word(at)?, self.word(at + 2)?);
        if flags & 0x4fff != 0 {
            return None;
        }
        let has = |bit: u16| flags & bit != 0;
        let mut so_far = so_far.clone();
        if has(0x8000) {
            so_far = so_far.and(Header::Gre(at))?;
        }
        so_far.numbered |= has(0x1000);
        let words = [0x8000, 0x2000, 0x1000].into_iter().filter(|bit| has(*bit)).count();
        let behind = at + 4 + 4 * words;
        match ethertype {
            0x88be => self.ethernet(behind + if has(0x1000) { 8 } else { 0 }, &so_far),
            0x22eb => {
                let more = *self.bytes.get(behind + 11)? & 1 != 0;
                self.ethernet(behind + if more { 20 } else { 12 }, &so_far)
            }
            other => self.network(other, behind, &so_far),
        }
    }

    fn labels(&mut self, at: usize, so_far: &Inside) -> Option<()> {
        let so_far = Inside { tunnelled: true, ..so_far.clone() };
        let last = (0..8).map(|label| at + 4 * label);
        let last =
            last.into_iter().find(|at| self.bytes.get(at + 2).is_some_and(|b| b & 1 == 1))?;
        self.ip(self.bytes.get(last + 4)? >> 4, last + 4, &so_far)
    }

    /// All that a datagram may hold.
    fn udp(&mut self, at: usize, so_far: &Inside) -> Option<()> {
        let so_far = &so_far.and(Header::Udp(at))?;
        let at = at + 8;
        let head: [u8; 4] = *self.bytes.get(at..)?.first_chunk()?;
        let behind = at + 8;
        match (head[0] & 12, head[3]) {
            (8, _) | (12, 3) => self.ethernet(behind, so_far),
            (12, 1) => self.ip(4, behind, so_far),
            (12, 2) => self.ip(6, behind, so_far),
            _ => None,
        };
        if head[0] >> 6 == 0 {
            let options = 4 * usize::from(head[0] & 63);
            self.network(self.word(at + 2)?, behind + options, so_far);
        }
        if head[0] >> 5 == 0 {
            self.protocol(head[1], at + 4 + 4 * usize::from(head[0] & 31), so_far);
        }
        self.ip(head[0] >> 4, at, so_far);
        self.gre(at, so_far);
        self.labels(at, so_far)
    }
}
