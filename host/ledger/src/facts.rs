//! What stays readable for ever: the facts of an entry, free of personal data.
//!
//! The entry holds them as exact JSON bytes. The structs here write them in one fixed order and read them back; a
//! reader ignores keys that it doesn't know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Timestamp};

/// The facts of a `decision` entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionFacts {
    /// Whose case it was.
    pub tenant: String,
    /// The AI system that the case came from, if any.
    pub system: Option<String>,
    /// Where it runs, e.g. `production`.
    pub environment: String,
    /// `allow`, `warn`, `review` or `block`.
    pub verdict: String,
    /// The code of what decided, e.g. `KILL_SWITCH_ACTIVE`.
    pub reason: String,
    /// The weighted risk, 0 to 10; finite.
    pub risk_score: f64,
    /// How sure the agents were, 0 to 1; finite.
    pub confidence: f64,
    /// When what is judged happened.
    pub occurred_at: Timestamp,
    /// The date whose rules applied.
    pub rules_as_of: Timestamp,
    /// The hash of the snapshot that judged.
    pub snapshot: Digest,
    /// Each plugin that ran, in the order in which it was bound.
    pub plugins: Vec<PluginFact>,
    /// The hash of the engine's configuration.
    pub engine: Digest,
    /// Whether the kill switch decided, so that no plugin ran.
    pub kill_switch: bool,
    /// The earlier decision on the same case that this one rules anew, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub re_evaluates: Option<ReEvaluationFact>,
}

/// Which decision is ruled anew. Who asked for it, and in which words, stands in the record: it may name a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReEvaluationFact {
    /// The earlier decision.
    pub id: String,
    /// Its entry.
    pub seq: u64,
    /// Its entry's hash.
    pub entry_hash: Digest,
    /// Why, e.g. `court_order`.
    pub reason: String,
}

/// A plugin that took part in a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFact {
    /// `namespace/name`.
    pub package: String,
    /// Its version (semver); none where no version was found to run.
    pub version: Option<String>,
    /// SHA-256 of its component; none where no version was found to run.
    pub digest: Option<Digest>,
    /// How its call ended, e.g. `ok`, `trapped`, `out_of_fuel`.
    pub status: String,
    /// Whether the decision heeded it, where a trial (shadow, canary) decided that. Left out everywhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<bool>,
}

/// The facts of every other entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdministrativeFacts {
    /// Whose it is; none for what belongs to the whole host.
    pub tenant: Option<String>,
    /// The hash of what the entry is about, where it has one that says nothing about a person: a component's digest, a
    /// policy's hash.
    pub subject_digest: Option<Digest>,
    /// Anything else worth reading for ever, e.g. `version`, `scope`, `event`.
    pub details: BTreeMap<String, String>,
}

/// The part that the facts of every entry have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CommonFacts {
    /// Whose it is; none for what belongs to the whole host.
    #[serde(default)]
    pub tenant: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_read_back_to_the_bit() {
        let facts = DecisionFacts {
            tenant: "acme".into(),
            system: None,
            environment: "production".into(),
            verdict: "review".into(),
            reason: "RISK_THRESHOLD".into(),
            risk_score: 0.1 + 0.2,
            confidence: 1.0 / 3.0,
            occurred_at: Timestamp::default(),
            rules_as_of: Timestamp::MAX,
            snapshot: Digest::of(b"snapshot"),
            plugins: vec![],
            engine: Digest::ZERO,
            kill_switch: false,
            re_evaluates: None,
        };
        let json = serde_json::to_vec(&facts).unwrap();
        let back: DecisionFacts = serde_json::from_slice(&json).unwrap();
        assert_eq!(back.risk_score.to_bits(), facts.risk_score.to_bits());
        assert_eq!(back, facts);
        assert_eq!(serde_json::to_vec(&back).unwrap(), json);
    }
}
