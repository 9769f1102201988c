//! The words of the contract between host and plugins, free of any contract version.
//!
//! Their JSON form is what records keep: field order is fixed, so the same value always has the same bytes.

use assize_ledger::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is judged, with everything that may be considered in judging it. Its JSON bytes are the *input* that the
/// ledger commits to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// The decision's id (UUIDv7).
    pub id: String,
    /// What sort of thing is judged: `prompt`, `content`, `agent-action`, …
    pub kind: String,
    /// Whose case it is.
    pub tenant: String,
    /// The registered AI system that the case comes from.
    pub system: Option<String>,
    /// `development`, `staging` or `production`.
    pub environment: String,
    /// ISO 3166 codes and `EU`.
    pub jurisdictions: Vec<String>,
    /// E.g. an area of Annex III of the EU AI Act.
    pub sector: Option<String>,
    /// Who does …
    pub actor: Option<String>,
    /// … what …
    pub action: Option<String>,
    /// … to what, where the case is an action.
    pub resource: Option<String>,
    /// When the facts took place.
    pub occurred_at: Timestamp,
    /// The day whose law is applied.
    pub rules_as_of: Timestamp,
    /// The thing itself, byte for byte as the caller sent it.
    pub payload: Box<RawValue>,
    /// What the host added before judging.
    pub context: Box<RawValue>,
}

impl Case {
    /// What a guest's randomness is derived from: the case's id, times and contents. The same case gives the same
    /// bytes, on every machine and in every year.
    pub(crate) fn seed(&self) -> Digest {
        let mut bytes = Vec::with_capacity(self.payload.get().len() + self.context.get().len() + 128);
        for part in [self.id.as_str(), self.tenant.as_str(), self.payload.get(), self.context.get()] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(&self.occurred_at.as_millis().to_be_bytes());
        Digest::of(&bytes)
    }
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// Where in the payload a finding was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// JSON Pointer (RFC 6901) into the payload.
    pub pointer: String,
    /// Half-open range of bytes inside the string at `pointer`; none: the whole value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub span: Option<Span>,
}

/// A half-open range of bytes (UTF-8) inside a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// One reason for a score or a ruling, in words that a court can read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable and machine-readable, e.g. `PROMPT_INJECTION`.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// For people.
    pub message: String,
    /// Share of the score, in points of the scale 0 to 10; finite.
    pub contribution: f64,
    /// Where it was found.
    pub evidence: Vec<Evidence>,
    /// The norm behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub citation: Option<String>,
}

/// A risk agent's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assessment {
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// Why.
    pub findings: Vec<Finding>,
    /// Anything more for rules and records to read.
    pub attributes: Box<RawValue>,
}

/// From least to most restrictive: of several, the greatest holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Verdict {
    Allow,
    Warn,
    Review,
    Block,
}

impl Verdict {
    /// `allow`, `warn`, `review` or `block`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Review => "review",
            Self::Block => "block",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A compliance rule's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What the rule demands.
    pub verdict: Verdict,
    /// Stable and machine-readable.
    pub code: String,
    /// Why.
    pub findings: Vec<Finding>,
}

/// One agent's assessment, named, as rules and actions see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Opinion {
    /// Name of the binding that the agent ran for.
    pub binding: String,
    /// `namespace/name`.
    pub plugin: String,
    /// Semver.
    pub version: String,
    /// Its weight in its policy.
    pub weight: f64,
    /// What it said.
    pub assessment: Assessment,
}

/// What the risk agents say together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Risk {
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// In the order of the bindings.
    pub opinions: Vec<Opinion>,
}

/// One rule's ruling, named, as actions see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judgment {
    /// Name of the binding that the rule ran for.
    pub binding: String,
    /// `namespace/name`.
    pub plugin: String,
    /// Semver.
    pub version: String,
    /// What it said.
    pub ruling: Ruling,
}

/// What an action plans from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Of the whole decision.
    pub verdict: Verdict,
    /// The decision's reason code.
    pub reason: String,
    /// What the agents said.
    pub risk: Risk,
    /// What the rules said.
    pub judgments: Vec<Judgment>,
}

/// What an action plans. Data: the host carries it out, or not.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "body")]
#[allow(missing_docs)]
pub enum Effect {
    Alert { severity: Severity, title: String, body: String },
    Webhook { url: String, body: Box<RawValue> },
    Adjust { target: String, key: String, value: Box<RawValue> },
    CreateRule { plugin: String, settings: Box<RawValue>, lasts_seconds: u64 },
    DisableRule { binding: String },
    Escalate { severity: Severity },
    Perform { action: String, amount: Option<Money>, parameters: Box<RawValue> },
}

impl Effect {
    /// The name that a manifest's `effects.may` lists it by.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Alert { .. } => "alert",
            Self::Webhook { .. } => "webhook",
            Self::Adjust { .. } => "adjust",
            Self::CreateRule { .. } => "create-rule",
            Self::DisableRule { .. } => "disable-rule",
            Self::Escalate { .. } => "escalate",
            Self::Perform { .. } => "perform",
        }
    }

    /// What it says beside its kind, as JSON with fields in a fixed order.
    pub fn body(&self) -> serde_json::Result<Box<RawValue>> {
        #[derive(Deserialize)]
        struct Tagged {
            body: Box<RawValue>,
        }
        let tagged: Tagged = serde_json::from_str(&serde_json::to_string(self)?)?;
        Ok(tagged.body)
    }
}

/// A decimal amount with an ISO 4217 code; never a float.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Money {
    pub amount: String,
    pub currency: String,
}

/// Why a plugin gave no answer, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "failure", content = "message")]
#[allow(missing_docs)]
pub enum Failure {
    #[error("invalid settings: {0}")]
    InvalidSettings(String),
    #[error("invalid case: {0}")]
    InvalidCase(String),
    #[error("{0}")]
    Internal(String),
    /// Nothing failed: the case is none of the plugin's business. Since contract 1.1.0.
    #[error("abstains: {0}")]
    Abstains(String),
}
