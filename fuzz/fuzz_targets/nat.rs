//! NAT alone: any rules, then packets both ways and the clock, against linear tables.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lab::fuzz::nat(data));
