//! Lab files: a lab or sentences with a place; and what is made of a lab.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| daemon::fuzz::labfile(data));
