//! What is asked of the sequencer.

use std::collections::BTreeMap;
use std::sync::Arc;

use assize_ledger::{DecisionFacts, Digest, EntryKind, Timestamp};

use crate::rows::ActivationEvent;

/// A decision to be recorded. Its columns are taken from its facts, so that the two can't differ.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionDraft {
    /// `UUIDv7`, as text; the entry's subject.
    pub id: String,
    /// What stays readable for ever.
    pub facts: DecisionFacts,
    /// The kind of case; also `identity.kind` of the record.
    pub kind: String,
    /// When the case came in; also `times.received` of the record.
    pub received_at: Timestamp,
    /// When it was judged; also `times.decided` of the record, and the entry's time unless the ledger is ahead.
    pub decided_at: Timestamp,
    /// The caller's key with the SHA-256 of the request's body; also `identity` of the record.
    pub idempotency: Option<Idempotency>,
    /// The exact bytes of the input.
    pub input: Vec<u8>,
    /// The exact bytes of the record (JSON, see the crate's page).
    pub record: Vec<u8>,
    /// What it plans; also `effects` of the record.
    pub effects: Vec<EffectDraft>,
    /// Whom the case is about, as the caller names them; also `identity.data_subject` of the record.
    pub data_subject: Option<String>,
    /// The bytes of the snapshot that `facts.snapshot` names. Written once; may be left out when it is known to be stored.
    pub snapshot: Option<Arc<[u8]>>,
    /// [`crate::Store::halt_epoch`] as read *before* the kill switch was looked at.
    pub halt_epoch: u64,
}

/// A caller's promise that two requests are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the request's body.
    pub body_hash: Digest,
}

/// An effect that a decision plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectDraft {
    /// The binding that planned it.
    pub binding: String,
    /// E.g. `webhook`.
    pub kind: String,
    /// JSON bytes; the record holds the same, byte for byte.
    pub body: Vec<u8>,
}

/// Everything that isn't a decision: who changed what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeDraft {
    /// Whose it is; none for what belongs to the whole host.
    pub tenant: Option<String>,
    /// The host's clock.
    pub time: Timestamp,
    /// Facts that stay readable for ever; no personal data. The store adds `version` and the like.
    pub details: BTreeMap<String, String>,
    /// Facts that may name a person (an operator, a reason): kept in the record, bound by its commitment.
    pub confidential: BTreeMap<String, String>,
    /// The exact bytes of the request, if they are worth keeping.
    pub input: Option<Vec<u8>>,
    /// What changes.
    pub change: Change,
}

/// The retention under which nothing is erased.
pub const LEGAL_HOLD: &str = "legal_hold";

/// Why payloads are erased. Under a legal hold, none are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureCause {
    /// Somebody asked for it.
    Request,
    /// The tenant's retention, as it was when it was looked at: its newest `payloads`; none where it never set one. It is refused
    /// where that has changed since.
    Retention(Option<String>),
}

