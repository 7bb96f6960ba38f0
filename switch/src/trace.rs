//! What the steps of a frame's life saw and decided, as values for whoever explains it. How the
//! steps are asked is told in `witness`; no word for people is made here.

use core::net::Ipv4Addr;

use nat::facts::{DnatReason, Endpoints, FlowMatch};
use nat::masquerade::RuleMatch;
use packet::arp::Arp;
use packet::icmp::IcmpError;
use packet::{BridgeId, DropReason, Frame, InterfaceId, Ipv4Net, Mac, PortId, Tag, VlanId};

use crate::neighbors::NeighborView;
use crate::outbox::{Egress, Notice};
use crate::routes::Target;
use crate::station::{Location, Station};
pub use crate::stats::Fate;

/// The steps of a frame's life, as `datapath` numbers them; [`Step::Decap`] is ahead of the eight,
/// for datagrams.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Step {
    /// Whose datagram is it?
    #[default]
    Decap,
    /// Is it a frame, and in which VLAN?
    Parse,
    /// Who speaks, from where?
    Learn,
    /// ARP: heard, and answered for ourselves.
    Arp,
    /// Same segment, or for the router?
    Decide,
    /// Whom is it really for?
    NatInbound,
    /// Which way?
    Route,
    /// Whom is it really from?
    NatOutbound,
    /// To a MAC address, or wait for one.
    Deliver,
}

/// One thing that a step saw or decided.
#[derive(Clone, PartialEq, Debug)]
pub enum Note {
    /// The datagram is a tunnel's, and a frame is in it.
    Decapsulated {
        /// The tunnel.
        tunnel: PortId,
        /// The remote VTEP that sent it.
        remote: Ipv4Addr,
    },
    /// The frame is on a bridge.
    Bridged {
        /// Where it came from.
        from: Location,
        /// The bridge.
        bridge: BridgeId,
        /// The VLAN that it is in.
        vlan: VlanId,
        /// The tag that it came with.
        tag: Option<Tag>,
    },
    /// The frame came in on a port whose cable ends in the router.
    Routed {
        /// The port.
        port: PortId,
        /// The router's interface at its end.
        interface: InterfaceId,
    },
    /// Who speaks.
    Speaker {
        /// The source address.
        mac: Mac,
        /// What was known of it until now.
        known: Option<Station>,
        /// Whether it is learned.
        learning: Learning,
    },
    /// An ARP packet was heard.
    Arp {
        /// The interface that heard it.
        interface: InterfaceId,
        /// The packet.
        arp: Arp,
        /// What came of it.
        verdict: ArpVerdict,
        /// What the router knew of its sender until now.
        known: Option<NeighborView>,
        /// What it knows now.
        now: Option<NeighborView>,
    },
    /// An ARP request is answered in the name of a station beyond a tunnel.
    AnsweredFor {
        /// The address asked for.
        address: Ipv4Addr,
        /// Who has it.
        mac: Mac,
    },
    /// Whom the frame is for, on a segment.
    Addressee {
        /// The destination address.
        mac: Mac,
        /// What is known of it.
        known: Option<Station>,
        /// Where the frame goes.
        verdict: Verdict,
    },
    /// Who gets a flooded frame and who does not, by port.
    Audience(Vec<(PortId, Result<Option<Tag>, LeftOut>)>),
    /// An IPv4 packet reached the router.
    Packet {
        /// Who speaks to whom.
        ends: Endpoints,
        /// Its time to live.
        ttl: u8,
        /// Its length, in bytes.
        len: usize,
    },
    /// A fragment waits for the rest of its packet.
    Fragment,
    /// The packet's last fragment came; it goes on whole.
    Whole {
        /// Fragments in all.
        fragments: usize,
    },
    /// What NAT made of the destination.
    Dnat {
        /// How it was found; nothing when there are neither rules nor flows.
        found: Option<DnatReason>,
        /// The packet's flow.
        flow: Option<FlowMatch>,
        /// The publish rule that listens there, from 1.
        publish: Option<usize>,
        /// The packet as it came.
        before: Endpoints,
        /// The packet with its true destination.
        after: Endpoints,
        /// The interface that bears the true destination: the packet is for the router itself.
        own: Option<InterfaceId>,
    },
    /// Which way the packet goes.
    Route {
        /// The longest prefix that holds its destination, and where that leads.
        route: Option<(Ipv4Net, Target)>,
        /// Its time to live until now.
        ttl: u8,
    },
    /// What NAT made of the source.
    Snat {
        /// The interface that it leaves through.
        out: InterfaceId,
        /// The packet's flow; none when it belongs to none, or was refused.
        flow: Option<FlowMatch>,
        /// Whether that began with this packet.
        is_new: bool,
        /// What each masquerade rule said, in order.
        rule_matches: Vec<RuleMatch>,
        /// The packet as it was ahead of this step.
        before: Endpoints,
        /// The packet as it leaves; none when it was refused.
        after: Option<Endpoints>,
    },
    /// Who gets the packet next.
    NextHop {
        /// The interface that it leaves through.
        interface: InterfaceId,
        /// The neighbour.
        address: Ipv4Addr,
        /// What is known of it.
        known: Option<NeighborView>,
    },
    /// The packet waits for that neighbour's MAC address.
    Waits {
        /// The neighbour.
        address: Ipv4Addr,
        /// Packets that wait for it now.
        waiting: usize,
        /// Who lost its place, when there was no room.
        lost: Option<Lost>,
        /// Whether it is a packet of the router's own.
        is_own: bool,
    },
    /// Packets that waited for a neighbour go.
    Released {
        /// The neighbour.
        address: Ipv4Addr,
        /// Packets.
        packets: usize,
    },
    /// The packet is too large for the segment, and is cut.
    Cut {
        /// The interface's MTU.
        mtu: u16,
    },
    /// The router itself answers the packet.
    Answered(Answer),
    /// The packet's sender is told what became of it.
    Told {
        /// What.
        error: IcmpError,
        /// The sender.
        to: Ipv4Addr,
        /// Our own address, in whose name.
        from: Ipv4Addr,
    },
    /// The sender should hear of it, and does not.
    NotTold(Untold),
    /// What the router wanted to say itself cannot leave: there is no way, or an inside address
    /// would leave with it.
    Unsent,
}

