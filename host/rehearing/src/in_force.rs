//! Which rules held: on a day of the law's, by what we knew on a day of ours.

use assize_kernel::{Bound, FailurePolicy, Layer, Merged, Snapshot, SnapshotError};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Choice, Effective, Kind, Scope as Applies};
use assize_store::{Reader, StoreError};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::scope::Scope;
use crate::world::World;

/// What held for a scope, on two time axes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InForce {
    /// `global`, `tenant` or `system:ID`.
    pub scope: String,
    /// The law's day: which of the versions applies to facts of then.
    pub as_of: Timestamp,
    /// Our day: what was published, activated and set by then.
    pub known_at: Timestamp,
    /// The hash of the snapshot; decisions of then name it.
    pub snapshot: Digest,
    /// The policies that it is merged from.
    pub layers: Vec<Layer>,
    /// Thresholds and limits.
    pub merged: Merged,
    /// Each binding, from global to system.
    pub bindings: Vec<BindingInForce>,
}

/// One binding, and which version it came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BindingInForce {
    /// Its name.
    pub binding: String,
    /// The policy that has it.
    pub layer: String,
    /// `namespace/name`.
    pub package: String,
    /// Which versions it admits.
    pub range: String,
    /// The share of an agent's score.
    pub weight: f64,
    /// What the verdict is at least where the plugin gives no answer.
    pub on_failure: FailurePolicy,
    /// What the plugin is for; none where no version matches.
    pub kind: Option<Kind>,
    /// Whether a version applied, and else why not.
    pub state: BindingState,
    /// The version that applied.
    pub version: Option<VersionInForce>,
    /// Every active version that the range matches, from the lowest.
    pub candidates: Vec<VersionInForce>,
}

/// Whether a binding came to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingState {
    /// A version was in force.
    InForce,
    /// Versions match, and none was in force on the day.
    NotInForce,
    /// No active version matches: the binding fails.
    Missing,
}

/// A version with its period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionInForce {
    /// Semver.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// When its rules hold: from, and to before.
    pub effective: Effective,
    /// Whose cases it is for.
    pub applies: Applies,
}

/// Why it can't be said.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum InForceError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InForce {
    /// What held for facts of `as_of`, by what the store had at `known_at`.
    pub fn read<'a>(
        reader: &'a Reader,
        scope: &'a Scope,
        as_of: Timestamp,
        known_at: Timestamp,
    ) -> BoxFuture<'a, Result<Self, InForceError>> {
        Box::pin(async move {
            let world = World::known_at(reader, known_at).await?;
            let (tenant, system) = match scope {
                // No tenant has this name, so that the host's own policy stands alone.
                Scope::Global => ("", None),
                Scope::Tenant(tenant) => (tenant.as_str(), None),
                Scope::System(tenant, id) => (tenant.as_str(), Some(id.as_str())),
            };
            Ok(Self::of(&*world.snapshot(tenant, system)?, scope, as_of, known_at))
        })
    }

    fn of(snapshot: &Snapshot, scope: &Scope, as_of: Timestamp, known_at: Timestamp) -> Self {
        let merged = snapshot.policy().clone();
        let bindings = snapshot.bindings().iter().map(|bound| binding(bound, as_of, &merged)).collect();
        Self {
            scope: scope.name(),
            as_of,
            known_at,
            snapshot: snapshot.hash(),
            layers: snapshot.layers().to_vec(),
            merged,
            bindings,
        }
    }
}

fn binding(bound: &Bound, as_of: Timestamp, merged: &Merged) -> BindingInForce {
    let candidates: Vec<VersionInForce> = bound
        .candidates
        .iter()
        .map(|candidate| VersionInForce {
            version: candidate.version.to_string(),
            digest: candidate.digest,
            effective: candidate.effective,
            applies: candidate.scope.clone(),
        })
        .collect();
    let (state, version) = match bound.in_force(as_of) {
        Choice::InForce(index) => (BindingState::InForce, candidates.get(index).cloned()),
        Choice::NotInForce => (BindingState::NotInForce, None),
        Choice::Missing => (BindingState::Missing, None),
    };
    BindingInForce {
        binding: bound.binding.name.clone(),
        layer: bound.layer.clone(),
        package: bound.binding.plugin.to_string(),
        range: bound.binding.version.to_string(),
        weight: bound.binding.weight,
        on_failure: bound.binding.on_failure.unwrap_or_default().max(merged.on_failure),
        kind: bound.kind(),
        state,
        version,
        candidates,
    }
}
