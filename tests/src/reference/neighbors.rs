//! Neighbours: which state may follow which (RFC 826, and the states of RFC 4861).

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use packet::InterfaceId;
use packet::arp::Operation;
use switch::change::InterfaceSettings;
use switch::view::{NeighborState, NeighborView};

use super::{ArpInput, Prediction, World};

type Table = BTreeMap<(InterfaceId, Ipv4Addr), NeighborView>;

/// Compares the neighbours behind a step with those ahead of it.
pub(super) fn check(
    world: World<'_>,
    prediction: &Prediction,
    (before, after): (&[NeighborView], &[NeighborView]),
    capacity: usize,
) {
    let table = |list: &[NeighborView]| -> Table {
        list.iter().map(|n| ((n.interface, n.address), *n)).collect()
    };
    let (mut before, after) = (table(before), table(after));
    let was_full = before.len() >= capacity;
    // Each new one of a full table takes one's place.
    let mut given_up = after.keys().filter(|key| !before.contains_key(*key)).count();
    if let Some(heard) = prediction.heard {
        let is_room = !was_full || before.values().any(|n| n.state != NeighborState::Static);
        merge(world, heard, is_room, &mut before);
    }
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let (old, new) = (before.get(key), after.get(key));
        let states = (old.map(|n| n.state), new.map(|n| n.state));
        if let (true, Some(old), None) = (was_full && given_up > 0, old, new)
            && old.state != NeighborState::Static
        {
            given_up -= 1;
            continue;
        }
        let unplugged = prediction.is_down && new.is_none();
        // Errors about packets that end go to several: one makes room for another, and is asked for
        // again.
        let squeezed = was_full
            && prediction.timeout
            && old.is_some_and(|old| old.state != NeighborState::Static)
            && new.is_some_and(|new| new.state == NeighborState::Incomplete);
        assert!(
            unplugged || squeezed || may_follow(states, prediction.timeout),
            "neighbour {key:?} was {old:?} and is {new:?} after {prediction:?}"
        );
        if let (Some(old), Some(new)) = (old.and_then(|n| n.mac), new.and_then(|n| n.mac)) {
            assert_eq!(old, new, "neighbour {key:?} has another address after {prediction:?}");
        }
    }
}

/// What one ARP packet does to the table: RFC 826's merge, and its addition where we are asked and
/// there is room.
fn merge(world: World<'_>, heard: ArpInput, is_room: bool, table: &mut Table) {
    let ArpInput { arp, interface, source } = heard;
    let Some(own) = world.settings.interfaces.get(&interface) else { return };
    let is_ours = |address| own.addresses.iter().any(|net| net.addr() == address);
    let lies = arp.sender_mac != source || !arp.sender_mac.is_station();
    if lies || is_ours(arp.sender) || arp.sender.is_unspecified() {
        return;
    }
    let key = (interface, arp.sender);
    let answers = arp.operation == Operation::Reply && is_ours(arp.target);
    let asks = arp.operation == Operation::Request && is_ours(arp.target);
    use NeighborState::{Failed, Incomplete, Probe, Reachable, Stale, Static};
    let (address, mut mac) = (arp.sender, Some(arp.sender_mac));
    let state = match table.get(&key).map(|known| (known.state, known.mac)) {
        Some((Static, _)) => return,
        // Whoever is trusted is asked first.
        Some((Reachable | Probe, known)) if known != mac => {
            mac = known;
            Probe
        }
        Some((Incomplete | Reachable, _)) => Reachable,
        Some((Probe | Failed, _)) if answers => Reachable,
        Some((Stale, known)) if answers && known == mac => Reachable,
        Some((Probe | Failed | Stale, _)) => Stale,
        None if asks && is_room && reaches(own, arp.sender) => Stale,
        None => return,
    };
    table.insert(key, NeighborView { interface, address, mac, state });
}

fn reaches(own: &InterfaceSettings, address: Ipv4Addr) -> bool {
    own.addresses.iter().any(|net| net.contains(&address))
}

/// Whether a neighbour in one state may be in another behind a step, having been used in between or
/// not.
fn may_follow(states: (Option<NeighborState>, Option<NeighborState>), timeout: bool) -> bool {
    use NeighborState::{Failed, Incomplete, Probe, Reachable, Stale};
    match states {
        (old, new) if old == new => true,
        // Used.
        (None | Some(Failed), Some(Incomplete)) | (Some(Reachable | Stale), Some(Probe)) => true,
        // Time passed.
        (Some(Incomplete), Some(Failed)) | (Some(Reachable), Some(Stale)) => timeout,
        (Some(_), None) => timeout,
        // Forgotten, and asked for at once by an error about a packet that ends.
        (Some(Probe | Stale), Some(Incomplete)) => timeout,
        _ => false,
    }
}
