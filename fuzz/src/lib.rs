//! What is fed with bytes that nobody chose: every reader of what strangers hand in.
//!
//! Each target is a function of bytes that panics where something isn't as promised ([`targets`]). libFuzzer drives it
//! (`targets/`), and `cargo test` runs it over its corpus (`corpus/`), which holds real ones and what once went wrong.
//!
//! The strict reader of JSON and the words of a case are compiled in from the sandbox's own files: the crate itself brings
//! wasmtime along, which reads none of these bytes and would take minutes to instrument.

pub mod targets;

#[allow(dead_code, missing_docs)]
#[path = "../../host/sandbox/src/contract.rs"]
mod contract;
#[allow(dead_code, missing_docs)]
#[path = "../../host/sandbox/src/json.rs"]
mod json;
