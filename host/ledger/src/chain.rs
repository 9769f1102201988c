//! The newest end of a log, to which entries are appended.

use crate::entry::entry_hash;
use crate::{Commitment, Digest, EncodeError, Entry, EntryKind, Frontier, Tile, Timestamp};

/// Where a log stands: all that the next entry needs to know. Clone it before a group of entries and put the clone back
/// when the group couldn't be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    origin: String,
    hash: Digest,
    time: Timestamp,
    frontier: Frontier,
}

/// What a new entry says; its place, its predecessor and its time come from the [`Head`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is about.
    pub kind: EntryKind,
    /// What it concerns.
    pub subject: String,
    /// The host's clock; an entry is never dated before the one before it.
    pub time: Timestamp,
    /// Exact JSON bytes.
    pub facts: Vec<u8>,
    /// Binds the input, if there is one.
    pub input: Option<Commitment>,
    /// Binds the full record, if there is one.
    pub record: Option<Commitment>,
}

/// An entry as it is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its place.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Its time.
    pub time: Timestamp,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The tiles that it filled, to be stored with it.
    pub tiles: Vec<Tile>,
}

impl Head {
    /// A log without entries.
    pub fn new(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), hash: Digest::ZERO, time: Timestamp::default(), frontier: Frontier::new() }
    }

    /// A log that stands at its last entry: its hash, its time, and the tree over all entries.
    pub fn resume(origin: impl Into<String>, hash: Digest, time: Timestamp, frontier: Frontier) -> Self {
        Self { origin: origin.into(), hash, time, frontier }
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log has, which is the next one's `seq`.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The hash of the last entry; [`Digest::ZERO`] without one.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The time of the last entry.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The root of the Merkle tree over all entries.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Goes on past an entry that somebody else appended, by its hash and its time. Hands out the tiles that it filled.
    /// What the entry says isn't looked at: compare [`Head::root`] with one that is known.
    pub fn follow(&mut self, hash: Digest, time: Timestamp) -> Vec<Tile> {
        self.hash = hash;
        self.time = time;
        self.frontier.append(hash)
    }

    /// Makes the next entry. On an error nothing has changed.
    pub fn append(&mut self, draft: Draft) -> Result<Sealed, EncodeError> {
        let entry = Entry {
            origin: self.origin.clone(),
            seq: self.size(),
            previous: self.hash,
            time: draft.time.max(self.time),
            kind: draft.kind,
            subject: draft.subject,
            facts: draft.facts,
            input: draft.input,
            record: draft.record,
        };
        let bytes = entry.encode()?;
        let hash = entry_hash(&bytes);
        self.hash = hash;
        self.time = entry.time;
        let tiles = self.frontier.append(hash);
        Ok(Sealed { seq: entry.seq, hash, time: entry.time, bytes, tiles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(millis: u64) -> Draft {
        Draft {
            kind: EntryKind::Decision,
            subject: "s".into(),
            time: Timestamp::from_millis(millis).unwrap(),
            facts: b"{}".to_vec(),
            input: None,
            record: None,
        }
    }

    #[test]
    fn entries_are_chained_and_time_never_runs_backwards() {
        let mut head = Head::new("log");
        let first = head.append(draft(5_000)).unwrap();
        let second = head.append(draft(4_000)).unwrap();
        let (one, two) = (Entry::decode(&first.bytes).unwrap(), Entry::decode(&second.bytes).unwrap());
        assert_eq!((one.seq, one.previous), (0, Digest::ZERO));
        assert_eq!((two.seq, two.previous), (1, first.hash));
        assert_eq!(two.time, one.time);
        assert_eq!(head.root(), crate::tree::node_hash(&first.hash, &second.hash));
    }

    #[test]
    fn who_follows_stands_where_who_appended_does() {
        let (mut head, mut other) = (Head::new("log"), Head::new("log"));
        for millis in 0..600 {
            let sealed = head.append(draft(millis)).unwrap();
            assert_eq!(other.follow(sealed.hash, sealed.time), sealed.tiles);
        }
        assert_eq!(other, head);
    }

    #[test]
    fn a_refused_entry_leaves_the_head_as_it_was() {
        let mut head = Head::new("log");
        head.append(draft(1)).unwrap();
        let before = head.clone();
        assert!(head.append(Draft { subject: "x".repeat(70_000), ..draft(2) }).is_err());
        assert_eq!(head, before);
    }
}
