//! Lab files: a lab or sentences with a place; and what is made of a lab.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| labfile::fuzz::labfile(data));
