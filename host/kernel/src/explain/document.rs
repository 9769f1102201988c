//! What an explanation says, as a document: figures for programs, sentences for people.

use assize_ledger::{Digest, Timestamp};
use assize_registry::{Effective, Kind};
use assize_sandbox::contract::{Severity, Span, Verdict};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::merge::Layer;
use crate::outcome::{Reason, Source};
use crate::policy::Thresholds;
use crate::record::ReEvaluates;
use crate::risk::Tally;
use crate::run::{RunStatus, WhySkipped};

/// Why a decision came out as it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The decision.
    pub id: String,
    /// The whole of it in one sentence.
    pub summary: String,
    /// What was decided.
    pub verdict: Verdict,
    /// The code of the reason that decided.
    pub reason: String,
    /// When the facts took place.
    pub occurred_at: Timestamp,
    /// The day whose rules apply.
    pub rules_as_of: Timestamp,
    /// `development`, `staging` or `production`.
    pub environment: String,
    /// The reason that decided; none where nothing demanded more than `allow`.
    pub deciding: Option<Deciding>,
    /// All reasons that demanded more than `allow`, the deciding one first.
    pub reasons: Vec<Reason>,
    /// The emergency stop, where it decided; then nothing else was looked at.
    pub kill_switch: Option<KillSwitch>,
    /// How the score came about.
    pub score: ScoreAccount,
    /// Rules that were asked and answered, in the order in which they were.
    pub rules: Vec<Applied>,
    /// Agents, rules and actions that didn't apply, and why.
    pub not_applied: Vec<NotApplied>,
    /// Plugins that gave no answer, and what the failure policy made of that.
    pub failures: Vec<Failed>,
    /// Those that were asked on trial, and didn't count.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub on_trial: Vec<OnTrial>,
    /// What agents and rules found, with the passages.
    pub points: Vec<Point>,
    /// The policies that held, from global to system.
    pub policy: Vec<Layer>,
    /// SHA-256 of the merged policy's snapshot.
    pub snapshot: Digest,
    /// The earlier decision on the same case, where this one ruled it anew.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub re_evaluates: Option<ReEvaluates>,
    /// Whether the input is still there: without it there are no passages.
    pub input_kept: bool,
}

/// The reason that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deciding {
    /// Kill switch, rule, risk, failure, or no policy.
    pub source: Source,
    /// Its code.
    pub code: String,
    /// The binding concerned.
    pub binding: Option<String>,
    /// The layer of policy that decided, in the version that held; none for the kill switch, or where no policy
    /// judges such cases.
    pub layer: Option<Layer>,
}

/// An emergency stop that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitch {
    /// Which system was stopped.
    pub system: Option<String>,
    /// Since when; none where the input was erased.
    pub since: Option<Timestamp>,
}

/// How the score came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreAccount {
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// Those of the environment, of all layers the lowest.
    pub thresholds: Thresholds,
    /// The threshold that the score met, if any.
    pub met: Option<Met>,
    /// One a layer that has risk agents: its agents' points and the cap add up to its score.
    pub layers: Vec<Tally>,
    /// In words.
    pub sentence: String,
}

/// A threshold that was met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Met {
    /// What it demands.
    pub verdict: Verdict,
    /// From which score on.
    pub threshold: f64,
}

/// A version and the period in which it is law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct VersionPeriod {
    pub version: Version,
    pub effective: Effective,
}

/// A rule that was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The binding …
    pub binding: String,
    /// … in the policy of this scope.
    pub layer: String,
    /// `namespace/name`.
    pub package: String,
    /// The version that was in force.
    pub version: Option<Version>,
    /// SHA-256 of its component.
    pub digest: Option<Digest>,
    /// The period in which that version is law.
    pub effective: Option<Effective>,
    /// Other versions that could have been chosen on another day.
    pub other_versions: Vec<VersionPeriod>,
    /// What it demanded.
    pub verdict: Verdict,
    /// Its code.
    pub code: String,
    /// The norms that it cited, each once.
    pub citations: Vec<String>,
    /// Whether this is what decided.
    pub decided: bool,
    /// In words.
    pub sentence: String,
}

/// An agent, rule or action that didn't apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotApplied {
    /// The binding …
    pub binding: String,
    /// … in the policy of this scope.
    pub layer: String,
    /// `namespace/name`.
    pub package: String,
    /// The version that would have run, where one was in force.
    pub version: Option<Version>,
    /// What it is for.
    pub kind: Option<Kind>,
    /// Why not.
    pub reason: WhySkipped,
    /// Where none was in force: the versions that there were, with their periods.
    pub versions: Vec<VersionPeriod>,
    /// In words.
    pub sentence: String,
}

/// A plugin that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The binding …
    pub binding: String,
    /// … in the policy of this scope.
    pub layer: String,
    /// `namespace/name`.
    pub package: String,
    /// None where no version was found.
    pub version: Option<Version>,
    /// How its call ended.
    pub status: RunStatus,
    /// Why there is no answer.
    pub error: Option<String>,
    /// What the failure policy made of it: the verdict is this at least.
    pub verdict: Verdict,
    /// In words.
    pub sentence: String,
}

/// A plugin that was asked on trial: its answer is on record, and nothing depended on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct OnTrial {
    pub binding: String,
    pub layer: String,
    pub package: String,
    pub version: Option<Version>,
}

/// Something that an agent or a rule found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Stable and machine-readable.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// The plugin's own words.
    pub message: String,
    /// Its share of the plugin's own score, in the plugin's own reckoning.
    pub contribution: f64,
    /// The plugin's package.
    pub plugin: String,
    /// The binding that it ran for.
    pub binding: String,
    /// The norm behind it.
    pub citation: Option<String>,
    /// Where it was found.
    pub passages: Vec<Passage>,
}

/// A place in the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// JSON Pointer (RFC 6901) into the payload.
    pub pointer: String,
    /// Half-open range of bytes inside the string there; none: all of it.
    pub span: Option<Span>,
    /// What stands there, at most 400 characters of it, then `…`; none where the input was erased or the plugin pointed
    /// at nothing.
    pub quote: Option<String>,
}
