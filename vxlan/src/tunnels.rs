//! Which tunnel a datagram belongs to: the remote VTEPs that we know, and a count of those that we
//! do not.
//!
//! # Theory of operation
//! A remote VTEP is known by three things together: where the datagram came in (the underlay's
//! port), its VNI and its outer source address. One sorted list holds them all; it changes only
//! when somebody changes a tunnel, and a look-up is a binary search once per datagram (once per
//! super-frame, where datagrams were joined). Whoever is not in the list is unknown: refused
//! before anything of the frame inside is read, and counted by VNI and address in a bounded table.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use packet::snapshot::{Damaged, ensure, is_count};
use packet::{DropReason, PortId};
use serde::{Deserialize, Serialize};

use crate::vni::Vni;

/// Unknown VTEPs counted one by one; what comes from further ones is counted together. 1,024
/// entries take about 40 KB.
pub const MAX_UNKNOWN_VTEPS: usize = 1024;

/// Where a datagram came from, as far as tunnels care.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RemoteVtep {
    /// Where it came in: the port that stands for one UDP port of ours.
    pub underlay: PortId,
    /// Its segment.
    pub vni: Vni,
    /// Its outer source address.
    pub remote: Ipv4Addr,
}

/// All remote VTEPs, and the unknown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tunnels {
    known: Vec<(RemoteVtep, PortId)>,
    /// Those of them that nothing has come from yet.
    silent: BTreeSet<RemoteVtep>,
    unknown: BTreeMap<RemoteVtep, (DropReason, u64)>,
    more_unknown: u64,
}

/// Datagrams that no tunnel wanted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct UnknownVtep {
    /// Whose.
    pub far: RemoteVtep,
    /// Why, at last: [`DropReason::UnknownVni`] or [`DropReason::UnknownVtep`].
    pub reason: DropReason,
    /// How many.
    pub count: u64,
}

impl Tunnels {
    /// The tunnel that a remote VTEP belongs to.
    ///
    /// # Errors
    /// [`DropReason::UnknownVni`] or [`DropReason::UnknownVtep`]; the VTEP has been counted.
    pub fn find(&mut self, far: RemoteVtep) -> Result<PortId, DropReason> {
        match self.known.binary_search_by_key(&far, |(known, _)| *known) {
            Ok(at) => {
                if !self.silent.is_empty() {
                    self.silent.remove(&far);
                }
                self.known.get(at).map(|(_, tunnel)| *tunnel).ok_or(DropReason::UnknownVtep)
            }
            Err(at) => {
                let same_segment = |known: Option<&(RemoteVtep, PortId)>| {
                    known.is_some_and(|(known, _)| {
                        (known.underlay, known.vni) == (far.underlay, far.vni)
                    })
                };
                let before = at.checked_sub(1).and_then(|at| self.known.get(at));
                let reason = match same_segment(before) || same_segment(self.known.get(at)) {
                    true => DropReason::UnknownVtep,
                    false => DropReason::UnknownVni,
                };
                self.count_unknown(far, reason);
                Err(reason)
            }
        }
    }

    /// Every remote VTEP and its tunnel.
    pub fn remote_vteps(&self) -> impl Iterator<Item = (RemoteVtep, PortId)> {
        self.known.iter().copied()
    }

    /// Gives `tunnel` exactly these remote VTEPs, none of which another tunnel has.
    pub fn set(&mut self, tunnel: PortId, ends: impl Iterator<Item = RemoteVtep>) {
        let ends: Vec<RemoteVtep> = ends.collect();
        let new = ends.iter().copied().filter(|far| !self.knows(far));
        self.silent.extend(new.collect::<Vec<_>>());
        self.known.retain(|(_, owner)| *owner != tunnel);
        self.known.extend(ends.into_iter().map(|far| (far, tunnel)));
        self.known.sort_unstable();
        self.known.dedup_by_key(|(far, _)| *far);
        self.forget_silent();
    }

    /// Forgets a tunnel.
    pub fn remove(&mut self, tunnel: PortId) {
        self.known.retain(|(_, owner)| *owner != tunnel);
        self.forget_silent();
    }

    /// The remote VTEPs of a tunnel that no datagram has come from.
    pub fn silent(&self, tunnel: PortId) -> impl Iterator<Item = RemoteVtep> {
        let own = self.known.iter().filter(move |(_, owner)| *owner == tunnel);
        own.map(|(far, _)| *far).filter(|far| self.silent.contains(far))
    }

    fn knows(&self, far: &RemoteVtep) -> bool {
        self.known.binary_search_by_key(far, |(known, _)| *known).is_ok()
    }

    fn forget_silent(&mut self) {
        let mut silent = core::mem::take(&mut self.silent);
        silent.retain(|far| self.knows(far));
        self.silent = silent;
    }

    /// Datagrams refused for their VNI or sender, by both, and those of further VTEPs together.
    pub fn unknown_vteps(&self) -> (impl Iterator<Item = UnknownVtep>, u64) {
        let counted = self.unknown.iter();
        let counted = counted.map(|(far, (reason, count))| UnknownVtep {
            far: *far,
            reason: *reason,
            count: *count,
        });
        (counted, self.more_unknown)
    }

