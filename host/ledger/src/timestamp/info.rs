//! What a token says: `TSTInfo` (RFC 3161, 2.4.2).

use der::asn1::{AnyRef, IntRef, ObjectIdentifier};
use der::{Decode as _, Sequence, Tag, Tagged as _};
use x509_cert::ext::Extensions;

use crate::Timestamp;

use super::query::MessageImprint;
use super::{HashAlgorithm, Imprint, StampError};

/// As it is written. Not read by a ready-made type: `genTime` may have a fraction of a second, which X.509's can't.
#[derive(Sequence)]
struct TstInfo<'a> {
    version: u8,
    policy: ObjectIdentifier,
    message_imprint: MessageImprint<'a>,
    serial_number: IntRef<'a>,
    gen_time: AnyRef<'a>,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordering: bool,
    #[asn1(optional = "true")]
    nonce: Option<IntRef<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    tsa: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

/// Seconds, thousandths and millionths, which add up.
#[derive(Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// What was understood of it.
pub(super) struct Info {
    pub(super) policy: String,
    pub(super) imprint: Imprint,
    pub(super) serial: String,
    pub(super) gen_time: Timestamp,
    pub(super) accuracy_ms: Option<u64>,
    /// The content of its INTEGER.
    pub(super) nonce: Option<Vec<u8>>,
}

impl Info {
    /// Reads it strictly; what would have to be understood and isn't is refused.
    pub(super) fn read(content: &[u8]) -> Result<Self, StampError> {
        let malformed = StampError::malformed("TSTInfo");
        let info = TstInfo::from_der(content).map_err(&malformed)?;
        if info.version != 1 {
            let (found, expected) = (info.version.to_string(), "1".to_owned());
            return Err(StampError::Field { what: "TSTInfo version", found, expected });
        }
        if let Some(extension) = info.extensions.iter().flatten().find(|extension| extension.critical) {
            return Err(StampError::CriticalExtension { of: "TSTInfo", found: extension.extn_id.to_string() });
        }
        Ok(Self {
            policy: info.policy.to_string(),
            imprint: Imprint {
                algorithm: HashAlgorithm::read("message imprint", info.message_imprint.hash_algorithm)?,
                hash: info.message_imprint.hashed_message.as_bytes().to_vec(),
            },
            serial: integer(info.serial_number.as_bytes()),
            gen_time: gen_time(info.gen_time)?,
            accuracy_ms: info.accuracy.as_ref().map(Accuracy::millis).transpose()?,
            nonce: info.nonce.map(|nonce| nonce.as_bytes().to_vec()),
        })
    }
}

impl Accuracy {
    /// In milliseconds, and never better than it is written.
    fn millis(&self) -> Result<u64, StampError> {
        let part = |what, number: Option<u16>| match number {
            Some(found) if !(1..=999).contains(&found) => {
                Err(StampError::Field { what, found: found.to_string(), expected: "1 to 999".to_owned() })
            }
            number => Ok(u64::from(number.unwrap_or_default())),
        };
        let micros = part("microseconds of the accuracy", self.micros)?;
        let millis = part("milliseconds of the accuracy", self.millis)?;
        Ok(u64::from(self.seconds.unwrap_or_default()) * 1_000 + millis + micros.div_ceil(1_000))
    }
}

