//! Whose package is meant: a tenant's own, the host's, or, for a key of the host, the one of the tenant that it names.

use assize_rehearing::{Published, World};
use semver::Version;
use serde::Deserialize;

use crate::identity::Caller;
use crate::problem::Problem;

/// Whose package, where the key doesn't tell.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// The tenant whose package is meant: for keys of the host, which see those of all. Left out, the host's own is meant, or
    /// else that of the one tenant which has it.
    pub(crate) tenant: Option<String>,
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

impl std::fmt::Display for Named<'_> {
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
