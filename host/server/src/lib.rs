//! The host over HTTP: identity, limits, the pipeline from a request to a recorded decision.
//!
//! axum and hyper live here and nowhere else. [`Server`] opens a store, brings back into memory what is in force, and serves it.
//! Every handler parses at the door and answers problems after RFC 9457. Judging itself is `assize_kernel::decide`, called
//! by `pipeline`, and by `health` on a case of nothing; rows and their order are the store's.

mod app;
mod around;
mod bootstrap;
mod components;
mod config;
mod connections;
mod door;
mod export;
mod eyes;
mod fitness;
mod health;
mod identity;
mod keys;
mod life;
mod metrics;
mod openapi;
mod outside;
mod pipeline;
mod problem;
mod publish;
mod reload;
mod retention;
mod routes;
mod server;
mod signer;
mod signing;
mod simulations;
mod system;
mod systems;
mod view;
mod whose;
mod witness;

pub use config::{Config, LogKey};
pub use fitness::{Unfit, fit};
pub use outside::{Anchor, Authority, Outside, Witness};
pub use server::{Server, StartError};
pub use signer::{CHECKPOINT_FILE, Schedule, SignError};
pub use witness::{WitnessConfig, WitnessServer};
