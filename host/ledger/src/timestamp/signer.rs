//! Who signed a token, and whether they did.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::{EndEntityCert, ring};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::asn1::elements;
use super::hash::{described, sha1};
use super::token::{SignerInfo, TST_INFO, Token, expect};
use super::{HashAlgorithm, StampError};

const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// `id-aa-signingCertificate` (RFC 2634), which names certificates by SHA-1.
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// `id-aa-signingCertificateV2` (RFC 5035).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

const RSA: &str = "1.2.840.113549.1.1.1";
const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
const RSA_SHA384: &str = "1.2.840.113549.1.1.12";
const RSA_SHA512: &str = "1.2.840.113549.1.1.13";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";

/// The certificate that the signed attributes name, once the signature has been checked with its key.
pub(super) struct Signer<'a> {
    pub(super) der: &'a [u8],
    pub(super) certificate: Certificate,
    pub(super) subject: String,
}

/// How the signed attributes name the signer's certificate: by its hash, and by issuer and serial number, which say
/// nothing that the hash doesn't.
enum CertificateId<'a> {
    /// By SHA-1. A second certificate with the same hash would be of no use: the signature has to verify with its key,
    /// a root has to vouch for it, and whoever can make such a certificate can name it by any hash.
    V1(&'a [u8]),
    V2(HashAlgorithm, &'a [u8]),
}

impl<'a> Signer<'a> {
    /// Finds the signer among the token's certificates and the `others`, and checks the signature.
    pub(super) fn of(token: &Token<'a>, others: &'a [Vec<u8>]) -> Result<Self, StampError> {
        let info = &token.signer;
        content_type(info)?;
        message_digest(info, &token.digest_algorithm.hash(token.content))?;

        let candidates: Vec<&[u8]> =
            token.certificates.iter().copied().chain(others.iter().map(Vec::as_slice)).collect();
        let mut named = Vec::new();
        for id in CertificateId::all(info)? {
            let der = candidates.iter().copied().find(|der| id.names(der));
            named.push(der.ok_or_else(|| StampError::NoSigner { found: candidates.len(), expected: id.hash() })?);
        }
        let der = match named.as_slice() {
            [] => return Err(StampError::Count { what: "signing-certificate attributes", found: 0 }),
            &[der, ..] if named.iter().all(|other| *other == der) => der,
            _ => return Err(StampError::Count { what: "certificates that the attributes name", found: named.len() }),
        };

        let certificate = Certificate::from_der(der).map_err(StampError::malformed("signer's certificate"))?;
        let subject = certificate.tbs_certificate.subject.to_string();
        identified(info, der, &certificate)?;
        let algorithms = algorithms(info.signature_algorithm, token.digest_algorithm)?;
        let wrong = |reason: String| StampError::Signature { signer: subject.clone(), reason };
        signature(der, &info.signed()?, info.signature, &algorithms).map_err(wrong)?;
        Ok(Self { der, certificate, subject })
    }
}

fn content_type(info: &SignerInfo<'_>) -> Result<(), StampError> {
    let what = "content-type attribute";
    let value = info.attribute(what, CONTENT_TYPE)?.ok_or(StampError::Count { what, found: 0 })?;
    expect(what, ObjectIdentifier::from_der(value).map_err(StampError::malformed(what))?, TST_INFO)
}

fn message_digest(info: &SignerInfo<'_>, expected: &[u8]) -> Result<(), StampError> {
    let what = "message-digest attribute";
    let value = info.attribute(what, MESSAGE_DIGEST)?.ok_or(StampError::Count { what, found: 0 })?;
    let found = OctetStringRef::from_der(value).map_err(StampError::malformed(what))?.as_bytes();
    if found == expected {
        return Ok(());
    }
    Err(StampError::MessageDigest { found: hex::encode(found), expected: hex::encode(expected) })
}

impl<'a> CertificateId<'a> {
    /// The first id of each of the two attributes: it is the signer's (RFC 5035, 3); those after it are of issuers.
    fn all(info: &SignerInfo<'a>) -> Result<Vec<Self>, StampError> {
        let mut ids = Vec::new();
        let what = "signing-certificate-v2 attribute";
        if let Some(value) = info.attribute(what, SIGNING_CERTIFICATE_V2)? {
            ids.push(Self::v2(value, what)?);
        }
        let what = "signing-certificate attribute";
        if let Some(value) = info.attribute(what, SIGNING_CERTIFICATE)? {
            ids.push(Self::V1(first_id(value).and_then(hash_first).map_err(StampError::malformed(what))?));
        }
        Ok(ids)
    }

    fn v2(value: &'a [u8], what: &'static str) -> Result<Self, StampError> {
        let malformed = StampError::malformed(what);
        let id = first_id(value).map_err(&malformed)?;
        // `hashAlgorithm` is left out where it is SHA-256; it is a SEQUENCE, the hash after it an OCTET STRING.
        let mut reader = SliceReader::new(id).map_err(&malformed)?;
        if reader.peek_tag().map_err(&malformed)? != Tag::Sequence {
            return Ok(Self::V2(HashAlgorithm::Sha256, hash_first(id).map_err(malformed)?));
        }
        let algorithm: AlgorithmIdentifierRef<'_> = reader.decode().map_err(&malformed)?;
        let hash: OctetStringRef<'a> = reader.decode().map_err(malformed)?;
        Ok(Self::V2(HashAlgorithm::read("hash of the signer's certificate", algorithm)?, hash.as_bytes()))
    }

    fn names(&self, certificate: &[u8]) -> bool {
        match *self {
            Self::V1(hash) => sha1(certificate) == hash,
            Self::V2(algorithm, hash) => algorithm.hash(certificate) == hash,
        }
    }

    fn hash(&self) -> String {
        match self {
            Self::V1(hash) => format!("sha1:{}", hex::encode(hash)),
            Self::V2(algorithm, hash) => format!("{algorithm}:{}", hex::encode(hash)),
        }
    }
}

/// The content of the first id in `SigningCertificate ::= SEQUENCE { certs SEQUENCE OF ESSCertID, policies OPTIONAL }`.
fn first_id(value: &[u8]) -> der::Result<&[u8]> {
    let sequence = |element| {
        let any = AnyRef::from_der(element)?;
        any.tag().assert_eq(Tag::Sequence)?;
        Ok(any.value())
    };
    let first = |value| elements(value)?.first().copied().ok_or_else(|| Tag::Sequence.length_error());
    let certs = sequence(first(sequence(value)?)?)?;
    sequence(first(certs)?)
}

fn hash_first(id: &[u8]) -> der::Result<&[u8]> {
    Ok(SliceReader::new(id)?.decode::<OctetStringRef<'_>>()?.as_bytes())
}

/// That the identifier beside the signature, which it doesn't cover, names the same certificate.
fn identified(info: &SignerInfo<'_>, der: &[u8], certificate: &Certificate) -> Result<(), StampError> {
    let what = "signer identifier";
    let malformed = StampError::malformed(what);
    // As the certificate's bytes have them, whether or not they would be written so again.
    let leaf = CertificateDer::from(der);
    let leaf = EndEntityCert::try_from(&leaf)
        .map_err(|error| StampError::Malformed { what: "signer's certificate", reason: error.to_string() })?;
    let by_name = (|| {
        let issuer = AnyRef::new(Tag::Sequence, leaf.issuer())?.to_der()?;
        let serial = AnyRef::new(Tag::Integer, leaf.serial())?.to_der()?;
        AnyRef::new(Tag::Sequence, &[issuer, serial].concat())?.to_der()
    })();
    let by_name = by_name.map_err(&malformed)?;
    let found = info.identifier.to_der().map_err(&malformed)?;
    let key = certificate.tbs_certificate.get::<SubjectKeyIdentifier>().map_err(malformed)?;
    let by_key = key.is_some_and(|(_, key)| {
        let tag = Tag::ContextSpecific { constructed: false, number: TagNumber::N0 };
        info.identifier.tag() == tag && info.identifier.value() == key.0.as_bytes()
    });
    if found == by_name || by_key {
        return Ok(());
    }
    Err(StampError::Field { what, found: hex::encode(found), expected: hex::encode(by_name) })
}

/// The ways in which this signature may have been made. Which of them depends on the key's type as well.
fn algorithms(
    algorithm: AlgorithmIdentifierRef<'_>,
    digest: HashAlgorithm,
) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>, StampError> {
    let plain = algorithm.parameters.is_none_or(AnyRef::is_null);
    let oid = algorithm.oid.to_string();
    Ok(match (oid.as_str(), digest) {
        (RSA | RSA_SHA256, HashAlgorithm::Sha256) if plain => vec![ring::RSA_PKCS1_2048_8192_SHA256],
        (RSA | RSA_SHA384, HashAlgorithm::Sha384) if plain => vec![ring::RSA_PKCS1_2048_8192_SHA384],
        (RSA | RSA_SHA512, HashAlgorithm::Sha512) if plain => vec![ring::RSA_PKCS1_2048_8192_SHA512],
        (ECDSA_SHA256, HashAlgorithm::Sha256) if plain => vec![ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA256],
        (ECDSA_SHA384, HashAlgorithm::Sha384) if plain => vec![ring::ECDSA_P384_SHA384, ring::ECDSA_P256_SHA384],
        _ => {
            return Err(StampError::Algorithm {
                what: "signature algorithm",
                found: format!("{} over {digest}", described(algorithm)),
                expected: "RSA PKCS #1 v1.5 with SHA-256, SHA-384 or SHA-512, ECDSA with SHA-256 or SHA-384, \
                           each with the same hash as the content",
            });
        }
    })
}

fn signature(
    certificate: &[u8],
    signed: &[u8],
    signature: &[u8],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), String> {
    let certificate = CertificateDer::from(certificate);
    let leaf = EndEntityCert::try_from(&certificate).map_err(|error| error.to_string())?;
    let mut reason = String::new();
    for algorithm in algorithms {
        match leaf.verify_signature(*algorithm, signed, signature) {
            Ok(()) => return Ok(()),
            Err(error @ webpki::Error::InvalidSignatureForPublicKey) => return Err(error.to_string()),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}
