//! What the check of an export is given, and what comes of it.

use serde::Serialize;

use super::ExportHeader;
use crate::timestamp::Trust;
use crate::{Digest, Faults, Note, Outside, TimeRange, VerifierKey};

/// What an export is checked against.
#[derive(Debug, Clone, Default)]
pub struct ExportCheck {
    /// A key of the log known from elsewhere.
    pub key: Option<VerifierKey>,
    /// Authorities whose time stamps are believed; without any, stamps aren't checked.
    pub trust: Option<Trust>,
    /// Witnesses whose signatures are believed.
    pub witnesses: Vec<VerifierKey>,
    /// A checkpoint known from elsewhere. It can be compared where its size is one that the file's entries pass, or
    /// that of the last checkpoint.
    pub checkpoint: Option<Note>,
}

/// What was checked, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Which part of which log it says that it is.
    pub header: Option<ExportHeader>,
    /// Entries shown.
    pub entries: u64,
    /// Entries of others, of which there are hashes alone.
    pub foreign: u64,
    /// Inputs and records compared with their commitments.
    pub payloads: u64,
    /// Inputs and records that an entry says were erased.
    pub erased: u64,
    /// Signed checkpoints compared.
    pub checkpoints: u64,
    /// Time stamps in the file.
    pub tokens: u64,
    /// Entries from outside the range.
    pub extras: u64,
    /// From the first entry's time to the last one's.
    pub times: Option<TimeRange>,
    /// The root under the last checkpoint.
    pub root: Option<Digest>,
    /// The keys that the log introduced, oldest first.
    pub keys: Vec<String>,
    /// What others outside said last about the log.
    pub outside: Vec<Outside>,
    /// What is wrong.
    pub faults: Faults,
    /// What this check could not show, in sentences for people.
    pub notes: Vec<String>,
}

impl ExportReport {
    /// Whether everything was as recorded.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}
