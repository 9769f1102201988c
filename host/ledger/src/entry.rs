//! One record of the ledger, and its exact bytes (`docs/ledger-format.md`).

use std::fmt;

use crate::{Commitment, Digest, EntryKind, Timestamp, tree};

/// What every entry begins with.
pub const MAGIC: [u8; 8] = *b"ASSIZE\0E";

/// The version of the format that this crate writes.
pub const FORMAT_VERSION: u16 = 1;

/// The longest origin, kind or subject, in bytes.
pub const MAX_NAME: usize = u16::MAX as usize;

/// The longest facts, in bytes.
pub const MAX_FACTS: usize = 16 << 20;

/// One record of the ledger, free of personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of the log, e.g. `assize.example.org/main`.
    pub origin: String,
    /// Its place in the log, from 0, without gaps.
    pub seq: u64,
    /// The hash of the entry before; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    /// When it was sequenced; never before the entry before.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// What it concerns: a decision's id, `namespace/name@version`, a scope, a system.
    pub subject: String,
    /// Exact JSON bytes (UTF-8, compact); opaque to the hash. See [`crate::DecisionFacts`].
    pub facts: Vec<u8>,
    /// Binds the bytes of the input, stored apart.
    pub input: Option<Commitment>,
    /// Binds the bytes of the full record, stored apart.
    pub record: Option<Commitment>,
}

/// An [`Entry`] that borrows from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Entry")]
pub struct EntryRef<'a> {
    pub origin: &'a str,
    pub seq: u64,
    pub previous: Digest,
    pub time: Timestamp,
    pub kind: &'a str,
    pub subject: &'a str,
    pub facts: &'a [u8],
    pub input: Option<Commitment>,
    pub record: Option<Commitment>,
}

/// A field is too long to be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {found} bytes long, more than {limit}")]
pub struct EncodeError {
    /// Which field.
    pub field: &'static str,
    /// Its length in bytes.
    pub found: usize,
    /// The longest that may be written, in bytes.
    pub limit: usize,
}

/// The bytes are no entry that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("{field}: {found} bytes left, {expected} needed")]
    Truncated {
        /// Which field.
        field: &'static str,
        /// Bytes that are left.
        found: usize,
        /// Bytes that it needs.
        expected: usize,
    },
    /// A field has a value that is never written.
    #[error("{field}: found {found}, expected {expected}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// Bytes follow the last field.
    #[error("end: {0} bytes after the last field")]
    Trailing(usize),
}

impl DecodeError {
    /// The field that can't be read.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Truncated { field, .. } | Self::Value { field, .. } => field,
            Self::Trailing(_) => "end",
        }
    }
}

/// The hash of an entry: SHA-256(0x00 ‖ encoded), which is its leaf hash in the Merkle tree too (RFC 6962, 2.1), so that
/// chain and tree commit to the same bytes.
pub fn entry_hash(encoded: &[u8]) -> Digest {
    tree::leaf_hash(encoded)
}

impl Entry {
    /// The exact bytes that are hashed and kept.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let kind = self.kind.as_str();
        let length = 160 + self.origin.len() + kind.len() + self.subject.len() + self.facts.len();
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        put_name(&mut out, "origin", &self.origin)?;
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(self.previous.as_bytes());
        out.extend_from_slice(&self.time.as_millis().to_be_bytes());
        put_name(&mut out, "kind", kind)?;
        put_name(&mut out, "subject", &self.subject)?;
        let too_long = EncodeError { field: "facts", found: self.facts.len(), limit: MAX_FACTS };
        let facts = u32::try_from(self.facts.len()).map_err(|_| too_long.clone())?;
        if self.facts.len() > MAX_FACTS {
            return Err(too_long);
        }
        out.extend_from_slice(&facts.to_be_bytes());
        out.extend_from_slice(&self.facts);
        put_commitment(&mut out, self.input);
        put_commitment(&mut out, self.record);
        Ok(out)
    }

    /// Reads what [`Entry::encode`] wrote; refuses anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        EntryRef::decode(bytes).map(EntryRef::into_owned)
    }
}

impl<'a> EntryRef<'a> {
    /// As [`Entry::decode`], without copying.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = Reader(bytes);
        let magic = rest.array::<8>("magic")?;
        if magic != MAGIC {
            return Err(value("magic", &hex::encode(magic), &hex::encode(MAGIC)));
        }
        let version = u16::from_be_bytes(rest.array("format version")?);
        if version != FORMAT_VERSION {
            return Err(value("format version", &version, &FORMAT_VERSION));
        }
        let entry = Self {
            origin: rest.name("origin")?,
            seq: u64::from_be_bytes(rest.array("seq")?),
            previous: Digest::from_bytes(rest.array("previous")?),
            time: rest.time("time")?,
            kind: rest.name("kind")?,
            subject: rest.name("subject")?,
            facts: rest.facts("facts")?,
            input: rest.commitment("input")?,
            record: rest.commitment("record")?,
        };
        if rest.0.is_empty() { Ok(entry) } else { Err(DecodeError::Trailing(rest.0.len())) }
    }

    /// The same entry with its own copy of everything.
    pub fn into_owned(self) -> Entry {
        Entry {
            origin: self.origin.to_owned(),
            seq: self.seq,
            previous: self.previous,
            time: self.time,
            kind: EntryKind::from(self.kind),
            subject: self.subject.to_owned(),
            facts: self.facts.to_vec(),
            input: self.input,
            record: self.record,
        }
    }
}

