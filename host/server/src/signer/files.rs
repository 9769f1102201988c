//! The files that a signer keeps beside the database: its key, the ones before it, and what it signed last.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use assize_ledger::{Algorithm, SignerKey, VerifierKey};

use super::SignError;
use crate::config::LogKey;

/// The key's file in the data directory.
const KEY_FILE: &str = "log.key";
/// A key on its way into force.
pub(super) const NEXT_FILE: &str = "log.key.next";
/// The newest checkpoint's file in the data directory.
pub const CHECKPOINT_FILE: &str = "checkpoint";

pub(super) fn key_error(what: impl ToString, error: assize_ledger::KeyError) -> SignError {
    SignError::Key { what: what.to_string(), error }
}

/// The key that is given, or that of the data directory, or a new one there.
pub(super) fn find_key(
    origin: &str,
    data: &Path,
    given: &LogKey,
    newest: Option<&VerifierKey>,
) -> Result<(SignerKey, Option<PathBuf>), SignError> {
    let path = match given {
        LogKey::Secret(secret) => {
            return secret.parse().map(|key| (key, None)).map_err(|error| key_error("ASSIZE_LOG_KEY", error));
        }
        LogKey::File(path) => path.clone(),
        LogKey::DataDirectory => data.join(KEY_FILE),
    };
    let next = path.with_file_name(NEXT_FILE);
    // A rotation that broke off after its entry was written is finished here.
    if let Some(newest) = newest
        && let Some(key) = read_key(&next)?
        && key.public() == newest
    {
        let old = read_key(&path)?.map_or_else(|| "lost".to_owned(), |old| old.public().id().to_string());
        retire(&path, &old, &next)?;
        return Ok((key, Some(path)));
    }
    if let Some(key) = read_key(&path)? {
        return Ok((key, Some(path)));
    }
    if let Some(newest) = newest {
        let place = path.display().to_string();
        return Err(SignError::WrongKey { newest: newest.to_string(), place, found: "no key".into() });
    }
    let key = stored_key(&path, origin, Algorithm::Ed25519)?;
    tracing::info!(key = %key.public(), path = %path.display(), "made the key that signs the log: keep a copy of it");
    Ok((key, Some(path)))
}

/// The key in a file, which is made where it isn't there.
pub(crate) fn stored_key(path: &Path, name: &str, algorithm: Algorithm) -> Result<SignerKey, SignError> {
    if let Some(key) = read_key(path)? {
        if key.public().name() != name {
            return Err(SignError::ForeignKey { key: key.public().to_string(), origin: name.to_owned() });
        }
        return Ok(key);
    }
    let key = SignerKey::generate(name, algorithm).map_err(|error| key_error(path.display(), error))?;
    write_private(path, &key.to_secret())?;
    Ok(key)
}

fn read_key(path: &Path) -> Result<Option<SignerKey>, SignError> {
    match fs::read_to_string(path) {
        Ok(text) => text.parse().map(Some).map_err(|error| key_error(path.display(), error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SignError::File { path: path.to_owned(), error }),
    }
}

/// Keeps the old key under its id, and puts the new one in its place.
pub(super) fn retire(path: &Path, old: &str, next: &Path) -> Result<(), SignError> {
    let kept = path.with_file_name(format!("{KEY_FILE}.{old}"));
    let failed = |error| SignError::File { path: path.to_owned(), error };
    if path.exists() {
        fs::rename(path, kept).map_err(failed)?;
    }
    fs::rename(next, path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Writes a file that nobody else can read, and waits until it is on disk.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), SignError> {
    let failed = |error| SignError::File { path: path.to_owned(), error };
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Replaces a file at once: a reader finds what was there or what is new.
pub(crate) fn replace(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(contents.as_ref())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(path)
}

#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
