//! Virtio headers and the frames behind them, as a device hands them over.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lab::fuzz::virtio(data));
