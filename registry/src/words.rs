//! The closed vocabularies of a manifest: what a package is, which contract it speaks, what it may plan.

use std::fmt;

/// The text isn't a word of the vocabulary that stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} isn't a {what} (known: {})", known.join(", "))]
pub struct UnknownWord {
    /// What was expected, e.g. `kind`.
    pub what: &'static str,
    /// The text that stood there.
    pub found: String,
    /// All words that could stand there.
    pub known: &'static [&'static str],
}

// One list per vocabulary, from which parsing, printing and both directions of serde follow: they can't disagree.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// How all of them are written.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// How it's written in manifests, records and addresses.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord { what: $what, found: text.to_owned(), known: Self::WORDS }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// What a plugin is for: which of the contract's worlds it implements.
    Kind, "kind" {
        /// Says how risky a case is.
        RiskAgent = "risk-agent",
        /// Says what a rule demands for a case.
        ComplianceRule = "compliance-rule",
        /// Plans what should follow from a decision.
        Action = "action",
    }
}

vocabulary! {
    /// A frozen version of the contract between host and plugins (`wit/`).
    Contract, "contract" {
        /// `assize:plugin@1.0.0`.
        V1_0_0 = "1.0.0",
        /// `assize:plugin@1.1.0`: a plugin may abstain.
        V1_1_0 = "1.1.0",
    }
}

vocabulary! {
    /// What an action may plan (variant `effect` of the contract's interface `planner`).
    EffectKind, "effect" {
        /// Tell someone.
        Alert = "alert",
        /// Call an address.
        Webhook = "webhook",
        /// Change a setting of the governed application.
        Adjust = "adjust",
        /// Put a rule in force for a while.
        CreateRule = "create-rule",
        /// Switch a binding off.
        DisableRule = "disable-rule",
        /// Bring in people.
        Escalate = "escalate",
        /// Any other action of the governed application.
        Perform = "perform",
    }
}

impl Kind {
    /// The interface of `assize:plugin` that a plugin of this kind exports.
    pub const fn interface(self) -> &'static str {
        match self {
            Self::RiskAgent => "assessor",
            Self::ComplianceRule => "adjudicator",
            Self::Action => "planner",
        }
    }

    /// The kind whose interface this is.
    pub fn of_interface(interface: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.interface() == interface)
    }
}

impl Contract {
    /// The newest contract that this host knows.
    pub const NEWEST: Self = Self::V1_1_0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_text_and_json() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(serde_json::from_value::<Kind>(kind.as_str().into()).unwrap(), *kind);
            assert_eq!(Kind::of_interface(kind.interface()), Some(*kind));
        }
        for effect in EffectKind::ALL {
            assert_eq!(effect.as_str().parse(), Ok(*effect));
        }
    }

    #[test]
    fn an_unknown_word_names_the_known_ones() {
        let error = "risk".parse::<Kind>().unwrap_err().to_string();
        assert_eq!(error, r#""risk" isn't a kind (known: risk-agent, compliance-rule, action)"#);
    }
}
