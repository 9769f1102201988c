//! Files of items: a zstd frame with a magic, a version, and items of a kind, a length and content.
//!
//! Exports and bundles are such files. What items there are, and in which order, is theirs.

use std::io::{self, Read, Write};
use std::marker::PhantomData;

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// The kinds of items that a format has.
pub(crate) trait Kind: Copy + Eq + 'static {
    /// Each with the byte that it begins with, and its name.
    const ALL: &'static [(Self, u8, &'static str)];
    /// The format's version, for messages.
    const VERSION: u16;

    /// The longest content that is read, in bytes.
    fn longest(self) -> u64;

    /// What an item of it begins with.
    fn byte(self) -> u8 {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(0, |(_, byte, _)| *byte)
    }

    /// What messages call it.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., name)| name)
    }

    /// Reads the first byte.
    fn of(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == byte).map(|(kind, ..)| *kind)
    }
}

/// An item that was read.
pub(crate) struct Item<K> {
    pub(crate) kind: K,
    pub(crate) content: Vec<u8>,
    /// SHA-256 of everything before it.
    pub(crate) before: Digest,
}

/// Reads items, and hashes what it reads.
pub(crate) struct Items<R, K> {
    input: R,
    hash: Sha256,
    /// Bytes that may still be read: what unpacks to more than any file of its sort is refused, not read.
    left: u64,
    kinds: PhantomData<K>,
}

/// How a sort of file is told from others, and how much is read of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// What its content begins with.
    pub(crate) magic: [u8; 8],
    /// Base-2 logarithm of the zstd window that is taken in memory at most.
    pub(crate) window_log: u32,
    /// Bytes of content that are read at most.
    pub(crate) longest: u64,
}

/// What is read of a file, item by item.
pub(crate) type Content<R> = io::BufReader<zstd::Decoder<'static, io::BufReader<R>>>;

/// Begins to read a file: its items follow.
pub(crate) fn open<R: Read, K: Kind>(input: R, form: Form) -> Result<Items<Content<R>, K>, String> {
    let unreadable = |error: io::Error| format!("not a zstd file: {error}");
    let mut decoder = zstd::Decoder::new(input).map_err(unreadable)?.single_frame();
    decoder.window_log_max(form.window_log).map_err(unreadable)?;
    let input = io::BufReader::with_capacity(1 << 17, decoder);
    let mut items = Items { input, hash: Sha256::new(), left: form.longest, kinds: PhantomData };
    let magic: [u8; 8] = items.array("magic")?;
    if magic != form.magic {
        return Err(format!("magic: found {}, expected {}", hex::encode(magic), hex::encode(form.magic)));
    }
    let version = u16::from_be_bytes(items.array("version")?);
    if version != K::VERSION {
        return Err(format!("version: found {version}, expected {}", K::VERSION));
    }
    Ok(items)
}

/// Whether anything follows the frame.
pub(crate) fn trailing<R: Read>(decoder: Content<R>) -> Result<(), String> {
    let mut rest = decoder.into_inner().finish();
    match rest.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("bytes after the zstd frame".into()),
        Err(error) => Err(format!("after the zstd frame: {error}")),
    }
}

impl<R: Read, K: Kind> Items<R, K> {
    /// What comes after the items.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }

    /// Exactly so many bytes, of which nothing is an item.
    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.take(what, N as u64)?;
        self.input.read_exact(&mut bytes).map_err(|error| cut(what, &error))?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    fn take(&mut self, what: &str, length: u64) -> Result<(), String> {
        let left = self.left.checked_sub(length);
        self.left = left.ok_or_else(|| format!("{what}: found more bytes in all than such a file may have"))?;
        Ok(())
    }

    /// The next item; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Item<K>>, String> {
        let mut kind = [0];
        if self.input.read(&mut kind).map_err(|error| cut("item", &error))? == 0 {
            return Ok(None);
        }
        let before = Digest::from_bytes(self.hash.clone().finalize().into());
        self.hash.update(kind);
        let [byte] = kind;
        let unknown = || format!("item: found kind {byte:#04x}, expected one of format version {}", K::VERSION);
        let kind = K::of(byte).ok_or_else(unknown)?;
        let length = u64::from_be_bytes(self.array(kind.name())?);
        let longest = kind.longest();
        if length > longest {
            return Err(format!("{}: found a length of {length} bytes, expected at most {longest}", kind.name()));
        }
        self.take(kind.name(), length)?;
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

/// How hard files are compressed: fast, and as small as matters for JSON.
const LEVEL: i32 = 3;

/// Writes items, and hashes what it writes.
pub(crate) struct ItemWriter<W: Write, K> {
    out: zstd::Encoder<'static, W>,
    hash: Sha256,
    kinds: PhantomData<K>,
}

impl<W: Write, K: Kind> ItemWriter<W, K> {
    /// Begins a file.
    pub(crate) fn new(out: W, form: Form) -> io::Result<Self> {
        let mut encoder = zstd::Encoder::new(out, LEVEL)?;
        encoder.include_checksum(true)?;
        let mut writer = Self { out: encoder, hash: Sha256::new(), kinds: PhantomData };
        writer.raw(&form.magic)?;
        writer.raw(&K::VERSION.to_be_bytes())?;
        Ok(writer)
    }

    /// Where the file goes: what is compressed so far may be taken from there.
    pub(crate) fn get_mut(&mut self) -> &mut W {
        self.out.get_mut()
    }

    /// SHA-256 of everything so far.
    pub(crate) fn hash(&self) -> Digest {
        Digest::from_bytes(self.hash.clone().finalize().into())
    }

    /// Writes an item; its content is given in parts.
    pub(crate) fn item(&mut self, kind: K, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.raw(&[kind.byte()])?;
        self.raw(&(length as u64).to_be_bytes())?;
        parts.iter().try_for_each(|part| self.raw(part))
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.out.finish()
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Hashes side by side.
pub(crate) fn joined(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
