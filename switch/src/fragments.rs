//! Fragments that are put together on their way in.

use nat::Assembled;
use packet::icmp::IcmpError;
use packet::{Dropped, Instant, Ipv4, Offload};

use crate::interface::Origin;
use crate::outbox::Outbox;
use crate::routes::Target;
use crate::stats::Fate;
use crate::switch::Switch;
use crate::trace::Note;

impl Switch {
    /// The whole packet, when NAT or the router itself needs to see it whole; nothing while parts are missing. A
    /// fragment that nobody translates goes on as it is: should it be of those that a rule covers after all, step 7
    /// refuses it.
    pub(crate) fn reassemble(
        &mut self,
        now: Instant,
        packet: Ipv4,
        origin: Origin,
        out: &mut Outbox,
    ) -> Result<Option<Ipv4>, Dropped> {
        if !packet.is_fragment() || !self.needs_reassembly(now, &packet, origin) {
            return Ok(Some(packet));
        }
        let stats = &mut self.stats;
        let accepted = self.reassembly.accept(now, packet, origin.port, &mut out.pool, |ended| {
            stats.drop_held(ended.from, ended.reason, ended.frames as u64);
        });
        match accepted? {
            Assembled::Held => {
                self.stats.totals.held += 1;
                self.trace.note(|| Note::Fragment);
                Ok(None)
            }
            Assembled::Whole { packet, merged } => {
                self.stats.release(Fate::Consumed, merged.saturating_sub(1) as u64);
                self.trace.note(|| Note::Whole { fragments: merged });
                self.trace.packet(&packet);
                Ok(Some(packet))
            }
        }
    }

    /// Counts what came as one in place of many, for the distance between fragments that did not.
    #[cold]
    pub(crate) fn count_fragments(&mut self, packet: &Ipv4) {
        if let Offload::Segment { size, .. } = packet.frame().offload() {
            let fragments = packet.payload().len().div_ceil(usize::from(size.get()));
            self.reassembly.pass(packet.source(), fragments as u32); // Of 65,535 bytes at most.
        }
    }

    /// Whether a fragment is for the router itself, or NAT may translate the packet that it is of.
    fn needs_reassembly(&mut self, now: Instant, fragment: &Ipv4, origin: Origin) -> bool {
        let destination = fragment.destination();
        let between = (fragment.source(), destination);
        if matches!(self.router.routes.find(destination), Some(Target::Local(_))) {
            return true;
        }
        let out = self.router.next_hop(destination).map(|hop| hop.interface);
        self.nat.is_configured() && self.nat.concerns(now, between, origin.interface, out)
    }

    /// Ends packets whose fragments did not all come in time, and tells their senders where the first one came
    /// (RFC 792, time exceeded).
    pub(crate) fn expire_fragments(&mut self, now: Instant, out: &mut Outbox) {
        let mut firsts = Vec::new();
        let stats = &mut self.stats;
        self.reassembly.expire(now, &mut out.pool, |expired| {
            stats.drop_held(expired.from, expired.reason, expired.frames as u64);
            firsts.extend(expired.first);
        });
        for first in firsts {
            self.send_icmp_error(now, first.frame(), None, IcmpError::ReassemblyTimeExceeded, out);
            out.pool.give(first.into_frame());
        }
    }
}
