//! Any topology, then frames, changes, cables and the clock, each step as a naive switch predicts it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lab::fuzz::network(data));
