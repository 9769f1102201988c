//! The outcome of a check.

use serde::{Deserialize, Serialize};

use super::Faults;
use crate::{Digest, Timestamp};

/// What was checked, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's name, as its entries say.
    pub origin: Option<String>,
    /// The first entry that was checked. When it isn't 0, the hash of the entry before was taken as stored, and tiles
    /// and heads weren't checked.
    pub from: u64,
    /// Entries scanned.
    pub entries: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Inputs and records compared with their commitments.
    pub payloads: u64,
    /// Entries whose input and record an entry says were erased.
    pub erased: u64,
    /// Components, snapshots and other rows compared with their digest or their entry.
    pub components: u64,
    /// Full tiles compared.
    pub tiles: u64,
    /// Stored heads compared.
    pub heads: u64,
    /// Signed checkpoints compared, and their signatures verified.
    pub checkpoints: u64,
    /// Witnesses' signatures verified.
    pub cosignatures: u64,
    /// Time stamps compared with the checkpoints that they are over.
    pub stamps: u64,
    /// The size of the largest sound checkpoint.
    pub checkpointed: Option<u64>,
    /// The keys that the log introduced, oldest first.
    pub keys: Vec<String>,
    /// From the first entry's time to the last one's.
    pub times: Option<TimeRange>,
    /// The hash of the last entry checked.
    pub last: Option<Digest>,
    /// The root of the tree over all entries; none for a range.
    pub root: Option<Digest>,
    /// What others outside said last about the log, each by itself: nothing before that can have changed unnoticed.
    pub outside: Vec<Outside>,
    /// What is wrong.
    pub faults: Faults,
    /// What this check could not show, in sentences for people.
    pub notes: Vec<String>,
}

/// Two moments, the first not after the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimeRange {
    /// The first entry's time.
    pub first: Timestamp,
    /// The last entry's time.
    pub last: Timestamp,
}

/// What somebody outside said about a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// Who: an authority that stamps times, or a witness.
    pub by: String,
    /// When, by their clock.
    pub time: Timestamp,
    /// How many entries they had before them, under one root.
    pub size: u64,
}

impl Outside {
    /// Keeps of each the one that covers most.
    pub fn keep(all: &mut Vec<Self>, new: Self) {
        match all.iter_mut().find(|other| other.by == new.by) {
            Some(other) if other.size < new.size => *other = new,
            Some(_) => {}
            None => all.push(new),
        }
    }

    /// In a sentence for people, what these show of a log of `size` entries, and what they don't.
    pub fn sentence(all: &[Self], size: u64) -> String {
        let Some(Self { by, time, size: covered }) = all.iter().max_by_key(|outside| outside.size) else {
            return "nobody outside has confirmed this log: whoever holds its key could have rewritten all of it"
                .into();
        };
        let rest = match size.saturating_sub(*covered) {
            0 => String::new(),
            1 => "; the entry after that is confirmed by nobody outside yet".into(),
            left => format!("; the {left} entries after that are confirmed by nobody outside yet"),
        };
        format!(
            "nothing in the first {covered} entries can have changed unnoticed since {time}, by the word of {by}{rest}"
        )
    }
}

impl Report {
    /// Whether everything was as recorded.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}
