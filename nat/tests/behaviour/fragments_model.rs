//! Reassembly beside a naive list of datagrams, which predicts what each fragment does.

use std::net::Ipv4Addr;

use packet::{DropReason, Instant, Ipv4, Pool, PortId, Protocol};
use proptest::prelude::*;
use tapswitch_nat::fragments::{MAX_DISTANCE, MEMORY, MEMORY_PER_SOURCE, PATIENCE};
use tapswitch_nat::{Assembled, Reassembly};

use crate::common::*;
use crate::fragments::{at, numbered};

/// A fragment on its way.
#[derive(Copy, Clone, Debug)]
struct Fragment {
    port: u32,
    source: u8,
    id: u16,
    offset: usize,
    len: usize,
    more: bool,
    filling: u8,
}

impl Fragment {
    fn packet(&self) -> Ipv4 {
        let source = Ipv4Addr::new(10, 0, 0, self.source);
        let like = raw(source, REMOTE, Protocol::UDP, &[0; 8]);
        numbered(&at(&like, self.offset, &vec![self.filling; self.len], self.more, &[]), self.id)
    }
}

#[derive(Debug)]
struct Datagram {
    of: (u8, u16),
    port: u32,
    until: Instant,
    frames: usize,
    parts: Vec<Fragment>,
    spoilt: bool,
    /// Fragments of its source since its latest.
    since: u32,
}

impl Datagram {
    fn memory(&self) -> usize {
        const PLACE: usize = 896;
        let bytes: usize = self.parts.iter().map(|part| part.len).sum();
        let parts =
            bytes.next_power_of_two().max(256) + self.parts.len().next_power_of_two().max(8) * 6;
        PLACE + if self.spoilt { 0 } else { parts }
    }

    fn overlaps(&self, new: &Fragment) -> bool {
        let end = new.offset + new.len;
        self.parts.iter().any(|old| old.offset < end && new.offset < old.offset + old.len)
    }

    fn is_contradicted(&self, new: &Fragment) -> bool {
        let (end, last) = (new.offset + new.len, self.parts.iter().find(|part| !part.more));
        let total = last.map(|last| last.offset + last.len);
        let reach = self.parts.iter().map(|part| part.offset + part.len).max().unwrap_or(0);
        self.spoilt
            || new.len == 0
            || new.more && !new.len.is_multiple_of(8)
            || end + 20 > 65_535
            || total.is_some_and(|total| if new.more { end > total } else { end != total })
            || !new.more && end < reach
    }

    fn is_whole(&self) -> bool {
        let last = self.parts.iter().find(|part| !part.more);
        let bytes: usize = self.parts.iter().map(|part| part.len).sum();
        last.is_some_and(|last| last.offset + last.len == bytes)
    }
}

#[derive(Debug, PartialEq)]
enum Fate {
    Held,
    Whole(usize),
    Refused(DropReason),
}

/// In the order in which they began.
#[derive(Default)]
struct Naive(Vec<Datagram>);

type Ended = Vec<(u32, usize, DropReason)>;

impl Naive {
    fn timeout(&mut self, now: Instant) -> Ended {
        let (dead, living): (Vec<_>, _) = self.0.drain(..).partition(|d: &Datagram| d.until <= now);
        self.0 = living;
        let timeout = DropReason::FragmentTimeout;
        let dead = dead.into_iter().filter(|datagram| datagram.frames > 0);
        dead.map(|datagram| (datagram.port, datagram.frames, timeout)).collect()
    }

    fn give_up(&mut self, at: usize, reason: DropReason, ended: &mut Ended) {
        let Datagram { port, frames, .. } = self.0.remove(at);
        if frames > 0 {
            ended.push((port, frames, reason));
        }
    }

