//! The key that tells our own work from everybody else's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// 32 random bytes, in the file as 64 hexadecimal digits.
pub(super) struct Key {
    /// Filled up with zeros to a block of the hash, as HMAC does.
    secret: [u8; 64],
    id: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("the key's file can't be used: {0}")]
    Io(#[from] io::Error),
    #[error(
        "others may read or change the key's file (mode {0:o}): make a new one, readable for its owner alone (600)"
    )]
    Open(u32),
    #[error("the key's file doesn't hold 64 hexadecimal digits: remove it, and a new one is made")]
    Form,
    #[error("no random bytes for a new key: {0}")]
    Random(#[from] getrandom::Error),
}

impl Key {
    /// The key in this file. Where there is none, it is made, or there is none.
    pub(super) fn find(path: &Path, make: bool) -> Result<Option<Self>, KeyError> {
        match Self::read(path) {
            Err(KeyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            read => return read.map(Some),
        }
        if !make {
            return Ok(None);
        }
        Self::make(path)?;
        Self::read(path).map(Some)
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path)?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Open(mode));
            }
        }
        let mut text = String::new();
        file.take(128).read_to_string(&mut text)?;
        let mut secret = [0; 64];
        let digits = secret.get_mut(..32).unwrap_or_default();
        hex::decode_to_slice(text.trim_end(), digits).map_err(|_| KeyError::Form)?;
        let mut key = Self { secret, id: String::new() };
        let mut mac = key.mac();
        mac.update(b"assize compiled key id");
        key.id = hex::encode(mac.finalize().into_bytes());
        key.id.truncate(8);
        Ok(key)
    }

    /// Makes the file, whole and private. Another host may have been faster: its key holds.
    fn make(path: &Path) -> Result<(), KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            super::folder::make(folder)?;
        }
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        let written = writeln!(file, "{}", hex::encode(secret)).and_then(|()| file.sync_all());
        // Unlike renaming, it fails where there is one.
        let linked = written.and_then(|()| fs::hard_link(&new, path));
        fs::remove_file(&new)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Which key it is: eight digits that don't tell it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.secret.into())
    }
}
