//! The hashes that tokens use, and what they stamp.

use std::fmt;

use der::asn1::{AnyRef, ObjectIdentifier};
use serde::{Serialize, Serializer};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::Digest;

use super::StampError;

/// A hash function of FIPS 180-4 that collisions aren't known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-256, which this host stamps with.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// The hash of `bytes`.
    pub fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// RFC 5754, 2.
    pub(super) const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        })
    }

    /// Parameters are absent or NULL (RFC 5754, 2): nothing else may hide there, outside the signature.
    pub(super) fn is(self, algorithm: AlgorithmIdentifierRef<'_>) -> bool {
        algorithm.oid == self.oid() && algorithm.parameters.is_none_or(AnyRef::is_null)
    }

    pub(super) fn read(what: &'static str, algorithm: AlgorithmIdentifierRef<'_>) -> Result<Self, StampError> {
        let known = [Self::Sha256, Self::Sha384, Self::Sha512];
        known.into_iter().find(|known| known.is(algorithm)).ok_or_else(|| StampError::Algorithm {
            what,
            found: described(algorithm),
            expected: "SHA-256, SHA-384, SHA-512",
        })
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

/// Its OID, and whether it has parameters.
pub(super) fn described(algorithm: AlgorithmIdentifierRef<'_>) -> String {
    match algorithm.parameters {
        Some(parameters) if !parameters.is_null() => format!("{} with parameters", algorithm.oid),
        _ => algorithm.oid.to_string(),
    }
}

/// SHA-1, to find a certificate that a token names by it; see `signer.rs` for why that is enough.
pub(super) fn sha1(bytes: &[u8]) -> Vec<u8> {
    Sha1::digest(bytes).to_vec()
}

/// What a token stamps: a hash of the message, and which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imprint {
    /// The hash function.
    pub algorithm: HashAlgorithm,
    /// The hash, as long as the function makes it.
    pub hash: Vec<u8>,
}

impl Imprint {
    /// The imprint of a message.
    pub fn of(algorithm: HashAlgorithm, message: &[u8]) -> Self {
        Self { algorithm, hash: algorithm.hash(message) }
    }
}

impl From<Digest> for Imprint {
    fn from(digest: Digest) -> Self {
        Self { algorithm: HashAlgorithm::Sha256, hash: digest.as_bytes().to_vec() }
    }
}

impl fmt::Display for Imprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, hex::encode(&self.hash))
    }
}

impl Serialize for Imprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
