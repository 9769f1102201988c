//! What was recorded can't be changed without it showing.
//!
//! Here live the two values that everything is named by ([`Digest`], [`Timestamp`]); the bytes of a ledger [`Entry`] and
//! the [facts](DecisionFacts) in it; the hash chain and Merkle tree over them ([`Head`], [`tree`]); the salted
//! [`Commitment`]s that keep personal data out of them; the check of all that ([`Verifier`]); and what an authority says
//! about when ([`timestamp`]). The exact bytes are described in `docs/ledger-format.md`.
//!
//! Here is no WebAssembly, no HTTP and no database: an auditor's verifier needs this crate alone. Signed checkpoints and
//! proofs of inclusion and consistency will stand beside `tree`, on the roots and tiles that it already makes.

mod chain;
mod commitment;
mod digest;
mod entry;
mod facts;
mod kind;
mod time;
pub mod timestamp;
pub mod tree;
mod verify;

pub use chain::{Draft, Head, Sealed};
pub use commitment::{Commitment, Salt};
pub use digest::{Digest, ParseDigestError};
pub use entry::{DecodeError, EncodeError, Entry, EntryRef, FORMAT_VERSION, MAGIC, MAX_FACTS, MAX_NAME, entry_hash};
pub use facts::{AdministrativeFacts, CommonFacts, DecisionFacts, PluginFact};
pub use kind::EntryKind;
pub use time::{ParseTimestampError, Timestamp};
pub use tree::{Frontier, Tile, TileId, TreeError};
pub use verify::{Fault, Faults, Link, Report, Start, StoredEntry, TimeRange, Verifier};
