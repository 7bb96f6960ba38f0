//! The differences from Open vSwitch that are intended: each with a name, a reason, and how it is
//! recognised.
//!
//! A step has two sides that may differ, what left and what is in the table, and each must be
//! recognised by an entry. Recognition is about the cause (this frame, this table) and not about
//! the effect alone, so that another difference in the same step is found wherever the two can be
//! told apart. A difference that is recognised is counted, both switches are made equal again, and
//! the scenario goes on.

use packet::DropReason;

use super::scenario::word;
use super::side::Known;
use super::situation::Situation;
use super::situation::{as_is, without_kept_tag, without_passed_tag, without_pushed_priority};
use super::situation::{
    ours_without_eligibility, theirs_without_eligibility, without_priority_tags,
};

/// One intended difference.
#[derive(Debug)]
pub struct Intended {
    /// Short and stable.
    pub name: &'static str,
    /// What each side does.
    pub what: &'static str,
    /// Why ours does it.
    pub why: &'static str,
    recognise: fn(&Situation<'_>, Aspect) -> bool,
}

/// What of a step differs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Aspect {
    /// The frames that left.
    Egress,
    /// The forwarding table afterwards.
    Stations,
}

/// How both sides become equal again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// They are.
    Nothing,
    /// Ours forgets these, which theirs has forgotten.
    OursExpire(Vec<Known>),
    /// Both forget all that they learned.
    Afresh,
}

/// The entries that a step's differences are recognised by, and what to do about them; none when
/// one of them is not.
pub(super) fn find(situation: &Situation<'_>) -> Option<(Vec<&'static Intended>, Settlement)> {
    let (ours, theirs) = (situation.ours, situation.theirs);
    let differs = [
        (Aspect::Egress, ours.egress != theirs.egress),
        (Aspect::Stations, ours.stations != theirs.stations),
    ];
    let mut found: Vec<&'static Intended> = Vec::new();
    for (aspect, _) in differs.into_iter().filter(|(_, differs)| *differs) {
        let mut known = CATALOGUE.iter();
        let intended = known.find(|intended| (intended.recognise)(situation, aspect))?;
        if !found.iter().any(|other| other.name == intended.name) {
            found.push(intended);
        }
    }
    let settlement = match ours.stations == theirs.stations {
        true => Settlement::Nothing,
        false if found.iter().all(|intended| intended.name == AGEING) => {
            Settlement::OursExpire(situation.late())
        }
        false => Settlement::Afresh,
    };
    Some((found, settlement))
}

