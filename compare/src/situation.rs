//! A step that the two sides took differently, and the questions that the catalogue asks about it.

use super::scenario::{Scenario, Step, addresses, word};
use super::side::{Copy, Known, Observed};
use labfile::Name;
use switch::vlan::{PriorityTags, VlanMode};

/// The step, what was before it, and what each side made of it.
#[derive(Copy, Clone, Debug)]
pub(super) struct Situation<'a> {
    /// The set-up.
    pub(super) scenario: &'a Scenario,
    /// The step.
    pub(super) step: &'a Step,
    /// The forwarding table ahead of it, the same on both sides.
    pub(super) before: &'a [Known],
    /// What our side did.
    pub(super) ours: &'a Observed,
    /// What theirs did.
    pub(super) theirs: &'a Observed,
}

impl Situation<'_> {
    /// The frame, when the step is one.
    pub(super) fn frame(&self) -> Option<&[u8]> {
        match self.step {
            Step::Frame { bytes, .. } => Some(bytes),
            Step::Wait(_) | Step::Unplug(_) | Step::Plug(_) | Step::Flush => None,
        }
    }

    /// Whether the frame is to an address that only Open vSwitch takes for reserved.
    pub(super) fn is_to_vendor(&self) -> bool {
        self.frame().and_then(addresses).is_some_and(|(to, _)| VENDORS.contains(&to.to_u64()))
    }

    pub(super) fn is_to_reserved(&self) -> bool {
        self.frame().and_then(addresses).is_some_and(|(to, _)| to.reserved().is_some())
    }

    /// Whether the frame came in on a dot1q-tunnel port.
    pub(super) fn is_from_tunnel_end(&self) -> bool {
        let Step::Frame { port, .. } = self.step else { return false };
        self.is_tunnel_end(port)
    }

    /// Whether the frame came in on a dot1q-tunnel port, or on an access port of a bridge that has
    /// one.
    pub(super) fn is_beside_tunnel_end_in_one_vlan(&self) -> bool {
        let Step::Frame { port, .. } = self.step else { return false };
        let member = self.scenario.membership(port);
        let is_access = member.is_some_and(|m| matches!(m.vlan_mode, VlanMode::Access(_)));
        self.is_tunnel_end(port) || is_access && self.has_tunnel_end()
    }

    pub(super) fn has_tunnel_end(&self) -> bool {
        self.scenario.ports().any(|(port, _)| self.is_tunnel_end(port))
    }

    /// Whether frames differ on access ports alone, where one of ours begins with a tag, on a
    /// bridge with a dot1q-tunnel port; and elsewhere at most by those that are too long for
    /// theirs by an inner tag.
    pub(super) fn is_about_tags_on_access_ports(&self) -> bool {
        let is_access = |copy: &&Copy| {
            let member = self.scenario.membership(&copy.port);
            member.is_some_and(|member| matches!(member.vlan_mode, VlanMode::Access(_)))
        };
        let others =
            |side: &Observed| side.egress.iter().filter(|copy| !is_access(copy)).cloned().collect();
        let (mut ours, theirs): (Vec<Copy>, Vec<Copy>) = (others(self.ours), others(self.theirs));
        ours.retain(|copy| theirs.contains(copy) || !self.is_longer_by_inner_tag(copy));
        let is_tagged = |copy: &Copy| matches!(word(&copy.bytes, 12), Some(0x8100 | 0x88a8));
        let mut on_access = self.ours.egress.iter().filter(is_access);
        self.has_tunnel_end() && ours == theirs && on_access.any(is_tagged)
    }

    /// Whether a side's frames left on dot1q-tunnel ports.
    pub(super) fn is_only_at_tunnel_ends(&self, side: &Observed) -> bool {
        side.egress.iter().all(|copy| self.is_tunnel_end(&copy.port))
    }

    fn is_tunnel_end(&self, port: &Name) -> bool {
        let member = self.scenario.membership(port);
        member.is_some_and(|member| matches!(member.vlan_mode, VlanMode::Dot1qTunnel { .. }))
    }

    /// Whether what left is the same once each side's frames are seen through its glasses.
    pub(super) fn is_egress_equal_as(&self, ours: Glasses, theirs: Glasses) -> bool {
        let seen = |side: &Observed, glasses: Glasses| {
            let copies = side.egress.iter();
            let seen = copies.map(|copy| (copy.port.clone(), glasses(self.scenario, copy)));
            let mut seen: Vec<_> = seen.collect();
            seen.sort_unstable();
            seen
        };
        seen(self.ours, ours) == seen(self.theirs, theirs)
    }

    /// Whether theirs left out only frames that are too long by an inner tag: any but a first
    /// 0x8100.
    pub(super) fn is_only_longer_by_inner_tag(&self) -> bool {
        let is_ours = |copy: &Copy| self.ours.egress.contains(copy);
        let more = self.ours.egress.iter().filter(|copy| !self.theirs.egress.contains(copy));
        self.theirs.egress.iter().all(is_ours)
            && more.into_iter().all(|copy| self.is_longer_by_inner_tag(copy))
    }

    fn is_longer_by_inner_tag(&self, copy: &Copy) -> bool {
        let mtu = self.scenario.lab().ports.get(&copy.port).map_or(0, |port| port.mtu);
        let plain = usize::from(mtu) + ETHERNET_HEADER;
        match (word(&copy.bytes, 12), word(&copy.bytes, 16)) {
            (Some(0x8100), Some(0x8100 | 0x88a8)) => copy.bytes.len() > plain + TAG,
            (Some(0x88a8), _) => copy.bytes.len() > plain,
            _ => false,
        }
    }

    /// Stations that only ours still has, as old as the ageing time.
    pub(super) fn late(&self) -> Vec<Known> {
        let ageing = self.scenario.bridge().ageing.as_secs();
        let late = self.ours.stations.iter().filter(|known| known.age == Some(ageing));
        late.filter(|known| !self.theirs.stations.contains(known)).cloned().collect()
    }

    /// Whether time passed, and the tables are equal but for stations that are late.
    pub(super) fn is_only_late(&self) -> bool {
        let late = self.late();
        let rest = self.ours.stations.iter().filter(|known| !late.contains(known));
        matches!(self.step, Step::Wait(_))
            && !late.is_empty()
            && rest.eq(self.theirs.stations.iter())
    }

    /// Whether theirs had no room left because of static entries, and ours had.
    pub(super) fn is_static_crowded(&self) -> bool {
        let limit = self.scenario.bridge().fdb_size as usize;
        let mut tables = self.before.iter().chain(&self.theirs.stations);
        let has_static = tables.any(|known| known.age.is_none());
        let is_full = self.before.len() >= limit || self.theirs.stations.len() >= limit;
        // A port that is plugged in may have several entries bound to it.
        let bound = |known: &&Known| known.age.is_none() && !self.before.contains(known);
        let room = self.theirs.stations.iter().filter(bound).count().max(1);
        has_static && is_full && (1..=room).contains(&self.gone(self.theirs).count())
    }

    /// Whether a full table gave up one station on each side, and both ports had most.
    pub(super) fn is_eviction_tied(&self) -> bool {
        let limit = self.scenario.bridge().fdb_size as usize;
        let learned = || self.before.iter().filter(|known| known.age.is_some());
        let (Some(ours), Some(theirs)) = (self.lost(self.ours), self.lost(self.theirs)) else {
            return false;
        };
        let count = |of: &Known| learned().filter(|known| known.port == of.port).count();
        let mut rivals = learned().filter(|known| known.port == theirs.port);
        let is_oldest = rivals.all(|rival| rival.age <= theirs.age);
        let without = |side: &Observed, one: &Known| -> Vec<Known> {
            side.stations.iter().filter(|known| !is_same(known, one)).cloned().collect()
        };
        learned().count() >= limit
            && ours.port != theirs.port
            && count(ours) == count(theirs)
            && is_oldest
            && without(self.ours, theirs) == without(self.theirs, ours)
    }

    /// Whether the frame is to a station that one side has just given up.
    pub(super) fn is_to_evicted(&self) -> bool {
        let Some((to, _)) = self.frame().and_then(addresses) else { return false };
        let lost = [self.lost(self.ours), self.lost(self.theirs)];
        lost.into_iter().flatten().any(|known| known.mac == to)
    }

    /// The one station that a side no longer knows.
    fn lost(&self, side: &Observed) -> Option<&Known> {
        let mut gone = self.gone(side);
        gone.next().filter(|_| gone.next().is_none())
    }

    /// The stations that a side no longer knows.
    fn gone(&self, side: &Observed) -> impl Iterator<Item = &Known> {
        let is_there = |known: &Known| side.stations.iter().any(|other| is_same(known, other));
        self.before.iter().filter(move |known| !is_there(known))
    }
}

