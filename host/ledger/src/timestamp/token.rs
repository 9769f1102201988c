//! The envelope of a token: a CMS `SignedData` (RFC 5652, 5) with a `TSTInfo` in it and one signer.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Encode as _, Reader as _, Sequence, SliceReader, Tag, TagNumber, Tagged as _};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::asn1::{content, elements, tagged};
use super::hash::described;
use super::query::ContentInfo;
use super::{HashAlgorithm, StampError};

/// `id-signedData`.
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// `id-ct-TSTInfo`.
pub(super) const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// The parts of a token that its check needs, as their exact bytes.
pub(super) struct Token<'a> {
    /// DER of the `TSTInfo`, which the signed attributes hold the hash of.
    pub(super) content: &'a [u8],
    /// The certificates that came with it. Nothing vouches for them, not even for their order.
    pub(super) certificates: Vec<&'a [u8]>,
    /// What its signer hashed the content and the signed attributes with.
    pub(super) digest_algorithm: HashAlgorithm,
    /// Its only signer.
    pub(super) signer: SignerInfo<'a>,
}

/// `SignerInfo`, without its unsigned attributes.
pub(super) struct SignerInfo<'a> {
    /// `SignerIdentifier`: issuer and serial number, or `[0]` and a key identifier.
    pub(super) identifier: AnyRef<'a>,
    digest_algorithm: AlgorithmIdentifierRef<'a>,
    /// The content of the SET OF.
    attributes: &'a [u8],
    pub(super) signature_algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: &'a [u8],
}

struct SignedData<'a> {
    version: u8,
    digest_algorithms: &'a [u8],
    encapsulated: EncapsulatedContentInfo<'a>,
    certificates: &'a [u8],
    signers: &'a [u8],
}

#[derive(Sequence)]
struct EncapsulatedContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<OctetStringRef<'a>>,
}

impl<'a> Token<'a> {
    pub(super) fn read(token: &'a [u8]) -> Result<Self, StampError> {
        let ContentInfo { content_type, content } =
            ContentInfo::from_der(token).map_err(StampError::malformed("token"))?;
        expect("token's content type", content_type, SIGNED_DATA)?;
        let data = content.sequence(SignedData::read).map_err(StampError::malformed("SignedData"))?;
        // 3, because the content isn't `id-data`; more where there are certificates of kinds that aren't X.509.
        if !(3..=5).contains(&data.version) {
            let (found, expected) = (data.version.to_string(), "3".to_owned());
            return Err(StampError::Field { what: "SignedData version", found, expected });
        }
        expect("content type", data.encapsulated.content_type, TST_INFO)?;
        let content = data.encapsulated.content.ok_or(StampError::Count { what: "contents", found: 0 })?;
        let signers = elements(data.signers).map_err(StampError::malformed("SignerInfos"))?;
        let &[signer] = signers.as_slice() else {
            return Err(StampError::Count { what: "signers", found: signers.len() });
        };
        let signer = SignerInfo::read(signer)?;
        let digest_algorithm = HashAlgorithm::read("signer's digest algorithm", signer.digest_algorithm)?;
        data.lists(digest_algorithm)?;
        Ok(Self {
            content: content.as_bytes(),
            certificates: elements(data.certificates).map_err(StampError::malformed("certificates"))?,
            digest_algorithm,
            signer,
        })
    }
}

