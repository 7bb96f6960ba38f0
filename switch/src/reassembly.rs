//! Reassembly: fragments of a packet that somebody needs whole wait for each other, bounded in
//! number and time (RFC 791 section 3.2).

use ahash::RandomState;
use nat::{Assembled, Reassembly as Table};
use packet::icmp::IcmpError;
use packet::{Dropped, Instant, Ipv4, Offload};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::interface::Origin;
use crate::outbox::{Outbox, Report};
use crate::stats::Fate;
use crate::trace::Note;

/// See the module's own text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reassembly {
    table: Table,
}

impl Reassembly {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self { table: Table::new(hasher) }
    }

    /// Takes in a fragment; the whole packet with the last one of it, nothing while some are
    /// missing.
    pub(crate) fn input(
        &mut self,
        now: Instant,
        fragment: Ipv4,
        origin: Origin,
        ctx: &mut Context<'_>,
    ) -> Result<Option<Ipv4>, Dropped> {
        let stats = &mut *ctx.stats;
        let accepted = self.table.accept(now, fragment, origin.port, &mut ctx.out.pool, |ended| {
            stats.drop_held(ended.from, ended.reason, ended.frames as u64);
        });
        match accepted? {
            Assembled::Held => {
                ctx.stats.totals.held += 1;
                ctx.trace.note(|| Note::Fragment);
                Ok(None)
            }
            Assembled::Whole { packet, merged } => {
                ctx.stats.release(Fate::Consumed, merged.saturating_sub(1) as u64);
                ctx.trace.note(|| Note::Whole { fragments: merged });
                ctx.trace.packet(&packet);
                Ok(Some(packet))
            }
        }
    }

    /// Counts what came as one in place of many, for the distance between fragments that did not.
    #[cold]
    pub(crate) fn pass(&mut self, packet: &Ipv4) {
        if let Offload::Segment { size, .. } = packet.frame().offload() {
            let fragments = packet.payload().len().div_ceil(usize::from(size.get()));
            self.table.pass(packet.source(), fragments as u32); // Of 65,535 bytes at most.
        }
    }

    /// Ends packets whose fragments did not all come in time, and has their senders told where the
    /// first one came (RFC 792, time exceeded).
    pub(crate) fn timeout(&mut self, now: Instant, ctx: &mut Context<'_>) {
        let Context { stats, out, .. } = ctx;
        let Outbox { pool, reports, .. } = &mut **out;
        self.table.timeout(now, pool, |expired| {
            stats.drop_held(expired.from, expired.reason, expired.frames as u64);
            let cause = expired.first.map(Ipv4::into_frame);
            let error = IcmpError::ReassemblyTimeExceeded;
            reports.extend(cause.map(|cause| Report { cause, error }));
        });
    }

    /// When [`Reassembly::timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.table.next_timeout()
    }

    /// Frames that wait.
    pub(crate) fn held(&self) -> usize {
        self.table.held()
    }

    /// Compares its tables.
    pub(crate) fn audit(&self) -> Result<(), &'static str> {
        self.table.audit()
    }

    /// Keys its tables with `hasher`.
    pub(crate) fn rehash(&mut self, hasher: RandomState) {
        self.table.rehash(hasher);
    }
}
