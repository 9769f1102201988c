//! Bindings and thresholds of one scope.

use std::collections::BTreeMap;

use assize_registry::Limits;
use assize_sandbox::contract::Verdict;
use serde::{Deserialize, Serialize};

use crate::admission::{Admission, AdmissionError};
use crate::binding::{Binding, BindingError};
use crate::environment::Environment;
use crate::trial::{self, TrialError};

/// What the verdict is at least where a plugin gives no answer. There is no third word: nothing is allowed for want of
/// an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FailurePolicy {
    #[default]
    Review,
    Block,
}

impl From<FailurePolicy> for Verdict {
    fn from(policy: FailurePolicy) -> Self {
        match policy {
            FailurePolicy::Review => Self::Review,
            FailurePolicy::Block => Self::Block,
        }
    }
}

/// From which risk score on (0 to 10, inclusive) the verdict is at least what the field says (BTV-6).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Thresholds {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<f64>,
}

impl Thresholds {
    /// What a score amounts to.
    pub fn verdict(&self, score: f64) -> Verdict {
        let met = |threshold: Option<f64>| threshold.is_some_and(|threshold| score >= threshold);
        if met(self.block) {
            Verdict::Block
        } else if met(self.review) {
            Verdict::Review
        } else if met(self.warn) {
            Verdict::Warn
        } else {
            Verdict::Allow
        }
    }

    /// Field by field the lower: the more restrictive.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        let lower = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        Self {
            warn: lower(self.warn, other.warn),
            review: lower(self.review, other.review),
            block: lower(self.block, other.block),
        }
    }
}

/// Bindings and thresholds of one scope. Fields left out say nothing; another layer may.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// By environment.
    pub thresholds: BTreeMap<Environment, Thresholds>,
    /// For plugins that give no answer.
    pub on_failure: FailurePolicy,
    /// What a call for this layer's bindings, and for those of the layers below, may use at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What a version needs before it serves in this scope and in those below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
    /// Which plugins run.
    pub bindings: Vec<Binding>,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PolicyError {
    #[error(transparent)]
    Binding(#[from] BindingError),
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error("thresholds.{environment}.{field} {value}: use a number from 0 to 10")]
    Threshold { environment: Environment, field: &'static str, value: f64 },
    #[error(
        "thresholds.{environment}: {lower} {low} is stricter than {higher} {high}; {lower} must not exceed {higher}"
    )]
    Order { environment: Environment, lower: &'static str, low: f64, higher: &'static str, high: f64 },
    #[error("{0} bindings, more than the 64 that one policy may have")]
    TooMany(usize),
}

/// More bindings than any known policy has, and few enough for a decision to stay bounded.
const MAX_BINDINGS: usize = 64;

impl Policy {
    /// Checks what the types can't.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (&environment, thresholds) in &self.thresholds {
            let fields = [("warn", thresholds.warn), ("review", thresholds.review), ("block", thresholds.block)];
            let mut below: Option<(&'static str, f64)> = None;
            for (field, value) in fields {
                let Some(value) = value else { continue };
                if !(0.0..=10.0).contains(&value) {
                    return Err(PolicyError::Threshold { environment, field, value });
                }
                if let Some((lower, low)) = below
                    && low > value
                {
                    return Err(PolicyError::Order { environment, lower, low, higher: field, high: value });
                }
                below = Some((field, value));
            }
        }
        if self.bindings.len() > MAX_BINDINGS {
            return Err(PolicyError::TooMany(self.bindings.len()));
        }
        for (index, binding) in self.bindings.iter().enumerate() {
            binding.check(index)?;
            if self.bindings.iter().take(index).any(|earlier| earlier.name == binding.name) {
                return Err(BindingError::Twice { index, name: binding.name.clone() }.into());
            }
        }
        trial::check(&self.bindings)?;
        if let Some(admission) = &self.admission {
            admission.check()?;
        }
        Ok(())
    }

    /// Whether a version that these keys signed may serve here, as far as signatures go.
    pub fn admits(&self, signed_by: &[String]) -> bool {
        self.admission.as_ref().is_none_or(|admission| admission.admits(signed_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let policy: Policy = serde_json::from_str(json).unwrap();
        policy.check().unwrap_err().to_string()
    }

    #[test]
    fn says_which_field_is_wrong_and_how() {
        let thresholds = refused(r#"{"thresholds":{"production":{"review":5,"block":4}}}"#);
        assert_eq!(
            thresholds,
            "thresholds.production: review 5 is stricter than block 4; review must not exceed block"
        );
        let out_of_scale = refused(r#"{"thresholds":{"staging":{"block":11}}}"#);
        assert_eq!(out_of_scale, "thresholds.staging.block 11: use a number from 0 to 10");
        let twice = refused(r#"{"bindings":[{"name":"a","plugin":"x/y"},{"name":"a","plugin":"x/z"}]}"#);
        assert!(twice.starts_with("bindings[1].name \"a\" is taken"));
        let weight = refused(r#"{"bindings":[{"name":"a","plugin":"x/y","weight":-1}]}"#);
        assert!(weight.starts_with("bindings[0].weight -1"));
    }

    #[test]
    fn a_failure_policy_of_allow_cannot_be_written() {
        assert!(serde_json::from_str::<Policy>(r#"{"on_failure":"allow"}"#).is_err());
        let binding = r#"{"bindings":[{"name":"a","plugin":"x/y","on_failure":"warn"}]}"#;
        assert!(serde_json::from_str::<Policy>(binding).is_err());
    }
}