/// Whether two lines are about one station.
fn is_same(one: &Known, other: &Known) -> bool {
    (one.vlan, one.mac) == (other.vlan, other.mac)
}

/// A frame's bytes without what does not matter.
pub(super) type Glasses = fn(&Scenario, &Copy) -> Vec<u8>;

/// A frame as it is.
pub(super) fn as_is(_: &Scenario, copy: &Copy) -> Vec<u8> {
    copy.bytes.clone()
}

/// A frame of ours without a first tag of VLAN 0 and priority 0, where the port takes tags off and
/// its `priority_tags` is "always".
pub(super) fn without_kept_tag(scenario: &Scenario, copy: &Copy) -> Vec<u8> {
    let member = scenario.membership(&copy.port);
    let keeps = member.is_some_and(|member| {
        let untags =
            matches!(member.vlan_mode, VlanMode::Access(_) | VlanMode::NativeUntagged { .. });
        untags && member.priority_tags == PriorityTags::Always
    });
    match copy.bytes.split_at_checked(12) {
        Some((addresses, [0x81, 0x00, 0x00, 0x00, rest @ ..])) if keeps => {
            [addresses, rest].concat()
        }
        _ => copy.bytes.clone(),
    }
}

/// A frame of theirs without a first tag of VLAN 0, where `priority_tags` is "never".
pub(super) fn without_passed_tag(scenario: &Scenario, copy: &Copy) -> Vec<u8> {
    let member = scenario.membership(&copy.port);
    let never = member.is_some_and(|member| member.priority_tags == PriorityTags::Never);
    match copy.bytes.split_at_checked(12) {
        Some((addresses, [0x81, 0x00, high, 0x00, rest @ ..])) if never && high & 0xf == 0 => {
            [addresses, rest].concat()
        }
        _ => copy.bytes.clone(),
    }
}

