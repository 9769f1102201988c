//! What names bytes: their digest, their length and what they are.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use assize_ledger::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::OciError;

/// A digest as OCI writes it: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub Digest);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Upper-case digits would make two names of one digest.
        let digits = text.strip_prefix("sha256:").filter(|digits| !digits.contains(|c: char| c.is_ascii_uppercase()));
        let digest = digits.and_then(|digits| digits.parse().ok()).map(Self);
        digest.ok_or_else(|| format!("{text:?} isn't sha256: and 64 lower-case hexadecimal digits"))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Names bytes that are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What they are, e.g. `application/wasm`.
    pub media_type: String,
    /// What a manifest is for, in lists of manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Their SHA-256.
    pub digest: Sha256,
    /// Their length in bytes.
    pub size: u64,
    /// Notes for people and tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Whether these are the bytes that it names.
    ///
    /// # Errors
    /// [`OciError::Differs`], with both lengths or digests.
    pub fn check(&self, bytes: &[u8], place: &str) -> Result<(), OciError> {
        let found = Sha256(Digest::of(bytes));
        if found == self.digest && length(bytes) == self.size {
            return Ok(());
        }
        let (place, expected) = (place.to_owned(), self.digest);
        Err(if found == expected {
            OciError::Length { place, digest: expected, expected: self.size, found: length(bytes) }
        } else {
            OciError::Differs { place, expected, found }
        })
    }

    /// With an annotation more.
    #[must_use]
    pub(crate) fn annotated(mut self, name: &str, value: impl Into<String>) -> Self {
        self.annotations.insert(name.to_owned(), value.into());
        self
    }
}

/// Bytes and what names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Their name.
    pub descriptor: Descriptor,
    /// Themselves.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// Bytes of our own.
    pub(crate) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            artifact_type: None,
            digest: Sha256(Digest::of(&bytes)),
            size: length(&bytes),
            annotations: BTreeMap::new(),
        };
        Self { descriptor, bytes }
    }

    /// A value as JSON.
    pub(crate) fn json(media_type: &str, value: &impl Serialize) -> Result<Self, OciError> {
        let bytes = serde_json::to_vec(value).map_err(|error| OciError::Unwritable(error.to_string()))?;
        Ok(Self::new(media_type, bytes))
    }

    /// Its digest.
    pub fn digest(&self) -> Sha256 {
        self.descriptor.digest
    }
}

pub(crate) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
