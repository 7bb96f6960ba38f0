//! Captures, pcap and pcapng, also in gzip: frames, and a sentence where they end early.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| offline::fuzz::capture(data));
