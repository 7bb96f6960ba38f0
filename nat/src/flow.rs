//! One tracked flow: what its packets look like on either side, and how far it has got.

use core::net::Ipv4Addr;

use packet::transport::TcpFlags;
use packet::{Instant, Protocol, Transport};
use serde::{Deserialize, Serialize};

use crate::groups::Class;
use crate::tcp::{Effect, State, Tcp};
use crate::tuple::{Direction, Tuple, answer};

/// A flow, in one cache line: all that a packet of it touches.
///
/// A packet of one direction carries that direction's tuple when it arrives and leaves as the
/// inverse of the other's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[repr(align(64))]
pub(crate) struct Flow {
    original: TupleEnds,
    reply: TupleEnds,
    protocol: Protocol,
    /// ICMP type of the original direction's queries.
    kind: u8,
    progress: Progress,
    origin: FlowOrigin,
    flags: u8,
    deadline: Instant,
    counters: [Counter; 2],
}

/// A tuple without what both directions have in common.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct TupleEnds {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    source_port: u16,
    destination_port: u16,
}

/// How a flow came to be, which decides whose packets keep it alive.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum FlowOrigin {
    /// An inside host began it.
    Masquerade,
    /// Someone spoke to a published port.
    Publish,
    /// Someone outside spoke to a mapping whose filter is open, or to an inside host's own address,
    /// which a rule allows; only the inside keeps it until it answers (RFC 4787 REQ-6).
    Admitted,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Progress {
    Tcp(Tcp),
    Datagrams,
}

const REPLIED: u8 = 1;
const ASSURED: u8 = 2;
/// The external source port comes from no mapping, and is shared with flows to other remotes.
const SHARED_PORT: u8 = 4;

impl Flow {
    pub(crate) fn new(original: Tuple, reply: Tuple, tcp: Option<Tcp>, origin: FlowOrigin) -> Self {
        Self {
            original: TupleEnds::of(&original),
            reply: TupleEnds::of(&reply),
            protocol: original.protocol,
            kind: original.kind,
            progress: tcp.map_or(Progress::Datagrams, Progress::Tcp),
            origin,
            flags: 0,
            deadline: Instant::ZERO,
            counters: [Counter::default(); 2],
        }
    }

    #[inline]
    pub(crate) fn tuple(&self, direction: Direction) -> Tuple {
        let (ends, kind) = match direction {
            Direction::Original => (self.original, self.kind),
            Direction::Reply => (self.reply, answer(self.protocol, self.kind)),
        };
        Tuple {
            source: ends.source,
            destination: ends.destination,
            source_port: ends.source_port,
            destination_port: ends.destination_port,
            protocol: self.protocol,
            kind,
        }
    }

    pub(crate) const fn origin(&self) -> FlowOrigin {
        self.origin
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) const fn tcp(&self) -> Option<Tcp> {
        match self.progress {
            Progress::Tcp(tcp) => Some(tcp),
            Progress::Datagrams => None,
        }
    }

    pub(crate) const fn is_replied(&self) -> bool {
        self.flags & REPLIED != 0
    }

    pub(crate) const fn is_assured(&self) -> bool {
        self.flags & ASSURED != 0
    }

    pub(crate) const fn shares_port(&self) -> bool {
        self.flags & SHARED_PORT != 0
    }

    pub(crate) const fn share_port(&mut self) {
        self.flags |= SHARED_PORT;
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) const fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    pub(crate) const fn is_living(&self, now: Instant) -> bool {
        now.as_nanos() < self.deadline.as_nanos()
    }

