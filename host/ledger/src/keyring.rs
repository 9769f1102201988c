//! Which keys signed a log's checkpoints, and from when on.
//!
//! A log introduces its key by an entry of kind `log.key`, whose facts hold a *statement*: a signed note that names the
//! log, the new key and the one before it, signed by both. So whoever trusts one key of a log can follow it to all later
//! ones, and a thief of the newest key alone can't rewrite which keys came before.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::{Algorithm, SignerKey, VerifierKey};
use crate::note::{Note, NoteError};

/// The first line of a statement.
const STATEMENT: &str = "assize.dev/log-key/v1";
/// What stands for the key before the first one.
const NONE: &str = "none";

/// The keys of a log, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<Introduced>,
}

/// A key with the entry that introduced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// The place of that entry: the key signs checkpoints that hold it, and are smaller than those of the next key.
    pub seq: u64,
    /// The key.
    pub key: VerifierKey,
}

/// Why a key isn't introduced, or a checkpoint isn't signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The statement isn't signed as it must be.
    #[error("statement: {0}")]
    Statement(#[source] NoteError),
    /// A line of the statement isn't what it must be.
    #[error("statement, {field}: found {found:?}, expected {expected:?}")]
    Field {
        /// Which line.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What must stand there.
        expected: String,
    },
    /// The text of a key can't be read.
    #[error("statement, key: {0}")]
    Key(#[from] crate::key::KeyError),
    /// The log had no key yet.
    #[error("no key was introduced before size {0}")]
    NoKey(u64),
    /// Not a checkpoint of this log, signed by the key of its time.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What introduces `new` as the key of the log `origin`, in place of `old`.
pub fn key_statement(origin: &str, new: &SignerKey, old: Option<&SignerKey>) -> Result<Note, NoteError> {
    let mut note = Note::new(text(origin, new.public(), old.map(SignerKey::public)))?;
    note.sign(new);
    if let Some(old) = old {
        note.sign(old);
    }
    Ok(note)
}

fn text(origin: &str, new: &VerifierKey, old: Option<&VerifierKey>) -> String {
    let old = old.map_or_else(|| NONE.to_owned(), VerifierKey::to_string);
    format!("{STATEMENT}\n{origin}\n{new}\n{old}\n")
}

impl Keyring {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> &[Introduced] {
        &self.keys
    }

    /// The newest key.
    pub fn newest(&self) -> Option<&VerifierKey> {
        self.keys.last().map(|introduced| &introduced.key)
    }

    /// Takes the key that the entry `seq` of the log `origin` introduces by its statement.
    pub fn introduce(&mut self, seq: u64, origin: &str, note: &[u8]) -> Result<&VerifierKey, KeyringError> {
        let note = Note::parse(note).map_err(KeyringError::Statement)?;
        let new: VerifierKey = note.text().lines().nth(2).unwrap_or_default().parse()?;
        let expected = text(origin, &new, self.newest());
        let fields = ["first line", "origin", "key", "key before"];
        for (field, (found, expected)) in fields.into_iter().zip(note.text().lines().zip(expected.lines())) {
            if found != expected {
                let (found, expected) = (found.to_owned(), expected.to_owned());
                return Err(KeyringError::Field { field, found, expected });
            }
        }
        if note.text() != expected {
            return Err(KeyringError::Field { field: "lines", found: note.text().to_owned(), expected });
        }
        if new.name() != origin || new.algorithm() != Algorithm::Ed25519 {
            let expected = format!("an Ed25519 key of the name {origin}");
            return Err(KeyringError::Field { field: "key", found: new.to_string(), expected });
        }
        for key in std::iter::once(&new).chain(self.newest()) {
            note.verify(key).map_err(KeyringError::Statement)?;
        }
        self.keys.push(Introduced { seq, key: new });
        self.keys.last().map(|introduced| &introduced.key).ok_or(KeyringError::NoKey(seq))
    }

    /// The key that signs a checkpoint of this size.
    pub fn at(&self, size: u64) -> Result<&VerifierKey, KeyringError> {
        let key = self.keys.iter().rev().find(|introduced| introduced.seq < size);
        key.map(|introduced| &introduced.key).ok_or(KeyringError::NoKey(size))
    }

    /// What is to be said of a key that is known from elsewhere and signed none of the checkpoints of these sizes. Nothing of a
    /// key that isn't the log's at all: that is a fault.
    pub fn vouches_only<'a>(
        &self,
        key: &VerifierKey,
        sizes: impl IntoIterator<Item = &'a u64>,
    ) -> Option<&'static str> {
        let signed = |size: &u64| self.at(*size).is_ok_and(|of_its_time| of_its_time == key);
        let known = self.keys.iter().any(|introduced| introduced.key == *key);
        (known && !sizes.into_iter().any(signed)).then_some(
            "the key that was given signed no checkpoint here: it vouched for the one that did by a statement, which can be \
             copied; give the key of its time, if it is known",
        )
    }

    /// The checkpoint in a note, if it is of the log `origin` and signed by the key of its time.
    pub fn open(&self, origin: &str, note: &Note) -> Result<Checkpoint, KeyringError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        checkpoint.expect_origin(origin)?;
        if let Some(line) = checkpoint.extensions.first() {
            let (field, found) = ("extension", line.clone());
            return Err(CheckpointError::Field { field, found, expected: "none: this log writes three lines" }.into());
        }
        note.verify(self.at(checkpoint.size)?).map_err(CheckpointError::Note)?;
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    const ORIGIN: &str = "example.org/log";

    fn key(n: u8) -> SignerKey {
        SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [n; 32]).unwrap()
    }

    #[test]
    fn each_checkpoint_is_signed_by_the_key_of_its_time() {
        let (first, second) = (key(1), key(2));
        let mut ring = Keyring::new();
        assert!(matches!(ring.at(5), Err(KeyringError::NoKey(5))));
        ring.introduce(3, ORIGIN, key_statement(ORIGIN, &first, None).unwrap().to_string().as_bytes()).unwrap();
        ring.introduce(9, ORIGIN, key_statement(ORIGIN, &second, Some(&first)).unwrap().to_string().as_bytes())
            .unwrap();
        let opens = |size, key: &SignerKey| {
            let note = Checkpoint::new(ORIGIN, size, Digest::ZERO).sign(key).unwrap();
            ring.open(ORIGIN, &note).is_ok()
        };
        assert!(opens(4, &first) && opens(9, &first) && opens(10, &second));
        assert!(!opens(3, &first) && !opens(10, &first) && !opens(9, &second));
        let other = Checkpoint::new("example.org/other", 4, Digest::ZERO).sign(&first).unwrap();
        let said = ring.open(ORIGIN, &other).unwrap_err().to_string();
        assert_eq!(said, "checkpoint of another log: found \"example.org/other\", expected \"example.org/log\"");
    }

    #[test]
    fn a_log_signs_by_an_ed25519_key_of_its_own_name() {
        for (name, algorithm) in [("example.org/other", Algorithm::Ed25519), (ORIGIN, Algorithm::Cosignature)] {
            let key = SignerKey::from_seed(name, algorithm, [1; 32]).unwrap();
            let note = key_statement(ORIGIN, &key, None).unwrap().to_string();
            let said = Keyring::new().introduce(1, ORIGIN, note.as_bytes()).unwrap_err().to_string();
            assert!(said.contains("expected \"an Ed25519 key of the name example.org/log\""), "{said}");
        }
    }

    #[test]
    fn a_key_that_the_one_before_did_not_sign_is_refused() {
        let mut ring = Keyring::new();
        ring.introduce(1, ORIGIN, key_statement(ORIGIN, &key(1), None).unwrap().to_string().as_bytes()).unwrap();
        let alone = key_statement(ORIGIN, &key(2), None).unwrap().to_string();
        let said = ring.clone().introduce(2, ORIGIN, alone.as_bytes()).unwrap_err().to_string();
        assert!(said.starts_with("statement, key before: found \"none\""), "{said}");
        let foreign = key_statement(ORIGIN, &key(2), Some(&key(3))).unwrap().to_string();
        assert!(ring.introduce(2, ORIGIN, foreign.as_bytes()).is_err());
        let mut unsigned = Note::new(text(ORIGIN, key(2).public(), Some(key(1).public()))).unwrap();
        unsigned.sign(&key(2));
        let said = ring.introduce(2, ORIGIN, unsigned.to_string().as_bytes()).unwrap_err().to_string();
        assert!(said.contains("no signature of example.org/log"), "{said}");
    }
}
