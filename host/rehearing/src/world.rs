//! Everything in force, in memory and immutable: a change makes a new world.
//!
//! Snapshots are merged from it when first needed and kept as long as it is in force. Past worlds are made the same way, from
//! the rows that there were then: our time decides which rows, the law's time (a manifest's effective period) which of
//! a snapshot's candidates applies.

use std::collections::HashMap;
use std::sync::Arc;

use assize_kernel::{Candidate, Layer, Policy, Snapshot, SnapshotError};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Manifest, PackageName};
use assize_sandbox::Plugin;
use assize_store::{ActivationEvent, ActivationRow, PackageRow, PolicyRow, Reader, StoreError};
use parking_lot::RwLock;
use semver::Version;
use serde::Serialize;

/// Where a version stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there, and not bound.
    Published,
    /// Bindings may choose it.
    Active,
    /// New bindings can't choose it; replays still run it.
    Yanked,
}

/// A published version.
#[derive(Debug, Clone)]
pub struct Published {
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of its component.
    pub digest: Digest,
    /// Whose; none for the host's own.
    pub tenant: Option<String>,
    /// When it was published.
    pub at: Timestamp,
    /// What became of it since.
    pub state: State,
}

/// A version of a scope's policy.
#[derive(Clone)]
pub struct Ruling {
    /// From 1, without gaps.
    pub version: u64,
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// What it says.
    pub policy: Arc<Policy>,
    /// When it was set.
    pub at: Timestamp,
}

/// A scope that policies can be set for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The whole host.
    Global,
    /// A tenant.
    Tenant(String),
    /// A tenant's system.
    System(String, String),
}

impl Scope {
    /// As addresses and rows write it. The tenant stands beside it.
    pub fn name(&self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::Tenant(_) => "tenant".to_owned(),
            Self::System(_, id) => format!("system:{id}"),
        }
    }

    /// As a snapshot's layers and the runs on record call it.
    pub fn layer(&self) -> String {
        match self {
            Self::Tenant(tenant) => format!("tenant:{tenant}"),
            _ => self.name(),
        }
    }

    /// Whose; none for the whole host.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Global => None,
            Self::Tenant(tenant) | Self::System(tenant, _) => Some(tenant),
        }
    }

    /// `global`, `tenant`, `tenant:NAME` (the caller's own) or `system:ID`.
    pub fn parse(text: &str, tenant: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "global" => Some(Self::Global),
            None if text == "tenant" => Some(Self::Tenant(tenant.to_owned())),
            Some(("tenant", name)) if name == tenant => Some(Self::Tenant(name.to_owned())),
            Some(("system", id)) if !id.is_empty() => Some(Self::System(tenant.to_owned(), id.to_owned())),
            _ => None,
        }
    }
}

/// A snapshot's place in the cache: the tenant, and the system where it has a policy of its own.
type CacheKey = (String, Option<String>);

/// Everything in force at one instant, but for the systems.
#[derive(Default)]
pub struct World {
    packages: Arc<HashMap<PackageName, Vec<Published>>>,
    policies: Arc<HashMap<Scope, Ruling>>,
    loaded: Arc<HashMap<Digest, Arc<Plugin>>>,
    snapshots: RwLock<HashMap<CacheKey, Arc<Snapshot>>>,
}

impl World {
    /// What is in force now, by all that the store holds.
    pub async fn newest(reader: &Reader) -> Result<Self, StoreError> {
        Self::load(reader.packages().await?, reader.activations().await?, reader.policies(None).await?)
    }

    /// What was in force at a moment of ours, that moment included. No component is loaded.
    pub async fn known_at(reader: &Reader, known: Timestamp) -> Result<Self, StoreError> {
        let (mut packages, mut activations) = (reader.packages().await?, reader.activations().await?);
        packages.retain(|row| row.at <= known);
        activations.retain(|row| row.at <= known);
        Self::load(packages, activations, reader.policies(Some(known)).await?)
    }