/// A frame without those of its first two tags that are of VLAN 0.
pub(super) fn without_priority_tags(_: &Scenario, copy: &Copy) -> Vec<u8> {
    let mut bytes = copy.bytes.clone();
    for at in [16, 12] {
        let is_tag = |at| matches!(word(&bytes, at), Some(0x8100 | 0x88a8));
        if is_tag(12) && is_tag(at) && word(&bytes, at + 2).is_some_and(|bits| bits & 0xfff == 0) {
            bytes.drain(at..at + TAG);
        }
    }
    bytes
}

/// A frame of theirs whose first tag has no priority, where a trunk's `priority_tags` is not
/// "never".
pub(super) fn without_pushed_priority(scenario: &Scenario, copy: &Copy) -> Vec<u8> {
    let tunnel = |mode: &VlanMode| matches!(mode, VlanMode::Dot1qTunnel { .. });
    let member = scenario.membership(&copy.port).filter(|member| !tunnel(&member.vlan_mode));
    let is_set = member.is_some_and(|member| member.priority_tags != PriorityTags::Never);
    let mut bytes = copy.bytes.clone();
    if is_set
        && matches!(word(&bytes, 12), Some(0x8100 | 0x88a8))
        && let Some(bits) = bytes.get_mut(14)
    {
        *bits &= 0x1f;
    }
    bytes
}

/// As [`without_kept_tag`], and a first tag says nothing of drop eligibility.
pub(super) fn ours_without_eligibility(scenario: &Scenario, copy: &Copy) -> Vec<u8> {
    without_kept_tag(scenario, &without_eligibility(copy))
}

/// As [`without_passed_tag`], and a first tag says nothing of drop eligibility.
pub(super) fn theirs_without_eligibility(scenario: &Scenario, copy: &Copy) -> Vec<u8> {
    without_passed_tag(scenario, &without_eligibility(copy))
}

fn without_eligibility(copy: &Copy) -> Copy {
    let mut copy = copy.clone();
    if word(&copy.bytes, 12) == Some(0x8100)
        && let Some(bits) = copy.bytes.get_mut(14)
    {
        *bits &= !0x10;
    }
    copy
}

const ETHERNET_HEADER: usize = 14;
const TAG: usize = 4;

/// What Open vSwitch reserves beyond IEEE's sixteen (`eth_addr_is_reserved`): Extreme's EDP and
/// EAPS; Cisco's ISL, CDP and relatives, PVST+, Uplink Fast, CFM.
const VENDORS: [u64; 15] = [
    0x00e0_2b00_0000,
    0x00e0_2b00_0004,
    0x00e0_2b00_0006,
    0x0100_0c00_0000,
    0x0100_0ccc_cccc,
    0x0100_0ccc_cccd,
    0x0100_0ccd_cdcd,
    0x0100_0ccc_ccc0,
    0x0100_0ccc_ccc1,
    0x0100_0ccc_ccc2,
    0x0100_0ccc_ccc3,
    0x0100_0ccc_ccc4,
    0x0100_0ccc_ccc5,
    0x0100_0ccc_ccc6,
    0x0100_0ccc_ccc7,
];
