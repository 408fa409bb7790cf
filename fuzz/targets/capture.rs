#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portbook_fuzz::capture(bytes));
