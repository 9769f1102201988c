//! Everything in force, in memory and immutable: a change makes a new world.
//!
//! Snapshots are merged from it when first needed and kept as long as it is in force. Past worlds are made the same way, from
//! the rows that there were then: our time decides which rows, the law's time (a manifest's effective period) which of
//! a snapshot's candidates applies.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use assize_kernel::{Admission, Candidate, Layer, Policy, Snapshot, SnapshotError};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Manifest, PackageName};
use assize_sandbox::Plugin;
use assize_store::{ActivationEvent, PackageRow, PolicyRow, Reader, SignatureRow, StoreError};
use futures::future::BoxFuture;
use parking_lot::RwLock;
use semver::Version;

use crate::life::{Published, State, Step, steps};
use crate::scope::{Ruling, Scope};

/// A snapshot's place in the cache: the tenant, and the system where it has a policy of its own.
type CacheKey = (String, Option<String>);

/// Everything in force at one instant, but for the systems.
#[derive(Default)]
pub struct World {
    packages: Arc<HashMap<PackageName, Vec<Published>>>,
    policies: Arc<HashMap<Scope, Ruling>>,
    loaded: Arc<HashMap<Digest, Arc<Plugin>>>,
    /// Active versions that bindings don't choose yet, since their components are still being loaded.
    held_back: Arc<HashSet<Digest>>,
    snapshots: RwLock<HashMap<CacheKey, Arc<Snapshot>>>,
}

