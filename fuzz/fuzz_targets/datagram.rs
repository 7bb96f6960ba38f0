//! Datagrams from remote VTEPs, alone and in trains.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lab::fuzz::datagram(data));
