//! Frames from ports, with and without duties left to the switch.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lab::fuzz::frame(data));
