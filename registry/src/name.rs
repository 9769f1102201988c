//! What packages are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// Longest namespace and longest name, in bytes. Together they still fit one file name and one table column.
const LONGEST_PART: usize = 64;

/// `namespace/name`, e.g. `eu/ai-act-prohibited`: two parts of `a` to `z`, `0` to `9` and inner hyphens, 1 to 64 bytes each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PackageName(String);

/// The text is no package name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no package name: {problem}")]
pub struct ParseNameError {
    /// The text.
    pub found: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl PackageName {
    /// The whole, `namespace/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Who publishes it.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// What it's called among its publisher's packages.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

fn problem(text: &str) -> Option<&'static str> {
    let Some((namespace, name)) = text.split_once('/') else {
        return Some("it has no namespace");
    };
    [namespace, name].into_iter().find_map(|part| {
        if part.is_empty() {
            Some("its namespace or its name is empty")
        } else if part.len() > LONGEST_PART {
            Some("its namespace or its name is longer than 64 characters")
        } else if !part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            Some("only a to z, 0 to 9, hyphens and one slash may stand in it")
        } else if part.starts_with('-') || part.ends_with('-') {
            Some("a part begins or ends with a hyphen")
        } else {
            None
        }
    })
}

impl FromStr for PackageName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl Serialize for PackageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl TryFrom<String> for PackageName {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match problem(&text) {
            Some(problem) => Err(ParseNameError { found: text, problem }),
            None => Ok(Self(text)),
        }
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

impl AsRef<str> for PackageName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_two_parts() {
        let name: PackageName = "eu/ai-act-prohibited".parse().unwrap();
        assert_eq!((name.namespace(), name.name()), ("eu", "ai-act-prohibited"));
    }

    #[test]
    fn what_could_be_mistaken_for_a_path_or_another_name_is_refused() {
        let long = format!("a/{}", "b".repeat(65));
        for text in ["", "a", "/", "a/", "/b", "a/b/c", "../b", "A/b", "a/b_c", "a/é", "a/-b", "a-/b", "a/b ", &long] {
            assert!(text.parse::<PackageName>().is_err(), "{text:?}");
            assert!(serde_json::from_value::<PackageName>(text.into()).is_err(), "{text:?}");
        }
    }
}
