//! What was recorded can't be changed without it showing.
//!
//! Here live the two values that everything is named by ([`Digest`], [`Timestamp`]); the bytes of a ledger [`Entry`] and
//! the [facts](DecisionFacts) in it; the hash chain and Merkle tree over them ([`Head`], [`tree`]); the salted
//! [`Commitment`]s that keep personal data out of them; [proofs](proof) of inclusion and consistency; signed [`Note`]s, the
//! [`Checkpoint`]s in them and the [`Keyring`] of a log; what an authority says about when ([`timestamp`]) and what a
//! witness saw ([`AddCheckpoint`]); exports ([`ExportWriter`]) and case bundles ([`Bundle`]); and the check of
//! all that ([`Verifier`], [`verify_export`], [`Bundle::verify`]). The exact bytes are described in `docs/ledger-format.md`,
//! `docs/export-format.md` and `docs/bundle-format.md`.
//!
//! Here is no WebAssembly, no HTTP and no database: an auditor's verifier needs this crate alone.

mod bundle;
mod chain;
mod checkpoint;
mod commitment;
mod digest;
mod entry;
mod export;
mod facts;
mod items;
mod key;
mod keyring;
mod kind;
mod note;
pub mod proof;
mod receipt;
mod time;
pub mod timestamp;
pub mod tree;
mod verify;
mod witness;

pub use bundle::{
    BUNDLE_FORMAT, Bundle, BundleCheck, BundleHeader, BundleReport, Confirmed, EarlierCheckpoint, Erasure, MAX_BUNDLE,
    ProvenEntry, Publication,
};
pub use chain::{Draft, Head, Sealed};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use commitment::{Commitment, Salt};
pub use digest::{Digest, ParseDigestError};
pub use entry::{DecodeError, EncodeError, Entry, EntryRef, FORMAT_VERSION, MAGIC, MAX_FACTS, MAX_NAME, entry_hash};
pub use export::{
    EXPORT_FORMAT, ExportCheck, ExportHeader, ExportReport, ExportWriter, PayloadKind, Targets, export_lines,
    verify_export,
};
pub use facts::{AdministrativeFacts, CommonFacts, DecisionFacts, PluginFact, ReEvaluationFact};
pub use key::{Algorithm, KeyError, KeyId, SignerKey, VerifierKey};
pub use keyring::{Introduced, Keyring, KeyringError, key_statement};
pub use kind::EntryKind;
pub use note::{MAX_NOTE, MAX_SIGNATURES, Note, NoteError, NoteSignature};
pub use proof::ProofError;
pub use receipt::{RECEIPT_FORMAT, Receipt, ReceiptError, Receipted};
pub use time::{ParseTimestampError, Timestamp};
pub use tree::{Frontier, Peaks, Tile, TileId, TreeError};
pub use verify::{Fault, Faults, Link, Outside, Report, Start, StoredEntry, TimeRange, Verifier};
pub use witness::{AddCheckpoint, Seen, WitnessError};
