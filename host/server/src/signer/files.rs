//! The files that a signer keeps beside the database: its key, the ones before it, and what it signed last.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use assize_ledger::{Algorithm, SignerKey, VerifierKey};

use super::SignError;
use crate::config::LogKey;

/// The key's file in the data directory.
const KEY_FILE: &str = "log.key";
/// A key on its way into force, as versions before wrote it.
const NEXT_FILE: &str = "log.key.next";
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
/// which is finished here.
pub(super) fn take_up(path: &Path, newest: &VerifierKey) -> Result<Option<SignerKey>, SignError> {
    let is_newest = |key: &SignerKey| key.public() == newest;
    if let Some(key) = read_key(path)?.filter(is_newest) {
        return Ok(Some(key));
    }
    for next in [kept(path, newest), path.with_file_name(NEXT_FILE)] {
        let Some(key) = read_key(&next)?.filter(is_newest) else { continue };
        // It signs from where it is, too: what is mounted by itself can't be replaced.
        if let Err(error) = retire(path, &next) {
            tracing::error!(%error, "the log's key can't be put in its place: {} is its only copy", next.display());
        }
        return Ok(Some(key));
    }
    // Another host that shares the folder may have put it in its place while we looked for it.
    Ok(read_key(path)?.filter(is_newest))
}

/// Where a key is that isn't in force: no more, or not yet.
pub(super) fn kept(path: &Path, key: &VerifierKey) -> PathBuf {
    path.with_file_name(format!("{KEY_FILE}.{}", key.id()))
}

/// Keeps the old key under its id, and puts the new one in its place. Another host that shares the folder may be doing the same: whoever
/// comes first, the old key is kept before anything takes its place, and nothing is written over it.
pub(super) fn retire(path: &Path, next: &Path) -> Result<(), SignError> {
    let failed = |error| SignError::File { path: path.to_owned(), error };
    if !next.exists() {
        return Ok(());
    }
    if let Some(old) = read_key(path)? {
        let kept = kept(path, old.public());
        if fs::hard_link(path, &kept).is_err() && !kept.exists() {
            // Not every file system has links.
            write_private(&kept, &old.to_secret())?;
        }
    }
    match fs::rename(next, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed.map_err(failed)?,
    }
    sync_folder(path).map_err(failed)
}

/// Writes a file that nobody else can read, and waits until it is on disk. It is there as a whole or not at all: a key that broke off
/// would keep the host from starting.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), SignError> {
    let failed = |error| SignError::File { path: path.to_owned(), error };
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
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
    fn whichever_key_the_log_names_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join(KEY_FILE), folder.path().join(NEXT_FILE));
        let [first, second, third, fourth] = [key(), key(), key(), key()];
        write_private(&path, &first.to_secret()).unwrap();
        // Rotations of which nobody heard how they ended, the last of them by a version before.
        write_private(&kept(&path, second.public()), &second.to_secret()).unwrap();
        write_private(&kept(&path, third.public()), &third.to_secret()).unwrap();
        write_private(&next, &fourth.to_secret()).unwrap();
        for newest in [&first, &third, &second, &fourth, &first] {
            let found = take_up(&path, newest.public()).unwrap();
            assert_eq!(found.map(|key| id(&key)), Some(id(newest)));
            // The rotation is finished, and no key is gone.
            assert_eq!(read_key(&path).unwrap().map(|key| id(&key)), Some(id(newest)));
            let all = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(all, 4);
        }
        assert!(!next.exists());
        assert!(take_up(&path, key().public()).unwrap().is_none());
    }

    #[test]
    fn what_another_host_put_in_its_place_stays_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        let (first, second) = (key(), key());
        write_private(&path, &first.to_secret()).unwrap();
        let next = kept(&path, second.public());
        write_private(&next, &second.to_secret()).unwrap();
        for _ in 0..2 {
            retire(&path, &next).unwrap();
            assert_eq!(read_key(&path).unwrap().map(|key| id(&key)), Some(id(&second)));
            assert!(kept(&path, first.public()).is_file());
        }
    }

    #[test]
    fn hosts_that_put_a_key_in_its_place_at_once_lose_none() {
        for _ in 0..200 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(KEY_FILE);
            let (first, second) = (key(), key());
            write_private(&path, &first.to_secret()).unwrap();
            write_private(&kept(&path, second.public()), &second.to_secret()).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert!(take_up(&path, second.public()).unwrap().is_some()));
                }
            });
            assert_eq!(read_key(&path).unwrap().map(|key| id(&key)), Some(id(&second)));
            assert_eq!(read_key(&kept(&path, first.public())).unwrap().map(|key| id(&key)), Some(id(&first)));
        }
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
