//! One file of the cache: what it is of, the proof that we made it, and the native code.
//!
//! ```text
//! magic 8 · engine 32 · component 32 · length of the code 8 (big endian) · HMAC-SHA256 32 · code
//! ```
//!
//! The proof covers everything but itself.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use assize_ledger::Digest;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::key::Key;
use super::native::{Native, Sink};

const MAGIC: &[u8; 8] = b"assizec1";
const NAMED: usize = 8 + 32 + 32 + 8;
const TAG: usize = 32;
const HEADER: usize = NAMED + TAG;

/// Read, hashed and copied at a time: it stays in the processor's cache between the three.
const CHUNK: usize = 256 << 10;

/// What a file is of.
pub(super) struct Identity {
    pub(super) engine: Digest,
    pub(super) component: Digest,
}

/// Why a file isn't used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),
    #[error("no room for a private copy: {0}")]
    Private(io::Error),
    #[error("it isn't a compiled component of this format")]
    Form,
    #[error("it was made by another engine ({found}, not {expected})", found = .0.short(), expected = .1.short())]
    Engine(Digest, Digest),
    #[error("it is of another component ({0})")]
    Component(Digest),
    #[error("it has {found} bytes of code instead of {said}")]
    Length { said: u64, found: u64 },
    #[error("its authentication code is wrong: it was altered, or made with another key")]
    Tag,
    #[error("its code can't be loaded: {0:#}")]
    Unusable(wasmtime::Error),
}

impl Identity {
    /// Distinct for each component, engine and key.
    pub(super) fn file_name(&self, key: &str) -> String {
        let mut engine = self.engine.to_string();
        engine.truncate(16);
        format!("{}-{engine}-{key}", self.component)
    }

    fn named(&self, length: u64) -> [u8; NAMED] {
        let mut bytes = [0; NAMED];
        let parts: [&[u8]; 4] = [MAGIC, self.engine.as_bytes(), self.component.as_bytes(), &length.to_be_bytes()];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}

/// What stands before the code.
pub(super) fn header(identity: &Identity, key: &Key, code: &[u8]) -> Vec<u8> {
    let named = identity.named(code.len() as u64);
    let mut mac = key.mac();
    mac.update(&named);
    mac.update(code);
    [named.as_slice(), mac.finalize().into_bytes().as_slice()].concat()
}

/// Checks a file from its first byte to its last, and gives its code, as it was when it was checked.
pub(super) fn verified(file: &mut File, identity: &Identity, key: &Key, private: &Path) -> Result<Native, Refused> {
    match checked(file, identity, key, Some(private)) {
        Err(Refused::Private(error)) => {
            tracing::debug!(%error, "no room for a private copy of compiled code: it is kept in memory");
            file.rewind()?;
            checked(file, identity, key, None)
        }
        done => done,
    }
}

fn checked(file: &mut File, identity: &Identity, key: &Key, private: Option<&Path>) -> Result<Native, Refused> {
    let size = file.metadata()?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(cut)?;
    let (named, tag) = header.split_at(NAMED);
    let length = length(named, identity, size)?;
    let mut mac = key.mac();
    mac.update(named);
    let mut sink = Sink::new(private, length);
    copy(file, length, &mut mac, &mut sink)?;
    // In constant time: how much of a forged one is right is nobody's business.
    mac.verify_slice(tag).map_err(|_| Refused::Tag)?;
    Ok(Native::verified(sink))
}

fn cut(error: io::Error) -> Refused {
    if error.kind() == io::ErrorKind::UnexpectedEof { Refused::Form } else { Refused::Io(error) }
}

/// The length of the code, where the header is that of this component and engine and fits the file's size.
fn length(named: &[u8], identity: &Identity, size: u64) -> Result<u64, Refused> {
    let (magic, rest) = named.split_at_checked(8).ok_or(Refused::Form)?;
    let (engine, rest) = rest.split_at_checked(32).ok_or(Refused::Form)?;
    let (component, length) = rest.split_at_checked(32).ok_or(Refused::Form)?;
    if magic != MAGIC {
        return Err(Refused::Form);
    }
    let engine = Digest::try_from(engine).map_err(|_| Refused::Form)?;
    if engine != identity.engine {
        return Err(Refused::Engine(engine, identity.engine));
    }
    let component = Digest::try_from(component).map_err(|_| Refused::Form)?;
    if component != identity.component {
        return Err(Refused::Component(component));
    }
    let said = u64::from_be_bytes(length.try_into().map_err(|_| Refused::Form)?);
    let found = size.saturating_sub(HEADER as u64);
    if said == found { Ok(said) } else { Err(Refused::Length { said, found }) }
}

fn copy(file: &mut File, length: u64, mac: &mut Hmac<Sha256>, sink: &mut Sink) -> Result<(), Refused> {
    let mut chunk = vec![0; CHUNK];
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let part = chunk.get_mut(..wanted).unwrap_or_default();
        let read = file.read(part)?;
        let part = part.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Err(Refused::Length { said: length, found: length - left });
        }
        mac.update(part);
        sink.write(part).map_err(Refused::Private)?;
        left -= part.len() as u64;
    }
    Ok(())
}
