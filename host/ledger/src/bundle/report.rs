//! What the check of a bundle is given, and what comes of it.

use serde::Serialize;

use super::BundleHeader;
use crate::timestamp::{Stamp, Trust};
use crate::{DecisionFacts, Digest, Faults, Timestamp, VerifierKey};

/// What a bundle is checked against.
#[derive(Debug, Clone, Default)]
pub struct BundleCheck {
    /// A key of the log known from elsewhere.
    pub key: Option<VerifierKey>,
    /// Authorities whose time stamps are believed; without any, stamps aren't checked.
    pub trust: Option<Trust>,
    /// Witnesses whose signatures are believed.
    pub witnesses: Vec<VerifierKey>,
}

/// What was checked, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BundleReport {
    /// What the bundle says that it is about.
    pub header: BundleHeader,
    /// The hash of the decision's entry.
    pub entry_hash: Option<Digest>,
    /// The time of the decision's entry, by the host's clock.
    pub recorded: Option<Timestamp>,
    /// What the entry says; none where it can't be read.
    pub facts: Option<DecisionFacts>,
    /// The root under the checkpoint.
    pub root: Option<Digest>,
    /// The keys that the log introduced, oldest first.
    pub keys: Vec<String>,
    /// The key that was known from elsewhere, and is one of them.
    pub known_key: Option<String>,
    /// Inputs and records compared with their commitments.
    pub payloads: u64,
    /// What took the others away.
    pub erasure: Option<Erasure>,
    /// Entries that published the plugins.
    pub published: Vec<Publication>,
    /// What others outside confirmed, each by itself, the earliest first: the decision existed then.
    pub outside: Vec<Confirmed>,
    /// Time stamps in the file.
    pub tokens: u64,
    /// Signatures of others in the file that weren't checked: nobody said that they are to be believed.
    pub unchecked_cosignatures: u64,
    /// What is wrong.
    pub faults: Faults,
    /// What this check could not show, in sentences for people.
    pub notes: Vec<String>,
}

/// An entry says that what the decision binds was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// Its place.
    pub seq: u64,
    /// Its time, by the host's clock.
    pub time: Timestamp,
    /// The legal basis, in the words of whoever erased.
    pub basis: String,
}

/// An entry says that a version of a package was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Publication {
    /// Its place.
    pub seq: u64,
    /// Its time, by the host's clock.
    pub time: Timestamp,
    /// `namespace/name@version`.
    pub subject: String,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Who published it; none for the host's own.
    pub tenant: Option<String>,
}

/// Somebody outside confirmed a checkpoint that covers the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// Who: an authority that stamps times, or a witness.
    pub by: String,
    /// When, by their clock.
    pub time: Timestamp,
    /// How many entries the checkpoint had.
    pub size: u64,
    /// The time stamp; none for a witness's signature.
    pub stamp: Option<Stamp>,
}

impl BundleReport {
    /// Whether everything that was checked holds.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The earliest confirmation from outside: the decision existed no later.
    pub fn earliest(&self) -> Option<&Confirmed> {
        self.outside.first()
    }
}
