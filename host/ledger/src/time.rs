//! Moments, in the one resolution that the contract and the ledger have.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since the Unix epoch, UTC; written as RFC 3339 with three decimals (`2026-06-01T00:00:00.000Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// The text is no RFC 3339 date-time, nor a date, of the years 1970 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time: {0:?} (expected RFC 3339 with an offset, e.g. 2026-06-01T00:00:00Z, or a date, e.g. 2026-06-01)")]
pub struct ParseTimestampError(String);

impl Timestamp {
    /// 9999-12-30T22:00:00.000Z, the last moment that RFC 3339 can write whatever the offset.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// From milliseconds since the epoch; none past [`Timestamp::MAX`].
    pub fn from_millis(millis: u64) -> Option<Self> {
        (millis <= Self::MAX.0).then_some(Self(millis))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// `2026-06-01T00:00:00.000Z`, which always has this length from 1970 to 9999.
    fn write(self, buffer: &mut [u8; 24]) -> Option<&str> {
        let moment = jiff::Timestamp::from_millisecond(i64::try_from(self.0).ok()?).ok()?;
        let civil = jiff::tz::Offset::UTC.to_datetime(moment);
        *buffer = *b"0000-00-00T00:00:00.000Z";
        let mut put = |end: usize, mut number: u16| {
            for digit in buffer.get_mut(..end).into_iter().flatten().rev() {
                if !digit.is_ascii_digit() || number == 0 {
                    break;
                }
                *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        put(4, civil.year().unsigned_abs());
        put(23, civil.millisecond().unsigned_abs());
        for (end, number) in
            [(7, civil.month()), (10, civil.day()), (13, civil.hour()), (16, civil.minute()), (19, civil.second())]
        {
            put(end, number.unsigned_abs().into());
        }
        std::str::from_utf8(buffer).ok()
    }

    /// The host's clock. Only what runs live may read it: a judgment takes its times as arguments.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(Self::MAX.0))
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseTimestampError(text.to_owned());
        let moment = text.parse::<jiff::Timestamp>().or_else(|_| {
            // A bare date is its first moment in UTC. (jiff would take a date-time without an offset for its date.)
            let bare = Some(text).filter(|text| text.len() == "2026-06-01".len()).ok_or_else(bad)?;
            let date = bare.parse::<jiff::civil::Date>().map_err(|_| bad())?;
            date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| bad())
        })?;
        u64::try_from(moment.as_millisecond()).ok().and_then(Self::from_millis).ok_or_else(bad)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write(&mut [0; 24]).ok_or(fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [0; 24];
        let text = self.write(&mut buffer).ok_or_else(|| S::Error::custom("a time that can't be written"))?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rfc3339;

        impl Visitor<'_> for Rfc3339 {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 date-time")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Rfc3339)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_moment() {
        let moment: Timestamp = "2025-02-02".parse().unwrap();
        assert_eq!(moment.to_string(), "2025-02-02T00:00:00.000Z");
        assert_eq!("2025-02-01T21:00:00-03:00".parse(), Ok(moment));
    }

    #[test]
    fn a_time_of_day_without_an_offset_is_refused() {
        for text in ["2025-02-02T12:00:00", "2025-02-02 12:00", "2025-02-02T12:00:00[UTC]x", "20250202"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_moment_can_be_written() {
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string().parse(), Ok(Timestamp::MAX));
    }

    #[test]
    fn is_written_as_jiff_writes_it() {
        for millis in (0..=Timestamp::MAX.0).step_by(8_640_123_457).chain([999, 1_000, 951_782_400_000]) {
            let moment = jiff::Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap();
            assert_eq!(Timestamp(millis).to_string(), format!("{moment:.3}"));
        }
    }

    #[test]
    fn refuses_what_it_cannot_write() {
        assert!("1969-12-31".parse::<Timestamp>().is_err());
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp::from_millis(u64::MAX), None);
    }
}
