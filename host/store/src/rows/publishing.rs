//! Packages, what became of them, and who publishes and signs them.

use assize_ledger::{Digest, Timestamp};

/// A published version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Who published it; none for the host's own.
    pub tenant: Option<String>,
    /// `namespace/name`.
    pub name: String,
    /// Semver.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// `risk-agent`, `compliance-rule` or `action`.
    pub kind: String,
    /// The version of the contract that it was built against.
    pub contract: String,
    /// The manifest as JSON.
    pub manifest: String,
    /// When it was published.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// What became of a published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivationEvent {
    /// Others are asked to look at it.
    Submitted,
    /// Somebody else than its author finds it fit to serve.
    Approved,
    /// Somebody finds it unfit.
    Rejected,
    /// It may be bound.
    Activated,
    /// It may not be bound any more.
    Deactivated,
    /// It may not be bound any more, and is looked at anew before it is.
    Retired,
    /// It must not be bound any more.
    Yanked,
}

impl ActivationEvent {
    const ALL: [Self; 7] = [
        Self::Submitted,
        Self::Approved,
        Self::Rejected,
        Self::Activated,
        Self::Deactivated,
        Self::Retired,
        Self::Yanked,
    ];

    /// The text that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Activated => "activated",
            Self::Deactivated => "deactivated",
            Self::Retired => "retired",
            Self::Yanked => "yanked",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }
}

/// One step in the life of a published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRow {
    /// For whom; none for everybody.
    pub tenant: Option<String>,
    /// `namespace/name`.
    pub package: String,
    /// Semver.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// What happened.
    pub event: ActivationEvent,
    /// When.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// A version went out of use in favour of one that served before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollBackRow {
    /// Whose package; none for the host's own.
    pub tenant: Option<String>,
    /// `namespace/name`.
    pub package: String,
    /// The version that went out of use.
    pub version: String,
    /// SHA-256 of its component.
    pub digest: Digest,
    /// The version that serves again.
    pub to_version: String,
    /// SHA-256 of its component.
    pub to_digest: Digest,
    /// When.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// A namespace that a publisher claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceRow {
    /// Where it holds; none for everywhere on the host.
    pub tenant: Option<String>,
    /// The part of a package's name before the slash.
    pub namespace: String,
    /// Who publishes in it.
    pub publisher: String,
    /// Since when.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}

/// A key that signs, or signed, packages of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherKeyRow {
    /// As the namespace's.
    pub tenant: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// `name+id+base64`; its name is the namespace.
    pub key: String,
    /// Since when.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A publisher's signature over a version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureRow {
    /// Whose package; none for the host's own.
    pub tenant: Option<String>,
    /// `namespace/name`.
    pub package: String,
    /// Semver.
    pub version: String,
    /// SHA-256 of the component, as it was signed.
    pub digest: Digest,
    /// The key that signed, as `name+id+base64`.
    pub key: String,
    /// The signed note.
    pub note: String,
    /// When it was verified and kept.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
}
