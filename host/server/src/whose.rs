//! Whose package is meant: a tenant's own, the host's, or, for a key of the host, the one of the tenant that it names.
//! And whose system, policy or records: each is a tenant's.

use std::collections::BTreeSet;
use std::fmt::Display;

use assize_rehearing::{Published, World};
use semver::Version;
use serde::Deserialize;

use crate::app::App;
use crate::identity::{Caller, DEFAULT_TENANT};
use crate::problem::Problem;
use crate::systems::Systems;

/// Whose package, where the key doesn't tell.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// The tenant whose package is meant: for keys of the host, which see those of all. Left out, the host's own is meant, or
    /// else that of the one tenant which has it.
    pub(crate) tenant: Option<String>,
}

/// Whose system, where the key doesn't tell.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhoseSystem {
    /// The tenant whose system is meant: for keys of the host, which see those of all. Left out, that of the one tenant
    /// which has it is meant.
    pub(crate) tenant: Option<String>,
}

/// Whose policy, where neither the key nor the scope tells.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhosePolicy {
    /// The tenant whose policy is meant: for keys of the host, which see those of all. Left out, that of the one tenant
    /// which has the system is meant, or that of the only tenant that there is.
    pub(crate) tenant: Option<String>,
}

/// Whose inputs and records, where the key doesn't tell.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhoseRecords {
    /// The tenant whose inputs and records are meant: for keys of the host, which see those of all. Left out, those of
    /// the one tenant which has the decisions are meant, or those of the only tenant that there is.
    pub(crate) tenant: Option<String>,
}

/// The tenant that a caller means by name, or by its key; none for a key of the host that names none. One that nobody
/// ever had a key of is a slip: what is done for it would be answered as done, and be done for nobody.
pub(crate) async fn named<'a>(
    app: &App,
    caller: &'a Caller,
    tenant: Option<&'a str>,
) -> Result<Option<&'a str>, Problem> {
    let meant = caller.means(tenant)?;
    if let Some(tenant) = meant
        && caller.is_host()
        && !tenants(app).await?.contains(tenant)
    {
        let missing = format!("tenant {tenant:?}: it begins with a key of its own, by POST /v1/keys");
        return Err(Problem::not_found(missing).at("tenant"));
    }
    Ok(meant)
}

/// The tenant that a caller means by name, or by its key, or because there is no other. Of several the default one
/// isn't preferred: whoever puts a legal hold on the wrong one's records would be told that they are held, while those
/// that were meant are erased.
pub(crate) async fn tenant(app: &App, caller: &Caller, tenant: Option<&str>) -> Result<String, Problem> {
    if let Some(tenant) = named(app, caller, tenant).await? {
        return Ok(tenant.to_owned());
    }
    let tenants: Vec<String> = tenants(app).await?.into_iter().collect();
    match tenants.as_slice() {
        [only] => Ok(only.clone()),
        several => Err(ambiguous("there are the tenants", several)),
    }
}

/// All tenants, in order. Each but the default one begins with a key of its own, and is still there when its keys are
/// revoked: what it has stays.
async fn tenants(app: &App) -> Result<BTreeSet<String>, Problem> {
    let mut tenants: BTreeSet<String> = app.store.keys().await?.into_iter().filter_map(|key| key.tenant).collect();
    tenants.insert(DEFAULT_TENANT.to_owned());
    Ok(tenants)
}

/// What is several tenants' isn't guessed at.
pub(crate) fn ambiguous(there_are: impl Display, tenants: &[String]) -> Problem {
    let first = tenants.first().map_or(DEFAULT_TENANT, String::as_str);
    let tenants = listed(tenants);
    let detail = format!("{there_are} {tenants}: say whose is meant, e.g. ?tenant={first} or --tenant {first}");
    Problem::conflict(detail).at("tenant")
}

/// Tenants that a problem names at most: there may be thousands.
const LISTED: usize = 20;

