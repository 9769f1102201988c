//! "Run this plugin, for this scope, with these settings and weight."

use assize_registry::PackageName;
use assize_sandbox::contract::Verdict;
use semver::VersionReq;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::policy::FailurePolicy;
use crate::trial::Mode;

/// "Run this plugin, for this scope, with these settings and weight."
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Its name, unique in its policy: what findings, failures and records call it.
    pub name: String,
    /// `namespace/name`.
    pub plugin: PackageName,
    /// Which versions may run; of those in force on the case's date, the highest does.
    #[serde(default = "any_version")]
    pub version: VersionReq,
    /// Share of a risk agent's score in its policy's weighted mean. Default 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The agent's score is added, times its weight, on top of the mean (BTV-4) instead of entering it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adds: bool,
    /// An action is asked for a plan when the verdict is one of these. Default: review and block.
    #[serde(default = "review_and_block")]
    pub on: Vec<Verdict>,
    /// What the verdict is at least, should the plugin give no answer. Default: the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailurePolicy>,
    /// Whether its answers count. Default: live, they do.
    #[serde(default, skip_serializing_if = "Mode::is_live")]
    pub mode: Mode,
    /// The live binding of the same policy that this one is a candidate for: what it is compared with, and what doesn't
    /// count in a canary's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// For the plugin.
    #[serde(default = "no_settings")]
    pub settings: Box<RawValue>,
}

fn any_version() -> VersionReq {
    VersionReq::STAR
}

fn one() -> f64 {
    1.0
}

fn review_and_block() -> Vec<Verdict> {
    vec![Verdict::Review, Verdict::Block]
}

fn no_settings() -> Box<RawValue> {
    serde_json::value::to_raw_value(&serde_json::json!({})).unwrap_or_default()
}

/// What is wrong with a binding.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum BindingError {
    #[error("bindings[{index}].name {name:?}: use 1 to 64 of a-z, 0-9, '-' and '.'")]
    Name { index: usize, name: String },
    #[error("bindings[{index}].name {name:?} is taken by an earlier binding: give each its own")]
    Twice { index: usize, name: String },
    #[error("bindings[{index}].weight {weight}: use a finite number from 0 to 1000")]
    Weight { index: usize, weight: f64 },
}

impl Binding {
    pub(crate) fn check(&self, index: usize) -> Result<(), BindingError> {
        let of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(of_name) {
            return Err(BindingError::Name { index, name: self.name.clone() });
        }
        if !(0.0..=1000.0).contains(&self.weight) {
            return Err(BindingError::Weight { index, weight: self.weight });
        }
        Ok(())
    }
}
