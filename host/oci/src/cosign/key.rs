//! Keys of cosign: ECDSA over P-256 with SHA-256, as it makes them, and Ed25519, as it takes them.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use crate::OciError;

/// What stands before the point of a P-256 key in a `SubjectPublicKeyInfo` (RFC 5480): DER has one way to write it.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same before an Ed25519 key (RFC 8410).
const ED: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What a key that can't be used should be.
const WANTED: &str = "an ECDSA key over P-256 (cosign's) or an Ed25519 key";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    P256,
    Ed25519,
}

/// A key that signatures are verified with: `cosign.pub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads a PEM file with a `PUBLIC KEY`.
    ///
    /// # Errors
    /// Where it's something else, or a key of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, OciError> {
        let (section, der) = section(pem)?;
        if section != SectionKind::PublicKey {
            return Err(OciError::Key(format!("{section:?} isn't a public key: give cosign.pub")));
        }
        let (kind, bytes, length) = match (der.strip_prefix(&P256[..]), der.strip_prefix(&ED[..])) {
            (Some(point), _) => (Kind::P256, point, 65),
            (None, Some(key)) => (Kind::Ed25519, key, 32),
            (None, None) => return Err(OciError::Key(format!("the public key is of another kind: give {WANTED}"))),
        };
        if bytes.len() != length {
            return Err(OciError::Key(format!("the public key is damaged: {} bytes, not {length}", bytes.len())));
        }
        Ok(Self { kind, bytes: bytes.to_vec() })
    }

    /// Whether this key signed these bytes.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self.kind {
            Kind::P256 => &ECDSA_P256_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}

/// A key that signs.
pub struct PrivateKey(Secret);

enum Secret {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

// The key stays out of what is printed.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.public())
    }
}

impl PrivateKey {
    /// Reads a PEM file with a `PRIVATE KEY` (PKCS #8), as `openssl genpkey` writes it and `cosign import-key-pair` takes it.
    ///
    /// # Errors
    /// Where it's something else, is encrypted, or is a key of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, OciError> {
        if pem.windows(9).any(|word| word == b"ENCRYPTED") {
            let why = "the private key is encrypted, which isn't read here: give it in PKCS #8 without a password \
                (`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one, `openssl pkey -pubout` its \
                cosign.pub, and `cosign import-key-pair` takes it)";
            return Err(OciError::Key(why.to_owned()));
        }
        let (section, der) = section(pem)?;
        if section != SectionKind::PrivateKey {
            let why =
                format!("{section:?} isn't a private key in PKCS #8: `openssl pkcs8 -topk8 -nocrypt` makes one of it");
            return Err(OciError::Key(why));
        }
        let random = SystemRandom::new();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random) {
            return Ok(Self(Secret::P256(pair)));
        }
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .map(|pair| Self(Secret::Ed25519(pair)))
            .map_err(|_| OciError::Key(format!("the private key is of another kind, or damaged: give {WANTED}")))
    }

    /// What its signatures are verified with.
    pub fn public(&self) -> PublicKey {
        let (kind, bytes) = match &self.0 {
            Secret::P256(pair) => (Kind::P256, pair.public_key().as_ref()),
            Secret::Ed25519(pair) => (Kind::Ed25519, pair.public_key().as_ref()),
        };
        PublicKey { kind, bytes: bytes.to_vec() }
    }

    /// Signs these bytes: ASN.1 for ECDSA, 64 bytes for Ed25519.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OciError> {
        match &self.0 {
            Secret::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| OciError::Key("the system gives no random bytes to sign with".to_owned())),
            Secret::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// The first section of a PEM file that is known.
fn section(pem: &[u8]) -> Result<(SectionKind, Vec<u8>), OciError> {
    // Curve parameters, which `openssl ecparam` writes before a key, are no section that is known, and are passed over.
    <(SectionKind, Vec<u8>)>::from_pem_slice(pem)
        .map_err(|error| OciError::Key(format!("this is no key in PEM ({error}): give {WANTED}")))
}
