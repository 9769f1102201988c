//! Versions as text. A decision writes some twenty of them, and by way of `Display` that was 17,000 of its 780,000 instructions.

use semver::Version;
use serde::{Serialize, Serializer};

/// Three numbers of up to twenty digits, and the points between them.
const LONGEST: usize = 62;

/// `version` as text, as `Display` writes it.
pub fn version_text(version: &Version) -> String {
    match plain(version, &mut [0; LONGEST]) {
        Some(text) => text.to_owned(),
        None => version.to_string(),
    }
}

/// A version that serde writes as it does by itself, and faster.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a>(pub &'a Version);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match plain(self.0, &mut [0; LONGEST]) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(self.0),
        }
    }
}

/// [`Written`], for `serialize_with`.
///
/// # Errors
/// The serializer's.
pub fn serialize_version<S: Serializer>(version: &Option<Version>, serializer: S) -> Result<S::Ok, S::Error> {
    version.as_ref().map(Written).serialize(serializer)
}

/// The text of a version that is three numbers and nothing else.
fn plain<'b>(version: &Version, buffer: &'b mut [u8; LONGEST]) -> Option<&'b str> {
    if !version.pre.is_empty() || !version.build.is_empty() {
        return None;
    }
    // From behind, since that is where a number's digits come from.
    let mut start = LONGEST;
    let mut put = |byte: u8| {
        start = start.checked_sub(1)?;
        *buffer.get_mut(start)? = byte;
        Some(())
    };
    for (number, point) in [(version.patch, true), (version.minor, true), (version.major, false)] {
        let mut rest = number;
        loop {
            put(b'0' + u8::try_from(rest % 10).ok()?)?;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if point {
            put(b'.')?;
        }
    }
    std::str::from_utf8(buffer.get(start..)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use semver::{BuildMetadata, Prerelease, Version};

    use super::{serialize_version, version_text};

    #[derive(serde::Serialize)]
    struct Both {
        #[serde(serialize_with = "serialize_version")]
        ours: Option<Version>,
        serdes: Option<Version>,
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(u64::MAX), 0..1_000_u64, any::<u64>()]
    }

    proptest! {
        #[test]
        fn versions_are_written_as_they_always_were(
            major in number(), minor in number(), patch in number(),
            pre in "(|rc\\.[1-9]|alpha)", build in "(|[0-9a-f]{7})",
        ) {
            let (pre, build) = (Prerelease::new(&pre).unwrap(), BuildMetadata::new(&build).unwrap());
            let version = Version { major, minor, patch, pre, build };
            prop_assert_eq!(version_text(&version), version.to_string());
            let both = Both { ours: Some(version.clone()), serdes: Some(version) };
            let written = serde_json::to_value(&both).unwrap();
            prop_assert_eq!(&written["ours"], &written["serdes"]);
        }
    }

    #[test]
    fn no_version_is_null() {
        let written = serde_json::to_string(&Both { ours: None, serdes: None }).unwrap();
        assert_eq!(written, r#"{"ours":null,"serdes":null}"#);
    }
}