/// A change of what is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A version of a package is published. With the same digest as before: [`Outcome::Existing`].
    Publish {
        /// `namespace/name`.
        name: String,
        /// Semver.
        version: String,
        /// `risk-agent`, `compliance-rule` or `action`.
        kind: String,
        /// The contract's version.
        contract: String,
        /// The manifest as JSON.
        manifest: String,
        /// The bytes of the component; its digest is taken from them.
        component: Arc<[u8]>,
    },
    /// A step in the life of a published version. The package must be the tenant's or the host's own.
    Activation {
        /// `namespace/name`.
        package: String,
        /// Semver.
        version: String,
        /// What happened.
        event: ActivationEvent,
        /// How many steps of the package's versions it was decided by, see [`Change::RollBack`].
        known: Option<u64>,
    },
    /// A version goes out of use, and the one that served before it serves again: one entry, so that nothing lies in between.
    RollBack {
        /// `namespace/name`.
        package: String,
        /// The version that goes.
        version: String,
        /// The version that serves again.
        to_version: String,
        /// SHA-256 of its component, as the caller knows it.
        to_digest: Digest,
        /// How many steps of the owner's versions of the package it was decided by: an activation is one, a roll-back is two. Where others
        /// were taken meanwhile, it is refused ([`crate::StoreError::Overtaken`]): two hosts on one database might each
        /// let a version serve that may not serve beside the other's. None where that doesn't matter.
        known: Option<u64>,
    },
    /// A namespace becomes a publisher's. Claimed by the same before: [`Outcome::Existing`].
    ClaimNamespace {
        /// The part of a package's name before the slash.
        namespace: String,
        /// Who publishes in it.
        publisher: String,
    },
    /// A key may sign packages of a namespace that was claimed. Registered before: [`Outcome::Existing`].
    PublisherKey {
        /// The namespace.
        namespace: String,
        /// `name+id+base64`.
        key: String,
    },
    /// A publisher's key is revoked; twice is [`Outcome::Existing`].
    PublisherKeyRevoked {
        /// The namespace.
        namespace: String,
        /// `name+id+base64`.
        key: String,
    },
    /// A signature over a published version that was verified. The same key's again: [`Outcome::Existing`].
    Sign {
        /// `namespace/name`.
        package: String,
        /// Semver.
        version: String,
        /// `name+id+base64`.
        key: String,
        /// The signed note.
        note: String,
    },
    /// A new version of a scope's policy.
    Policy {
        /// E.g. `global`.
        scope: String,
        /// One more than the newest, from 1.
        version: u64,
        /// The policy as JSON bytes.
        bytes: Vec<u8>,
    },
    /// A new version of a system's data.
    System {
        /// Its id.
        id: String,
        /// One more than the newest, from 1.
        version: u64,
        /// The data as JSON bytes.
        bytes: Vec<u8>,
        /// Why.
        event: SystemEvent,
    },
    /// A new API key.
    Key {
        /// Its id.
        id: String,
        /// SHA-256 of the key.
        hash: Digest,
        /// `admin`, `dev`, `auditor` or `app`.
        role: String,
        /// What people call it.
        label: String,
    },
    /// A key signs the checkpoints from here on; the details hold its `statement` ([`assize_ledger::key_statement`]).
    LogKey {
        /// The public key, as `name+id+base64`.
        key: String,
        /// The one that signed until now and vouches for it; none for the log's first.
        before: Option<String>,
    },
    /// A part of the ledger is handed out.
    Export {
        /// The export's id.
        id: String,
        /// The first entry in it.
        first: u64,
        /// The last entry in it.
        last: u64,
    },
    /// An authority's time stamp over a checkpoint was received and verified.
    Stamp {
        /// The authority's name.
        authority: String,
        /// Entries under the checkpoint.
        size: u64,
        /// The authority's time.
        gen_time: Timestamp,
        /// The token (CMS in DER), with its certificates.
        token: Vec<u8>,
    },
    /// What some decisions of the tenant bind is erased: input, record, planned effects, salts. What was erased before is left
    /// out; if nothing else was asked for, [`Outcome::Existing`].
    Erase {
        /// The erasure's id.
        id: String,
        /// The legal basis, in words that stay readable for ever.
        basis: String,
        /// What the erasure goes by.
        cause: ErasureCause,
        /// The decisions' entries.
        targets: std::collections::BTreeSet<u64>,
    },
    /// A simulation came to its end.
    Simulation {
        /// Its id.
        id: String,
        /// Its report as JSON bytes.
        report: Vec<u8>,
    },
    /// How long the tenant's payloads are kept from now on.
    Retain {
        /// E.g. `30d`, `legal_hold`, `forever`.
        payloads: String,
    },
    /// A key is revoked; twice is [`Outcome::Existing`].
    KeyRevoked {
        /// Its id.
        id: String,
    },
}

/// Why a system's data changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemEvent {
    /// It became known.
    Registered,
    /// Its data changed.
    Changed,
    /// It was stopped. No decision that was judged before is recorded after this.
    EmergencyStop,
    /// It runs again.
    Resumed,
}

/// What became of a request; all of it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded.
    Appended(Appended),
    /// It was recorded before, as this: a decision's id, `name@version`, a key's id.
    Existing(String),
}

/// Where something was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The place of its entry.
    pub seq: u64,
    /// The hash of its entry.
    pub entry_hash: Digest,
    /// The time of its entry.
    pub time: Timestamp,
}

impl Change {
    pub(crate) fn entry_kind(&self) -> EntryKind {
        match self {
            Self::Publish { .. } => EntryKind::PluginPublished,
            Self::Activation { event, .. } => match event {
                ActivationEvent::Submitted => EntryKind::PluginSubmitted,
                ActivationEvent::Approved => EntryKind::PluginApproved,
                ActivationEvent::Rejected => EntryKind::PluginRejected,
                ActivationEvent::Activated => EntryKind::PluginActivated,
                ActivationEvent::Deactivated => EntryKind::PluginDeactivated,
                ActivationEvent::Retired => EntryKind::PluginRetired,
                ActivationEvent::Yanked => EntryKind::PluginYanked,
            },
            Self::RollBack { .. } => EntryKind::PluginRolledBack,
            Self::Sign { .. } => EntryKind::PluginSigned,
            Self::ClaimNamespace { .. } => EntryKind::NamespaceClaimed,
            Self::PublisherKey { .. } => EntryKind::PublisherKeyRegistered,
            Self::PublisherKeyRevoked { .. } => EntryKind::PublisherKeyRevoked,
            Self::Policy { .. } => EntryKind::PolicyChanged,
            Self::System { event: SystemEvent::Registered, .. } => EntryKind::SystemRegistered,
            Self::System { event: SystemEvent::Changed, .. } => EntryKind::SystemChanged,
            Self::System { event: SystemEvent::EmergencyStop, .. } => EntryKind::SystemEmergencyStop,
            Self::System { event: SystemEvent::Resumed, .. } => EntryKind::SystemResumed,
            Self::Key { .. } => EntryKind::KeyCreated,
            Self::KeyRevoked { .. } => EntryKind::KeyRevoked,
            Self::LogKey { .. } => EntryKind::LogKey,
            Self::Export { .. } => EntryKind::LedgerExported,
            Self::Stamp { .. } => EntryKind::CheckpointStamped,
            Self::Erase { .. } => EntryKind::PayloadErased,
            Self::Simulation { .. } => EntryKind::Simulation,
            Self::Retain { .. } => EntryKind::RetentionChanged,
        }
    }

    pub(crate) fn halts(&self) -> bool {
        matches!(self, Self::System { event: SystemEvent::EmergencyStop, .. })
    }
}
