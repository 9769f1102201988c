//! Tells the crate which wasmtime it is built with, since every decision records it.

use std::path::Path;
use std::{env, fs};

fn main() {
    let lock = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(&lock).unwrap_or_default();
    let mut lines = text.lines().skip_while(|line| *line != "name = \"wasmtime\"");
    let version =
        lines.nth(1).and_then(|line| line.strip_prefix("version = \"")).and_then(|rest| rest.strip_suffix('"'));
    match version {
        Some(version) => println!("cargo::rustc-env=ASSIZE_WASMTIME_VERSION={version}"),
        None => println!("cargo::error=Cargo.lock names no wasmtime: build inside the workspace"),
    }
}