    /// From what the store holds.
    pub fn load(
        packages: Vec<PackageRow>,
        activations: Vec<ActivationRow>,
        policies: Vec<PolicyRow>,
    ) -> Result<Self, StoreError> {
        let mut world = Self::default();
        for row in packages {
            let manifest = serde_json::from_str(&row.manifest).map_err(|error| StoreError::Corrupt {
                record: format!("package {}@{}", row.name, row.version),
                detail: error.to_string(),
            })?;
            let (tenant, at, digest) = (row.tenant, row.at, row.digest);
            world = world.with_package(Published { manifest, digest, tenant, at, state: State::Published });
        }
        for row in activations {
            world = world.with_activation(&row.package, &row.version, row.tenant.as_deref(), row.event);
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
            world = world.with_policy(scope, Ruling { version: row.version, hash: row.hash, policy, at: row.at });
        }
        Ok(world)
    }

    /// The same world with a change: cheap, since the parts are shared. Its cache begins empty.
    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut world = Self {
            packages: Arc::clone(&self.packages),
            policies: Arc::clone(&self.policies),
            loaded: Arc::clone(&self.loaded),
            snapshots: RwLock::default(),
        };
        change(&mut world);
        world
    }

    /// With a published version more.
    #[must_use]
    pub fn with_package(&self, published: Published) -> Self {
        self.changed(|world| {
            let versions = Arc::make_mut(&mut world.packages).entry(published.manifest.name.clone()).or_default();
            versions.push(published);
            versions.sort_by(|a, b| a.manifest.version.cmp(&b.manifest.version));
        })
    }

    /// With a further step in the life of a version.
    #[must_use]
    pub fn with_activation(&self, name: &str, version: &str, tenant: Option<&str>, event: ActivationEvent) -> Self {
        let state = match event {
            ActivationEvent::Activated => State::Active,
            ActivationEvent::Deactivated => State::Published,
            ActivationEvent::Yanked => State::Yanked,
        };
        self.changed(|world| {
            let all = Arc::make_mut(&mut world.packages).values_mut().flatten();
            let concerned = all.filter(|published| {
                published.manifest.name.as_str() == name
                    && published.manifest.version.to_string() == version
                    && published.tenant.as_deref() == tenant
            });
            for published in concerned {
                published.state = state;
            }
        })
    }

    /// With a scope's newest policy.
    #[must_use]
    pub fn with_policy(&self, scope: Scope, ruling: Ruling) -> Self {
        self.changed(|world| {
            Arc::make_mut(&mut world.policies).insert(scope, ruling);
        })
    }

    /// With a component that is loaded.
    #[must_use]
    pub fn with_plugin(&self, plugin: Arc<Plugin>) -> Self {
        self.changed(|world| {
            Arc::make_mut(&mut world.loaded).insert(plugin.digest(), plugin);
        })
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
            |layer, name| self.candidates(layer, name, tenant),
            |digest| self.plugin(digest),
        )?;
        let snapshot = Arc::new(snapshot);
        self.snapshots.write().insert(key, Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The active versions that a layer may bind. The global policy binds the host's own alone: otherwise a tenant could
    /// publish a higher version of a rule that it dislikes.
    fn candidates(&self, layer: &Layer, name: &PackageName, tenant: &str) -> Vec<Candidate> {
        let versions = self.packages.get(name).map(Vec::as_slice).unwrap_or_default();
        let may_bind = |published: &&Published| match published.tenant.as_deref() {
            None => true,
            Some(owner) => layer.scope != "global" && owner == tenant,
        };
        let active = versions.iter().filter(|published| published.state == State::Active).filter(may_bind);
        active.map(candidate).collect()
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
    let (manifest, at) = (manifest.clone(), Timestamp::now());
    (name, candidate(&Published { manifest, digest, tenant: None, at, state: State::Published }))
}

/// What judging needs to know of a version.
pub(crate) fn candidate(published: &Published) -> Candidate {
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
    }
}
