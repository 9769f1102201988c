//! What a log tells a witness, and what a witness answers by it (C2SP tlog-witness): pure, so that both sides share it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::VerifierKey;
use crate::note::Note;
use crate::proof::{ProofError, verify_consistency};
use crate::tree::empty_root;
use crate::{Digest, NoteError};

/// A request to a witness: a checkpoint, with the proof that it extends the one that the witness saw last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the log believes the witness saw last.
    pub old: u64,
    /// The proof of consistency from there.
    pub proof: Vec<Digest>,
    /// The signed checkpoint.
    pub note: Note,
}

/// What a witness saw last of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its size; 0 for a log that wasn't seen yet.
    pub size: u64,
    /// Its root.
    pub root: Digest,
}

impl Default for Seen {
    fn default() -> Self {
        Self { size: 0, root: empty_root() }
    }
}

/// Why a witness doesn't sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The request isn't of the form.
    #[error("request: found {found:?}, expected {expected}")]
    Form {
        /// What stands there.
        found: String,
        /// What must stand there.
        expected: &'static str,
    },
    /// No checkpoint, or not of this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log's key didn't sign it.
    #[error(transparent)]
    Unsigned(NoteError),
    /// The witness saw another size last: ask again from there.
    #[error("old size: found {found}, expected {expected}, which was seen last")]
    Old {
        /// What the request says.
        found: u64,
        /// What was seen last.
        expected: u64,
    },
    /// The same size with another root: two histories.
    #[error("the log was forked: found root {found} of size {size}, expected {expected}, which was seen before")]
    Fork {
        /// The size of both.
        size: u64,
        /// The root in the request.
        found: Digest,
        /// The root that was seen.
        expected: Digest,
    },
    /// The checkpoint is smaller than what was seen.
    #[error("size: found {found}, expected {expected} or more")]
    Smaller {
        /// The checkpoint's size.
        found: u64,
        /// The old size.
        expected: u64,
    },
    /// It doesn't extend what was seen.
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
}

impl AddCheckpoint {
    /// The body of the request.
    pub fn to_body(&self) -> String {
        let mut body = format!("old {}\n", self.old);
        for hash in &self.proof {
            // Writing to a String can't fail.
            let _ = writeln!(body, "{}", STANDARD.encode(hash.as_bytes()));
        }
        let _ = write!(body, "\n{}", self.note);
        body
    }

    /// Reads the body of a request.
    pub fn parse(body: &[u8]) -> Result<Self, WitnessError> {
        let form = |found: &str, expected| WitnessError::Form { found: found.chars().take(100).collect(), expected };
        let body = std::str::from_utf8(body).map_err(|_| form("other bytes", "UTF-8"))?;
        let (head, note) = body.split_once("\n\n").ok_or_else(|| form(body, "an empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let first = lines.next().unwrap_or_default();
        let number = first.strip_prefix("old ").unwrap_or_default();
        let old = number.parse::<u64>().ok().filter(|old| old.to_string() == number);
        let old = old.ok_or_else(|| form(first, "old and a decimal number"))?;
        let hash = |line: &str| {
            let hash = STANDARD.decode(line).ok().and_then(|bytes| Digest::try_from(bytes.as_slice()).ok());
            hash.ok_or_else(|| form(line, "32 bytes in base64"))
        };
        let proof = lines.map(hash).collect::<Result<Vec<_>, _>>()?;
        if proof.len() > 63 {
            return Err(form("more hashes", "at most 63"));
        }
        let note = Note::parse(note.as_bytes()).map_err(CheckpointError::from)?;
        Ok(Self { old, proof, note })
    }

    /// Whether a witness that saw `seen` last of the log with this key may sign; then this is what it saw.
    pub fn check(&self, key: &VerifierKey, seen: &Seen) -> Result<Seen, WitnessError> {
        self.note.verify(key).map_err(WitnessError::Unsigned)?;
        let checkpoint = Checkpoint::parse(self.note.text())?;
        checkpoint.expect_origin(key.name())?;
        let Checkpoint { size, root, .. } = checkpoint;
        if size < self.old {
            return Err(WitnessError::Smaller { found: size, expected: self.old });
        }
        if self.old != seen.size {
            return Err(WitnessError::Old { found: self.old, expected: seen.size });
        }
        if size == seen.size {
            if root != seen.root {
                return Err(WitnessError::Fork { size, found: root, expected: seen.root });
            }
            if !self.proof.is_empty() {
                return Err(ProofError::Length { found: self.proof.len(), expected: 0 }.into());
            }
        } else if seen.size == 0 {
            // Everything extends nothing.
            if !self.proof.is_empty() {
                return Err(ProofError::Length { found: self.proof.len(), expected: 0 }.into());
            }
        } else {
            verify_consistency(seen.size, size, &self.proof, &seen.root, &root)?;
        }
        Ok(Seen { size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Plan, Tiles, leaf_hash};
    use crate::{Algorithm, Peaks, SignerKey, TileId, proof};

    const ORIGIN: &str = "example.org/log";

    fn request(old: u64, size: u64, salt: u64) -> (AddCheckpoint, Seen) {
        let leaves: Vec<Digest> =
            (0..size).map(|n| leaf_hash(&(n + if n > 6 { salt } else { 0 }).to_be_bytes())).collect();
        let mut tree = Peaks::default();
        for leaf in &leaves {
            tree.append(*leaf);
        }
        let subtrees = if old == 0 { vec![] } else { proof::consistency(0..old, size).unwrap() };
        let proof = Plan::new(subtrees).roots(&Tiles::from([(TileId { level: 0, index: 0 }, leaves)])).unwrap();
        let key = SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [1; 32]).unwrap();
        let note = Checkpoint::new(ORIGIN, size, tree.root()).sign(&key).unwrap();
        (AddCheckpoint { old, proof, note }, Seen { size, root: tree.root() })
    }

    #[test]
    fn a_witness_signs_what_extends_what_it_saw() {
        let key = SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [1; 32]).unwrap();
        let key = key.public();
        let (first, ten) = request(0, 10, 0);
        let again = AddCheckpoint::parse(first.to_body().as_bytes()).unwrap();
        assert_eq!(again, first);
        assert_eq!(first.check(key, &Seen::default()), Ok(ten));
        let (second, thirty) = request(10, 30, 0);
        assert_eq!(AddCheckpoint::parse(second.to_body().as_bytes()).unwrap().check(key, &ten), Ok(thirty));
        assert!(matches!(second.check(key, &Seen::default()), Err(WitnessError::Old { found: 10, expected: 0 })));
        assert!(matches!(request(10, 10, 5).0.check(key, &ten), Err(WitnessError::Fork { .. })));
        assert!(matches!(request(10, 30, 5).0.check(key, &ten), Err(WitnessError::Proof(_))));
        let (back, _) = request(0, 5, 0);
        assert!(matches!(back.check(key, &ten), Err(WitnessError::Old { .. })));
        let other = SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [2; 32]).unwrap();
        assert!(matches!(first.check(other.public(), &Seen::default()), Err(WitnessError::Unsigned(_))));
        for wrong in ["", "old x\n\nnote", "old 01\n\n", "old 1\nAA==\n\nnote"] {
            assert!(AddCheckpoint::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
