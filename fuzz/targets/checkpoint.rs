//! See `assize_fuzz::targets::checkpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assize_fuzz::targets::checkpoint(bytes));
