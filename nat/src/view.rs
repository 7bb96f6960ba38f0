//! A flow as people and programs see it.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use packet::{Instant, Protocol};

use crate::flow::Flow;
use crate::tuple::{Direction, Tuple};

/// One flow at one time. Its [`Display`](fmt::Display) is its line in `conntrack -L`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct FlowView {
    /// What its packets carry.
    pub protocol: Protocol,
    /// A TCP connection's state as `conntrack` names it.
    pub state: Option<&'static str>,
    /// How long it lives if no more packets come.
    pub expires_in: Duration,
    /// Its first packet's direction, as the first packet's sender sees it.
    pub original: TupleView,
    /// The opposite direction, as the answering side sees it.
    pub reply: TupleView,
    /// Whether no answer came yet.
    pub unreplied: bool,
    /// Whether both sides have proven that they mean it.
    pub assured: bool,
    /// Whether the answering side sees another source than the sender's own.
    pub is_src_nat: bool,
    /// Whether the sender sees another destination than the answering side's own.
    pub is_dst_nat: bool,
}

/// One direction of a flow, untranslated: as its packets arrive.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TupleView {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Source port of TCP and UDP, identifier of ICMP queries, else zero.
    pub source_port: u16,
    /// Destination port of TCP and UDP, identifier of ICMP queries, else zero.
    pub destination_port: u16,
    /// What kind of ICMP query or reply it is.
    pub message: Option<Message>,
    /// Packets so far; a super-frame counts as one.
    pub packets: u64,
    /// Bytes of IP so far, headers included.
    pub bytes: u64,
}

/// An ICMP query or its reply.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Type: 8 and 0 for echo, 13 and 14 for timestamps, 15 and 16 for information, 17 and 18 for
    /// address masks.
    pub kind: u8,
    /// Code: zero for every query.
    pub code: u8,
    /// Identifier on this side of the translation.
    pub identifier: u16,
}

impl FlowView {
    pub(crate) fn of(now: Instant, flow: &Flow) -> Self {
        let (original, reply) = (flow.tuple(Direction::Original), flow.tuple(Direction::Reply));
        let has_identifier = original.protocol == Protocol::ICMP;
        Self {
            protocol: flow.protocol(),
            state: flow.tcp().map(|tcp| tcp.state().name()),
            expires_in: flow.deadline().since(now),
            original: TupleView::of(flow, Direction::Original),
            reply: TupleView::of(flow, Direction::Reply),
            unreplied: !flow.is_replied(),
            assured: flow.is_assured(),
            is_src_nat: (original.source, original.source_port)
                != (reply.destination, reply.destination_port),
            // A query's one identifier belongs to its source.
            is_dst_nat: original.destination != reply.source
                || (!has_identifier && original.destination_port != reply.source_port),
        }
    }
}

impl TupleView {
    fn of(flow: &Flow, direction: Direction) -> Self {
        let Tuple { source, destination, source_port, destination_port, protocol, kind } =
            flow.tuple(direction);
        let counter = flow.counter(direction);
        Self {
            source,
            destination,
            source_port,
            destination_port,
            message: match protocol {
                Protocol::ICMP => Some(Message { kind, code: 0, identifier: source_port }),
                _ => None,
            },
            packets: counter.packets(),
            bytes: counter.bytes(),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, protocol: Protocol) -> fmt::Result {
        write!(f, "src={} dst={} ", self.source, self.destination)?;
        match (self.message, protocol) {
            (Some(message), _) => {
                let Message { kind, code, identifier } = message;
                write!(f, "type={kind} code={code} id={identifier} ")
            }
            (None, Protocol::TCP | Protocol::UDP) => {
                write!(f, "sport={} dport={} ", self.source_port, self.destination_port)
            }
            (None, GRE) => f.write_str("srckey=0x0 dstkey=0x0 "),
            (None, _) => Ok(()),
        }
    }
}

const GRE: Protocol = Protocol(47);

impl fmt::Display for FlowView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.protocol {
            Protocol::TCP => "tcp",
            Protocol::UDP => "udp",
            Protocol::ICMP => "icmp",
            GRE => "gre",
            _ => "unknown",
        };
        write!(f, "{name:<8} {} {} ", self.protocol.0, self.expires_in.as_secs())?;
        if let Some(state) = self.state {
            write!(f, "{state} ")?;
        }
        self.original.write(f, self.protocol)?;
        if self.unreplied {
            f.write_str("[UNREPLIED] ")?;
        }
        self.reply.write(f, self.protocol)?;
        if self.assured {
            f.write_str("[ASSURED] ")?;
        }
        f.write_str("mark=0 use=1")
    }
}
