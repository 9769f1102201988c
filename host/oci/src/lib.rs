//! Packages on their way from one place to another: as artifacts of an OCI registry, and as a set in one file.
//!
//! Here live the [`Artifact`] (a package in the Wasm layout that other tools read, with the signatures that travel along),
//! [`Repository`] (a client of the OCI distribution specification) and [`Layout`] (an OCI image layout in a tar). Both of the
//! last are [`Contents`]: an artifact is read from either by the same code, and **no byte counts before its digest was verified**.
//!
//! ```text
//! manifest ── config   application/vnd.wasm.config.v0+json     what it exports and imports, its layer's digest
//!    ▲   └─── layer    application/wasm                        the package: its digest is the one that the host knows
//!    ├─────── subject of a manifest for each publisher's note  application/vnd.assize.package.signature.v1
//!    └─────── named by the tag sha256-….sig                    cosign's signatures over the manifest
//! ```
//!
//! Here is no server and no policy: whether a signature suffices is for the host that publishes to say.

mod artifact;
mod contents;
pub mod cosign;
mod descriptor;
mod error;
mod layout;
mod manifest;
mod reference;
mod registry;

pub use artifact::Artifact;
pub use contents::Contents;
pub use descriptor::{Blob, Descriptor, Sha256};
pub use error::OciError;
pub use layout::{Layout, write_layout};
pub use reference::{ParseReferenceError, Reference, tag_of};
pub use registry::{Access, Credentials, PushedTo, Repository};
