//! A bundle's file. There is one way to write a bundle, and nothing else is read.

use std::io::{self, Read, Write};

use super::kind::Kind;
use super::{BUNDLE_FORMAT, Bundle, BundleHeader, EarlierCheckpoint, FORM, MAX_BUNDLE, ProvenEntry};
use crate::items::{self, ItemWriter, Kind as _, joined, trailing};
use crate::{Checkpoint, Digest, EntryRef, Note, PayloadKind, Salt};

type Item = items::Item<Kind>;

/// Why a file can't be read.
type Stop = String;

impl Bundle {
    /// Reads a file. What isn't as [`Bundle::write`] writes it is refused, and the error says what and where.
    ///
    /// # Errors
    /// In words for people: what was found, and what was expected.
    pub fn read(input: impl Read) -> Result<Self, String> {
        let mut items = items::open(input, FORM)?;
        let header = header(items.next()?)?;
        let mut bundle = Self {
            header,
            checkpoint: Vec::new(),
            entries: Vec::new(),
            payloads: Vec::new(),
            snapshot: Vec::new(),
            components: Vec::new(),
            earlier: Vec::new(),
            tokens: Vec::new(),
        };
        let mut seen = Seen { kind: Kind::Header, checkpoint: false, snapshot: false };
        loop {
            let item = items.next()?.ok_or("end: found the end of the file, expected the hash over all of it")?;
            if item.kind < seen.kind {
                let (kind, before) = (item.kind.name(), seen.kind.name());
                return Err(format!("{kind}: found after {before}, expected before it"));
            }
            seen.kind = item.kind;
            if item.kind == Kind::End {
                seen.all(&item)?;
                break;
            }
            bundle.take(item, &mut seen)?;
        }
        let mut left = items.into_inner();
        if left.read(&mut [0]).map_err(|error| format!("after the end: {error}"))? != 0 {
            return Err("bytes after the end".into());
        }
        trailing(left)?;
        Ok(bundle)
    }

    fn take(&mut self, item: Item, seen: &mut Seen) -> Result<(), Stop> {
        match item.kind {
            Kind::Header => return Err("header: found a second one".into()),
            Kind::Checkpoint => {
                once("checkpoint", &mut seen.checkpoint)?;
                note("checkpoint", &item.content)?;
                self.checkpoint = item.content;
            }
            Kind::Entry => {
                let entry = entry(&item.content)?;
                let before = self.entries.last().map(|entry| entry.seq);
                ascending("entry", before, entry.seq)?;
                self.entries.push(entry);
            }
            Kind::Payload => {
                let payload = payload(&item.content)?;
                let before = self.payloads.last().map(|(kind, ..)| kind.byte());
                ascending("payload", before, payload.0.byte())?;
                self.payloads.push(payload);
            }
            Kind::Snapshot => {
                once("snapshot", &mut seen.snapshot)?;
                self.snapshot = item.content;
            }
            Kind::Component => {
                let digest = Digest::of(&item.content);
                ascending("component", self.components.last().map(|(digest, _)| *digest), digest)?;
                self.components.push((digest, item.content));
            }
            Kind::Earlier => {
                let earlier = earlier(&item.content)?;
                let before = self.earlier.last().map(|earlier| earlier.size);
                ascending("earlier checkpoint", before, earlier.size)?;
                self.earlier.push(earlier);
            }
            Kind::Token => {
                let (size, token) = item.content.split_first_chunk().ok_or("token: found less than 8 bytes")?;
                let token = (u64::from_be_bytes(*size), token.to_vec());
                if self.tokens.last().is_some_and(|before| *before >= token) {
                    return Err(format!("token: found one over {} entries out of order, or twice", token.0));
                }
                self.tokens.push(token);
            }
            Kind::End => {}
        }
        Ok(())
    }

    /// Writes the file: the parts sorted, and each once.
    ///
    /// # Errors
    /// Where it can't be written, and ([`io::ErrorKind::FileTooLarge`]) where it would be longer than what is read.
    pub fn write<W: Write>(mut self, out: W) -> io::Result<W> {
        self.sort();
        let mut out = ItemWriter::new(out, FORM)?;
        let mut length = 0;
        let mut item = |out: &mut ItemWriter<W, Kind>, kind: Kind, parts: &[&[u8]]| {
            let size = parts.iter().map(|part| part.len() as u64).sum::<u64>();
            length += size + 9;
            if size > kind.longest() || length > MAX_BUNDLE - (1 << 10) {
                let what = format!("{} of {size} bytes: more than a bundle can hold", kind.name());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
            }
            out.item(kind, parts)
        };
        item(&mut out, Kind::Header, &[&serde_json::to_vec(&self.header)?])?;
        item(&mut out, Kind::Checkpoint, &[&self.checkpoint])?;
        for ProvenEntry { proof, bytes, .. } in &self.entries {
            item(&mut out, Kind::Entry, &[&count(proof), &joined(proof), bytes])?;
        }
        for (kind, salt, bytes) in &self.payloads {
            item(&mut out, Kind::Payload, &[&[kind.byte()], salt.as_bytes(), bytes])?;
        }
        item(&mut out, Kind::Snapshot, &[&self.snapshot])?;
        for (_, bytes) in &self.components {
            item(&mut out, Kind::Component, &[bytes])?;
        }
        for EarlierCheckpoint { proof, note, .. } in &self.earlier {
            item(&mut out, Kind::Earlier, &[&count(proof), &joined(proof), note])?;
        }
        for (size, token) in &self.tokens {
            item(&mut out, Kind::Token, &[&size.to_be_bytes(), token])?;
        }
        let hash = out.hash();
        item(&mut out, Kind::End, &[hash.as_bytes()])?;
        out.finish()
    }