    /// Finds what is wrong with tunnels that were read.
    ///
    /// # Errors
    /// They are not in order, or a count is out of range.
    pub fn check(&self) -> Result<(), Damaged> {
        ensure(self.known.is_sorted_by_key(|(far, _)| *far), "remote VTEPs are not in order")?;
        ensure(
            self.silent.iter().all(|far| self.knows(far)),
            "a remote VTEP is silent and unknown",
        )?;
        let mut counts = self.unknown.values().map(|(_, count)| *count);
        let counted = counts.all(is_count) && is_count(self.more_unknown);
        ensure(counted, "a count of unknown VTEPs is out of range")
    }

    fn count_unknown(&mut self, far: RemoteVtep, reason: DropReason) {
        let full = self.unknown.len() >= MAX_UNKNOWN_VTEPS;
        match self.unknown.get_mut(&far) {
            Some(vtep) => *vtep = (reason, vtep.1 + 1),
            None if full => self.more_unknown += 1,
            None => drop(self.unknown.insert(far, (reason, 1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(vni: u32, last: u8) -> RemoteVtep {
        RemoteVtep {
            underlay: PortId::new(9),
            vni: Vni::new(vni).unwrap(),
            remote: Ipv4Addr::new(192, 0, 2, last),
        }
    }

    /// VX12.
    #[test]
    fn a_remote_is_known_by_underlay_vni_and_address_together() {
        let mut tunnels = Tunnels::default();
        tunnels.set(PortId::new(1), [far(42, 1), far(42, 2)].into_iter());
        tunnels.set(PortId::new(2), [far(43, 1)].into_iter());
        assert_eq!(tunnels.find(far(42, 2)), Ok(PortId::new(1)));
        assert_eq!(tunnels.find(far(43, 1)), Ok(PortId::new(2)));
        assert_eq!(tunnels.find(far(43, 2)), Err(DropReason::UnknownVtep));
        assert_eq!(tunnels.find(far(42, 0)), Err(DropReason::UnknownVtep));
        assert_eq!(tunnels.find(far(44, 1)), Err(DropReason::UnknownVni));
        let elsewhere = RemoteVtep { underlay: PortId::new(8), ..far(42, 1) };
        assert_eq!(tunnels.find(elsewhere), Err(DropReason::UnknownVni));
        tunnels.remove(PortId::new(1));
        assert_eq!(tunnels.find(far(42, 2)), Err(DropReason::UnknownVni));
    }

    #[test]
    fn a_remote_is_silent_until_something_comes_from_it() {
        let mut tunnels = Tunnels::default();
        let silent = |tunnels: &Tunnels| tunnels.silent(PortId::new(1)).collect::<Vec<_>>();
        tunnels.set(PortId::new(1), [far(42, 1), far(42, 2)].into_iter());
        tunnels.set(PortId::new(2), [far(43, 1)].into_iter());
        assert_eq!(silent(&tunnels), [far(42, 1), far(42, 2)]);
        assert!(tunnels.find(far(42, 2)).is_ok() && tunnels.find(far(43, 1)).is_ok());
        assert_eq!(silent(&tunnels), [far(42, 1)]);
        // Who stays was heard; who comes was not, and who goes and comes was not either.
        tunnels.set(PortId::new(1), [far(42, 2), far(42, 3)].into_iter());
        assert_eq!(silent(&tunnels), [far(42, 3)]);
        tunnels.remove(PortId::new(1));
        assert!(tunnels.check().is_ok() && silent(&tunnels).is_empty());
        tunnels.set(PortId::new(1), [far(42, 2)].into_iter());
        assert_eq!(silent(&tunnels), [far(42, 2)]);
    }

    #[test]
    fn tunnels_that_no_change_can_make_are_found() {
        let tunnel = PortId::new(1);
        let sound = Tunnels {
            known: vec![(far(42, 1), tunnel), (far(42, 2), tunnel)],
            ..Tunnels::default()
        };
        assert_eq!(sound.check(), Ok(()));
        let known = vec![(far(42, 2), tunnel), (far(42, 1), tunnel)];
        assert!(Tunnels { known, ..sound.clone() }.check().is_err(), "not in order");
        for (last, is_sound) in [(2, true), (3, false)] {
            let silent = BTreeSet::from([far(42, last)]);
            assert_eq!(Tunnels { silent, ..sound.clone() }.check().is_ok(), is_sound, "{last}");
        }
        for (count, is_sound) in [((1 << 63) - 1, true), (1 << 63, false)] {
            let more = Tunnels { more_unknown: count, ..sound.clone() };
            let unknown = BTreeMap::from([(far(7, 1), (DropReason::UnknownVni, count))]);
            let one = Tunnels { unknown, ..sound.clone() };
            assert_eq!(
                (more.check().is_ok(), one.check().is_ok()),
                (is_sound, is_sound),
                "{count}"
            );
        }
    }

    /// VX12.
    #[test]
    fn unknown_vteps_are_counted_by_vni_and_address_within_bounds() {
        let mut tunnels = Tunnels::default();
        for vni in 0..2000 {
            assert!(tunnels.find(far(vni, 1)).is_err());
        }
        assert!(tunnels.find(far(7, 1)).is_err());
        let (counted, more) = tunnels.unknown_vteps();
        let counted: Vec<_> = counted.collect();
        assert_eq!(counted.len(), MAX_UNKNOWN_VTEPS);
        assert_eq!(more, 2000 - MAX_UNKNOWN_VTEPS as u64);
        let expected = UnknownVtep { far: far(7, 1), reason: DropReason::UnknownVni, count: 2 };
        assert_eq!(counted[7], expected);
    }
}