    /// Whether it is a connection that both sides have closed, or one has reset.
    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.progress, Progress::Tcp(tcp) if tcp.is_closed())
    }

    /// Whether it is a connection whose ends have both said that they mean it, and that goes on.
    pub(crate) const fn is_established(&self) -> bool {
        matches!(self.progress, Progress::Tcp(tcp) if !tcp.is_closed()) && self.is_assured()
    }

    /// Whether it makes room where there is none, and for whom.
    pub(crate) const fn class(&self) -> Option<Class> {
        self.state().class()
    }

    /// All that its class follows from.
    #[inline]
    pub(crate) const fn state(&self) -> FlowState {
        FlowState { progress: self.progress, flags: self.flags }
    }

    pub(crate) const fn counter(&self, direction: Direction) -> Counter {
        match direction {
            Direction::Original => self.counters[0],
            Direction::Reply => self.counters[1],
        }
    }

    /// Counts a packet without following it.
    pub(crate) const fn count(&mut self, direction: Direction, bytes: usize) {
        let counter = match direction {
            Direction::Original => &mut self.counters[0],
            Direction::Reply => &mut self.counters[1],
        };
        counter.add(bytes);
    }

    /// Counts and follows a packet of this flow. `true`: the flow's time to live begins anew.
    pub(crate) fn follow(
        &mut self,
        direction: Direction,
        transport: Transport,
        bytes: usize,
    ) -> bool {
        let effect = match (&mut self.progress, transport) {
            (Progress::Tcp(tcp), Transport::Tcp { flags, .. }) => tcp.step(direction, flags),
            (Progress::Tcp(_), _) => Effect::Keep,
            (Progress::Datagrams, _) => Effect::Refresh,
        };
        self.count(direction, bytes);
        self.note_exchange(direction, transport);
        effect != Effect::Keep && self.may_refresh(direction)
    }

    fn note_exchange(&mut self, direction: Direction, transport: Transport) {
        let only_reset =
            matches!(transport, Transport::Tcp { flags, .. } if flags.has(TcpFlags::RST));
        if direction == Direction::Reply && !only_reset {
            self.flags |= REPLIED;
        }
        let sure = match self.progress {
            Progress::Tcp(tcp) => tcp.state() == State::Established,
            Progress::Datagrams => {
                self.protocol() == Protocol::UDP && direction == Direction::Original
            }
        };
        if sure && self.is_replied() {
            self.flags |= ASSURED;
        }
    }

    /// Outbound packets refresh; inbound ones where the exchange is mutual or the port is published
    /// (RFC 4787 REQ-6).
    const fn may_refresh(&self, direction: Direction) -> bool {
        match (self.origin, direction) {
            (FlowOrigin::Masquerade | FlowOrigin::Publish, _)
            | (FlowOrigin::Admitted, Direction::Reply) => true,
            (FlowOrigin::Admitted, Direction::Original) => self.is_replied(),
        }
    }
}

/// How far a flow has got.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) struct FlowState {
    progress: Progress,
    flags: u8,
}

impl FlowState {
    pub(crate) const fn class(self) -> Option<Class> {
        let is_replied = self.flags & REPLIED != 0;
        match self.progress {
            Progress::Tcp(tcp) if tcp.is_closed() => Some(Class::Closed),
            Progress::Tcp(tcp) if tcp.is_opening() || !is_replied => Some(Class::Unanswered),
            Progress::Tcp(_) => None,
            Progress::Datagrams if is_replied => Some(Class::Answered),
            Progress::Datagrams => Some(Class::Unanswered),
        }
    }
}

impl TupleEnds {
    const fn of(tuple: &Tuple) -> Self {
        Self {
            source: tuple.source,
            destination: tuple.destination,
            source_port: tuple.source_port,
            destination_port: tuple.destination_port,
        }
    }
}

/// Packets (below 2^40) and bytes of IP, headers included (below 2^56), in one direction, packed
/// into 12 bytes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    packets: u32,
    bytes: u32,
    /// The upper 8 bits of packets, then the upper 24 bits of bytes.
    upper: u32,
}

impl Counter {
    pub(crate) const fn packets(self) -> u64 {
        (self.upper >> 24) as u64 * (1 << 32) + self.packets as u64
    }

    pub(crate) const fn bytes(self) -> u64 {
        (self.upper & 0xff_ffff) as u64 * (1 << 32) + self.bytes as u64
    }

    const fn add(&mut self, bytes: usize) {
        let (packets, bytes) = (self.packets() + 1, self.bytes() + bytes as u64);
        self.packets = packets as u32;
        self.bytes = bytes as u32;
        self.upper = ((packets >> 32) as u32) << 24 | (bytes >> 32) as u32 & 0xff_ffff;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_takes_one_cache_line() {
        assert_eq!(size_of::<Flow>(), 64);
        assert_eq!(size_of::<Option<Flow>>(), 64);
    }

    #[test]
    fn counters_carry_into_their_upper_bits() {
        let mut counter = Counter { packets: u32::MAX, bytes: u32::MAX - 1, upper: 0xff_ffff };
        counter.add(3);
        assert_eq!(counter.packets(), 1 << 32);
        assert_eq!(counter.bytes(), 1, "beyond 2^56 bytes begin anew");
        counter.add(usize::from(u16::MAX));
        assert_eq!((counter.packets(), counter.bytes()), ((1 << 32) + 1, 65_536));
    }
}
