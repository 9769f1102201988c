//! The strictest verdict, and what it rests on.

use assize_sandbox::contract::Verdict;
use serde::{Deserialize, Serialize};

use crate::policy::FailurePolicy;

/// What a reason comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The system is in emergency stop.
    KillSwitch,
    /// A compliance rule.
    Rule,
    /// The risk score met a threshold.
    Risk,
    /// A plugin gave no answer.
    Failure,
    /// Nothing in force judges such cases.
    NoPolicy,
}

/// One demand for a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable and machine-readable.
    pub code: String,
    /// What it demands.
    pub verdict: Verdict,
    /// Where it comes from.
    pub source: Source,
    /// The binding concerned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub binding: Option<String>,
    /// The scope of the policy that has the binding.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
}

impl Reason {
    /// The system is in emergency stop.
    pub fn kill_switch() -> Self {
        Self::plain("KILL_SWITCH_ACTIVE", Verdict::Block, Source::KillSwitch)
    }

    /// The score met a threshold of this layer's scorecard.
    pub fn risk(verdict: Verdict, layer: &str) -> Self {
        let code = match verdict {
            Verdict::Allow => "RISK_WITHIN_THRESHOLDS",
            Verdict::Warn => "RISK_ABOVE_WARN_THRESHOLD",
            Verdict::Review => "RISK_ABOVE_REVIEW_THRESHOLD",
            Verdict::Block => "RISK_ABOVE_BLOCK_THRESHOLD",
        };
        Self { layer: Some(layer.to_owned()), ..Self::plain(code, verdict, Source::Risk) }
    }

    /// A rule ruled.
    pub fn rule(code: &str, verdict: Verdict, binding: &str, layer: &str) -> Self {
        let (binding, layer) = (Some(binding.to_owned()), Some(layer.to_owned()));
        Self { binding, layer, ..Self::plain(code, verdict, Source::Rule) }
    }

    /// A plugin gave no answer.
    pub fn failure(policy: FailurePolicy, binding: &str, layer: &str) -> Self {
        let (binding, layer) = (Some(binding.to_owned()), Some(layer.to_owned()));
        Self { binding, layer, ..Self::plain("PLUGIN_FAILURE", policy.into(), Source::Failure) }
    }

    /// Nothing in force judges such cases.
    pub fn no_policy(policy: FailurePolicy) -> Self {
        Self::plain("NO_POLICY_IN_FORCE", policy.into(), Source::NoPolicy)
    }

    fn plain(code: &str, verdict: Verdict, source: Source) -> Self {
        Self { code: code.to_owned(), verdict, source, binding: None, layer: None }
    }
}

/// What a decision comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclusion {
    /// The strictest that any reason demands; `allow` where none demands anything.
    pub verdict: Verdict,
    /// The code of the reason that decided.
    pub reason: String,
    /// All reasons that demand more than `allow`, the deciding one first.
    pub reasons: Vec<Reason>,
}

/// The strictest verdict of all reasons. Of equally strict ones a rule's decides, since it cites a norm, then the risk,
/// then a failure; among those the first.
pub fn conclude(mut reasons: Vec<Reason>) -> Conclusion {
    reasons.retain(|reason| reason.verdict > Verdict::Allow);
    // Stable: earlier layers stay before later ones.
    reasons.sort_by(|a, b| b.verdict.cmp(&a.verdict).then(a.source.cmp(&b.source)));
    match reasons.first() {
        Some(first) => Conclusion { verdict: first.verdict, reason: first.code.clone(), reasons },
        None => Conclusion { verdict: Verdict::Allow, reason: "WITHIN_POLICY".to_owned(), reasons },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_reason_decides_and_a_rule_before_a_score() {
        let conclusion = conclude(vec![
            Reason::risk(Verdict::Block, "global"),
            Reason::rule("WARNED", Verdict::Warn, "a", "global"),
            Reason::rule("FORBIDDEN", Verdict::Block, "b", "tenant:t"),
            Reason::failure(FailurePolicy::Review, "c", "global"),
        ]);
        assert_eq!((conclusion.verdict, conclusion.reason.as_str()), (Verdict::Block, "FORBIDDEN"));
        let codes: Vec<&str> = conclusion.reasons.iter().map(|reason| reason.code.as_str()).collect();
        assert_eq!(codes, ["FORBIDDEN", "RISK_ABOVE_BLOCK_THRESHOLD", "PLUGIN_FAILURE", "WARNED"]);
    }

    #[test]
    fn a_failure_is_never_allowed() {
        for policy in [FailurePolicy::Review, FailurePolicy::Block] {
            assert!(conclude(vec![Reason::failure(policy, "a", "global")]).verdict >= Verdict::Review);
            assert!(conclude(vec![Reason::no_policy(policy)]).verdict >= Verdict::Review);
        }
    }

    #[test]
    fn nothing_demanded_is_allowed() {
        let quiet = vec![Reason::risk(Verdict::Allow, "global"), Reason::rule("FINE", Verdict::Allow, "a", "global")];
        assert_eq!(conclude(quiet).reason, "WITHIN_POLICY");
    }
}