/// Every intended difference.
pub const CATALOGUE: &[Intended] = &[
    Intended {
        name: AGEING,
        what: "a silent station is forgotten when its time is over; ours up to one second later",
        why: "hearing a station again is noted once a second, so that the common case writes \
              nothing; a station must never be forgotten early",
        recognise: |s, aspect| aspect == Aspect::Stations && s.is_only_late(),
    },
    Intended {
        name: "runt",
        what: "frames under 14 bytes are dropped and counted; their dummy device takes none",
        why: "a TAP can deliver them",
        recognise: |s, _| s.ours.dropped == Some(DropReason::Runt),
    },
    Intended {
        name: "bad-source",
        what: "frames from a group address or from 00:00:00:00:00:00 are dropped; theirs pass, and \
               zero is learned",
        why: "no station can have sent them (IEEE 802.3 section 3.2.3); forwarding them lets a \
              guest poison the tables of others",
        recognise: |s, _| s.ours.dropped == Some(DropReason::BadSource),
    },
    Intended {
        name: "vendor-addresses",
        what: "only 01:80:C2:00:00:00 to 0F are reserved; theirs are also 15 of Cisco's and Extreme's",
        why: "IEEE 802.1Q-2018 table 8-1 reserves sixteen addresses; a lab of such switches needs \
              the others to pass",
        recognise: |s, _| s.is_to_vendor() && s.theirs.egress.is_empty(),
    },
    Intended {
        name: "reserved-sources",
        what: "a frame to a reserved address teaches nothing, forwarded or not; theirs teaches when \
               it is forwarded",
        why: "its sender is the end of another bridge's cable, and not a station of the segment",
        recognise: |s, aspect| aspect == Aspect::Stations && s.is_to_reserved(),
    },
    Intended {
        name: "vlan-4095",
        what: "a tag of VLAN 4095 is refused; theirs is a VLAN like any other",
        why: "IEEE 802.1Q-2018 table 9-2 reserves the number: it must not be in any frame",
        recognise: |s, _| s.ours.dropped == Some(DropReason::BadVlan),
    },
    Intended {
        name: "service-tag",
        what: "an outer tag 0x88a8 is payload of an untagged frame, unless a dot1q-tunnel port of its \
               bridge pushes such tags; theirs is read as a VLAN",
        why: "a bridge of customer VLANs looks for customer tags (IEEE 802.1Q-2018 section 9.5)",
        recognise: |s, _| s.frame().and_then(|frame| word(frame, 12)) == Some(0x88a8),
    },
    Intended {
        name: "inner-tag-length",
        what: "tags do not count against a port's MTU; theirs counts all but a first 0x8100",
        why: "the MTU is the guest's IP packet, whatever tags are ahead of it, as Linux has it",
        recognise: |s, aspect| aspect == Aspect::Egress && s.is_only_longer_by_inner_tag(),
    },
    Intended {
        name: "static-source",
        what: "frames from a station that is bound to another port are dropped; theirs pass",
        why: "a static entry says where a station is; whoever else uses its address is no such \
              station",
        recognise: |s, _| s.ours.dropped == Some(DropReason::SourceIsStatic),
    },
    Intended {
        name: "static-room",
        what: "static entries take no room of fdb_size and never give way; theirs do both",
        why: "what somebody wrote must not vanish because a guest speaks from many addresses",
        recognise: |s, aspect| match aspect {
            Aspect::Stations => s.is_static_crowded(),
            Aspect::Egress => s.is_static_crowded() && s.is_to_evicted(),
        },
    },
    Intended {
        name: "eviction-tie",
        what: "of several ports with most stations, the lowest gives up its oldest; theirs is any \
               of them",
        why: "no effect may depend on the order of a hash table or a heap, or a run could not be \
              repeated",
        recognise: |s, aspect| match aspect {
            Aspect::Stations => s.is_eviction_tied(),
            Aspect::Egress => s.is_eviction_tied() && s.is_to_evicted(),
        },
    },
    Intended {
        name: "priority-tags-always",
        what: "\"always\" keeps the header of VLAN 0 and priority 0 that a frame came with; theirs \
               does so only where the VLAN stays the same",
        why: "it is what Open vSwitch documents; its access and native ports forget that there was \
              one",
        recognise: |s, aspect| {
            aspect == Aspect::Egress && s.is_egress_equal_as(without_kept_tag, as_is)
        },
    },
    Intended {
        name: "priority-tags-never",
        what: "a frame of VLAN 0 leaves a trunk without a header unless priority_tags asks for one; \
               theirs keeps a header whose priority is not 0",
        why: "it is what Open vSwitch documents: by default no priority-tagged frames leave",
        recognise: |s, aspect| {
            aspect == Aspect::Egress && s.is_egress_equal_as(without_kept_tag, without_passed_tag)
        },
    },
    Intended {
        name: "inner-tag-access",
        what: "an access port gets a frame of its VLAN with a tag inside as it is; theirs, beside a \
               dot1q-tunnel port, floods it to none and forwards it without the tag",
        why: "what is behind the VLAN's own tag is payload, flooded or forwarded",
        recognise: |s, aspect| aspect == Aspect::Egress && s.is_about_tags_on_access_ports(),
    },
    Intended {
        name: "customer-vlans",
        what: "cvlans hold for a frame to a station that is known, too; theirs asks only what it floods",
        why: "it is what Open vSwitch documents: only packets in these customer VLANs",
        recognise: |s, aspect| {
            aspect == Aspect::Egress
                && s.ours.dropped == Some(DropReason::NotInVlan)
                && s.is_only_at_tunnel_ends(s.theirs)
        },
    },
    Intended {
        name: "second-tag",
        what: "a second tag of a frame stays where it comes in on an access or dot1q-tunnel port; \
               theirs, which counts two tags beside such a port, loses one",
        why: "what a customer sends is not ours to change; Open vSwitch keeps two tags in all",
        recognise: |s, aspect| {
            let is_tag = |bytes, at| matches!(word(bytes, at), Some(0x8100 | 0x88a8));
            aspect == Aspect::Egress
                && s.is_beside_tunnel_end_in_one_vlan()
                && s.frame().is_some_and(|frame| is_tag(frame, 12) && is_tag(frame, 16))
        },
    },
    Intended {
        name: "customer-priority",
        what: "a customer's tag of VLAN 0 goes through as it is; theirs leaves it out where priority_tags \
               or its priority says so",
        why: "what a customer sends is not ours to change",
        recognise: |s, aspect| {
            aspect == Aspect::Egress
                && s.has_tunnel_end()
                && s.is_egress_equal_as(without_priority_tags, without_priority_tags)
        },
    },
    Intended {
        name: "pushed-priority",
        what: "the tag that a dot1q-tunnel port pushes has priority 0; theirs has the customer's where \
               priority_tags is set",
        why: "Open vSwitch documents priority_tags for VLAN 0 alone",
        recognise: |s, aspect| {
            aspect == Aspect::Egress
                && s.is_from_tunnel_end()
                && s.is_egress_equal_as(as_is, without_pushed_priority)
        },
    },
    Intended {
        name: "drop-eligible",
        what: "the drop eligible bit of a tag is kept when the tag is changed; theirs is cleared",
        why: "a bridge that has no meters has no reason to change it (IEEE 802.1Q-2018 section \
              6.9.3); Open vSwitch uses the bit for itself",
        recognise: |s, aspect| {
            aspect == Aspect::Egress
                && s.is_egress_equal_as(ours_without_eligibility, theirs_without_eligibility)
        },
    },
];

/// Settled in a way of its own.
const AGEING: &str = "ageing";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_entry() {
        let page = include_str!("../../docs/comparing.md");
        for intended in CATALOGUE {
            let row = format!("| `{}` | {} |", intended.name, intended.what);
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn every_entry_has_a_name_of_its_own_and_both_texts() {
        for (at, intended) in CATALOGUE.iter().enumerate() {
            let others = CATALOGUE.iter().skip(at + 1);
            assert!(others.into_iter().all(|other| other.name != intended.name));
            assert!(intended.what.len() > 20 && intended.why.len() > 10, "{}", intended.name);
        }
    }
}