impl World {
    /// What is in force now, by all that the store holds.
    pub fn newest(reader: &Reader) -> BoxFuture<'_, Result<Self, StoreError>> {
        Box::pin(async move {
            Self::load(
                reader.packages().await?,
                steps(reader).await?,
                reader.signatures().await?,
                reader.policies(None).await?,
            )
        })
    }

    /// What was in force at a moment of ours, that moment included. No component is loaded.
    pub fn known_at(reader: &Reader, known: Timestamp) -> BoxFuture<'_, Result<Self, StoreError>> {
        Box::pin(async move {
            let (mut packages, mut steps) = (reader.packages().await?, steps(reader).await?);
            let mut signatures = reader.signatures().await?;
            packages.retain(|row| row.at <= known);
            steps.retain(|step| step.at() <= known);
            signatures.retain(|row| row.at <= known);
            Self::load(packages, steps, signatures, reader.policies(Some(known)).await?)
        })
    }

    /// From what the store holds.
    fn load(
        packages: Vec<PackageRow>,
        steps: Vec<Step>,
        signatures: Vec<SignatureRow>,
        policies: Vec<PolicyRow>,
    ) -> Result<Self, StoreError> {
        let mut world = Self::default();
        for row in packages {
            let manifest = serde_json::from_str(&row.manifest).map_err(|error| StoreError::Corrupt {
                record: format!("package {}@{}", row.name, row.version),
                detail: error.to_string(),
            })?;
            world.add(Published::new(manifest, row.digest, row.tenant, row.at));
        }
        for step in steps {
            match step {
                Step::Event(row) => {
                    world.take(&row.package, &row.version, row.tenant.as_deref(), row.event, row.digest);
                }
                Step::RollBack(row) => {
                    let (from, to) = ((row.version.as_str(), row.digest), (row.to_version.as_str(), row.to_digest));
                    world.roll_back(&row.package, row.tenant.as_deref(), from, to);
                }
            }
        }
        for row in signatures {
            world.change(&row.package, &row.version, row.tenant.as_deref(), |version| version.signed_by.push(row.key));
        }
        for row in policies {
            let corrupt = |detail: String| StoreError::Corrupt { record: format!("policy {}", row.scope), detail };
            let policy: Policy = serde_json::from_slice(&row.bytes).map_err(|error| corrupt(error.to_string()))?;
            let scope = match &row.tenant {
                None => Some(Scope::Global),
                Some(tenant) => Scope::parse(&row.scope, tenant),
            };
            let scope = scope.ok_or_else(|| corrupt("unknown scope".to_owned()))?;
            let policy = Arc::new(policy);
            world.set(scope, Ruling { version: row.version, hash: row.hash, policy, at: row.at });
        }
        Ok(world)
    }

    /// The same world with a change: cheap, since the parts are shared. Its cache begins empty.
    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut world = Self {
            packages: Arc::clone(&self.packages),
            policies: Arc::clone(&self.policies),
            loaded: Arc::clone(&self.loaded),
            held_back: Arc::clone(&self.held_back),
            snapshots: RwLock::default(),
        };
        change(&mut world);
        world
    }

    /// With a published version more.
    #[must_use]
    pub fn with_package(&self, published: Published) -> Self {
        self.changed(|world| world.add(published))
    }

    fn add(&mut self, published: Published) {
        let versions = Arc::make_mut(&mut self.packages).entry(published.manifest.name.clone()).or_default();
        versions.push(published);
        versions.sort_by(|a, b| a.manifest.version.cmp(&b.manifest.version));
    }

    /// With a further step in the life of a version. `digest` is the one that the step names.
    #[must_use]
    pub fn with_step(
        &self,
        name: &str,
        version: &str,
        tenant: Option<&str>,
        event: ActivationEvent,
        digest: Digest,
    ) -> Self {
        self.changed(|world| world.take(name, version, tenant, event, digest))
    }

    fn take(&mut self, name: &str, version: &str, tenant: Option<&str>, event: ActivationEvent, digest: Digest) {
        self.change(name, version, tenant, |published| published.take(event, digest));
    }

    /// With a version out of use and the one before it in its place; each with its digest.
    #[must_use]
    pub fn with_roll_back(&self, name: &str, tenant: Option<&str>, from: (&str, Digest), to: (&str, Digest)) -> Self {
        self.changed(|world| world.roll_back(name, tenant, from, to))
    }

    fn roll_back(
        &mut self,
        name: &str,
        tenant: Option<&str>,
        (from, left): (&str, Digest),
        (to, right): (&str, Digest),
    ) {
        self.take(name, from, tenant, ActivationEvent::Retired, left);
        self.take(name, to, tenant, ActivationEvent::Activated, right);
    }

    /// With a signature over a version that was verified.
    #[must_use]
    pub fn with_signature(&self, name: &str, version: &str, tenant: Option<&str>, key: String) -> Self {
        self.changed(|world| world.change(name, version, tenant, |published| published.signed_by.push(key)))
    }

    fn change(&mut self, name: &str, version: &str, tenant: Option<&str>, change: impl FnOnce(&mut Published)) {
        let mut all = Arc::make_mut(&mut self.packages).values_mut().flatten();
        if let Some(concerned) = all.find(|published| published.is(name, version, tenant)) {
            change(concerned);
        }
    }

    /// With a scope's newest policy.
    #[must_use]
    pub fn with_policy(&self, scope: Scope, ruling: Ruling) -> Self {
        self.changed(|world| world.set(scope, ruling))
    }

    fn set(&mut self, scope: Scope, ruling: Ruling) {
        Arc::make_mut(&mut self.policies).insert(scope, ruling);
    }

    /// With a component that is loaded.
    #[must_use]
    pub fn with_plugin(&self, plugin: Arc<Plugin>) -> Self {
        self.changed(|world| {
            Arc::make_mut(&mut world.held_back).remove(&plugin.digest());
            Arc::make_mut(&mut world.loaded).insert(plugin.digest(), plugin);
        })
    }

    /// As the next world after `before`, which serves: with all that it has loaded, and holding back the active versions that it
    /// has not. A version that `before` couldn't load isn't held back: it is known to be missing.
    #[must_use]
    pub fn after(&self, before: &Self) -> Self {
        let mut world = self.with_plugins_of(before);
        let missing = before.missing();
        world.held_back = Arc::new(world.missing().into_iter().filter(|digest| !missing.contains(digest)).collect());
        world
    }

    /// Without holding a version back any more, though it can't be loaded: what binds it, has nothing to run.
    #[must_use]
    pub fn without(&self, digest: Digest) -> Self {
        self.changed(|world| {
            Arc::make_mut(&mut world.held_back).remove(&digest);
        })
    }

    /// The active versions that are held back until their components are loaded.
    pub fn held_back(&self) -> Vec<Digest> {
        self.held_back.iter().copied().collect()
    }

    /// The active versions that can't be run: they aren't loaded, nor about to be.
    pub fn missing(&self) -> Vec<Digest> {
        let mut active = self.active();
        active.retain(|digest| !self.loaded.contains_key(digest) && !self.held_back.contains(digest));
        active
    }

    /// Which versions of policies hold in some scopes, by tenant and name: the same versions say the same.
    pub fn rulings(&self, concerned: impl Fn(&Scope) -> bool) -> BTreeMap<(Option<String>, String), u64> {
        let concerned = self.policies.iter().filter(|(scope, _)| concerned(scope));
        concerned.map(|(scope, ruling)| ((scope.tenant().map(str::to_owned), scope.name()), ruling.version)).collect()
    }

    /// Where the versions of a package stand that a tenant may see: the same steps and signatures have led to the same place.
    pub fn standing(&self, name: &str, tenant: Option<&str>) -> Vec<(Digest, Option<String>, u64, usize)> {
        let versions = self.versions(name, tenant).into_iter();
        versions.map(|one| (one.digest, one.tenant.clone(), one.steps, one.signed_by.len())).collect()
    }

    /// With everything that another world has loaded.
    #[must_use]
    pub fn with_plugins_of(&self, other: &Self) -> Self {
        self.changed(|world| {
            let loaded = other.loaded.iter().map(|(digest, plugin)| (*digest, Arc::clone(plugin)));
            Arc::make_mut(&mut world.loaded).extend(loaded);
        })
    }

    /// A scope's policy.
    pub fn policy(&self, scope: &Scope) -> Option<&Ruling> {
        self.policies.get(scope)
    }

    /// All policies with their scopes.
    pub fn policies(&self) -> impl Iterator<Item = (&Scope, &Ruling)> {
        self.policies.iter()
    }

    /// What versions need in a scope, by the policies of the scopes above it; with their names.
    pub fn admissions_above(&self, scope: &Scope) -> Vec<(String, Admission)> {
        let above = match scope {
            Scope::Global => vec![],
            Scope::Tenant(_) => vec![Scope::Global],
            Scope::System(tenant, _) => vec![Scope::Global, Scope::Tenant(tenant.clone())],
        };
        above.iter().filter_map(|scope| self.admission(scope)).collect()
    }

    /// What versions need in a scope, by its own policy.
    pub fn admission(&self, scope: &Scope) -> Option<(String, Admission)> {
        let admission = self.policies.get(scope)?.policy.admission.clone()?;
        Some((scope.name(), admission))
    }

    /// A component, where it is loaded.
    pub fn plugin(&self, digest: Digest) -> Option<Arc<Plugin>> {
        self.loaded.get(&digest).cloned()
    }

    /// All versions that a tenant may see, by name and version; none: all of all tenants.
    pub fn packages(&self, tenant: Option<&str>) -> Vec<&Published> {
        let mut list: Vec<&Published> =
            self.packages.values().flatten().filter(|published| visible(published, tenant)).collect();
        list.sort_by(|a, b| {
            let key = |p: &Published| (p.manifest.name.to_string(), p.manifest.version.clone());
            key(a).cmp(&key(b))
        });
        list
    }

    /// The versions of a package that a tenant may see, from the lowest.
    pub fn versions(&self, name: &str, tenant: Option<&str>) -> Vec<&Published> {
        let versions = self.packages.iter().find(|(known, _)| known.as_str() == name).map(|(_, versions)| versions);
        versions.into_iter().flatten().filter(|published| visible(published, tenant)).collect()
    }

    /// How many steps an owner's versions of a package took: a roll-back is two, one for each of its versions.
    pub fn steps(&self, name: &str, owner: Option<&str>) -> u64 {
        let versions = self.versions(name, owner).into_iter();
        versions.filter(|published| published.tenant.as_deref() == owner).map(|published| published.steps).sum()
    }

    /// One version; a tenant's own before the host's.
    pub fn version(&self, name: &str, version: &Version, tenant: Option<&str>) -> Option<&Published> {
        let mut found = self.versions(name, tenant);
        found.retain(|published| published.manifest.version == *version);
        found.iter().find(|published| published.tenant.as_deref() == tenant).or_else(|| found.first()).copied()
    }

    /// By digest, if a tenant may see it.
    pub fn by_digest(&self, digest: Digest, tenant: Option<&str>) -> Option<&Published> {
        self.packages.values().flatten().find(|published| published.digest == digest && visible(published, tenant))
    }

    /// The digests of all active versions.
    pub fn active(&self) -> Vec<Digest> {
        let active = self.packages.values().flatten().filter(|published| published.state == State::Active);
        active.map(|published| published.digest).collect()
    }

    /// What is in force for a tenant's case, from a system or none. The policy of a system holds for its cases alone.
    pub fn snapshot(&self, tenant: &str, system: Option<&str>) -> Result<Arc<Snapshot>, SnapshotError> {
        let own = system.map(|id| Scope::System(tenant.to_owned(), id.to_owned()));
        let own = own.filter(|scope| self.policies.contains_key(scope));
        let key = (tenant.to_owned(), own.as_ref().and(system).map(str::to_owned));
        if let Some(snapshot) = self.snapshots.read().get(&key) {
            return Ok(Arc::clone(snapshot));
        }
        let scopes = [Some(Scope::Global), Some(Scope::Tenant(tenant.to_owned())), own];
        let mut policies = Vec::new();
        for scope in scopes.into_iter().flatten() {
            if let Some(ruling) = self.policies.get(&scope) {
                policies.push((
                    Layer { scope: scope.layer(), version: ruling.version, hash: ruling.hash },
                    &*ruling.policy,
                ));
            }
        }
        let snapshot = Snapshot::merged(
            &policies,
            |layer, name| {
                let mut candidates = self.candidates(layer, name, tenant);
                // What a layer demands holds for it and for those below.
                let deciding = policies.iter().position(|(other, _)| other.scope == layer.scope).unwrap_or_default();
                for (_, policy) in policies.iter().take(deciding + 1) {
                    candidates.retain(|published| policy.admits(&published.signed_by));
                }
                candidates.into_iter().map(candidate).collect()
            },
            |digest| self.plugin(digest),
        )?;
        let snapshot = Arc::new(snapshot);
        self.snapshots.write().insert(key, Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The active versions that a layer may bind. The global policy binds the host's own alone: otherwise a tenant could
    /// publish a higher version of a rule that it dislikes.
    fn candidates(&self, layer: &Layer, name: &PackageName, tenant: &str) -> Vec<&Published> {
        let versions = self.packages.get(name).map(Vec::as_slice).unwrap_or_default();
        let may_bind = |published: &&Published| match published.tenant.as_deref() {
            None => true,
            Some(owner) => layer.scope != "global" && owner == tenant,
        };
        let active = versions.iter().filter(|published| published.state == State::Active);
        active.filter(|published| !self.held_back.contains(&published.digest)).filter(may_bind).collect()
    }
}

fn visible(published: &Published, tenant: Option<&str>) -> bool {
    match (published.tenant.as_deref(), tenant) {
        (None, _) | (_, None) => true,
        (Some(owner), Some(tenant)) => owner == tenant,
    }
}

/// What judging needs to know of a version that isn't published, with its name.
pub fn unpublished(manifest: &Manifest, digest: Digest) -> ((PackageName, Version), Candidate) {
    let name = (manifest.name.clone(), manifest.version.clone());
    (name, candidate(&Published::new(manifest.clone(), digest, None, Timestamp::now())))
}

/// What judging needs to know of a version.
pub fn candidate(published: &Published) -> Candidate {
    let manifest = &published.manifest;
    Candidate {
        version: manifest.version.clone(),
        digest: published.digest,
        kind: manifest.kind,
        contract: manifest.contract,
        effective: manifest.effective,
        scope: manifest.scope.clone(),
        limits: manifest.limits,
        may: manifest.may.clone(),
        signed_by: published.signer(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A world with these versions of a package, all active.
    fn active(versions: &[&str]) -> World {
        let mut world = World::default();
        for version in versions {
            let manifest = format!(
                "[package]\nname = \"acme/law\"\nversion = \"{version}\"\ncontract = \"1.0.0\"\nkind = \"compliance-rule\"\n\
                 title = \"Law\"\ndescription = \"A law.\"\nauthors = [\"Acme\"]\nlicense = \"Apache-2.0\"\n"
            );
            let manifest = Manifest::parse(&manifest).unwrap();
            let digest = digest(version);
            world = world.with_package(Published::new(manifest, digest, None, Timestamp::default()));
            world = world.with_step("acme/law", version, None, ActivationEvent::Activated, digest);
        }
        world
    }

    fn digest(version: &str) -> Digest {
        Digest::of(version.as_bytes())
    }

    #[test]
    fn what_is_newly_active_is_held_back_and_what_is_known_to_be_missing_is_not() {
        // At the start one couldn't be loaded.
        let before = active(&["1.0.0"]);
        assert_eq!((before.missing(), before.held_back()), (vec![digest("1.0.0")], vec![]));
        let next = active(&["1.0.0", "1.1.0"]).after(&before);
        assert_eq!((next.missing(), next.held_back()), (vec![digest("1.0.0")], vec![digest("1.1.0")]));
        // Still, when something else changes.
        let again = active(&["1.0.0", "1.1.0"]).after(&next);
        assert_eq!((again.missing(), again.held_back()), (vec![digest("1.0.0")], vec![digest("1.1.0")]));
        // It can't be loaded either.
        let given_up = again.without(digest("1.1.0"));
        assert_eq!((given_up.missing().len(), given_up.held_back()), (2, vec![]));
        assert_eq!(active(&["1.0.0", "1.1.0"]).after(&given_up).held_back(), vec![]);
        // Withdrawn, and so awaited no more.
        assert_eq!(active(&["1.0.0"]).after(&next).held_back(), vec![]);
    }

    #[test]
    fn a_version_that_is_held_back_is_no_candidate() {
        let layer = Layer { scope: "global".to_owned(), version: 1, hash: Digest::ZERO };
        let name: PackageName = "acme/law".parse().unwrap();
        let world = active(&["1.0.0", "1.1.0"]);
        let versions = |world: &World| {
            let found = world.candidates(&layer, &name, "acme");
            found.iter().map(|one| one.manifest.version.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(versions(&world), ["1.0.0", "1.1.0"]);
        assert_eq!(versions(&world.after(&active(&["1.0.0"]))), ["1.0.0"]);
    }
}