fn put_name(out: &mut Vec<u8>, field: &'static str, name: &str) -> Result<(), EncodeError> {
    let too_long = |_| EncodeError { field, found: name.len(), limit: MAX_NAME };
    out.extend_from_slice(&u16::try_from(name.len()).map_err(too_long)?.to_be_bytes());
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

fn put_commitment(out: &mut Vec<u8>, commitment: Option<Commitment>) {
    match commitment {
        None => out.push(0),
        Some(commitment) => {
            out.push(1);
            out.extend_from_slice(commitment.as_bytes());
        }
    }
}

fn value(field: &'static str, found: &dyn fmt::Display, expected: &dyn fmt::Display) -> DecodeError {
    DecodeError::Value { field, found: found.to_string(), expected: expected.to_string() }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], DecodeError> {
        let truncated = DecodeError::Truncated { field, found: self.0.len(), expected: length };
        let (taken, rest) = self.0.split_at_checked(length).ok_or(truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let truncated = DecodeError::Truncated { field, found: self.0.len(), expected: N };
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn name(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let length = u16::from_be_bytes(self.array(field)?);
        let bytes = self.take(field, length.into())?;
        std::str::from_utf8(bytes).map_err(|_| value(field, &hex::encode(bytes), &"UTF-8"))
    }

    fn time(&mut self, field: &'static str) -> Result<Timestamp, DecodeError> {
        let millis = u64::from_be_bytes(self.array(field)?);
        let most = Timestamp::MAX.as_millis();
        Timestamp::from_millis(millis).ok_or_else(|| value(field, &millis, &format_args!("at most {most}")))
    }

    fn facts(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = u32::from_be_bytes(self.array(field)?);
        match usize::try_from(length) {
            Ok(length) if length <= MAX_FACTS => self.take(field, length),
            _ => Err(value(field, &format_args!("{length} bytes"), &format_args!("at most {MAX_FACTS} bytes"))),
        }
    }

    fn commitment(&mut self, field: &'static str) -> Result<Option<Commitment>, DecodeError> {
        match self.array(field)? {
            [0] => Ok(None),
            [1] => Ok(Some(Commitment::from_bytes(self.array(field)?))),
            [other] => Err(value(field, &other, &"0 or 1")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn entries()(
            origin in "\\PC{0,20}", seq: u64, previous: [u8; 32], millis in 0..=Timestamp::MAX.as_millis(),
            kind in prop_oneof![Just("decision".to_owned()), "[a-z.]{0,12}"], subject in "\\PC{0,40}",
            facts in proptest::collection::vec(any::<u8>(), 0..200), input: Option<[u8; 32]>, record: Option<[u8; 32]>,
        ) -> Entry {
            Entry {
                origin, seq, previous: Digest::from_bytes(previous), time: Timestamp::from_millis(millis).unwrap(),
                kind: EntryKind::from(kind.as_str()), subject, facts,
                input: input.map(Commitment::from_bytes), record: record.map(Commitment::from_bytes),
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(entry in entries()) {
            let bytes = entry.encode().unwrap();
            prop_assert_eq!(Entry::decode(&bytes).unwrap(), entry);
        }

        #[test]
        fn there_is_one_way_to_write_an_entry(entry in entries(), bit: prop::sample::Index) {
            let mut bytes = entry.encode().unwrap();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Entry::decode(&bytes) {
                prop_assert_ne!(&other, &entry);
                prop_assert_eq!(other.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), headed: bool) {
            if headed && bytes.len() >= 10 {
                bytes[..8].copy_from_slice(&MAGIC);
                bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_be_bytes());
            }
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn a_cut_entry_is_refused(entry in entries(), cut: prop::sample::Index) {
            let bytes = entry.encode().unwrap();
            prop_assert!(Entry::decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    /// The example of `docs/ledger-format.md`.
    #[test]
    fn the_bytes_are_those_of_the_published_format() {
        let entry = Entry {
            origin: "example.org/log".into(),
            seq: 0,
            previous: Digest::ZERO,
            time: "2026-06-01".parse().unwrap(),
            kind: EntryKind::LogOpened,
            subject: "example.org/log".into(),
            facts: serde_json::to_vec(&crate::AdministrativeFacts::default()).unwrap(),
            input: None,
            record: None,
        };
        let bytes = entry.encode().unwrap();
        assert_eq!(bytes.len(), 160);
        assert_eq!(entry_hash(&bytes).to_string(), "0c1105a3196437ff25bbde5b67c1f817a18fa51021fd86392de7660079226d38");
    }

    #[test]
    fn an_error_names_the_field() {
        let entry = Entry {
            origin: "o".into(),
            seq: 1,
            previous: Digest::ZERO,
            time: Timestamp::default(),
            kind: EntryKind::Decision,
            subject: "s".into(),
            facts: b"{}".to_vec(),
            input: None,
            record: None,
        };
        let mut bytes = entry.encode().unwrap();
        *bytes.last_mut().unwrap() = 7;
        assert_eq!(Entry::decode(&bytes).unwrap_err().to_string(), "record: found 7, expected 0 or 1");
        let long = Entry { subject: "x".repeat(MAX_NAME + 1), ..entry };
        assert_eq!(long.encode().unwrap_err().to_string(), "subject is 65536 bytes long, more than 65535");
    }
}
