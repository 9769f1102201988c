//! Packages move between places as OCI artifacts: against a real registry, read by other tools, signed, and in sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cosign;
mod moving;
mod refusals;
mod room;
mod sets;
mod tokens;
