//! What a simulation swaps in a snapshot. The result is a snapshot of its own, with its own hash: never the recorded one.

use std::collections::BTreeMap;
use std::sync::Arc;

use assize_ledger::{Digest, Timestamp};
use assize_registry::{Effective, PackageName};
use assize_sandbox::Plugin;
use semver::{Comparator, Op, Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::environment::Environment;
use crate::policy::Thresholds;
use crate::snapshot::{Candidate, Snapshot, SnapshotError};

/// What a simulation swaps. What is left out stays as it was.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// The day whose rules apply to every case, instead of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules_as_of: Option<Timestamp>,
    /// By package, the one version that runs wherever the package is bound, as if it had always been in force.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<PackageName, Version>,
    /// By environment; a field that is given takes the place of the merged one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub thresholds: BTreeMap<Environment, Thresholds>,
    /// By binding.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// By binding, the whole settings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Box<RawValue>>,
    /// Bindings that don't run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// A change that can't be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ChangesError {
    #[error("thresholds.{environment}.{field} {value}: use a number from 0 to 10")]
    Threshold { environment: Environment, field: &'static str, value: f64 },
    #[error("weights.{binding} {weight}: use a finite number from 0 to 1000")]
    Weight { binding: String, weight: f64 },
    #[error("settings.{binding}: must be a JSON object")]
    Settings { binding: String },
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Changes {
    /// Whether nothing is swapped.
    pub fn is_empty(&self) -> bool {
        self.rules_as_of.is_none() && self.keeps_snapshots()
    }

    /// Whether snapshots stay what they are.
    pub fn keeps_snapshots(&self) -> bool {
        self.versions.is_empty()
            && self.thresholds.is_empty()
            && self.weights.is_empty()
            && self.settings.is_empty()
            && self.without.is_empty()
    }

    /// Checks what the types can't.
    pub fn check(&self) -> Result<(), ChangesError> {
        for (&environment, thresholds) in &self.thresholds {
            for (field, value) in
                [("warn", thresholds.warn), ("review", thresholds.review), ("block", thresholds.block)]
            {
                if let Some(value) = value.filter(|value| !(0.0..=10.0).contains(value)) {
                    return Err(ChangesError::Threshold { environment, field, value });
                }
            }
        }
        for (binding, &weight) in &self.weights {
            if !(0.0..=1000.0).contains(&weight) {
                return Err(ChangesError::Weight { binding: binding.clone(), weight });
            }
        }
        for (binding, settings) in &self.settings {
            if !settings.get().starts_with('{') {
                return Err(ChangesError::Settings { binding: binding.clone() });
            }
        }
        Ok(())
    }

    /// Makes the changes to a snapshot. `candidate` finds what judging needs to know of a version, `plugin` its component.
    pub fn apply(
        &self,
        snapshot: &Snapshot,
        mut candidate: impl FnMut(&PackageName, &Version) -> Option<Candidate>,
        plugin: impl FnMut(Digest) -> Option<Arc<Plugin>>,
    ) -> Result<Snapshot, ChangesError> {
        let mut document = snapshot.document().clone();
        document.bindings.retain(|bound| !self.without.contains(&bound.binding.name));
        for bound in &mut document.bindings {
            if let Some(version) = self.versions.get(&bound.binding.plugin) {
                bound.binding.version = exactly(version);
                let found = candidate(&bound.binding.plugin, version);
                bound.candidates =
                    found.into_iter().map(|found| Candidate { effective: Effective::default(), ..found }).collect();
            }
            if let Some(&weight) = self.weights.get(&bound.binding.name) {
                bound.binding.weight = weight;
            }
            if let Some(settings) = self.settings.get(&bound.binding.name) {
                bound.binding.settings = settings.clone();
                bound.settings_hash = Digest::of(settings.get().as_bytes());
            }
        }
        for (&environment, given) in &self.thresholds {
            let merged = document.merged.thresholds.entry(environment).or_default();
            merged.warn = given.warn.or(merged.warn);
            merged.review = given.review.or(merged.review);
            merged.block = given.block.or(merged.block);
        }
        Ok(Snapshot::of_document(document, plugin)?)
    }
}

fn exactly(version: &Version) -> VersionReq {
    let comparator = Comparator {
        op: Op::Exact,
        major: version.major,
        minor: Some(version.minor),
        patch: Some(version.patch),
        pre: version.pre.clone(),
    };
    VersionReq { comparators: vec![comparator] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::{Layer, Merged};

    fn snapshot() -> Snapshot {
        let policy: Policy = serde_json::from_str(
            r#"{"thresholds": {"production": {"warn": 3.0, "block": 8.0}},
                "bindings": [{"name": "a", "plugin": "x/y", "weight": 0.5}, {"name": "b", "plugin": "x/z"}]}"#,
        )
        .unwrap();
        let layer = Layer { scope: "global".into(), version: 1, hash: Digest::ZERO };
        Snapshot::merged(&[(layer, &policy)], |_, _| Vec::new(), |_| None).unwrap()
    }

    #[test]
    fn no_change_is_the_same_snapshot() {
        let before = snapshot();
        let after = Changes::default().apply(&before, |_, _| None, |_| None).unwrap();
        assert_eq!(before.hash(), after.hash());
    }

    #[test]
    fn what_is_given_takes_the_place_of_what_was() {
        let changes: Changes = serde_json::from_str(
            r#"{"thresholds": {"production": {"warn": 5.0}}, "weights": {"a": 2.0},
                "settings": {"a": {"x": 1}}, "without": ["b"], "versions": {"x/y": "1.5.0"}}"#,
        )
        .unwrap();
        changes.check().unwrap();
        let before = snapshot();
        let after = changes.apply(&before, |_, _| None, |_| None).unwrap();
        assert_ne!(before.hash(), after.hash());
        let Merged { thresholds, .. } = after.policy();
        let production = thresholds[&Environment::Production];
        assert_eq!((production.warn, production.block), (Some(5.0), Some(8.0)));
        let [bound] = after.bindings() else { panic!("one binding is left") };
        assert_eq!((bound.binding.weight, bound.binding.settings.get()), (2.0, r#"{"x": 1}"#));
        assert_eq!(bound.binding.version.to_string(), "=1.5.0");
    }

    #[test]
    fn says_which_field_is_wrong_and_how() {
        let refused = |json: &str| serde_json::from_str::<Changes>(json).unwrap().check().unwrap_err().to_string();
        assert_eq!(
            refused(r#"{"thresholds": {"staging": {"block": 11.0}}}"#),
            "thresholds.staging.block 11: use a number from 0 to 10"
        );
        assert!(refused(r#"{"weights": {"a": -1.0}}"#).starts_with("weights.a -1"));
        assert!(refused(r#"{"settings": {"a": 3}}"#).starts_with("settings.a"));
        assert!(serde_json::from_str::<Changes>(r#"{"weight": {}}"#).is_err());
    }
}
