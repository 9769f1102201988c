//! Whom to believe, and whether a chain leads there.

use der::Decode as _;
use der::asn1::ObjectIdentifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage as KeyUsageExtension};

use crate::{Digest, Timestamp};

use super::StampError;
use super::signer::Signer;

/// `id-kp-timeStamping`.
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// The same, as DER writes it without tag and length.
const TIME_STAMPING_DER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// The authorities that are believed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    roots: Vec<Root>,
    others: Vec<Vec<u8>>,
    pinned: Option<Vec<Digest>>,
    policies: Option<Vec<String>>,
}

/// A certificate that is believed as such, while it is valid.
#[derive(Debug, Clone)]
struct Root {
    der: CertificateDer<'static>,
    validity: Validity,
}

/// A certificate's first and last second.
#[derive(Debug, Clone, Copy)]
struct Validity {
    from: Timestamp,
    to: Timestamp,
}

impl Trust {
    /// Reads PEM. A certificate that names itself as its issuer is a root; the others may complete a chain, or be that
    /// of a signer whose tokens come without it, and aren't believed by themselves.
    pub fn from_pem(pem: &[u8]) -> Result<Self, StampError> {
        let mut certificates = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let certificate =
                certificate.map_err(|error| StampError::Trusted { number: index + 1, reason: error.to_string() })?;
            certificates.push(certificate.to_vec());
        }
        Self::from_der(certificates)
    }

    /// As [`Trust::from_pem`], from the DER of each certificate.
    pub fn from_der(certificates: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, StampError> {
        let mut trust = Self::default();
        for (index, der) in certificates.into_iter().enumerate() {
            let bad = |reason: String| StampError::Trusted { number: index + 1, reason };
            let certificate = Certificate::from_der(&der).map_err(|error| bad(error.to_string()))?;
            if certificate.tbs_certificate.issuer != certificate.tbs_certificate.subject {
                trust.others.push(der);
                continue;
            }
            let root = Root { der: CertificateDer::from(der), validity: Validity::of(&certificate) };
            anchor_from_trusted_cert(&root.der).map_err(|error| bad(error.to_string()))?;
            trust.roots.push(root);
        }
        if trust.roots.is_empty() {
            return Err(StampError::NoRoot { found: trust.others.len() });
        }
        Ok(trust)
    }

    /// Only signers whose certificate has one of these SHA-256 hashes. (A name would be of no use: anybody can make a
    /// certificate with it, and put that beside the signer's.)
    #[must_use]
    pub fn pinned(self, signers: Vec<Digest>) -> Self {
        Self { pinned: Some(signers), ..self }
    }

    /// Only tokens under one of these policies, as OIDs with dots.
    #[must_use]
    pub fn policies(self, policies: Vec<String>) -> Self {
        Self { policies: Some(policies), ..self }
    }

    pub(super) fn others(&self) -> &[Vec<u8>] {
        &self.others
    }

    /// That this authority may stamp, under this policy.
    pub(super) fn allows(&self, signer: Digest, policy: &str) -> Result<(), StampError> {
        if let Some(expected) = self.pinned.as_ref().filter(|pinned| !pinned.contains(&signer)) {
            return Err(StampError::NotPinned { found: signer, expected: expected.clone() });
        }
        if let Some(expected) = self.policies.as_ref().filter(|policies| !policies.iter().any(|one| one == policy)) {
            return Err(StampError::Policy { found: policy.to_owned(), expected: expected.clone() });
        }
        Ok(())
    }

    /// The certificates from the signer's to a root's, all of them valid when the token was made.
    pub(super) fn chain(
        &self,
        signer: &Signer<'_>,
        embedded: &[&[u8]],
        gen_time: Timestamp,
    ) -> Result<Vec<Vec<u8>>, StampError> {
        purpose(signer)?;
        let validity = Validity::of(&signer.certificate);
        if !validity.holds_at(gen_time) {
            let Validity { from, to } = validity;
            return Err(StampError::Validity { certificate: signer.subject.clone(), found: gen_time, from, to });
        }
        let roots: Vec<&Root> = self.roots.iter().filter(|root| root.validity.holds_at(gen_time)).collect();
        let no_chain =
            |reason: String| StampError::Chain { signer: signer.subject.clone(), gen_time, roots: roots.len(), reason };
        let anchors: Result<Vec<TrustAnchor<'_>>, _> =
            roots.iter().map(|root| anchor_from_trusted_cert(&root.der)).collect();
        let anchors = anchors.map_err(|error| no_chain(error.to_string()))?;
        let others = embedded.iter().copied().chain(self.others.iter().map(Vec::as_slice));
        let others: Vec<CertificateDer<'_>> = others.map(CertificateDer::from).collect();
        let leaf = CertificateDer::from(signer.der);
        let leaf = EndEntityCert::try_from(&leaf).map_err(|error| no_chain(error.to_string()))?;
        let path = leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &others,
            UnixTime::since_unix_epoch(std::time::Duration::from_millis(gen_time.as_millis())),
            // An issuer needn't be restricted to purposes; where it is, this must be one of them.
            KeyUsage::required_if_present(TIME_STAMPING_DER),
            None,
            None,
        );
        let path = path.map_err(|error| no_chain(error.to_string()))?;
        issuers_sign_certificates(&path)?;
        let root = roots.iter().zip(&anchors).find(|(_, anchor)| *anchor == path.anchor()).map(|(root, _)| &root.der);
        let issuers = path.intermediate_certificates().map(webpki::Cert::der);
        let chain = std::iter::once(CertificateDer::from(signer.der)).chain(issuers).chain(root.cloned());
        Ok(chain.map(|certificate| certificate.to_vec()).collect())
    }
}

