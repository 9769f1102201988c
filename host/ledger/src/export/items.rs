//! The items of an export, as they stand in the file.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// What an item is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Key,
    Peaks,
    Entry,
    Foreign,
    Payload,
    Rest,
    Checkpoint,
    Token,
    Extra,
    Manifest,
}

const KINDS: [(Kind, u8, &str); 11] = [
    (Kind::Header, 0x01, "header"),
    (Kind::Key, 0x02, "key"),
    (Kind::Peaks, 0x03, "peaks"),
    (Kind::Entry, 0x04, "entry"),
    (Kind::Foreign, 0x05, "foreign entry"),
    (Kind::Payload, 0x06, "payload"),
    (Kind::Rest, 0x07, "rest"),
    (Kind::Checkpoint, 0x08, "checkpoint"),
    (Kind::Token, 0x09, "token"),
    (Kind::Extra, 0x0b, "extra entry"),
    (Kind::Manifest, 0x0f, "manifest"),
];

impl Kind {
    pub(super) fn byte(self) -> u8 {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or(0, |(_, byte, _)| *byte)
    }

    pub(super) fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., name)| name)
    }

    fn of(byte: u8) -> Option<Self> {
        KINDS.iter().find(|(_, known, _)| *known == byte).map(|(kind, ..)| *kind)
    }
}

/// An item that was read.
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) content: Vec<u8>,
    /// SHA-256 of everything before it.
    pub(super) before: Digest,
}

/// The longest content that is read: an entry with the longest facts, and some room. Payloads may be as long.
const LONGEST: u64 = 64 << 20;

/// Reads items, and hashes what it reads.
pub(super) struct Items<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Items<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, hash: Sha256::new() }
    }

    /// What comes after the items.
    pub(super) fn into_inner(self) -> R {
        self.input
    }

    /// Exactly so many bytes, of which nothing is an item.
    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|error| cut(what, &error))?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    /// The next item; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Item>, String> {
        let mut kind = [0];
        if self.input.read(&mut kind).map_err(|error| cut("item", &error))? == 0 {
            return Ok(None);
        }
        let before = Digest::from_bytes(self.hash.clone().finalize().into());
        self.hash.update(kind);
        let [byte] = kind;
        let kind =
            Kind::of(byte).ok_or_else(|| format!("item: found kind {byte:#04x}, expected one of format version 1"))?;
        let length = u64::from_be_bytes(self.array(kind.name())?);
        if length > LONGEST {
            return Err(format!("{}: found a length of {length} bytes, expected at most {LONGEST}", kind.name()));
        }
        // Grown as it is read: a lying length takes no memory.
        let mut content = Vec::new();
        let read =
            self.input.by_ref().take(length).read_to_end(&mut content).map_err(|error| cut(kind.name(), &error))?;
        if read as u64 != length {
            return Err(format!("{}: found {read} bytes before the end of the file, expected {length}", kind.name()));
        }
        self.hash.update(&content);
        Ok(Some(Item { kind, content, before }))
    }
}

fn cut(what: &str, error: &io::Error) -> String {
    format!("{what}: the file can't be read on: {error}")
}
