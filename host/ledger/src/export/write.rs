//! Writing an export: item by item, in the order of the format.

use std::io::{self, Write};

use super::kind::Kind;
use super::{ExportHeader, FORM, PayloadKind, manifest};
use crate::items::{ItemWriter, joined};
use crate::{Digest, Note, Salt, SignerKey};

/// Writes the items of an export, which the caller gives in the order of the format.
pub struct ExportWriter<W: Write> {
    out: ItemWriter<W, Kind>,
    header: ExportHeader,
}

impl<W: Write> ExportWriter<W> {
    /// Begins a file.
    pub fn new(out: W, header: ExportHeader) -> io::Result<Self> {
        let mut out = ItemWriter::new(out, FORM)?;
        out.item(Kind::Header, &[&serde_json::to_vec(&header)?])?;
        Ok(Self { out, header })
    }

    /// Where the file goes: what is compressed so far may be taken from there.
    pub fn get_mut(&mut self) -> &mut W {
        self.out.get_mut()
    }

    /// A key of the log, with the entry that introduced it.
    pub fn key(&mut self, seq: u64, statement: &str) -> io::Result<()> {
        self.item(Kind::Key, &[&seq.to_be_bytes(), statement.as_bytes()])
    }

    /// The tree before the first entry.
    pub fn peaks(&mut self, peaks: &[Digest]) -> io::Result<()> {
        self.item(Kind::Peaks, &[&joined(peaks)])
    }

    /// An entry's exact bytes.
    pub fn entry(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.item(Kind::Entry, &[bytes])
    }

    /// An entry of another tenant, by its hash.
    pub fn foreign(&mut self, hash: &Digest) -> io::Result<()> {
        self.item(Kind::Foreign, &[hash.as_bytes()])
    }

    /// What an entry binds.
    pub fn payload(&mut self, seq: u64, kind: PayloadKind, salt: &Salt, bytes: &[u8]) -> io::Result<()> {
        self.item(Kind::Payload, &[&seq.to_be_bytes(), &[kind.byte()], salt.as_bytes(), bytes])
    }

    /// A signed checkpoint.
    pub fn checkpoint(&mut self, note: &[u8]) -> io::Result<()> {
        self.item(Kind::Checkpoint, &[note])
    }

    /// The tree after the last entry.
    pub fn rest(&mut self, nodes: &[Digest]) -> io::Result<()> {
        self.item(Kind::Rest, &[&joined(nodes)])
    }

    /// An entry outside the range, with its proof of inclusion.
    pub fn extra(&mut self, seq: u64, proof: &[Digest], bytes: &[u8]) -> io::Result<()> {
        // A proof has at most 64 hashes.
        let count = u16::try_from(proof.len()).unwrap_or(u16::MAX);
        self.item(Kind::Extra, &[&seq.to_be_bytes(), &count.to_be_bytes(), &joined(proof), bytes])
    }

    /// A time stamp over the checkpoint of `size` entries.
    pub fn token(&mut self, size: u64, authority: &str, token: &[u8]) -> io::Result<()> {
        let length = u16::try_from(authority.len()).map_err(io::Error::other)?;
        self.item(Kind::Token, &[&size.to_be_bytes(), &length.to_be_bytes(), authority.as_bytes(), token])
    }

    /// Signs the whole, and ends the file.
    pub fn finish(mut self, key: &SignerKey) -> io::Result<W> {
        let hash = self.out.hash();
        let mut note = Note::new(manifest(&self.header, &hash)).map_err(io::Error::other)?;
        note.sign(key);
        self.item(Kind::Manifest, &[note.to_string().as_bytes()])?;
        self.out.finish()
    }

    fn item(&mut self, kind: Kind, parts: &[&[u8]]) -> io::Result<()> {
        self.out.item(kind, parts)
    }
}