/// Tenants as a problem names them.
pub(crate) fn listed(tenants: &[String]) -> String {
    let named = tenants.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match tenants.len().saturating_sub(LISTED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// A system as an address names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedSystem<'a> {
    pub(crate) id: &'a str,
    /// The tenant that the caller named.
    pub(crate) tenant: Option<&'a str>,
}

impl Display for NamedSystem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "system {:?}", self.id)?;
        self.tenant.map_or(Ok(()), |tenant| write!(f, " of tenant {tenant:?}"))
    }
}

impl NamedSystem<'_> {
    /// The tenant whose it is. What is several tenants' isn't guessed at, nor the default one preferred: whoever stops
    /// the wrong one would be told that it is stopped, while the one that was meant runs on.
    pub(crate) fn owner(&self, systems: &Systems, caller: &Caller) -> Result<String, Problem> {
        let mut owners = systems.owners(self.id);
        let meant = |owner: &String, tenant: Option<&str>| tenant.is_none_or(|tenant| tenant == owner);
        owners.retain(|owner| meant(owner, caller.sees()) && meant(owner, self.tenant));
        match owners.as_slice() {
            [] => Err(Problem::not_found(self)),
            [owner] => Ok(owner.clone()),
            several => Err(ambiguous(format_args!("there is a {self} of each of the tenants"), several)),
        }
    }
}

/// Versions of a package as an address names them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// `namespace/name`.
    pub(crate) package: &'a str,
    /// None for all of them.
    pub(crate) version: Option<&'a Version>,
    /// The tenant that the caller named.
    pub(crate) tenant: Option<&'a str>,
}

impl Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "plugin {}", self.package)?;
        self.version.map_or(Ok(()), |version| write!(f, " {version}"))?;
        self.tenant.map_or(Ok(()), |tenant| write!(f, " of tenant {tenant:?}"))
    }
}

impl Named<'_> {
    /// Whose it is; none for the host's own. What is several tenants' isn't guessed at: a step taken with another's version would
    /// be on record for good.
    pub(crate) fn owner(&self, world: &World, caller: &Caller) -> Result<Option<String>, Problem> {
        if self.tenant.is_some() && self.tenant != caller.sees() {
            caller.must_be_host().map_err(|problem| problem.at("tenant"))?;
        }
        let mut owners: Vec<Option<&str>> = Vec::new();
        for one in self.versions(world, caller) {
            let owner = one.tenant.as_deref();
            if !owners.contains(&owner) && (self.tenant.is_none() || self.tenant == owner) {
                owners.push(owner);
            }
        }
        match owners.as_slice() {
            [] => Err(Problem::not_found(self)),
            [owner] => Ok(owner.map(str::to_owned)),
            // The caller's own before the host's; the host's before the tenants'.
            several if several.contains(&caller.sees()) => Ok(caller.bound_to.clone()),
            several => {
                let tenants: Vec<&str> = several.iter().filter_map(|owner| *owner).collect();
                Err(Problem::conflict(format!(
                    "there is a {self} of each of the tenants {}: say whose is meant, e.g. ?tenant={}",
                    tenants.join(", "),
                    tenants.first().copied().unwrap_or_default()
                ))
                .at("tenant"))
            }
        }
    }

    /// The one version.
    pub(crate) fn find<'w>(&self, world: &'w World, caller: &Caller) -> Result<&'w Published, Problem> {
        let owner = self.owner(world, caller)?;
        let found = self.versions(world, caller).find(|one| one.tenant == owner);
        found.ok_or_else(|| Problem::not_found(self))
    }

    /// The one version, if the caller may change what becomes of it.
    pub(crate) fn find_to_change<'w>(&self, world: &'w World, caller: &Caller) -> Result<&'w Published, Problem> {
        let found = self.find(world, caller)?;
        if found.tenant.is_none() {
            caller.must_be_host()?;
        }
        Ok(found)
    }

    fn versions<'w>(&self, world: &'w World, caller: &Caller) -> impl Iterator<Item = &'w Published> {
        let versions = world.versions(self.package, caller.sees()).into_iter();
        versions.filter(|one| self.version.is_none_or(|version| one.manifest.version == *version))
    }
}
