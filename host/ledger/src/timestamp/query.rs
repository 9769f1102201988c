//! What an authority is asked, and what it answers.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::Digest;

use super::{HashAlgorithm, StampError};

/// A request for a token (RFC 3161, 2.4.1) for one message, under any policy, with the signer's certificate in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    imprint: Digest,
    nonce: u64,
}

/// `MessageImprint`.
#[derive(Sequence)]
pub(super) struct MessageImprint<'a> {
    pub(super) hash_algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) hashed_message: OctetStringRef<'a>,
}

/// `TimeStampReq` without the fields that are never sent: `reqPolicy`, `extensions`.
#[derive(Sequence)]
struct TimeStampReq<'a> {
    version: u8,
    message_imprint: MessageImprint<'a>,
    nonce: u64,
    cert_req: bool,
}

/// `TimeStampResp`.
#[derive(Sequence)]
struct TimeStampResp<'a> {
    status: PkiStatusInfo<'a>,
    #[asn1(optional = "true")]
    time_stamp_token: Option<ContentInfo<'a>>,
}

/// `PKIStatusInfo`; `statusString` is a sequence of UTF-8 strings.
#[derive(Sequence)]
struct PkiStatusInfo<'a> {
    status: u8,
    #[asn1(optional = "true")]
    status_string: Option<Vec<String>>,
    #[asn1(optional = "true")]
    fail_info: Option<BitStringRef<'a>>,
}

/// `ContentInfo`: what a token is.
#[derive(Sequence)]
pub(super) struct ContentInfo<'a> {
    pub(super) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) content: AnyRef<'a>,
}

impl Query {
    /// The media type to send it as.
    pub const MEDIA_TYPE: &'static str = "application/timestamp-query";
    /// The media type of what [`super::accept`] reads.
    pub const RESPONSE_MEDIA_TYPE: &'static str = "application/timestamp-reply";

    /// Asks to stamp the message with this hash. The nonce is random: it tells the answer from that to an earlier query.
    pub const fn new(imprint: Digest, nonce: u64) -> Self {
        Self { imprint, nonce }
    }

    /// The hash of the message.
    pub const fn imprint(&self) -> Digest {
        self.imprint
    }

    /// What the token must repeat.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The bytes to send.
    pub fn to_der(&self) -> Result<Vec<u8>, StampError> {
        let malformed = StampError::malformed("query");
        let request = TimeStampReq {
            version: 1,
            message_imprint: MessageImprint {
                hash_algorithm: AlgorithmIdentifierRef {
                    oid: HashAlgorithm::Sha256.oid(),
                    parameters: Some(AnyRef::NULL),
                },
                hashed_message: OctetStringRef::new(self.imprint.as_bytes()).map_err(&malformed)?,
            },
            nonce: self.nonce,
            cert_req: true,
        };
        request.to_der().map_err(malformed)
    }

    /// The content of the nonce's INTEGER.
    pub(super) fn nonce_bytes(&self) -> Vec<u8> {
        let bytes = self.nonce.to_be_bytes();
        let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
        let bytes = bytes.get(zeros..).unwrap_or_default();
        // A first bit that is set would make the number negative.
        let sign = bytes.first().is_some_and(|byte| *byte >= 0x80).then_some(0);
        sign.into_iter().chain(bytes.iter().copied()).collect()
    }
}

/// The token in a response, as its exact bytes, if the authority granted one.
pub(super) fn granted(response: &[u8]) -> Result<Vec<u8>, StampError> {
    let malformed = StampError::malformed("response");
    let TimeStampResp { status, time_stamp_token } = TimeStampResp::from_der(response).map_err(&malformed)?;
    let found = status.status;
    if found > 1 {
        let mut text = status.status_string.unwrap_or_default().join("; ");
        if let Some(fail_info) = status.fail_info {
            text.push_str(if text.is_empty() { "failInfo " } else { "; failInfo " });
            text.push_str(&hex::encode(fail_info.raw_bytes()));
        }
        return Err(StampError::Refused { found, text });
    }
    let token = time_stamp_token.ok_or(StampError::NoToken { status: found })?;
    // DER has one way to write a structure: these are the bytes that were read.
    token.to_der().map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_written_as_der_writes_it() {
        for nonce in [0, 1, 0x7f, 0x80, 0xff, 0x0123_4567, 0x8000_0000, u64::MAX >> 1, u64::MAX] {
            let written = nonce.to_der().unwrap();
            assert_eq!(Query::new(Digest::ZERO, nonce).nonce_bytes(), written[2..], "{nonce:x}");
        }
    }
}
