//! Why a token isn't accepted.

use crate::{Digest, Timestamp};

use super::Imprint;

/// Which check failed, with what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// The bytes don't have the structure that they should have, or more bytes follow it.
    #[error("{what}: found no such DER structure ({reason}), expected one, and nothing after it")]
    Malformed {
        /// Which structure.
        what: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// The authority gave no token.
    #[error("status: found {found} ({text:?}), expected 0 (granted) or 1 (granted with modifications)")]
    Refused {
        /// `PKIStatus`.
        found: u8,
        /// What the authority says about it.
        text: String,
    },
    /// The authority says that it granted a token, and none is there.
    #[error("response: found no token, expected one with status {status}")]
    NoToken {
        /// `PKIStatus`.
        status: u8,
    },
    /// It stamps something else.
    #[error("message imprint: found {found}, expected {expected}")]
    Imprint {
        /// In the token.
        found: Imprint,
        /// Of the stamped bytes.
        expected: Imprint,
    },
    /// It answers another query.
    #[error("nonce: found {}, expected {expected}", found.as_deref().unwrap_or("none"))]
    Nonce {
        /// In the token, as hexadecimal digits.
        found: Option<String>,
        /// In the query, as hexadecimal digits.
        expected: String,
    },
    /// A field that can have only one value has another.
    #[error("{what}: found {found}, expected {expected}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// Something that must be there once isn't, or is there more often.
    #[error("{what}: found {found}, expected exactly 1")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
    },
    /// An algorithm that isn't known here, or is too weak.
    #[error("{what}: found {found}, expected one of {expected}")]
    Algorithm {
        /// Of what.
        what: &'static str,
        /// Its OID.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// The time isn't a moment that can be written.
    #[error("genTime: found {found:?}, expected YYYYMMDDhhmmss[.f…]Z of the years 1970 to 9999")]
    GenTime {
        /// As it stands there.
        found: String,
    },
    /// An extension that has to be understood and isn't.
    #[error("critical extension of {of}: found {found}, expected none")]
    CriticalExtension {
        /// Of what.
        of: &'static str,
        /// Its OID.
        found: String,
    },
    /// The signature isn't over this content.
    #[error("message-digest attribute: found {found}, expected {expected}, the content's hash")]
    MessageDigest {
        /// Hexadecimal digits of the signed attribute.
        found: String,
        /// Hexadecimal digits of the content's hash.
        expected: String,
    },
    /// The signer's certificate is neither in the token nor among those that were given.
    #[error("signer's certificate: found none among {found}, expected one with hash {expected}")]
    NoSigner {
        /// How many certificates were looked at.
        found: usize,
        /// The hash that the signed attributes name.
        expected: String,
    },
    /// The signature isn't that of the named signer.
    #[error("signature: found one that {signer} did not make ({reason}), expected that signer's")]
    Signature {
        /// The subject of the signer's certificate.
        signer: String,
        /// What the check says.
        reason: String,
    },
    /// The certificate isn't for time stamping, or not for it alone.
    #[error("extended key usage of {signer}: found {found}, expected critical 1.3.6.1.5.5.7.3.8 (timeStamping)")]
    ExtendedKeyUsage {
        /// The subject of the signer's certificate.
        signer: String,
        /// Its purposes.
        found: String,
    },
    /// The certificate's key isn't for this.
    #[error("key usage of {certificate}: found {found}, expected {expected}")]
    KeyUsage {
        /// The subject.
        certificate: String,
        /// Its key usage.
        found: String,
        /// What it must contain.
        expected: &'static str,
    },
    /// The signer's certificate had not begun, or was over.
    #[error("genTime: found {found}, expected {from} to {to}, when the certificate of {certificate} is valid")]
    Validity {
        /// The subject.
        certificate: String,
        /// When the token says it was made.
        found: Timestamp,
        /// The certificate's first moment.
        from: Timestamp,
        /// The certificate's last second.
        to: Timestamp,
    },
    /// No path to a trusted root.
    #[error("chain of {signer} at {gen_time}: found {reason}, expected one to any of {roots} roots valid then")]
    Chain {
        /// The subject of the signer's certificate.
        signer: String,
        /// When it had to be valid.
        gen_time: Timestamp,
        /// How many trusted roots were valid then.
        roots: usize,
        /// What stands in the way.
        reason: String,
    },
    /// Another authority than the one that was pinned.
    #[error("signer's certificate: found {found}, expected one of {expected:?}")]
    NotPinned {
        /// SHA-256 of the signer's certificate.
        found: Digest,
        /// Those allowed.
        expected: Vec<Digest>,
    },
    /// Made under another policy than those allowed.
    #[error("policy: found {found}, expected one of {expected:?}")]
    Policy {
        /// OID.
        found: String,
        /// OIDs allowed.
        expected: Vec<String>,
    },
    /// What should be trusted isn't a certificate.
    #[error("trusted certificate {number}: found {reason}, expected an X.509 certificate")]
    Trusted {
        /// Its place, from 1.
        number: usize,
        /// What the decoder says.
        reason: String,
    },
    /// Nothing is trusted, so nothing can be verified.
    #[error("trusted roots: found none among {found} certificates, expected one whose subject is its issuer")]
    NoRoot {
        /// How many certificates were looked at.
        found: usize,
    },
}

impl StampError {
    /// Says which structure the decoder was at.
    pub(super) fn malformed(what: &'static str) -> impl Fn(der::Error) -> Self {
        move |error| Self::Malformed { what, reason: error.to_string() }
    }
}
