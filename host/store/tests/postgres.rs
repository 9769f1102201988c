//! The tests of the store once more, on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::duplicate_mod, reason = "each of the files brings its own `common`, and is a test by itself, too")]

#[path = "append.rs"]
mod append;
#[path = "erasure.rs"]
mod erasure;
#[path = "proofs.rs"]
mod proofs;
#[path = "publishing.rs"]
mod publishing;
#[path = "verify.rs"]
mod verify;
