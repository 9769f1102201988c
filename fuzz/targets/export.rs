//! See `assize_fuzz::targets::export`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assize_fuzz::targets::export(bytes));
