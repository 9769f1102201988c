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
        merged.limits = smallest(merged.limits, policy.limits);
    }
    merged
}

/// Field by field the smaller.
pub(crate) fn smallest(one: Option<Limits>, other: Option<Limits>) -> Option<Limits> {
    match (one, other) {
        (Some(a), Some(b)) => {
            Some(Limits { fuel: a.fuel.min(b.fuel), memory_bytes: a.memory_bytes.min(b.memory_bytes) })
        }
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn threshold() -> impl Strategy<Value = Option<f64>> {
        proptest::option::of((0_u32..=20).prop_map(|half| f64::from(half) / 2.0))
    }

    fn policy() -> impl Strategy<Value = Policy> {
        let thresholds = (threshold(), threshold(), threshold()).prop_map(|(warn, review, block)| Thresholds {
            warn,
            review,
            block,
        });
        let by_environment =
            proptest::collection::btree_map(proptest::sample::select(&Environment::ALL[..]), thresholds, 0..=3);
        let limits = proptest::option::of((1_u64..100, 1_u64..100))
            .prop_map(|limits| limits.map(|(fuel, memory_bytes)| Limits { fuel, memory_bytes }));
        (by_environment, any::<bool>(), limits).prop_map(|(thresholds, blocks, limits)| Policy {
            thresholds,
            on_failure: if blocks { FailurePolicy::Block } else { FailurePolicy::Review },
            limits,
            ..Policy::default()
        })
    }

    proptest! {
        #[test]
        fn a_further_policy_never_relaxes_a_field(
            policies in proptest::collection::vec(policy(), 0..4),
            further in policy(),
            score in 0.0..=10.0_f64,
        ) {
            let before = merge(&policies);
            let after = merge(policies.iter().chain([&further]));
            for environment in Environment::ALL {
                let verdict = |merged: &Merged| merged.thresholds(environment).verdict(score);
                prop_assert!(verdict(&after) >= verdict(&before));
            }
            prop_assert!(after.on_failure >= before.on_failure);
            if let (Some(after), Some(before)) = (after.limits, before.limits) {
                prop_assert!(after.fuel <= before.fuel && after.memory_bytes <= before.memory_bytes);
            }
        }

        #[test]
        fn the_order_of_layers_is_without_meaning(a in policy(), b in policy(), c in policy()) {
            prop_assert_eq!(merge([&a, &b, &c]), merge([&c, &a, &b]));
        }
    }
}
