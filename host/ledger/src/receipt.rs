//! A receipt: an entry with the proof that a signed checkpoint covers it. Whoever holds one needs nobody's word for it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::Note;
use crate::proof::{ProofError, verify_inclusion};
use crate::{DecodeError, Digest, Entry, VerifierKey, entry_hash};

/// The value of [`Receipt::format`].
pub const RECEIPT_FORMAT: &str = "assize.dev/receipt/v1";
/// The first line of a proof (C2SP tlog-proof).
const PROOF_FORMAT: &str = "c2sp.org/tlog-proof@v1";

/// An entry, and the proof that it is in the log; written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_FORMAT`].
    pub format: String,
    /// What the entry concerns: a decision's id.
    pub subject: String,
    /// The entry's place.
    pub seq: u64,
    /// The entry's hash.
    pub entry_hash: Digest,
    /// The entry's exact bytes, in base64.
    pub entry: String,
    /// Its proof of inclusion with the checkpoint, as C2SP tlog-proof writes it.
    pub proof: String,
}

/// A receipt that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipted {
    /// The entry.
    pub entry: Entry,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// A field isn't what it must be.
    #[error("{field}: found {found}, expected {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What must stand there.
        expected: String,
    },
    /// The entry can't be read.
    #[error("entry: {0}")]
    Entry(#[from] DecodeError),
    /// The hashes don't lead to the checkpoint's root.
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
    /// The checkpoint isn't signed as it must be.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl Receipt {
    /// The receipt of the entry with these bytes at `seq`.
    ///
    /// # Errors
    /// Where the bytes are no entry.
    pub fn new(seq: u64, bytes: &[u8], proof: &[Digest], checkpoint: &str) -> Result<Self, DecodeError> {
        let entry = Entry::decode(bytes)?;
        let mut text = format!("{PROOF_FORMAT}\nindex {seq}\n");
        for hash in proof {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{}", STANDARD.encode(hash.as_bytes()));
        }
        let proof = format!("{text}\n{checkpoint}");
        Ok(Self {
            format: RECEIPT_FORMAT.to_owned(),
            subject: entry.subject,
            seq,
            entry_hash: entry_hash(bytes),
            entry: STANDARD.encode(bytes),
            proof,
        })
    }

    /// Checks everything: bytes, hash, place, proof, and that `key` signed the checkpoint under the log's name. Whether
    /// it was the log's at that size isn't in a receipt: whoever knows all keys gives that of [`crate::Keyring::at`].
    pub fn verify(&self, key: &VerifierKey) -> Result<Receipted, ReceiptError> {
        expect("format", &self.format, RECEIPT_FORMAT)?;
        let bytes = STANDARD.decode(&self.entry).map_err(|_| field("entry", "other characters", "base64"))?;
        let entry = Entry::decode(&bytes)?;
        let hash = entry_hash(&bytes);
        expect("entry_hash", &self.entry_hash.to_string(), &hash.to_string())?;
        expect("seq", &self.seq.to_string(), &entry.seq.to_string())?;
        expect("subject", &self.subject, &entry.subject)?;
        let (index, proof, note) = read_proof(&self.proof)?;
        expect("proof index", &index.to_string(), &entry.seq.to_string())?;
        let (checkpoint, _) = Checkpoint::open(&note, key)?;
        checkpoint.expect_origin(&entry.origin)?;
        verify_inclusion(&hash, index, checkpoint.size, &proof, &checkpoint.root)?;
        Ok(Receipted { entry, checkpoint })
    }

    /// The signed note in it, unverified.
    pub fn note(&self) -> Result<Note, ReceiptError> {
        read_proof(&self.proof).map(|(_, _, note)| note)
    }
}