impl<'a> SignedData<'a> {
    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        let version = reader.decode()?;
        let digest_algorithms = content(reader, Tag::Set)?;
        let encapsulated = reader.decode()?;
        let certificates = tagged(reader, TagNumber::N0)?.unwrap_or_default();
        // Revocation lists: whoever cut them off or exchanged them would go unnoticed, so they can't be relied on.
        tagged(reader, TagNumber::N1)?;
        let signers = content(reader, Tag::Set)?;
        Ok(Self { version, digest_algorithms, encapsulated, certificates, signers })
    }

    /// That the signer's hash is among those that the token lists for readers who want to hash while they read: a reader
    /// who does would otherwise refuse what is accepted here.
    fn lists(&self, expected: HashAlgorithm) -> Result<(), StampError> {
        let what = "digest algorithms";
        let listed = elements(self.digest_algorithms)
            .and_then(|list| list.into_iter().map(AlgorithmIdentifierRef::from_der).collect::<der::Result<Vec<_>>>());
        let listed = listed.map_err(StampError::malformed(what))?;
        if listed.iter().any(|listed| expected.is(*listed)) {
            return Ok(());
        }
        let found: Vec<String> = listed.into_iter().map(described).collect();
        Err(StampError::Field { what, found: found.join(", "), expected: expected.oid().to_string() })
    }
}

impl<'a> SignerInfo<'a> {
    fn read(signer: &'a [u8]) -> Result<Self, StampError> {
        let malformed = StampError::malformed("SignerInfo");
        let signer = AnyRef::from_der(signer).map_err(&malformed)?;
        let (version, signer) = signer.sequence(Self::fields).map_err(malformed)?;
        // 1 where the signer is identified by issuer and serial number, 3 where by its key.
        let expected = if signer.identifier.tag() == Tag::Sequence { 1 } else { 3 };
        if version != expected {
            let (found, expected) = (version.to_string(), expected.to_string());
            return Err(StampError::Field { what: "SignerInfo version", found, expected });
        }
        Ok(signer)
    }

    fn fields(reader: &mut SliceReader<'a>) -> der::Result<(u8, Self)> {
        let version = reader.decode()?;
        let signer = Self {
            identifier: reader.decode()?,
            digest_algorithm: reader.decode()?,
            attributes: tagged(reader, TagNumber::N0)?.unwrap_or_default(),
            signature_algorithm: reader.decode()?,
            signature: reader.decode::<OctetStringRef<'a>>()?.as_bytes(),
        };
        // Unsigned attributes.
        tagged(reader, TagNumber::N1)?;
        Ok((version, signer))
    }

    /// What the signature is over: the signed attributes, with the tag of the SET OF that they are instead of `[0]`
    /// (RFC 5652, 5.4).
    pub(super) fn signed(&self) -> Result<Vec<u8>, StampError> {
        let set = AnyRef::new(Tag::Set, self.attributes).and_then(|set| set.to_der());
        set.map_err(StampError::malformed("signed attributes"))
    }

    /// The value of a signed attribute; none where it isn't there.
    ///
    /// # Errors
    /// If it is there twice, or hasn't exactly one value: which one is meant couldn't be told.
    pub(super) fn attribute(
        &self,
        what: &'static str,
        wanted: ObjectIdentifier,
    ) -> Result<Option<&'a [u8]>, StampError> {
        let malformed = StampError::malformed("signed attributes");
        let mut values = Vec::new();
        let mut count = 0;
        for attribute in elements(self.attributes).map_err(&malformed)? {
            let attribute = AnyRef::from_der(attribute).map_err(&malformed)?;
            let (kind, set): (ObjectIdentifier, _) =
                attribute.sequence(|reader| Ok((reader.decode()?, content(reader, Tag::Set)?))).map_err(&malformed)?;
            if kind == wanted {
                values.extend(elements(set).map_err(&malformed)?);
                count += 1;
            }
        }
        match values.as_slice() {
            [] if count == 0 => Ok(None),
            &[value] if count == 1 => Ok(Some(value)),
            _ => Err(StampError::Count { what, found: if count == 1 { values.len() } else { count } }),
        }
    }
}

pub(super) fn expect(
    what: &'static str,
    found: ObjectIdentifier,
    expected: ObjectIdentifier,
) -> Result<(), StampError> {
    if found == expected {
        return Ok(());
    }
    Err(StampError::Field { what, found: found.to_string(), expected: expected.to_string() })
}
