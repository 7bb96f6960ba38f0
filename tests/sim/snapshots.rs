//! A switch as bytes: made from them it is the same switch, and of wrong bytes it is made never or
//! soundly.

use core::time::Duration;

use lab::rng::Rng;
use lab::{Lab, Rebirth};
use packet::{Frame, Instant};
use proptest::prelude::*;
use switch::{Change, Event, Outbox, Switch};

use crate::conservation::{self, PORTS};
use crate::tunnel_chaos;

/// A town after some life, all of whose tables hold something.
fn lived_in(seed: u64, frames: u32) -> Lab {
    let mut lab = conservation::town(seed);
    lab.distrust();
    conservation::live_on(&mut lab, &mut Rng::new(!seed), frames);
    lab
}

fn bytes_of(switch: &Switch) -> Vec<u8> {
    postcard::to_stdvec(switch).unwrap()
}

/// Drives a switch without judging what leaves: it may be in a state that none would reach.
fn drive(lab: &Lab, mut switch: Switch, rng: &mut Rng) {
    let mut out = Outbox::new(4);
    let mut now = lab.now();
    for _ in 0..60 {
        let port = *rng.pick(&PORTS);
        let frame = Frame::copied_from(&conservation::plausible(lab, rng, port));
        switch.step(now, Event::Frame { port: lab.port_id(port), frame }, &mut out);
        now += Duration::from_millis(rng.below(40_000));
        switch.step(now, Event::Timeout, &mut out);
        out.drain(|_, _| {});
        // What people look at.
        let _ = (switch.flows(now), switch.neighbors(), switch.drops(), switch.next_timeout());
    }
    switch.step(Instant::MAX, Event::Timeout, &mut out);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_switch_made_from_bytes_does_what_the_first_would_have_done(seed: u64, steps in 1u64..60) {
        for rebirth in [Rebirth::Bytes, Rebirth::Clone] {
            let mut lab = conservation::town(seed);
            lab.be_reborn(steps, rebirth);
            let first = conservation::live(conservation::town(seed), seed, 120);
            prop_assert_eq!(conservation::live(lab, seed, 120), first, "{:?}", rebirth);
            let mut lab = tunnel_chaos::town(seed);
            lab.be_reborn(steps, rebirth);
            let first = tunnel_chaos::live(tunnel_chaos::town(seed), seed, 80);
            prop_assert_eq!(tunnel_chaos::live(lab, seed, 80), first, "{:?}", rebirth);
        }
    }

    #[test]
    fn bytes_that_break_off_make_no_switch(seed: u64, part in 0usize..1000) {
        let bytes = bytes_of(lived_in(seed, 60).switch());
        let cut = bytes.len() * part / 1000;
        prop_assert!(postcard::from_bytes::<Switch>(&bytes[..cut]).is_err());
    }

    #[test]
    fn wrong_bytes_make_no_switch_or_a_sound_one(
        seed in 0u64..40, places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let lab = lived_in(seed, 150);
        let mut bytes = bytes_of(lab.switch());
        for (place, byte) in &places {
            let at = place.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Ok(switch) = postcard::from_bytes::<Switch>(&bytes) {
            drive(&lab, switch, &mut Rng::new(seed));
        }
    }
}

/// What is tested above is no empty switch.
#[test]
fn a_lived_in_town_has_all_tables_filled() {
    let lab = lived_in(3, 150);
    let switch = lab.switch();
    let bridge = lab.bridge_id("br0");
    assert!(switch.stations(lab.now(), bridge).len() > 10);
    assert!(switch.neighbors().len() > 3 && !switch.drops().is_empty());
    let bytes = bytes_of(switch);
    assert!((1000..100_000).contains(&bytes.len()), "{} bytes", bytes.len());
}

/// The neighbours' limits among them, which are other than they are by default.
#[test]
fn a_switch_made_from_bytes_is_written_as_the_same_bytes() {
    let mut lab = lived_in(3, 150);
    let (reachable, stale) = (Duration::from_secs(7), Duration::from_secs(11));
    lab.change(Change::SetNeighborLimits { capacity: 40, reachable, stale });
    let bytes = bytes_of(lab.switch());
    assert_eq!(bytes_of(&postcard::from_bytes(&bytes).unwrap()), bytes);
}
