//! Checkpoints (C2SP tlog-checkpoint): a log's name, its size and its root, as the text of a signed note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{SignerKey, VerifierKey};
use crate::note::{Note, NoteError};
use crate::{Digest, Timestamp};

/// Where a log stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
    /// Lines that others may add; kept as they are.
    pub extensions: Vec<String>,
}

/// Why a note is no checkpoint, or not the one expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note, or not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line isn't what it must be.
    #[error("checkpoint {field}: found {found:?}, expected {expected}")]
    Field {
        /// Which line.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// It is another log's.
    #[error("checkpoint of another log: found {found:?}, expected {expected:?}")]
    Origin {
        /// Its origin.
        found: String,
        /// The log's.
        expected: String,
    },
}

impl Checkpoint {
    /// A checkpoint without extensions.
    pub fn new(origin: impl Into<String>, size: u64, root: Digest) -> Self {
        Self { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// Reads the text of a note.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let field = |field, found: &str, expected| CheckpointError::Field { field, found: found.to_owned(), expected };
        let text = text.strip_suffix('\n').ok_or_else(|| field("end", text, "a newline"))?;
        let mut lines = text.split('\n');
        let (origin, size, root) =
            (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if origin.is_empty() {
            return Err(field("origin", origin, "the log's name"));
        }
        let expected = "a decimal number without leading zeros";
        let number: u64 = size.parse().map_err(|_| field("size", size, expected))?;
        // One way to write each number, or two texts would be one checkpoint.
        if number.to_string() != size {
            return Err(field("size", size, expected));
        }
        let expected = "32 bytes in base64";
        let bytes = STANDARD.decode(root).map_err(|_| field("root", root, expected))?;
        let hash = Digest::try_from(bytes.as_slice()).map_err(|_| field("root", root, expected))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if let Some(empty) = extensions.iter().find(|line| line.is_empty()) {
            return Err(field("extension", empty, "lines that aren't empty"));
        }
        Ok(Self { origin: origin.to_owned(), size: number, root: hash, extensions })
    }

    /// Reads a note that `key` signed, and checks that; the log's name is the key's, and must be the checkpoint's.
    pub fn open(note: &Note, key: &VerifierKey) -> Result<(Self, Option<Timestamp>), CheckpointError> {
        let time = note.verify(key)?;
        let checkpoint = Self::parse(note.text())?;
        checkpoint.expect_origin(key.name())?;
        Ok((checkpoint, time))
    }

    /// The note, signed.
    pub fn sign(&self, key: &SignerKey) -> Result<Note, NoteError> {
        let mut note = Note::new(self.to_string())?;
        note.sign(key);
        Ok(note)
    }

    /// Whether it is of the log `origin`.
    pub fn expect_origin(&self, origin: &str) -> Result<(), CheckpointError> {
        if self.origin == origin {
            return Ok(());
        }
        Err(CheckpointError::Origin { found: self.origin.clone(), expected: origin.to_owned() })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    #[test]
    fn a_checkpoint_is_opened_by_a_key_of_its_logs_name() {
        let key = |name| SignerKey::from_seed(name, Algorithm::Ed25519, [7; 32]).unwrap();
        let (own, other) = (key("example.org/log"), key("example.org/other"));
        let checkpoint = Checkpoint::new("example.org/log", 5, Digest::ZERO);
        let opened = Checkpoint::open(&checkpoint.sign(&own).unwrap(), own.public()).unwrap();
        assert_eq!(opened, (checkpoint.clone(), None));
        let said = Checkpoint::open(&checkpoint.sign(&other).unwrap(), other.public()).unwrap_err().to_string();
        assert_eq!(said, "checkpoint of another log: found \"example.org/log\", expected \"example.org/other\"");
    }
}