/// The signer's certificate is for time stamping, for nothing else, and says so critically (RFC 3161, 2.3).
fn purpose(signer: &Signer<'_>) -> Result<(), StampError> {
    let tbs = &signer.certificate.tbs_certificate;
    let malformed = StampError::malformed("extensions of the signer's certificate");
    let usage = tbs.get::<ExtendedKeyUsage>().map_err(&malformed)?;
    if !usage.as_ref().is_some_and(|(critical, usage)| *critical && usage.0 == [TIME_STAMPING]) {
        let found = usage.map_or_else(
            || "none".to_owned(),
            |(critical, usage)| {
                let purposes: Vec<String> = usage.0.iter().map(ToString::to_string).collect();
                format!("{}critical {}", if critical { "" } else { "not " }, purposes.join(", "))
            },
        );
        return Err(StampError::ExtendedKeyUsage { signer: signer.subject.clone(), found });
    }
    match tbs.get::<KeyUsageExtension>().map_err(malformed)? {
        Some((_, usage)) if !usage.digital_signature() && !usage.non_repudiation() => Err(StampError::KeyUsage {
            certificate: signer.subject.clone(),
            found: format!("{:?}", usage.0),
            expected: "digitalSignature or nonRepudiation",
        }),
        _ => Ok(()),
    }
}

/// What the path's check leaves out: that the key of each issuer in between is for signing certificates.
fn issuers_sign_certificates(path: &VerifiedPath<'_>) -> Result<(), StampError> {
    for issuer in path.intermediate_certificates() {
        let malformed = StampError::malformed("issuer's certificate");
        let der = issuer.der();
        let certificate = Certificate::from_der(&der).map_err(&malformed)?;
        let usage = certificate.tbs_certificate.get::<KeyUsageExtension>().map_err(malformed)?;
        if let Some((_, usage)) = usage.filter(|(_, usage)| !usage.key_cert_sign()) {
            return Err(StampError::KeyUsage {
                certificate: certificate.tbs_certificate.subject.to_string(),
                found: format!("{:?}", usage.0),
                expected: "keyCertSign",
            });
        }
    }
    Ok(())
}

impl Validity {
    /// 9999-12-31T23:59:59Z, which means that there is no end, becomes the last moment that a [`Timestamp`] has.
    fn of(certificate: &Certificate) -> Self {
        let moment = |time: x509_cert::time::Time| {
            let millis = u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
        };
        let validity = certificate.tbs_certificate.validity;
        Self { from: moment(validity.not_before), to: moment(validity.not_after) }
    }

    /// The whole of the last second is part of it.
    const fn holds_at(self, moment: Timestamp) -> bool {
        self.from.as_millis() <= moment.as_millis() && moment.as_millis() / 1_000 <= self.to.as_millis() / 1_000
    }
}
