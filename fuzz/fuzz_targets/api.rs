//! Requests to the control API, around an engine that has no devices.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| daemon::fuzz::api(data));
