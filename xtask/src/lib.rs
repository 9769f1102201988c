//! What the project does with itself: `cargo xtask dist`, `kits`, `demo`, `test`, `spec`, `fuzz`, `profile`, `bench`.
//!
//! Programs instead of scripts: they run wherever Rust does, and the compiler checks them. [`Dist`] is what everything
//! else starts from: the binary and the packed plugins under `target/dist`.

pub mod demo;
mod dist;
pub mod evidence;
pub mod http;
pub mod kits;
pub mod packages;
pub mod profile;
pub mod server;
pub mod steps;
pub mod tables;
mod toolchains;

pub use dist::{Build, Dist, Guests, dist, kits as build_kits};