/// The hexadecimal digits of an INTEGER: two for each byte of its magnitude, after `-` where it is negative.
pub(super) fn integer(content: &[u8]) -> String {
    match content {
        [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
        [first, ..] if *first >= 0x80 => {
            let mut magnitude = content.to_vec();
            let mut carry = true;
            for byte in magnitude.iter_mut().rev() {
                (*byte, carry) = (!*byte).overflowing_add(carry.into());
            }
            format!("-{}", hex::encode(magnitude))
        }
        _ => hex::encode(content),
    }
}

/// A `GeneralizedTime` as DER writes it: in UTC, with seconds, with a fraction only where it isn't zero and without
/// zeros at its end. A leap second is no moment that a [`Timestamp`] could be. Below a millisecond is cut off.
fn gen_time(element: AnyRef<'_>) -> Result<Timestamp, StampError> {
    let bad = || StampError::GenTime { found: String::from_utf8_lossy(element.value()).into_owned() };
    element.tag().assert_eq(Tag::GeneralizedTime).map_err(StampError::malformed("genTime"))?;
    let text = std::str::from_utf8(element.value()).map_err(|_| bad())?;
    let text = text.strip_suffix('Z').ok_or_else(bad)?;
    let (civil, fraction) = text.split_once('.').map_or((text, None), |(civil, fraction)| (civil, Some(fraction)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if civil.len() != 14 || !digits(civil) || fraction.is_some_and(|text| !digits(text) || text.ends_with('0')) {
        return Err(bad());
    }
    let number = |from: usize, to: usize| civil.get(from..to).and_then(|text| text.parse::<i8>().ok()).ok_or_else(bad);
    let year = i16::from(number(0, 2)?) * 100 + i16::from(number(2, 4)?);
    let (month, day, hour) = (number(4, 6)?, number(6, 8)?, number(8, 10)?);
    let moment = jiff::civil::DateTime::new(year, month, day, hour, number(10, 12)?, number(12, 14)?, 0);
    let moment = moment.and_then(|moment| jiff::tz::Offset::UTC.to_timestamp(moment)).map_err(|_| bad())?;
    let millis = fraction.unwrap_or_default().bytes().chain(*b"000").take(3);
    let millis = millis.fold(0, |millis, digit| millis * 10 + u64::from(digit - b'0'));
    let seconds = u64::try_from(moment.as_second()).map_err(|_| bad())?;
    Timestamp::from_millis(seconds * 1_000 + millis).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, StampError> {
        gen_time(AnyRef::new(Tag::GeneralizedTime, text.as_bytes()).unwrap()).map(|moment| moment.to_string())
    }

    #[test]
    fn a_time_may_have_a_fraction() {
        assert_eq!(read("20260601000000Z").unwrap(), "2026-06-01T00:00:00.000Z");
        assert_eq!(read("20260601000000.5Z").unwrap(), "2026-06-01T00:00:00.500Z");
        assert_eq!(read("20240229235959.0129Z").unwrap(), "2024-02-29T23:59:59.012Z");
    }

    #[test]
    fn a_time_that_der_would_not_write_is_refused() {
        for text in [
            "",
            "Z",
            "20260601000000",
            "202606010000Z",
            "2026060100000Z",
            "20260601000000.Z",
            "20260601000000.0Z",
            "20260601000000.50Z",
            "20260601000000.5.5Z",
            "20260601000000,5Z",
            "20260601000000+0100",
            "20260601000000Z ",
            "+026060100000Z",
            "20260631000000Z",
            "20250229000000Z",
            "20260601240000Z",
            "20161231235960Z",
            "19691231235959Z",
        ] {
            assert_eq!(read(text), Err(StampError::GenTime { found: text.to_owned() }));
        }
    }

    #[test]
    fn an_accuracy_is_never_better_than_written() {
        let millis = |seconds, millis, micros| Accuracy { seconds, millis, micros }.millis();
        assert_eq!(millis(Some(1), None, None), Ok(1_000));
        assert_eq!(millis(Some(1), Some(500), Some(100)), Ok(1_501));
        assert_eq!(millis(None, None, None), Ok(0));
        assert!(millis(None, Some(1_000), None).is_err());
        assert!(millis(None, None, Some(0)).is_err());
    }

    #[test]
    fn a_serial_number_is_written_as_its_magnitude() {
        assert_eq!(integer(&[0]), "00");
        assert_eq!(integer(&[4]), "04");
        assert_eq!(integer(&[0, 0xde, 0xad]), "dead");
        assert_eq!(integer(&[0xff]), "-01");
        assert_eq!(integer(&[0xde, 0xad, 0xbe, 0xef]), "-21524111");
    }
}
