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
    if let Some(newest) = newest
        && let Some(key) = take_up(&path, newest)?
    {
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

/// The key that the log names, where a file has it: the key's own, or that of a rotation that broke off after its entry was written,
/// which is finished here, or one that was set aside since nobody knew that the log would name it.
pub(super) fn take_up(path: &Path, newest: &VerifierKey) -> Result<Option<SignerKey>, SignError> {
    let is_newest = |key: &SignerKey| key.public() == newest;
    if let Some(key) = read_key(path)?.filter(is_newest) {
        return Ok(Some(key));
    }
    let next = path.with_file_name(NEXT_FILE);
    if let Some(key) = read_key(&next)?.filter(is_newest) {
        if let Err(error) = retire(path, &next) {
            tracing::error!(%error, "the log's key can't be put in its place: {} is its only copy", next.display());
        }
        return Ok(Some(key));
    }
    Ok(read_key(&kept(path, &newest.id().to_string()))?.filter(is_newest))
}

/// Makes room for the key of the next rotation. What is there may be the only copy of the key in force, or of one that the log is
/// about to name, since the answer of a database may be lost: nothing of that is overwritten.
pub(super) fn clear_next(path: &Path, in_force: &VerifierKey) -> Result<(), SignError> {
    let next = path.with_file_name(NEXT_FILE);
    match read_key(&next)? {
        None => Ok(()),
        Some(key) if key.public() == in_force => retire(path, &next),
        Some(key) => {
            let failed = |error| SignError::File { path: next.clone(), error };
            fs::rename(&next, kept(path, &key.public().id().to_string())).map_err(failed)?;
            sync_folder(path).map_err(failed)
        }
    }
}

/// Where a key is kept that isn't in force.
fn kept(path: &Path, id: &str) -> PathBuf {
    path.with_file_name(format!("{KEY_FILE}.{id}"))
}

/// Keeps the old key under its id, and puts the new one in its place.
pub(super) fn retire(path: &Path, next: &Path) -> Result<(), SignError> {
    let failed = |error| SignError::File { path: path.to_owned(), error };
    // A host that shares the folder may have done it already.
    let Some(new) = read_key(next)? else { return Ok(()) };
    if let Some(old) = read_key(path)?.filter(|old| old.public() != new.public()) {
        fs::rename(path, kept(path, &old.public().id().to_string())).map_err(failed)?;
    }
    fs::rename(next, path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Writes a file that nobody else can read, and waits until it is on disk. It is there as a whole or not at all: a key that broke off
/// would keep the host from starting.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), SignError> {
    let failed = |error| SignError::File { path: path.to_owned(), error };
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new).map_err(failed)?;
    writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
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
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SignerKey {
        SignerKey::generate("assize.dev/log", Algorithm::Ed25519).unwrap()
    }

    fn id(key: &SignerKey) -> String {
        key.public().id().to_string()
    }

    #[test]
    fn no_key_that_the_log_may_name_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        let next = folder.path().join(NEXT_FILE);
        let [first, second, third] = [key(), key(), key()];
        retire(&path, &next).unwrap();
        write_private(&path, &first.to_secret()).unwrap();
        // A rotation whose entry nobody knows of, and another one after it.
        write_private(&next, &second.to_secret()).unwrap();
        clear_next(&path, first.public()).unwrap();
        write_private(&next, &third.to_secret()).unwrap();
        // Whichever the log names, it is found.
        let found = |newest: &SignerKey| take_up(&path, newest.public()).unwrap().map(|key| id(&key));
        assert_eq!(found(&first), Some(id(&first)));
        assert_eq!(found(&second), Some(id(&second)));
        assert_eq!(found(&third), Some(id(&third)));
        // The last of these finished the rotation; the old key is kept.
        assert_eq!(read_key(&path).unwrap().map(|key| id(&key)), Some(id(&third)));
        assert!(!next.exists());
        assert_eq!(found(&first), Some(id(&first)));
        assert_eq!(found(&key()), None);
    }

    #[test]
    fn the_only_copy_of_the_key_in_force_is_put_in_its_place_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join(KEY_FILE), folder.path().join(NEXT_FILE));
        let (first, second) = (key(), key());
        write_private(&path, &first.to_secret()).unwrap();
        write_private(&next, &second.to_secret()).unwrap();
        clear_next(&path, second.public()).unwrap();
        assert_eq!(read_key(&path).unwrap().map(|key| id(&key)), Some(id(&second)));
        assert!(!next.exists() && kept(&path, &id(&first)).is_file());
    }

    #[test]
    fn a_file_without_a_folder_lies_in_the_working_directory() {
        sync_folder(Path::new(KEY_FILE)).unwrap();
    }

    #[test]
    fn a_file_that_nobody_else_can_read_is_there_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        write_private(&path, "one").unwrap();
        write_private(&path, "another").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "another\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
