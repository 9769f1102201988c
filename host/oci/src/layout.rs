//! A set of artifacts in one file: an OCI image layout in a tar, as `skopeo` and others read and write it.

mod write;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use assize_ledger::Digest;
use assize_registry::bounds::LARGEST_PACKAGE;
use serde::Deserialize;

pub use write::write_layout;

use crate::artifact::WASM_CONFIG;
use crate::contents::{Contents, LARGEST_MANIFEST, LARGEST_PART, parse};
use crate::cosign::{self, PAYLOAD};
use crate::manifest::{Index, Manifest, in_words};
use crate::{Artifact, Blob, Descriptor, OciError, Sha256};

/// Where a layout says that it is one.
const MARK: &str = "oci-layout";
/// Where it lists its manifests.
const INDEX_FILE: &str = "index.json";
/// The folder of blobs.
const BLOBS: &str = "blobs/sha256/";
/// The one version that there is.
const VERSION: &str = "1.0.0";
/// Most files in a layout.
const MOST_FILES: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    image_layout_version: String,
}

/// What a layout is read from.
trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// A layout that is read from a file, whose blobs all have the digests that they are named by.
pub struct Layout {
    name: String,
    file: RefCell<Box<dyn Source>>,
    /// Where each blob begins, and its length.
    blobs: BTreeMap<Digest, (u64, u64)>,
    artifacts: Vec<Descriptor>,
    referrers: BTreeMap<Digest, Vec<Descriptor>>,
    cosigned: BTreeMap<Digest, Descriptor>,
}

impl Layout {
    /// Opens a file: hashes every blob, and reads what the manifests are.
    ///
    /// # Errors
    /// Where it's no layout, where a blob's bytes are others than its name says, and where it lists anything but Wasm
    /// artifacts and their signatures.
    pub fn open(path: &Path) -> Result<Self, OciError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::read_from(name, file),
            Err(error) => Err(OciError::Layout { file: name, why: format!("it can't be opened: {error}") }),
        }
    }

    /// As [`Layout::open`], from anywhere; `name` is what messages call it.
    pub fn read_from(name: String, mut source: impl Read + Seek + 'static) -> Result<Self, OciError> {
        let wrong = |why: String| OciError::Layout { file: name.clone(), why };
        let (mut mark, mut index, mut blobs) = (None, None, BTreeMap::new());
        {
            let mut archive = tar::Archive::new(&mut source);
            let broken = |error: std::io::Error| wrong(format!("it's no tar, or cut: {error}"));
            for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
                let mut entry = entry.map_err(broken)?;
                if count >= MOST_FILES {
                    return Err(wrong(format!("it has more than {MOST_FILES} files")));
                }
                let path = entry.path().map_err(broken)?.to_string_lossy().into_owned();
                let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
                let kind = entry.header().entry_type();
                if kind.is_dir() {
                    continue;
                }
                if !kind.is_file() {
                    return Err(wrong(format!("{path:?} in it is neither a file nor a folder")));
                }
                let (at, size) = (entry.raw_file_position(), entry.size());
                let limit = if path.starts_with(BLOBS) { LARGEST_PACKAGE } else { LARGEST_MANIFEST };
                if size > limit {
                    return Err(OciError::TooLarge { what: path, place: name.clone(), size, limit });
                }
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(broken)?;
                let fresh = match path.strip_prefix(BLOBS) {
                    Some(digits) => {
                        let expected: Sha256 = format!("sha256:{digits}").parse().map_err(wrong)?;
                        let found = Sha256(Digest::of(&bytes));
                        if found != expected {
                            let place = format!("{path} in {name}");
                            return Err(OciError::Differs { place, expected, found });
                        }
                        blobs.insert(expected.0, (at, size)).is_none()
                    }
                    None if path == MARK => mark.replace(bytes).is_none(),
                    None if path == INDEX_FILE => index.replace(bytes).is_none(),
                    None => return Err(wrong(format!("it holds {path:?}, which no layout has"))),
                };
                if !fresh {
                    return Err(wrong(format!("{path:?} is in it twice")));
                }
            }
        }
        let mark = mark.ok_or_else(|| wrong(format!("it has no {MARK}")))?;
        let mark: Mark = parse(&name, MARK, &mark)?;
        if mark.image_layout_version != VERSION {
            return Err(wrong(format!("its version is {:?}, and {VERSION:?} is read here", mark.image_layout_version)));
        }
        let index = index.ok_or_else(|| wrong(format!("it has no {INDEX_FILE}")))?;
        let index: Index = parse(&name, INDEX_FILE, &index)?;
        let mut layout = Self {
            name: name.clone(),
            file: RefCell::new(Box::new(source)),
            blobs,
            artifacts: Vec::new(),
            referrers: BTreeMap::new(),
            cosigned: BTreeMap::new(),
        };
        for descriptor in index.manifests {
            layout.sort_in(descriptor)?;
        }
        if layout.artifacts.is_empty() {
            return Err(wrong("no package is in it".to_owned()));
        }
        let mut about = layout.referrers.keys().chain(layout.cosigned.keys());
        if let Some(missing) = about.find(|subject| !layout.artifacts.iter().any(|one| one.digest.0 == **subject)) {
            return Err(wrong(format!("it has a signature of {}, which isn't in it", Sha256(*missing))));
        }
        Ok(layout)
    }

    /// Finds out what a manifest is.
    fn sort_in(&mut self, mut descriptor: Descriptor) -> Result<(), OciError> {
        let blob = self.manifest(&descriptor)?;
        let other = |found: &str| OciError::NotWasm {
            which: format!("{} in {}", blob.digest(), self.name),
            found: in_words(found),
        };
        let Ok(manifest) = serde_json::from_slice::<Manifest>(&blob.bytes) else {
            return Err(other(&descriptor.media_type));
        };
        if manifest.config.media_type == WASM_CONFIG {
            if !self.artifacts.iter().any(|known| known.digest == descriptor.digest) {
                self.artifacts.push(descriptor);
            }
            return Ok(());
        }
        if let Some(subject) = &manifest.subject {
            // Tools that copy an index may leave it out.
            descriptor.artifact_type = Some(manifest.purpose().to_owned());
            let about = self.referrers.entry(subject.digest.0).or_default();
            if !about.iter().any(|known| known.digest == descriptor.digest) {
                about.push(descriptor);
            }
            return Ok(());
        }
        let payload = match manifest.layers.first() {
            Some(layer) if layer.media_type == PAYLOAD => self.blob(layer, "a cosign payload", LARGEST_PART)?,
            _ => return Err(other(manifest.purpose())),
        };
        let subject = cosign::subject(&payload.bytes).ok_or_else(|| other(PAYLOAD))?;
        self.cosigned.insert(subject, descriptor);
        Ok(())
    }

    /// The manifests of all artifacts in it, in its order.
    pub fn artifacts(&self) -> &[Descriptor] {
        &self.artifacts
    }

    /// Reads one of them.
    pub fn artifact(&self, manifest: &Descriptor) -> Result<Artifact, OciError> {
        Artifact::read(self, self.manifest(manifest)?)
    }

    fn read(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, OciError> {
        let wrong = |why: String| OciError::Layout { file: self.name.clone(), why };
        let Some(&(at, size)) = self.blobs.get(&descriptor.digest.0) else {
            return Err(wrong(format!("it names {}, which isn't in it", descriptor.digest)));
        };
        let mut file = self.file.borrow_mut();
        let mut bytes = Vec::new();
        let source = file.as_mut();
        source
            .seek(SeekFrom::Start(at))
            .and_then(|_| source.take(size.min(limit)).read_to_end(&mut bytes))
            .map_err(|error| wrong(format!("it can't be read: {error}")))?;
        Ok(bytes)
    }
}

