//! What is read back. Nothing here knows which database it came from.

mod publishing;
mod sealed;

use assize_ledger::{Digest, Timestamp};

pub use self::publishing::{
    ActivationEvent, ActivationRow, NamespaceRow, PackageRow, PublisherKeyRow, RollBackRow, SignatureRow,
};
pub use self::sealed::{Altered, SealedRow};

/// A decision's columns: copies, to select by, of what its entry and its record say.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// `UUIDv7`.
    pub id: String,
    /// The place of its entry in the ledger.
    pub seq: u64,
    /// The hash of its entry.
    pub entry_hash: Digest,
    /// Whose it is.
    pub tenant: String,
    /// The AI system, if the case named one.
    pub system: Option<String>,
    /// E.g. `production`.
    pub environment: String,
    /// The kind of case.
    pub kind: String,
    /// `allow`, `warn`, `review` or `block`.
    pub verdict: String,
    /// The code of what decided.
    pub reason: String,
    /// 0 to 10.
    pub risk_score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// When what was judged happened.
    pub occurred_at: Timestamp,
    /// The date whose rules applied.
    pub rules_as_of: Timestamp,
    /// When the case came in.
    pub received_at: Timestamp,
    /// When it was judged.
    pub decided_at: Timestamp,
    /// The snapshot that judged.
    pub snapshot: Digest,
    /// Whether the kill switch decided.
    pub kill_switch: bool,
    /// The caller's key, if one was given.
    pub idempotency_key: Option<String>,
    /// The hash of the request's body, if a key was given.
    pub body_hash: Option<Digest>,
}

/// A decision with all that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDecision {
    /// Its columns.
    pub row: DecisionRow,
    /// The exact bytes of its entry.
    pub entry: Vec<u8>,
    /// The exact bytes of its input; none once erased.
    pub input: Option<Vec<u8>>,
    /// The exact bytes of its record (JSON); none once erased.
    pub record: Option<Vec<u8>>,
    /// What it planned.
    pub effects: Vec<EffectRow>,
    /// Why this isn't what was written, where it isn't: what is shown or judged again must be what the ledger binds.
    pub altered: Option<Altered>,
}

/// A simulation that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationRow {
    /// Its id.
    pub id: String,
    /// Whose; none for one over all tenants.
    pub tenant: Option<String>,
    /// SHA-256 of its report.
    pub digest: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// Which payloads are read: a record is several times as long as an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Payloads {
    Inputs,
    InputsAndRecords,
}

/// A decision with what judging it again needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PastDecision {
    /// Its columns.
    pub row: DecisionRow,
    /// The exact bytes of its input; none once erased.
    pub input: Option<Vec<u8>>,
    /// The exact bytes of its record (JSON); none once erased, or where only inputs are read.
    pub record: Option<Vec<u8>>,
}

/// A later decision that rules a case anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReEvaluationRow {
    /// The later decision.
    pub id: String,
    /// Its entry.
    pub seq: u64,
    /// Its entry's hash.
    pub entry_hash: Digest,
    /// What it came to.
    pub verdict: String,
    /// Why the case was ruled anew.
    pub reason: String,
    /// When it was recorded.
    pub time: Timestamp,
}

/// A planned effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRow {
    /// Its place among the decision's effects, from 0.
    pub n: u32,
    /// The binding that planned it.
    pub binding: String,
    /// E.g. `webhook`.
    pub kind: String,
    /// JSON bytes.
    pub body: Vec<u8>,
    /// `planned`.
    pub state: String,
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its place.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Its kind.
    pub kind: String,
    /// What it concerns.
    pub subject: String,
    /// Whose it is; none for the whole host.
    pub tenant: Option<String>,
    /// When it was sequenced.
    pub time: Timestamp,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// A version of a scope's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// Whose; none for the global one.
    pub tenant: Option<String>,
    /// E.g. `global`, `tenant`, `system:chat`.
    pub scope: String,
    /// From 1, without gaps.
    pub version: u64,
    /// SHA-256 of the bytes.
    pub hash: Digest,
    /// The policy as JSON bytes.
    pub bytes: Vec<u8>,
    /// Since when.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// A version of a system's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemRow {
    /// Whose.
    pub tenant: Option<String>,
    /// Its id.
    pub id: String,
    /// From 1, without gaps.
    pub version: u64,
    /// The data as JSON bytes.
    pub bytes: Vec<u8>,
    /// Since when.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// An API key; the key itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// SHA-256 of the key.
    pub hash: Digest,
    /// `admin`, `dev`, `auditor` or `app`.
    pub role: String,
    /// The tenant it is bound to; none for the whole host.
    pub tenant: Option<String>,
    /// What people call it.
    pub label: String,
    /// When it was made.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// The newest end of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// How many entries there are.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Digest,
    /// The hash of the last one.
    pub hash: Digest,
    /// The time of the last one.
    pub time: Timestamp,
}

/// A signed tree head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// How many entries there were.
    pub size: u64,
    /// The signed note, as it was given out.
    pub note: Vec<u8>,
}

/// How long a tenant's payloads are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRow {
    /// Whose.
    pub tenant: String,
    /// E.g. `30d`, `legal_hold`, `forever`.
    pub payloads: String,
    /// Since when.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// An authority's time stamp over a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampRow {
    /// The authority's name.
    pub authority: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The authority's time.
    pub gen_time: Timestamp,
    /// The token (CMS in DER).
    pub token: Vec<u8>,
    /// When it was recorded.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// A key that signs checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeyRow {
    /// The entry that introduced it.
    pub seq: u64,
    /// `name+id+base64`.
    pub key: String,
    /// The exact bytes of that entry, whose facts hold the statement.
    pub entry: Vec<u8>,
}

/// Which decisions to list; what is none doesn't filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Of this system.
    pub system: Option<String>,
    /// With this verdict.
    pub verdict: Option<String>,
    /// In this environment.
    pub environment: Option<String>,
    /// Judged at this moment or later.
    pub from: Option<Timestamp>,
    /// Judged before this moment.
    pub before: Option<Timestamp>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Where the next page begins; none on the last one.
    pub next: Option<u64>,
}
