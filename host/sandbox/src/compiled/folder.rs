//! The folder: files that appear whole, and only so many bytes of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

/// The end of the names of our files.
const EXTENSION: &str = "compiled";
/// The end of the names of those that aren't whole yet.
const UNFINISHED: &str = "new";
/// Nobody writes at one file for so long: whoever began it is gone.
const ABANDONED: Duration = Duration::from_hours(1);

pub(super) struct Folder {
    path: PathBuf,
    max_bytes: u64,
    read_only: bool,
    /// Held while room is made: two at once would give up twice as much as they need.
    writing: Mutex<()>,
}

/// Why something isn't kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unkept {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("it has {size} bytes, and {in_use} of at most {max} are in use: allow more")]
    Full { size: u64, in_use: u64, max: u64 },
}

struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

impl Folder {
    /// Fails where it isn't there and can't be made. One that can't be written to is fine.
    pub(super) fn open(path: PathBuf, max_bytes: u64, read_only: bool) -> Result<Self, (PathBuf, io::Error)> {
        if !read_only && let Err(error) = make(&path) {
            return Err((path, error));
        }
        Ok(Self { path, max_bytes, read_only, writing: Mutex::new(()) })
    }

    pub(super) const fn read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.{EXTENSION}"))
    }

    /// The file of this name, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<File> {
        let path = self.path(name);
        match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a compiled component can't be read: it is compiled anew");
                None
            }
        }
    }

    /// Notes that it was used. A folder that can't be written to forgets it.
    pub(super) fn touch(&self, file: &File) {
        if !self.read_only {
            let _ = file.set_modified(SystemTime::now());
        }
    }

    /// Takes it away, so that it isn't found again. Where that can't be done, it is refused again.
    pub(super) fn remove(&self, name: &str) {
        if !self.read_only {
            let _ = fs::remove_file(self.path(name));
        }
    }

    /// Writes a file that others find whole or not at all, and says how many were given up for it: the least recently used,
    /// and none whose name `in_use` knows. It isn't waited for the disk: what a power cut leaves of it isn't what was
    /// authenticated.
    pub(super) fn keep(
        &self,
        name: &str,
        header: &[u8],
        code: &[u8],
        in_use: impl Fn(&str) -> bool,
    ) -> Result<u64, Unkept> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = self.path(name);
        let _writing = self.writing.lock();
        let size = header.len() as u64 + code.len() as u64;
        let evicted = self.make_room(&path, size, in_use)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let new = self.path.join(format!("{name}.{}-{number}.{UNFINISHED}", std::process::id()));
        let written = write(&new, header, code).and_then(|()| fs::rename(&new, &path));
        written.map_err(|error| {
            let _ = fs::remove_file(&new);
            Unkept::Io { path, error }
        })?;
        Ok(evicted)
    }

    fn make_room(&self, replaced: &Path, size: u64, in_use: impl Fn(&str) -> bool) -> Result<u64, Unkept> {
        let failed = |error| Unkept::Io { path: self.path.clone(), error };
        let mut entries = self.entries().map_err(failed)?;
        entries.retain(|entry| entry.path != replaced);
        let held = |entry: &Entry| name_of(&entry.path).is_some_and(&in_use);
        let bytes = |entries: &mut dyn Iterator<Item = &Entry>| entries.map(|entry| entry.size).sum::<u64>();
        let held_bytes = bytes(&mut entries.iter().filter(|entry| held(entry)));
        if held_bytes.saturating_add(size) > self.max_bytes {
            return Err(Unkept::Full { size, in_use: held_bytes, max: self.max_bytes });
        }
        let mut total = bytes(&mut entries.iter()).saturating_add(size);
        entries.retain(|entry| !held(entry));
        entries.sort_by_key(|entry| entry.used);
        let mut evicted = 0;
        for entry in entries {
            if total <= self.max_bytes {
                break;
            }
            match fs::remove_file(&entry.path) {
                Ok(()) => evicted += 1,
                // Another host was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Unkept::Io { path: entry.path, error }),
            }
            total = total.saturating_sub(entry.size);
        }
        Ok(evicted)
    }

    /// All our files. Those that were begun and never finished go.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Gone since: another host gave it up.
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let used = metadata.modified()?;
            match extension {
                Some(EXTENSION) => entries.push(Entry { path, size: metadata.len(), used }),
                Some(UNFINISHED) if used.elapsed().is_ok_and(|age| age > ABANDONED) => {
                    let _ = fs::remove_file(path);
                }
                _ => {}
            }
        }
        Ok(entries)
    }
}

/// The name that a file was given, see [`Folder::path`].
fn name_of(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()
}

fn write(path: &Path, header: &[u8], code: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(header)?;
    file.write_all(code)
}

/// Makes a folder, for its owner alone, and those above it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