impl Contents for Layout {
    fn place(&self) -> String {
        self.name.clone()
    }

    fn read_blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, OciError> {
        self.read(descriptor, limit)
    }

    fn read_manifest(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, OciError> {
        self.read(descriptor, limit)
    }

    fn referrers(&self, subject: Sha256) -> Result<Vec<Descriptor>, OciError> {
        Ok(self.referrers.get(&subject.0).cloned().unwrap_or_default())
    }

    fn cosigned(&self, subject: Sha256) -> Result<Option<Descriptor>, OciError> {
        Ok(self.cosigned.get(&subject.0).cloned())
    }
}

/// What a blob in a layout is called.
fn blob_path(blob: &Blob) -> String {
    format!("{BLOBS}{}", blob.digest().0)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: Vec<u8>) -> Result<Layout, OciError> {
        Layout::read_from("set.tar".to_owned(), Cursor::new(bytes))
    }

    fn empty() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_layout(&mut bytes, &[]).unwrap();
        bytes
    }

    #[test]
    fn a_set_of_nothing_is_none() {
        let error = read(empty()).err().unwrap().to_string();
        assert!(error.contains("no package is in it"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_in_words(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            prop_assert!(read(bytes).is_err());
        }

        #[test]
        fn any_damage_is_refused_in_words(at in 0..4096_usize, with in any::<u8>(), cut in 0..4096_usize) {
            let mut bytes = empty();
            let at = at % bytes.len();
            bytes[at] = with;
            bytes.truncate(bytes.len() - cut % bytes.len());
            prop_assert!(read(bytes).is_err());
        }
    }
}
