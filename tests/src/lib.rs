//! What the end-to-end tests stand on: the real binary, started on a free port with a directory of its own, and a small
//! client that speaks HTTP to it.
//!
//! The tests themselves are in `tests/`, one file a theme. They need what `cargo xtask dist` leaves in `target/dist`.
//! `ASSIZE_SLOW=0` shortens those that repeat something many times; `ASSIZE_SEED` repeats a run's random choices.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that can't go on says so by panicking"
)]

mod artefacts;
mod authority;
mod certificates;
mod client;
mod command;
mod database;
mod dice;
mod middleman;
mod oci_registry;
mod package;
mod payload;
mod policy;
mod server;
mod toolchains;
mod witness;

pub use artefacts::{binary, bundled, bundled_file, guest, kit, packages, python, rounds, shared_file, workspace};
pub(crate) use artefacts::{compiled, target_folder};
pub use authority::{Authority, Mood, stamp};
pub use certificates::{Certificates, Issued, Profile};
pub use client::{Answer, Client};
pub use command::{Output, assize, assize_given, assize_in, assize_with};
pub use database::{Cell, Cells, Database, Guard, Table};
pub use dice::Dice;
pub use middleman::Middleman;
pub use oci_registry::{OciRegistry, RegistrySetup};
pub use package::{law, manifest, repacked, table_grower, table_grower_with, with_section, without_manifest};
pub use policy::{agent, answer, policy, rule, ruling, thresholds};
pub use server::{Server, Setup, Shared};
pub use toolchains::{pin, toolchain};
pub use witness::Witness;