    fn sort(&mut self) {
        self.entries.sort_by_key(|entry| entry.seq);
        self.entries.dedup_by_key(|entry| entry.seq);
        self.payloads.sort_by_key(|(kind, ..)| kind.byte());
        self.components.sort_by_key(|(digest, _)| *digest);
        self.components.dedup_by_key(|(digest, _)| *digest);
        self.earlier.sort_by_key(|earlier| earlier.size);
        self.earlier.dedup_by_key(|earlier| earlier.size);
        self.tokens.sort();
        self.tokens.dedup();
    }
}

/// What was read so far.
struct Seen {
    kind: Kind,
    checkpoint: bool,
    snapshot: bool,
}

impl Seen {
    /// At the end: what must be there was there, and the hash is that of everything before.
    fn all(&self, end: &Item) -> Result<(), Stop> {
        for (what, seen) in [("checkpoint", self.checkpoint), ("snapshot", self.snapshot)] {
            if !seen {
                return Err(format!("{what}: found none, expected one"));
            }
        }
        if end.content != end.before.as_bytes() {
            let found = hex::encode(&end.content);
            return Err(format!("end: found the hash {found}, expected {} (of all before it)", end.before));
        }
        Ok(())
    }
}

fn once(what: &str, seen: &mut bool) -> Result<(), Stop> {
    if std::mem::replace(seen, true) { Err(format!("{what}: found a second one")) } else { Ok(()) }
}

fn ascending<T: PartialOrd + std::fmt::Display>(what: &str, before: Option<T>, next: T) -> Result<(), Stop> {
    match before {
        Some(before) if before >= next => Err(format!("{what}: found {next} after {before}, expected ascending order")),
        _ => Ok(()),
    }
}

fn header(item: Option<Item>) -> Result<BundleHeader, Stop> {
    let item = item.filter(|item| item.kind == Kind::Header).ok_or("header: found none, expected it first")?;
    let header: BundleHeader = serde_json::from_slice(&item.content).map_err(|error| format!("header: {error}"))?;
    // One way to write it, or two files would be one.
    if serde_json::to_vec(&header).ok().as_deref() != Some(&item.content) {
        return Err("header: found another order or white space, expected the keys as the format lists them".into());
    }
    if header.format != BUNDLE_FORMAT {
        return Err(format!("header.format: found {:?}, expected {BUNDLE_FORMAT:?}", header.format));
    }
    let BundleHeader { seq, size, .. } = header;
    if seq >= size {
        return Err(format!("header: found seq {seq} and size {size}, expected seq < size"));
    }
    Ok(header)
}

/// A checkpoint as notes are written here, each key once.
fn note(what: &str, bytes: &[u8]) -> Result<Checkpoint, Stop> {
    let note = Note::parse(bytes).map_err(|error| format!("{what}: {error}"))?;
    if note.to_string().as_bytes() != bytes {
        return Err(format!("{what}: found another way to write the note, expected the one of the format"));
    }
    for (n, line) in note.signatures().iter().enumerate() {
        let same = |other: &&crate::NoteSignature| (&other.name, other.key) == (&line.name, line.key);
        if note.signatures().iter().take(n).any(|other| same(&other)) {
            return Err(format!("{what}: found two signatures of {} ({}), expected one", line.name, line.key));
        }
    }
    Checkpoint::parse(note.text()).map_err(|error| format!("{what}: {error}"))
}

/// The hashes at the beginning of an item, and what follows them.
fn proof<'b>(what: &str, content: &'b [u8]) -> Result<(Vec<Digest>, &'b [u8]), Stop> {
    let parts = content.split_first_chunk().and_then(|(count, rest)| {
        let (hashes, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*count)) * 32)?;
        Some((hashes.as_chunks::<32>().0.iter().map(|hash| Digest::from_bytes(*hash)).collect(), rest))
    });
    parts.ok_or_else(|| format!("{what}: found too few bytes"))
}

fn count(proof: &[Digest]) -> [u8; 2] {
    // A proof has at most 64 hashes.
    u16::try_from(proof.len()).unwrap_or(u16::MAX).to_be_bytes()
}

fn entry(content: &[u8]) -> Result<ProvenEntry, Stop> {
    let (proof, bytes) = proof("entry", content)?;
    let seq = EntryRef::decode(bytes).map_err(|error| format!("entry: {error}"))?.seq;
    Ok(ProvenEntry { seq, proof, bytes: bytes.to_vec() })
}

fn earlier(content: &[u8]) -> Result<EarlierCheckpoint, Stop> {
    let (proof, bytes) = proof("earlier checkpoint", content)?;
    let size = note("earlier checkpoint", bytes)?.size;
    Ok(EarlierCheckpoint { size, proof, note: bytes.to_vec() })
}

fn payload(content: &[u8]) -> Result<(PayloadKind, Salt, Vec<u8>), Stop> {
    let parts = content.split_first().and_then(|(kind, rest)| {
        let (salt, bytes) = rest.split_first_chunk::<32>()?;
        Some((*kind, Salt::from_bytes(*salt), bytes.to_vec()))
    });
    let (kind, salt, bytes) = parts.ok_or("payload: found too few bytes")?;
    let kinds = [PayloadKind::Input, PayloadKind::Record];
    let known = kinds.into_iter().find(|known| known.byte() == kind);
    let known = known.ok_or_else(|| format!("payload: found kind {kind}, expected 1 (input) or 2 (record)"))?;
    Ok((known, salt, bytes))
}