/// Index, hashes and checkpoint of a proof's text.
fn read_proof(text: &str) -> Result<(u64, Vec<Digest>, Note), ReceiptError> {
    let (head, note) =
        text.split_once("\n\n").ok_or_else(|| field("proof", "no empty line", "one before the checkpoint"))?;
    let mut lines = head.split('\n');
    expect("proof", lines.next().unwrap_or_default(), PROOF_FORMAT)?;
    let mut line = lines.next().unwrap_or_default();
    // What a log may add for its own use.
    if line.starts_with("extra ") {
        line = lines.next().unwrap_or_default();
    }
    let number = line.strip_prefix("index ").unwrap_or_default();
    let index = number.parse::<u64>().ok().filter(|index| index.to_string() == number);
    let index = index.ok_or_else(|| field("proof index", line, "index and a decimal number"))?;
    let hashes: Result<Vec<Digest>, ReceiptError> = lines
        .map(|line| {
            let bytes = STANDARD.decode(line).ok();
            let hash = bytes.and_then(|bytes| Digest::try_from(bytes.as_slice()).ok());
            hash.ok_or_else(|| field("proof hash", line, "32 bytes in base64"))
        })
        .collect();
    let note = Note::parse(note.as_bytes()).map_err(CheckpointError::from)?;
    Ok((index, hashes?, note))
}

fn field(field: &'static str, found: &str, expected: &str) -> ReceiptError {
    ReceiptError::Field { field, found: format!("{found:?}"), expected: expected.to_owned() }
}

fn expect(name: &'static str, found: &str, expected: &str) -> Result<(), ReceiptError> {
    if found == expected { Ok(()) } else { Err(field(name, found, &format!("{expected:?}"))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::{Plan, Tiles};
    use crate::{Algorithm, Draft, EntryKind, Head, SignerKey, TileId, Timestamp, proof};

    const ORIGIN: &str = "example.org/log";

    fn key() -> SignerKey {
        SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [7; 32]).unwrap()
    }

    fn receipt(seq: u64, size: u64) -> Receipt {
        let mut head = Head::new(ORIGIN);
        let mut all = Vec::new();
        for n in 0..size {
            let subject = format!("decision {n}");
            let (kind, facts, time) = (EntryKind::Decision, b"{}".to_vec(), Timestamp::from_millis(n).unwrap());
            all.push(head.append(Draft { kind, subject, time, facts, input: None, record: None }).unwrap());
        }
        let tiles = Tiles::from([(TileId { level: 0, index: 0 }, all.iter().map(|entry| entry.hash).collect())]);
        let path = Plan::new(proof::inclusion(seq, size).unwrap()).roots(&tiles).unwrap();
        let note = Checkpoint::new(ORIGIN, size, head.root()).sign(&key()).unwrap();
        Receipt::new(seq, &all[usize::try_from(seq).unwrap()].bytes, &path, &note.to_string()).unwrap()
    }

    #[test]
    fn a_receipt_holds_for_the_key_that_signed() {
        let receipt = receipt(11, 40);
        let json = serde_json::to_string(&receipt).unwrap();
        let back: Receipt = serde_json::from_str(&json).unwrap();
        let held = back.verify(key().public()).unwrap();
        assert_eq!((held.entry.seq, held.checkpoint.size), (11, 40));
        assert_eq!(held.entry.subject, "decision 11");
        let other = SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [8; 32]).unwrap();
        assert!(back.verify(other.public()).unwrap_err().to_string().contains("no signature of example.org/log"));
    }

    #[test]
    fn a_receipt_is_signed_under_the_name_of_its_log() {
        let mut receipt = receipt(11, 40);
        let other = SignerKey::from_seed("example.org/other", Algorithm::Ed25519, [7; 32]).unwrap();
        let checkpoint = Checkpoint::parse(receipt.note().unwrap().text()).unwrap();
        let head = receipt.proof.split_once("\n\n").unwrap().0;
        receipt.proof = format!("{head}\n\n{}", checkpoint.sign(&other).unwrap());
        let said = receipt.verify(other.public()).unwrap_err().to_string();
        assert!(said.starts_with("checkpoint: checkpoint of another log: found"), "{said}");
    }

    proptest! {
        #[test]
        fn an_altered_receipt_does_not_hold(seq in 0_u64..40, at: prop::sample::Index, bit in 0_u8..7) {
            let receipt = receipt(seq, 40);
            let mut json = serde_json::to_vec(&receipt).unwrap();
            let at = at.index(json.len());
            json[at] ^= 1 << bit;
            if let Ok(altered) = serde_json::from_slice::<Receipt>(&json) {
                prop_assert!(altered == receipt || altered.verify(key().public()).is_err());
            }
        }
    }
}
