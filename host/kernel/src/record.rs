//! The record of a decision: what is kept, hashed and shown.

use std::str::FromStr;

use assize_ledger::{DecisionFacts, Digest, PluginFact, ReEvaluationFact, Timestamp};
use assize_registry::{EffectKind, version_text};
use assize_sandbox::EngineId;
use assize_sandbox::contract::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::decide::{Judged, NamedFinding};
use crate::input::Input;
use crate::merge::Layer;
use crate::outcome::Reason;
use crate::policy::Thresholds;
use crate::risk::Scorecard;
use crate::run::{Run, Skipped};
use crate::snapshot::Snapshot;

/// Whose decision it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Identity {
    pub id: String,
    pub tenant: String,
    pub system: Option<String>,
    pub environment: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency_key: Option<String>,
    /// SHA-256 of the request's body, where an idempotency key was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body_hash: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
    /// Whom the case is about, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data_subject: Option<String>,
    /// The earlier decision on the same case that this one rules anew.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub re_evaluates: Option<ReEvaluates>,
}

/// Why a case is ruled anew (ACT-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The law changed.
    NewLaw,
    /// An agent or a rule is there in a newer version.
    NewModel,
    /// The policy changed.
    NewPolicy,
    /// A court or an authority ordered it.
    CourtOrder,
    /// The earlier decision was wrong.
    Correction,
    /// The person concerned asked for it.
    Request,
}

/// Not one of the occasions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason {0:?}: use new_law, new_model, new_policy, court_order, correction or request")]
pub struct UnknownOccasion(pub String);

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::NewLaw, Self::NewModel, Self::NewPolicy, Self::CourtOrder, Self::Correction, Self::Request];

    /// As records write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewLaw => "new_law",
            Self::NewModel => "new_model",
            Self::NewPolicy => "new_policy",
            Self::CourtOrder => "court_order",
            Self::Correction => "correction",
            Self::Request => "request",
        }
    }
}

impl FromStr for Occasion {
    type Err = UnknownOccasion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| UnknownOccasion(text.to_owned()))
    }
}

/// Which decision is ruled anew, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReEvaluates {
    /// The earlier decision.
    pub id: String,
    /// Its entry.
    pub seq: u64,
    /// Its entry's hash.
    pub entry_hash: Digest,
    /// Why.
    pub reason: Occasion,
    /// More on why, in the words of whoever asked for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The id of the key that asked for it.
    pub by: String,
}

/// Its four times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Clocks {
    pub received: Timestamp,
    pub decided: Timestamp,
    pub occurred_at: Timestamp,
    pub rules_as_of: Timestamp,
}

/// What the policy was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// The snapshot's hash.
    pub snapshot: Digest,
    /// The policies that contributed.
    pub layers: Vec<Layer>,
}

/// The risk score, and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskRecord {
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// One a layer that has risk agents; the highest counts.
    pub scorecards: Vec<Scorecard>,
}

/// What it came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// The strictest.
    pub verdict: Verdict,
    /// The code of the reason that decided.
    pub reason: String,
    /// All that demanded more than `allow`.
    pub reasons: Vec<Reason>,
    /// The score.
    pub risk: RiskRecord,
    /// Those that held.
    pub thresholds: Thresholds,
    /// Whether the kill switch decided.
    pub kill_switch: bool,
    /// Of agents and rules.
    pub findings: Vec<NamedFinding>,
}

/// What an action planned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedEffect {
    /// The action's binding.
    pub binding: String,
    /// What sort of effect.
    pub kind: EffectKind,
    /// What it says, as JSON.
    pub body: Box<RawValue>,
}

/// The record of a decision. Its JSON bytes are what the ledger commits to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Of this document; 1.
    pub format: u32,
    /// Whose decision it is.
    pub identity: Identity,
    /// Its four times.
    pub times: Clocks,
    /// Which engine ran the plugins.
    pub engine: EngineId,
    /// What the policy was.
    pub policy: PolicyRecord,
    /// What it came to.
    pub outcome: Outcome,
    /// Every plugin that was asked; see [`Run::counted`].
    pub plugins: Vec<Run>,
    /// Every binding that doesn't apply.
    pub skipped: Vec<Skipped>,
    /// What the actions planned.
    pub effects: Vec<PlannedEffect>,
}

/// Bytes that most records have room in: a decision of five plugins without findings takes 3.5 KB.
const USUAL_BYTES: usize = 6 << 10;

impl Record {
    /// The bytes that are recorded.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }

    /// What stays readable for ever; no personal data.
    pub fn facts(&self) -> DecisionFacts {
        DecisionFacts {
            tenant: self.identity.tenant.clone(),
            system: self.identity.system.clone(),
            environment: self.identity.environment.clone(),
            verdict: self.outcome.verdict.as_str().to_owned(),
            reason: self.outcome.reason.clone(),
            risk_score: self.outcome.risk.score,
            confidence: self.outcome.risk.confidence,
            occurred_at: self.times.occurred_at,
            rules_as_of: self.times.rules_as_of,
            snapshot: self.policy.snapshot,
            plugins: self
                .plugins
                .iter()
                .map(|run| PluginFact {
                    package: run.package.as_str().to_owned(),
                    version: run.version.as_ref().map(version_text),
                    digest: run.digest,
                    status: run.status.as_str().to_owned(),
                    counted: run.counted,
                })
                .collect(),
            engine: self.engine.config,
            kill_switch: self.outcome.kill_switch,
            re_evaluates: self.identity.re_evaluates.as_ref().map(|link| ReEvaluationFact {
                id: link.id.clone(),
                seq: link.seq,
                entry_hash: link.entry_hash,
                reason: link.reason.as_str().to_owned(),
            }),
        }
    }

    /// Puts a judgment on record.
    pub fn of(
        identity: Identity,
        received: Timestamp,
        decided: Timestamp,
        engine: EngineId,
        snapshot: &Snapshot,
        input: &Input,
        judged: Judged,
    ) -> Self {
        let (occurred_at, rules_as_of) = (input.case().occurred_at, input.case().rules_as_of);
        Self {
            format: 1,
            identity,
            times: Clocks { received, decided, occurred_at, rules_as_of },
            engine,
            policy: PolicyRecord { snapshot: snapshot.hash(), layers: snapshot.layers().to_vec() },
            outcome: Outcome {
                verdict: judged.conclusion.verdict,
                reason: judged.conclusion.reason,
                reasons: judged.conclusion.reasons,
                risk: RiskRecord { score: judged.score, confidence: judged.confidence, scorecards: judged.scorecards },
                thresholds: judged.thresholds,
                kill_switch: judged.kill_switch,
                findings: judged.findings,
            },
            plugins: judged.runs,
            skipped: judged.skipped,
            effects: judged.effects,
        }
    }
}
