//! Where a system runs: it decides which thresholds hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a system runs (BTV-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Environment {
    Development,
    Staging,
    Production,
}

/// Not one of the three environments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown environment {0:?}: use development, staging or production")]
pub struct UnknownEnvironment(pub String);

impl Environment {
    /// All of them, from the most to the least permissive.
    pub const ALL: [Self; 3] = [Self::Development, Self::Staging, Self::Production];

    /// `development`, `staging` or `production`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| UnknownEnvironment(text.to_owned()))
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
