//! Counts of what NAT has and what it refused.

use packet::DropReason;
use packet::snapshot::is_count;
use serde::{Deserialize, Serialize};

/// How full the tables are, and what happened so far.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Flows in the table now, those that have just ended included.
    pub flows: usize,
    /// Endpoint-independent mappings now.
    pub mappings: usize,
    /// External ports and identifiers in use now.
    pub ports: usize,
    /// Hosts that began flows which live, each by the port of the switch that it is behind.
    pub hosts: usize,
    /// Flows ever begun.
    pub created: u64,
    /// Flows that ended by silence.
    pub expired: u64,
    /// Flows that were evicted at a limit: closed, unanswered or idle.
    pub evicted: u64,
    /// Flows that somebody ended: flushed, or their address went away.
    pub flushed: u64,
    /// Packets refused.
    pub refused: Refused,
}

impl Stats {
    /// Whether every count that only grows has room to.
    pub(crate) fn is_sound(&self) -> bool {
        let Refused { no_flow, filtered, no_port, table_full, host_limit, .. } = self.refused;
        let Refused { no_address, bad_error, other, .. } = self.refused;
        let refused = [no_flow, filtered, no_port, table_full, host_limit, no_address, bad_error];
        let own = [self.created, self.expired, self.evicted, self.flushed, other];
        own.into_iter().chain(refused).all(is_count)
    }
}

/// Packets refused, by reason.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Refused {
    /// [`DropReason::NatNoFlow`].
    pub no_flow: u64,
    /// [`DropReason::NatFiltered`].
    pub filtered: u64,
    /// [`DropReason::NatNoPort`].
    pub no_port: u64,
    /// [`DropReason::NatTableFull`].
    pub table_full: u64,
    /// [`DropReason::NatHostLimit`].
    pub host_limit: u64,
    /// [`DropReason::NatNoAddress`].
    pub no_address: u64,
    /// [`DropReason::NatBadError`].
    pub bad_error: u64,
    /// Any other reason.
    pub other: u64,
}

impl Refused {
    pub(crate) const fn count(&mut self, reason: DropReason) {
        let counter = match reason {
            DropReason::NatNoFlow => &mut self.no_flow,
            DropReason::NatFiltered => &mut self.filtered,
            DropReason::NatNoPort => &mut self.no_port,
            DropReason::NatTableFull => &mut self.table_full,
            DropReason::NatHostLimit => &mut self.host_limit,
            DropReason::NatNoAddress => &mut self.no_address,
            DropReason::NatBadError => &mut self.bad_error,
            _ => &mut self.other,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_counts_under_its_own_reason() {
        let count = |reason| {
            let mut refused = Refused::default();
            refused.count(reason);
            refused.count(reason);
            refused
        };
        let none = Refused::default();
        for (reason, expected) in [
            (DropReason::NatNoFlow, Refused { no_flow: 2, ..none }),
            (DropReason::NatFiltered, Refused { filtered: 2, ..none }),
            (DropReason::NatNoPort, Refused { no_port: 2, ..none }),
            (DropReason::NatTableFull, Refused { table_full: 2, ..none }),
            (DropReason::NatHostLimit, Refused { host_limit: 2, ..none }),
            (DropReason::NatNoAddress, Refused { no_address: 2, ..none }),
            (DropReason::NatBadError, Refused { bad_error: 2, ..none }),
            (DropReason::FragmentLimit, Refused { other: 2, ..none }),
        ] {
            assert_eq!(count(reason), expected, "{reason:?}");
        }
    }
}
