//! Time-stamp tokens (RFC 3161): that bytes existed at a time, by the word of an authority that others trust as well.
//!
//! [`Query`] asks for a token, [`accept`] takes the answer, [`verify`] checks a token that was kept, offline and at any
//! later time. `docs/ledger-format.md` says what is stamped, and describes each check so that others can make it.
//!
//! # What a token's signature doesn't cover
//!
//! A token is an envelope around what was signed, and the envelope can change without the meaning changing:
//!
//! - certificates that aren't part of the chain, and the order of all: more can be added, and these be taken out;
//! - revocation lists, unsigned attributes, and more entries in the list of digest algorithms: the same;
//! - the parameters of an algorithm, NULL or absent; how the signer is identified, by issuer and serial number or by key;
//! - the signature itself, where it is ECDSA: for (r, s), (r, n − s) is as good. So it is with that of a certificate
//!   between the signer's, which is held by its hash, and the root's, which is at hand.
//!
//! None of these is believed or handed on, but for the certificates in between. So two tokens can be one stamp: **a token
//! is known by its signer and serial number, never by a hash of its bytes.** Every field of a [`Stamp`] but the chain is
//! from what the signer signed, or is the signer's certificate's.

mod asn1;
mod error;
mod hash;
mod info;
mod query;
mod signer;
mod token;
mod trust;

use serde::{Serialize, Serializer};

use crate::{Digest, Timestamp};

pub use error::StampError;
pub use hash::{HashAlgorithm, Imprint};
pub use query::Query;
pub use trust::Trust;

use info::{Info, integer};
use signer::Signer;
use token::Token;

/// What a verified token says, and who says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// The hash that is stamped.
    pub imprint: Imprint,
    /// When it was stamped, by the authority's clock; below a millisecond is cut off.
    pub gen_time: Timestamp,
    /// How far off that may be, in milliseconds, rounded up; none if the authority doesn't say.
    pub accuracy_ms: Option<u64>,
    /// The token's number at this authority: hexadecimal digits, two for each byte.
    pub serial: String,
    /// The policy that the authority stamps under, as an OID with dots.
    pub policy: String,
    /// The subject of the signer's certificate (RFC 4514).
    pub authority: String,
    /// SHA-256 of the signer's certificate.
    pub signer: Digest,
    /// DER of the certificates from the signer's to the root's; as JSON, in hexadecimal digits.
    #[serde(serialize_with = "in_hex")]
    pub chain: Vec<Vec<u8>>,
}

/// A token to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// DER of the `ContentInfo`: what [`verify`] reads.
    pub token: Vec<u8>,
    /// What it says.
    pub stamp: Stamp,
}

/// Takes an authority's answer to a query: granted, for this message and this query, and all that [`verify`] checks.
pub fn accept(response: &[u8], query: &Query, trust: &Trust) -> Result<Accepted, StampError> {
    let token = query::granted(response)?;
    let (stamp, nonce) = opened(&token, &query.imprint().into(), trust)?;
    let expected = query.nonce_bytes();
    if nonce.as_deref() != Some(&expected) {
        return Err(StampError::Nonce { found: nonce.as_deref().map(integer), expected: integer(&expected) });
    }
    Ok(Accepted { token, stamp })
}

/// Checks a token: one signer, named by the signed attributes; its signature; its certificate, for time stamping alone;
/// a chain of certificates to a trusted root, valid when the token was made. It may have been revoked since, or expired:
/// neither undoes what it said while it was valid, and revocation isn't looked up.
pub fn verify(token: &[u8], imprint: impl Into<Imprint>, trust: &Trust) -> Result<Stamp, StampError> {
    opened(token, &imprint.into(), trust).map(|(stamp, _)| stamp)
}

/// The stamp, and the nonce that it repeats.
fn opened(token: &[u8], expected: &Imprint, trust: &Trust) -> Result<(Stamp, Option<Vec<u8>>), StampError> {
    let token = Token::read(token)?;
    let info = Info::read(token.content)?;
    if info.imprint != *expected {
        return Err(StampError::Imprint { found: info.imprint, expected: expected.clone() });
    }
    let signer = Signer::of(&token, trust.others())?;
    let chain = trust.chain(&signer, &token.certificates, info.gen_time)?;
    let digest = Digest::of(signer.der);
    trust.allows(digest, &info.policy)?;
    let stamp = Stamp {
        imprint: info.imprint,
        gen_time: info.gen_time,
        accuracy_ms: info.accuracy_ms,
        serial: info.serial,
        policy: info.policy,
        authority: signer.subject,
        signer: digest,
        chain,
    };
    Ok((stamp, info.nonce))
}

fn in_hex<S: Serializer>(chain: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(chain.iter().map(hex::encode))
}