    fn accept(&mut self, now: Instant, new: Fragment) -> (Fate, Ended) {
        let (of, mut ended) = ((new.source, new.id), Ended::new());
        if new.offset == 0 && !new.more {
            return (Fate::Whole(1), ended);
        }
        for datagram in self.0.iter_mut().filter(|datagram| datagram.of.0 == new.source) {
            datagram.since += 1;
        }
        let place = |list: &[Datagram]| list.iter().position(|datagram| datagram.of == of);
        if let Some(at) = place(&self.0).filter(|at| self.0[*at].since > MAX_DISTANCE) {
            self.give_up(at, DropReason::FragmentStale, &mut ended);
        }
        let at = place(&self.0).unwrap_or_else(|| {
            let (port, until) = (new.port, now + PATIENCE);
            let (frames, parts, spoilt, since) = (0, Vec::new(), false, 0);
            self.0.push(Datagram { of, port, until, frames, parts, spoilt, since });
            self.0.len() - 1
        });
        let datagram = &mut self.0[at];
        datagram.since = 0;
        let same = |old: &Fragment| {
            (old.offset, old.len, old.filling) == (new.offset, new.len, new.filling)
        };
        let repeats = datagram.parts.iter().any(same);
        if datagram.is_contradicted(&new) || !repeats && datagram.overlaps(&new) {
            let frames = std::mem::take(&mut datagram.frames);
            if frames > 0 {
                ended.push((datagram.port, frames, DropReason::BadFragment));
            }
            datagram.spoilt = true;
            datagram.parts.clear();
            self.make_room(new.source, &mut ended);
            return (Fate::Refused(DropReason::BadFragment), ended);
        }
        if !repeats {
            datagram.parts.push(new);
        }
        if datagram.is_whole() {
            let frames = self.0.remove(at).frames + 1;
            return (Fate::Whole(frames), ended);
        }
        self.make_room(new.source, &mut ended);
        match place(&self.0) {
            Some(at) => {
                self.0[at].frames += 1;
                (Fate::Held, ended)
            }
            None => (Fate::Refused(DropReason::FragmentLimit), ended),
        }
    }

    fn make_room(&mut self, source: u8, ended: &mut Ended) {
        let held = |list: &[Datagram], of: &dyn Fn(&Datagram) -> bool| -> usize {
            list.iter().filter(|datagram| of(datagram)).map(Datagram::memory).sum()
        };
        loop {
            let at = if held(&self.0, &|d| d.of.0 == source) > MEMORY_PER_SOURCE {
                self.0.iter().position(|datagram| datagram.of.0 == source)
            } else if held(&self.0, &|_| true) > MEMORY {
                let ports = 0..9;
                let largest = ports.max_by_key(|port| held(&self.0, &|d| d.port == *port)).unwrap();
                self.0.iter().position(|datagram| datagram.port == largest)
            } else {
                return;
            };
            self.give_up(at.unwrap(), DropReason::FragmentLimit, ended);
        }
    }
}

/// Few sources and identifications, so that fragments meet; large ones, so that room is short.
fn fragments() -> impl Strategy<Value = Vec<(Fragment, u64)>> {
    let place = prop_oneof![
        3 => (0usize..3, prop_oneof![Just(8usize), Just(16), Just(1480)]).prop_map(|(n, len)| (n * len, len)),
        3 => (0usize..2, 8usize..4096).prop_map(|(n, blocks)| (n * 32_768, blocks * 8)),
        1 => (0usize..8190, 0usize..64).prop_map(|(n, len)| (n * 8, len)),
    ];
    let who = (0u32..6, 0u8..12, 0u16..60);
    let what = (place, prop::bool::weighted(0.7), 0u8..2);
    let fragment = (who, what).prop_map(|((port, source, id), ((offset, len), more, filling))| {
        Fragment { port, source, id, offset, len, more, filling }
    });
    let pause = prop_oneof![20 => Just(0u64), 1 => 1u64..20];
    prop::collection::vec((fragment, pause), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// NU14: every fragment is held, merged, sent on or dropped as the naive list says, and every byte of room with it.
    #[test]
    fn reassembly_does_what_a_naive_list_does(fragments in fragments()) {
        let (mut reassembly, mut pool) = (Reassembly::new(hasher()), Pool::new(2));
        let (mut naive, mut now) = (Naive::default(), s(1));
        for (fragment, pause) in fragments {
            now += core::time::Duration::from_secs(pause);
            let mut ended = Ended::new();
            let mut note = |end: tapswitch_nat::fragments::Ended| {
                ended.push((end.from.number(), end.frames, end.reason));
            };
            reassembly.timeout(now, &mut pool, &mut note);
            let port = PortId::new(fragment.port);
            let fate = match reassembly.accept(now, fragment.packet(), port, &mut pool, &mut note) {
                Ok(Assembled::Held) => Fate::Held,
                Ok(Assembled::Whole { merged, packet }) => {
                    prop_assert!(!packet.is_fragment());
                    Fate::Whole(merged)
                }
                Err(dropped) => Fate::Refused(dropped.reason),
            };
            let mut expected = naive.timeout(now);
            let (expected_fate, more) = naive.accept(now, fragment);
            expected.extend(more);
            prop_assert_eq!(fate, expected_fate, "{:?}", fragment);
            prop_assert_eq!(ended, expected);
            prop_assert_eq!(reassembly.audit(), Ok(()));
            prop_assert_eq!(reassembly.memory(), naive.0.iter().map(Datagram::memory).sum::<usize>());
            prop_assert_eq!(reassembly.held(), naive.0.iter().map(|d| d.frames).sum::<usize>());
        }
    }
}
