//! One tracked flow: what its packets look like on either side, and how far it has got.

use core::net::Ipv4Addr;

use packet::transport::TcpFlags;
use packet::{Instant, Protocol, Transport};

use crate::mapping::MappingId;
use crate::tcp::{Effect, State, Tcp};
use crate::tuple::{Direction, Tuple};

/// A flow, in 96 bytes: one and a half cache lines, with all that a packet touches.
///
/// A packet of one direction carries that direction's tuple when it arrives and leaves as the inverse of the other's.
#[derive(Debug)]
#[repr(align(32))]
pub(crate) struct Flow {
    original: Tuple,
    reply: Tuple,
    progress: Progress,
    origin: Origin,
    flags: u8,
    deadline: Instant,
    counters: [Counter; 2],
    /// Tells this flow from others that had its place in the table before.
    pub(crate) serial: u32,
    /// The mapping that lends it its external source port, if the mapping is endpoint-independent.
    pub(crate) source_mapping: Option<MappingId>,
    /// The mapping whose external port its first packet was sent to.
    pub(crate) destination_mapping: Option<MappingId>,
    /// The inside host that it counts against.
    pub(crate) host: Ipv4Addr,
}

/// How a flow came to be, which decides whose packets keep it alive.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// An inside host began it.
    Masquerade,
    /// Someone spoke to a published port.
    Publish,
    /// Someone spoke to a mapping whose filter is open; only the inside keeps it until it answers (RFC 4787 REQ-6).
    Admitted,
}

/// Packets and bytes (of IP, headers included) in one direction.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

#[derive(Copy, Clone, Debug)]
enum Progress {
    Tcp(Tcp),
    Datagrams,
}

const REPLIED: u8 = 1;
const ASSURED: u8 = 2;
/// The external source port comes from no mapping, and is shared with flows to other remotes.
const SHARED_PORT: u8 = 4;

impl Flow {
    pub(crate) fn new(original: Tuple, reply: Tuple, tcp: Option<Tcp>, origin: Origin) -> Self {
        Self {
            original,
            reply,
            progress: tcp.map_or(Progress::Datagrams, Progress::Tcp),
            origin,
            flags: 0,
            deadline: Instant::ZERO,
            counters: [Counter::default(); 2],
            serial: 0,
            source_mapping: None,
            destination_mapping: None,
            host: original.source,
        }
    }

    pub(crate) const fn tuple(&self, direction: Direction) -> &Tuple {
        match direction {
            Direction::Original => &self.original,
            Direction::Reply => &self.reply,
        }
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.original.protocol
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
        counter.packets += 1;
        counter.bytes += bytes as u64;
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
        if effect == Effect::Reopen {
            self.flags &= !(REPLIED | ASSURED);
            self.counters = [Counter::default(); 2];
        }
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

    /// Outbound packets refresh; inbound ones where the exchange is mutual or the port is published (RFC 4787 REQ-6).
    const fn may_refresh(&self, direction: Direction) -> bool {
        match (self.origin, direction) {
            (Origin::Masquerade | Origin::Publish, _) | (Origin::Admitted, Direction::Reply) => true,
            (Origin::Admitted, Direction::Original) => self.is_replied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_takes_96_bytes() {
        assert_eq!(size_of::<Flow>(), 96);
        assert_eq!(size_of::<Option<Flow>>(), 96);
    }
}