/// Whether a frame's sender is learned.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Learning {
    /// Where it speaks from.
    Here,
    /// No: the frame is for a reserved address.
    Reserved,
    /// No: the bridge is a hub.
    Hub,
    /// No: the tunnel does not learn.
    Off,
}

/// What came of an ARP packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ArpVerdict {
    /// It was taken in, and is nothing to answer.
    Accepted,
    /// It asked for us and was answered.
    Answered,
    /// Its sender contradicts the frame's source: it is not believed.
    Suspicious,
    /// Its sender claims an address of ours.
    Conflict,
    /// Its sender claims the address of a neighbour, which is asked whether it is still there.
    Doubted,
}

/// Where a frame goes on its segment.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// To one place.
    Forward(Location),
    /// Everywhere, since it is for a group.
    Group,
    /// Everywhere, since nobody knows where its destination is.
    Unknown,
    /// Everywhere, since the bridge is a hub.
    Hub,
    /// To the router.
    Router(InterfaceId),
    /// Nowhere.
    Refused(DropReason),
}

/// Why a port gets no copy of a flooded frame.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LeftOut {
    /// The frame came from there.
    CameFrom,
    /// It is a tunnel, and the frame came from one (RFC 7348 section 4.2).
    SplitHorizon,
    /// It may not take it.
    Refused(DropReason),
}

/// Who lost its place in a queue: the oldest packet of the guest that holds the most.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Lost {
    /// One that had waited, or several.
    Oldest,
    /// The one that came.
    Newest,
}

/// What the router itself says to a packet for one of its addresses.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// An echo reply.
    Echo,
    /// A TCP reset: no service of its own listens there.
    Reset,
}

/// Why a sender is not told what became of its packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Untold {
    /// As many errors were spoken as the limit allows.
    RateLimited,
    /// Nobody is told of such a packet (RFC 1812 section 4.3.2.7): an error, a later fragment, to
    /// or from a group.
    NotDue,
    /// The router has no address to speak from, or no way to the sender.
    NoWay,
}

/// Whose a frame is that leaves.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The frame that came in, or a piece of it.
    Frame,
    /// One that had waited.
    Released,
    /// The switch's own.
    Spoken,
}

/// A frame that leaves.
#[derive(Clone, PartialEq, Debug)]
pub struct Sent {
    /// Whose it is.
    pub part: Part,
    /// Its bytes, without a tag, and what they still owe.
    pub frame: Frame,
    /// Where it goes.
    pub copies: Vec<Egress>,
}

/// What became of a frame, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The port or tunnel that the frame is counted at, and its fate; nothing when no frame came
    /// in.
    pub outcome: Option<(PortId, Result<Fate, DropReason>)>,
    /// What the steps saw and decided, in order.
    pub notes: Vec<(Step, Note)>,
    /// The step that was the last.
    pub last: Step,
    /// What leaves, in order.
    pub sent: Vec<Sent>,
    /// What a person may want to know.
    pub notices: Vec<Notice>,
}

impl Explanation {
    /// What became of the frame itself: one that found no place in a queue is dropped, though it
    /// was held for a moment.
    pub fn fate(&self) -> Option<Result<Fate, DropReason>> {
        let (_, outcome) = self.outcome?;
        let is_lost = |(_, note): &(Step, Note)| {
            matches!(note, Note::Waits { lost: Some(Lost::Newest), is_own: false, .. })
        };
        match outcome {
            Ok(Fate::Held) if self.notes.iter().any(is_lost) => {
                Some(Err(DropReason::NeighborQueueFull))
            }
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_found_no_place_in_its_queue_is_dropped_though_it_was_held() {
        let fate = |outcome, lost, is_own| {
            let address = Ipv4Addr::new(10, 0, 0, 2);
            let waits = Note::Waits { address, waiting: 1, lost, is_own };
            let explanation = Explanation {
                outcome: Some((PortId::new(1), outcome)),
                notes: vec![(Step::Deliver, waits)],
                last: Step::Deliver,
                sent: Vec::new(),
                notices: Vec::new(),
            };
            explanation.fate()
        };
        let (held, full) = (Ok(Fate::Held), Err(DropReason::NeighborQueueFull));
        assert_eq!(fate(held, Some(Lost::Newest), false), Some(full));
        assert_eq!(fate(held, Some(Lost::Newest), true), Some(held), "the router's own was lost");
        assert_eq!(fate(held, Some(Lost::Oldest), false), Some(held));
        assert_eq!(fate(held, None, false), Some(held));
        assert_eq!(fate(Ok(Fate::Sent), Some(Lost::Newest), false), Some(Ok(Fate::Sent)));
    }
}
