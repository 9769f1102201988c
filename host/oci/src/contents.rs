//! Where artifacts are read from: a registry, or a file.

use assize_registry::bounds::LARGEST_PACKAGE;
use serde::de::DeserializeOwned;

use crate::descriptor::{Descriptor, Sha256};
use crate::{Blob, OciError};

/// The longest manifest: what registries accept.
pub(crate) const LARGEST_MANIFEST: u64 = 4 << 20;
/// The longest config, note or cosign payload.
pub(crate) const LARGEST_PART: u64 = 1 << 20;
/// Most signatures of one artifact that are read.
pub(crate) const MOST_SIGNATURES: usize = 128;

/// A place that holds artifacts. Its methods give bytes as they are there: [`Contents::blob`] and [`Contents::manifest`]
/// hold them against their digest.
pub trait Contents {
    /// What to call it in messages: a reference, or a file.
    fn place(&self) -> String;

    /// The bytes of a blob; at most `limit` are read.
    fn read_blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, OciError>;

    /// The bytes of a manifest; at most `limit` are read.
    fn read_manifest(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, OciError>;

    /// The manifests whose subject this manifest is.
    fn referrers(&self, subject: Sha256) -> Result<Vec<Descriptor>, OciError>;

    /// The manifest with cosign's signatures of this manifest, if there is one.
    fn cosigned(&self, subject: Sha256) -> Result<Option<Descriptor>, OciError>;

    /// A blob, whose bytes are those that its descriptor names.
    fn blob(&self, descriptor: &Descriptor, what: &str, limit: u64) -> Result<Blob, OciError> {
        self.bounded(descriptor, what, limit)?;
        let bytes = self.read_blob(descriptor, limit)?;
        descriptor.check(&bytes, &self.place())?;
        Ok(Blob { descriptor: descriptor.clone(), bytes })
    }

    /// A manifest, whose bytes are those that its descriptor names.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Blob, OciError> {
        self.bounded(descriptor, "the manifest", LARGEST_MANIFEST)?;
        let bytes = self.read_manifest(descriptor, LARGEST_MANIFEST)?;
        descriptor.check(&bytes, &self.place())?;
        Ok(Blob { descriptor: descriptor.clone(), bytes })
    }

    /// A layer that holds a package.
    fn package(&self, descriptor: &Descriptor) -> Result<Blob, OciError> {
        self.blob(descriptor, "the layer", LARGEST_PACKAGE)
    }

    /// Whether what a descriptor says is short enough to be asked for.
    fn bounded(&self, descriptor: &Descriptor, what: &str, limit: u64) -> Result<(), OciError> {
        if descriptor.size <= limit {
            return Ok(());
        }
        Err(OciError::TooLarge { what: what.to_owned(), place: self.place(), size: descriptor.size, limit })
    }
}

/// Reads JSON that was verified.
pub(crate) fn parse<T: DeserializeOwned>(which: &str, what: &str, bytes: &[u8]) -> Result<T, OciError> {
    serde_json::from_slice(bytes)
        .map_err(|error| OciError::Unsound { which: which.to_owned(), why: format!("{what} can't be read: {error}") })
}
