//! Global, then tenant, then system: the most restrictive wins, field by field (BTV-2).
//!
//! Bindings of all layers run; a layer can add some and can't take any away. Each layer weighs its own agents
//! (see [`crate::risk`]), so that no layer can thin out another's score with agents that say nothing.

use std::collections::BTreeMap;

use assize_ledger::Digest;
use assize_registry::Limits;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::policy::{FailurePolicy, Policy, Thresholds};

/// One policy that contributed: which version of which scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `global`, `tenant:NAME` or `system:NAME`.
    pub scope: String,
    /// Counted from 1 within its scope.
    pub version: u64,
    /// SHA-256 of the policy's bytes.
    pub hash: Digest,
}

/// The fields of several policies, merged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Merged {
    /// By environment, the lowest.
    pub thresholds: BTreeMap<Environment, Thresholds>,
    /// The stricter.
    pub on_failure: FailurePolicy,
    /// The smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

impl Merged {
    /// The thresholds of an environment; none where no layer sets any.
    pub fn thresholds(&self, environment: Environment) -> Thresholds {
        self.thresholds.get(&environment).copied().unwrap_or_default()
    }
}

/// Merges the fields. The order of the layers is without meaning.
pub fn merge<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Merged {
    let mut merged = Merged::default();
    for policy in policies {
        for (&environment, thresholds) in &policy.thresholds {
            let known = merged.thresholds.entry(environment).or_default();
            *known = known.strictest(*thresholds);
        }
        merged.on_failure = merged.on_failure.max(policy.on_failure);
        merged.limits = match (merged.limits, policy.limits) {
            (Some(a), Some(b)) => {
                Some(Limits { fuel: a.fuel.min(b.fuel), memory_bytes: a.memory_bytes.min(b.memory_bytes) })
            }
            (one, None) | (None, one) => one,
        };
    }
    merged
}
