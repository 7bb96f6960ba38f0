//! The short way through NAT: a packet of a living flow whose way the caller has kept.
//!
//! Both of its ends are changed at once, in place of the destination ahead of routing and the source behind it. That
//! this comes to the same is shown for the bytes by a property test of `packet`, and for the whole by the lab, in which a
//! second switch takes the long way beside every step.

use packet::{Instant, Ipv4, Transport, rewrite};

use crate::nat::Nat;
use crate::table::FlowId;
use crate::tuple::{Direction, Tuple};

/// What is known of a packet at first sight.
#[derive(Copy, Clone, Debug)]
pub struct Seen {
    pub(crate) transport: Transport,
    /// Nothing where no flow can be told from the packet.
    pub(crate) tuple: Option<Tuple>,
    pub(crate) flow: Option<(FlowId, Direction)>,
}

impl Seen {
    /// The flow and its direction, if the short way is open to its packets: those of TCP and UDP.
    #[inline]
    const fn course(&self) -> Option<Course> {
        match (self.flow, self.transport) {
            (Some((flow, direction)), Transport::Tcp { .. } | Transport::Udp { .. }) => {
                Some(Course { flow, direction })
            }
            _ => None,
        }
    }
}

/// One direction of a flow.
#[derive(Copy, Clone, Debug)]
pub struct Course {
    pub(crate) flow: FlowId,
    pub(crate) direction: Direction,
}

/// What the caller of NAT keeps of one direction of a flow. Gone with the flow.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Note(pub u64);

impl Nat {
    /// Looks a packet up; nothing for fragments, and while packets need not come here at all. A flow whose time is over
    /// is ended. Always inlined: its result handed over in memory costs 8 ns a frame.
    #[inline(always)]
    pub fn see(&mut self, now: Instant, packet: &Ipv4) -> Option<Seen> {
        if packet.is_fragment() || !self.is_configured() {
            return None;
        }
        let transport = packet.transport();
        let tuple = Tuple::of(packet.ip(), transport);
        let flow = tuple.and_then(|tuple| self.find_near(now, &tuple, packet.frame().guess()));
        let flow = flow.filter(|(id, _)| !self.is_reopened(*id, transport));
        Some(Seen { transport, tuple, flow })
    }

    /// What was noted of the flow and direction that the packet belongs to, and is of use to the short way.
    #[inline]
    pub fn note(&self, seen: &Seen) -> Option<Note> {
        self.noted(seen.course()?)
    }

    /// What was noted of a flow's direction.
    pub fn noted(&self, course: Course) -> Option<Note> {
        self.table.note(course.flow, course.direction)
    }

    /// Keeps a note of a flow's direction until the flow ends.
    pub fn set_note(&mut self, course: Course, note: Note) {
        self.table.set_note(course.flow, course.direction, note);
    }

    /// Follows the flow of a packet that is about to leave where its flow's packets last left, changes both of its ends
    /// and takes a hop away. Only for packets that [`Nat::note`] knows, as long as rules, routes and interfaces are what
    /// they were when the note was made.
    ///
    /// # Errors
    /// The packet, untouched: it has to go the long way.
    #[inline]
    pub fn pass(&mut self, now: Instant, mut packet: Ipv4, seen: &Seen) -> Result<Ipv4, Ipv4> {
        let Some(Course { flow: id, direction }) = seen.course() else { return Err(packet) };
        self.tell(now);
        let Some(flow) = self.table.get(id) else { return Err(packet) };
        let leaves = flow.tuple(direction.opposite());
        self.proceed(now, id, direction, seen.transport, packet.total_len());
        rewrite::forward(
            &mut packet,
            (leaves.destination, leaves.destination_port),
            (leaves.source, leaves.source_port),
        );
        Ok(packet)
    }

    /// Notes in a flow that a packet of it passes, and lets it live on.
    #[inline]
    pub(crate) fn proceed(
        &mut self,
        now: Instant,
        id: FlowId,
        direction: Direction,
        transport: Transport,
        len: usize,
    ) {
        let Some(flow) = self.table.get_mut(id) else { return };
        let (before, was_until) = (flow.standing(), flow.deadline());
        let lives_on = flow.follow(direction, transport, len);
        let after = flow.standing();
        let mut grows_young = false;
        if lives_on {
            let deadline = now + self.lifetimes.of(flow);
            flow.set_deadline(deadline);
            grows_young = second(deadline) != second(was_until);
            if deadline < was_until {
                self.table.hasten(now, id, deadline);
            }
        }
        if before.bits() != after.bits() || grows_young {
            self.set_rank(id, before.class(), after.class(), grows_young);
        }
    }
}

/// The second that a time is in, roughly: 2^30 nanoseconds, for the price of a shift.
#[inline]
const fn second(time: Instant) -> u64 {
    time.as_nanos() >> 30
}
