//! The snapshots that a simulation judges with.

use std::collections::HashMap;
use std::sync::Arc;

use assize_kernel::{Candidate, Snapshot};
use assize_ledger::{Digest, Timestamp};
use assize_registry::PackageName;
use assize_store::PastDecision;
use parking_lot::Mutex;
use semver::Version;

use super::{Base, SimulationError, Specification};
use crate::archive::Archive;
use crate::scope::{Ruling, Scope};
use crate::world::{World, candidate};

/// A case that waits to be judged.
#[derive(Debug)]
pub(super) enum Trial {
    /// A past decision.
    Past(Box<PastDecision>),
    /// A line of a file of cases, counted from 1.
    Line(u64, Vec<u8>),
}

/// Snapshots that are kept at most; each has its settings parsed.
const KEPT: usize = 256;

/// What is in force in the simulation.
pub(super) struct Worlds {
    archive: Arc<Archive>,
    specification: Specification,
    tenant: Option<String>,
    /// What is in force now.
    now: Arc<World>,
    /// What changes are made to; none where that is each decision's own snapshot.
    base: Option<Arc<World>>,
    /// Versions that aren't published.
    unpublished: HashMap<(PackageName, Version), Candidate>,
    /// By the hash of what changes are made to.
    changed: Mutex<HashMap<Digest, Arc<Snapshot>>>,
    /// By their hash, with components.
    unchanged: Mutex<HashMap<Digest, Arc<Snapshot>>>,
}

impl Worlds {
    pub(super) async fn new(
        archive: Arc<Archive>,
        specification: Specification,
        tenant: Option<String>,
        unpublished: HashMap<(PackageName, Version), Candidate>,
        known: Timestamp,
    ) -> Result<Self, SimulationError> {
        specification.check()?;
        let now = Arc::new(World::known_at(archive.reader(), known).await?);
        let base = match specification.base() {
            Base::Recorded => None,
            Base::Now => Some(Arc::clone(&now)),
            Base::KnownAt(known) => Some(Arc::new(World::known_at(archive.reader(), known).await?)),
        };
        let base = match (&specification.policy, base) {
            (Some(swap), Some(world)) => {
                let invalid = |detail: String| SimulationError::Invalid { field: "policy.scope".to_owned(), detail };
                let scope = Scope::parse(&swap.scope, tenant.as_deref().unwrap_or_default());
                let scope = scope.filter(|scope| tenant.is_some() || *scope == Scope::Global);
                let scope = scope.ok_or_else(|| {
                    invalid(format!("{:?}: use global, tenant or system:ID of one tenant", swap.scope))
                })?;
                let bytes = serde_json::to_vec(&swap.policy).map_err(|error| invalid(error.to_string()))?;
                let version = world.policy(&scope).map_or(1, |known| known.version + 1);
                let ruling = Ruling {
                    version,
                    hash: Digest::of(&bytes),
                    policy: Arc::new(swap.policy.clone()),
                    at: Timestamp::now(),
                };
                Some(Arc::new(world.with_policy(scope, ruling)))
            }
            (_, base) => base,
        };
        let worlds = Self {
            archive,
            specification,
            tenant,
            now,
            base,
            unpublished,
            changed: Mutex::default(),
            unchanged: Mutex::default(),
        };
        worlds.check_versions()?;
        Ok(worlds)
    }

    /// A version that nobody has would only fail every case.
    fn check_versions(&self) -> Result<(), SimulationError> {
        for (package, version) in &self.specification.changes.versions {
            if self.candidate(package, version, self.tenant.as_deref()).is_none() {
                let known: Vec<String> = self
                    .now
                    .versions(package.as_str(), self.tenant.as_deref())
                    .into_iter()
                    .map(|published| published.manifest.version.to_string())
                    .collect();
                let known = if known.is_empty() { "no version is".to_owned() } else { known.join(", ") };
                return Err(SimulationError::Invalid {
                    field: format!("changes.versions.{package}"),
                    detail: format!("{version} isn't published; published: {known}"),
                });
            }
        }
        Ok(())
    }

    fn candidate(&self, package: &PackageName, version: &Version, tenant: Option<&str>) -> Option<Candidate> {
        let unpublished = self.unpublished.get(&(package.clone(), version.clone())).cloned();
        unpublished.or_else(|| self.now.version(package.as_str(), version, tenant).map(candidate))
    }

    pub(super) const fn specification(&self) -> &Specification {
        &self.specification
    }

    /// What is in force now: what a case of a file would be judged with, were nothing swapped.
    pub(super) async fn now(&self, tenant: &str, system: Option<&str>) -> Result<Arc<Snapshot>, SimulationError> {
        let bare = self.now.snapshot(tenant, system).map_err(|error| SimulationError::Judging(error.to_string()))?;
        if let Some(known) = self.unchanged.lock().get(&bare.hash()) {
            return Ok(Arc::clone(known));
        }
        let equipped = self.archive.equipped(&bare).await?;
        keep(&self.unchanged, bare.hash(), &equipped);
        Ok(equipped)
    }

    /// What a case is judged with in the simulation.
    pub(super) async fn swapped(
        &self,
        tenant: &str,
        system: Option<&str>,
        recorded: Option<Digest>,
    ) -> Result<Arc<Snapshot>, SimulationError> {
        let bare = match (&self.base, recorded) {
            (None, Some(hash)) => {
                if let Some(known) = self.changed.lock().get(&hash) {
                    return Ok(Arc::clone(known));
                }
                self.archive.bare(hash).await?
            }
            (base, _) => {
                let world = base.as_ref().unwrap_or(&self.now);
                world.snapshot(tenant, system).map_err(|error| SimulationError::Judging(error.to_string()))?
            }
        };
        if let Some(known) = self.changed.lock().get(&bare.hash()) {
            return Ok(Arc::clone(known));
        }
        let changes = &self.specification.changes;
        let equipped = if changes.keeps_snapshots() {
            self.archive.equipped(&bare).await?
        } else {
            let find = |package: &PackageName, version: &Version| self.candidate(package, version, Some(tenant));
            self.archive.equipped(&changes.apply(&bare, find, |_| None)?).await?
        };
        keep(&self.changed, bare.hash(), &equipped);
        Ok(equipped)
    }
}

fn keep(kept: &Mutex<HashMap<Digest, Arc<Snapshot>>>, hash: Digest, snapshot: &Arc<Snapshot>) {
    let mut kept = kept.lock();
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(hash, Arc::clone(snapshot));
}
