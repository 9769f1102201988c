//! Case bundles: one decision in one file, with everything that is needed to check it and to judge it again
//! (`docs/bundle-format.md`).
//!
//! Here is the file ([`Bundle::read`], [`Bundle::write`]) and what can be proven of it without running anything
//! ([`Bundle::verify`]). Judging again is done elsewhere: this crate knows no WebAssembly.

mod file;
mod kind;
mod report;
mod verify;

use serde::{Deserialize, Serialize};

pub use self::report::{BundleCheck, BundleReport, Confirmed, Erasure, Publication};
use crate::items::Form;
use crate::{Digest, PayloadKind, Salt};

/// The value of [`BundleHeader::format`].
pub const BUNDLE_FORMAT: &str = "assize.dev/bundle/v1";

/// The longest content of a bundle, in bytes: components, a snapshot and payloads, and room. Longer ones are neither written
/// nor read.
pub const MAX_BUNDLE: u64 = 512 << 20;

/// How a bundle's file is told from others. It is written with a window of 2 MiB.
const FORM: Form = Form { magic: *b"ASSIZE\0B", window_log: 23, longest: MAX_BUNDLE };

/// Which decision of which log a bundle is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleHeader {
    /// [`BUNDLE_FORMAT`].
    pub format: String,
    /// The log's name.
    pub origin: String,
    /// The decision's id.
    pub decision: String,
    /// The place of its entry.
    pub seq: u64,
    /// Entries under the checkpoint that all entries of the bundle are proven by.
    pub size: u64,
}

/// An entry with the proof that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry {
    /// Its place.
    pub seq: u64,
    /// Hashes of its proof of inclusion under [`BundleHeader::size`].
    pub proof: Vec<Digest>,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// A checkpoint from before [`BundleHeader::size`] that covers the decision: one that somebody outside confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierCheckpoint {
    /// Its size.
    pub size: u64,
    /// Hashes of the decision's proof of inclusion in it.
    pub proof: Vec<Digest>,
    /// The signed note, with cosignatures.
    pub note: Vec<u8>,
}

/// One decision with everything that is needed to check it and to judge it again. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// What it is about.
    pub header: BundleHeader,
    /// The signed note over [`BundleHeader::size`] entries, with cosignatures.
    pub checkpoint: Vec<u8>,
    /// The decision's entry, those that introduced the log's keys, those that published its plugins, and the one that erased
    /// what is missing; in ascending order.
    pub entries: Vec<ProvenEntry>,
    /// What the decision's entry binds, as far as it is still there; input first.
    pub payloads: Vec<(PayloadKind, Salt, Vec<u8>)>,
    /// The bytes of the snapshot that judged.
    pub snapshot: Vec<u8>,
    /// The components that judging again needs, by their digests, in ascending order.
    pub components: Vec<(Digest, Vec<u8>)>,
    /// In ascending order of size.
    pub earlier: Vec<EarlierCheckpoint>,
    /// Time-stamp tokens (DER), each with the size of a checkpoint in the bundle; in ascending order.
    pub tokens: Vec<(u64, Vec<u8>)>,
}

impl Bundle {
    /// The bytes of the payload of this kind; none where it was erased, or never was.
    pub fn payload(&self, kind: PayloadKind) -> Option<&[u8]> {
        self.payloads.iter().find(|(found, ..)| *found == kind).map(|(.., bytes)| bytes.as_slice())
    }

    /// The bytes of a component.
    pub fn component(&self, digest: &Digest) -> Option<&[u8]> {
        self.components.iter().find(|(found, _)| found == digest).map(|(_, bytes)| bytes.as_slice())
    }
}
