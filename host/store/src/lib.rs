//! What is kept, and how it gets there: the ledger's entries, what they bind, and what is in force.
//!
//! [`Store`] writes and reads; [`Reader`] only reads, and checks. Rows are added and never changed. One sequencer gives
//! every entry its place; a request's rows commit together or not at all, and it is answered once they are durable.
//!
//! Here lives all SQL, and nothing else does: no judging, no HTTP. A statement is written once and asked of either database
//! by way of `db`; what `SQLite` and PostgreSQL do in their own way is in `sqlite` and `postgres`.
//!
//! # The record of a decision
//!
//! [`Reader::verify`] compares a decision's columns with its entry and with its record, JSON bytes that the caller makes.
//! It reads these keys, and ignores others:
//!
//! | key | fields |
//! |---|---|
//! | `identity` | `id`, `tenant`, `system`, `environment`, `kind`, `idempotency_key`, `body_hash`, `data_subject`, `re_evaluates` (as in the facts, and more) |
//! | `times` | `received`, `decided`, `occurred_at`, `rules_as_of` (RFC 3339) |
//! | `plugins[]` | `package`, `version`, `digest`, `status` |
//! | `policy` | `snapshot` |
//! | `outcome` | `verdict`, `reason`, `risk.score`, `risk.confidence`, `kill_switch` |
//! | `effects[]` | `binding`, `kind`, `body` (the same JSON bytes as [`EffectDraft::body`]) |

mod append;
mod changes;
mod check;
mod db;
mod edge;
mod error;
mod head;
mod packed;
mod postgres;
mod proofs;
mod read;
mod record;
mod rows;
mod seal;
mod sequencer;
mod sqlite;
mod store;
mod verify;
mod writer;

pub use append::{
    Appended, Change, ChangeDraft, DecisionDraft, EffectDraft, ErasureCause, Idempotency, LEGAL_HOLD, Outcome,
    SystemEvent,
};
pub use changes::Changes;
pub use error::StoreError;
pub use postgres::Starting;
pub use read::Reader;
pub use rows::{
    ActivationEvent, ActivationRow, Altered, CheckpointRow, DecisionFilter, DecisionRow, EffectRow, EntryRow, HeadRow,
    KeyRow, LogKeyRow, NamespaceRow, PackageRow, Page, PastDecision, Payloads, PolicyRow, PublisherKeyRow,
    ReEvaluationRow, RetentionRow, RollBackRow, SealedRow, SignatureRow, SimulationRow, StampRow, StoredDecision,
    SystemRow,
};
pub use store::{Announced, Options, Store};
pub use verify::{Progress, VerifyOptions};
