//! Each further step in the life of a published version, and whose it is. Every step is an entry in the ledger.
//!
//! What was refused leaves the world as it was: whichever version served goes on serving.

use std::collections::BTreeMap;
use std::sync::Arc;

use assize_ledger::{Digest, Timestamp};
use assize_rehearing::{Published, Ruling, Scope, State, World, served};
use assize_sandbox::Plugin;
use assize_store::{ActivationEvent, Change};
use serde::Serialize;

use crate::app::{App, TRIES};
use crate::identity::{Caller, DEFAULT_TENANT};
use crate::problem::Problem;
use crate::publish::{by, compile};
use crate::whose::Named;
use crate::{eyes, health, signing};

/// A step, and what whoever takes it says.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// Why.
    pub(crate) reason: Option<String>,
    /// The person who answers for it.
    pub(crate) operator: Option<String>,
    /// The digest that was looked at, for an approval.
    pub(crate) digest: Option<Digest>,
    /// Whether a period may overlap with that of another active version: the higher version is chosen then.
    pub(crate) allow_overlap: bool,
}

/// A binding that has no version to run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Bare {
    /// Whose policy has it; none for the host's.
    tenant: Option<String>,
    scope: String,
    binding: String,
}

/// The bindings of a package that have nothing to run, of all scopes that the caller may see.
fn bare(world: &World, package: &str, caller: &Caller) -> Vec<Bare> {
    let mut found = Vec::new();
    let visible = |scope: &Scope| caller.is_host() || scope.tenant() == caller.sees();
    let binds = |ruling: &Ruling| ruling.policy.bindings.iter().any(|binding| binding.plugin.as_str() == package);
    for (scope, _) in world.policies().filter(|(scope, ruling)| visible(scope) && binds(ruling)) {
        let (tenant, system) = match scope {
            // What the host's policy binds is the same for all tenants.
            Scope::Global => (DEFAULT_TENANT, None),
            Scope::Tenant(tenant) => (tenant.as_str(), None),
            Scope::System(tenant, id) => (tenant.as_str(), Some(id.as_str())),
        };
        // Where there is none, no case is judged at all, and says so.
        let Ok(snapshot) = world.snapshot(tenant, system) else { continue };
        let own = snapshot.bindings().iter().filter(|bound| bound.layer == scope.layer());
        for bound in own.filter(|bound| bound.binding.plugin.as_str() == package && bound.candidates.is_empty()) {
            let (tenant, binding) = (scope.tenant().map(str::to_owned), bound.binding.name.clone());
            found.push(Bare { tenant, scope: scope.name(), binding });
        }
    }
    found.sort();
    found
}

/// Which bindings had something to run before a step, and have nothing after it: their failure policy holds from then,
/// and whoever took the step should hear so at once.
fn left_bare(before: &World, after: &World, package: &str, caller: &Caller) -> Vec<Bare> {
    let mut left = bare(after, package, caller);
    if !left.is_empty() {
        let known = bare(before, package, caller);
        left.retain(|one| !known.contains(one));
    }
    left
}

/// A step in the life of a version; with the bindings that it leaves with nothing to run.
pub(crate) async fn step(
    app: &App,
    caller: &Caller,
    which: Named<'_>,
    event: ActivationEvent,
    step: Step,
) -> Result<(Published, Vec<Bare>), Problem> {
    let mut fit = Fit::default();
    loop {
        let changing = app.changing.lock().await;
        let world = app.world.load_full();
        let found = which.find_to_change(&world, caller)?;
        if !is_next(found, event)? {
            return Ok((found.clone(), Vec::new()));
        }
        let mut details = Vec::new();
        let mut loaded = None;
        match event {
            ActivationEvent::Approved => eyes::may_approve(app, caller, found, &step).await?,
            ActivationEvent::Activated => {
                details = may_serve(app, &world, found, step.allow_overlap).await?;
                if !fit.found(&world, found) {
                    drop(changing);
                    fit.find(app, &world, found).await?;
                    continue;
                }
                loaded = fit.plugin;
            }
            _ => {}
        }
        let (name, version) = (found.manifest.name.as_str(), found.manifest.version.to_string());
        let tenant = found.tenant.as_deref();
        // A yank is right whatever else happened meanwhile, and must not have to be asked for again.
        let known = (event != ActivationEvent::Yanked).then(|| world.steps(name, tenant));
        let change = Change::Activation { package: name.to_owned(), version: version.clone(), event, known };
        record(app, caller, found, change, details, step).await?;
        let mut next = world.with_step(name, &version, tenant, event, found.digest);
        if let Some(plugin) = loaded {
            next = next.with_plugin(plugin);
        }
        let published = which.find(&next, caller).unwrap_or(found).clone();
        let next = Arc::new(next);
        app.world.store(Arc::clone(&next));
        drop(changing);
        let served = found.state == State::Active;
        let left = if served { left_bare(&world, &next, name, caller) } else { Vec::new() };
        return Ok((published, left));
    }
}

/// What a roll-back goes from and to.
struct Back<'w> {
    owner: Option<String>,
    from: &'w Published,
    to: &'w Published,
}

impl<'w> Back<'w> {
    /// The version that serves since last, and the one that served before it.
    async fn find(app: &App, world: &'w World, caller: &Caller, which: Named<'_>) -> Result<Self, Problem> {
        let name = which.package;
        let owner = which.owner(world, caller)?;
        if owner.is_none() {
            caller.must_be_host()?;
        }
        let all = world.versions(name, caller.sees());
        let order = served(&app.store, name, owner.as_deref()).await?;
        let find = |version: &String| {
            all.iter().copied().find(|one| one.tenant == owner && one.manifest.version.to_string() == *version)
        };
        let mut newest_first = order.iter().rev().filter_map(find);
        let Some(from) = newest_first.find(|published| published.state == State::Active) else {
            return Err(Problem::conflict(format!("no version of {name} is active: there is nothing to go back from")));
        };
        let period = from.manifest.effective;
        let Some(to) = newest_first.find(|published| published.manifest.effective.overlaps(&period)) else {
            return Err(Problem::conflict(format!(
                "no version of {name} served in the period of {} ({period}) before it: deactivate or yank it instead, and the \
                 bindings' failure policy holds",
                from.manifest.version
            )));
        };
        Ok(Self { owner, from, to })
    }
}

/// Takes the version that serves since last out of use, and lets the one that served before it serve again. Gives both,
/// and the bindings that this leaves with nothing to run.
pub(crate) async fn roll_back(
    app: &App,
    caller: &Caller,
    which: Named<'_>,
    step: Step,
) -> Result<(Published, Published, Vec<Bare>), Problem> {
    let mut fit = Fit::default();
    loop {
        let changing = app.changing.lock().await;
        let world = app.world.load_full();
        let Back { owner, from, to } = Back::find(app, &world, caller, which).await?;
        let name = which.package;
        let from_version = from.manifest.version.to_string();
        let mut details = Vec::new();
        let mut loaded = None;
        if to.state != State::Active {
            // Whether the one before it may serve is asked as if the other had gone already.
            let without =
                world.with_step(name, &from_version, owner.as_deref(), ActivationEvent::Deactivated, from.digest);
            eyes::check_ever_approved(app, &without, to).await?;
            details.extend(overlapping(&without, to, step.allow_overlap)?);
            signing::check_admission(app, &without, to).await?;
            if !fit.found(&without, to) {
                drop(changing);
                fit.find(app, &without, to).await?;
                continue;
            }
            loaded = fit.plugin;
        }
        let to_version = to.manifest.version.to_string();
        let change = Change::RollBack {
            package: name.to_owned(),
            version: from_version.clone(),
            to_version: to_version.clone(),
            to_digest: to.digest,
            known: Some(world.steps(name, owner.as_deref())),
        };
        record(app, caller, from, change, details, step).await?;
        let (left, right) = ((from_version.as_str(), from.digest), (to_version.as_str(), to.digest));
        let mut next = world.with_roll_back(name, owner.as_deref(), left, right);
        if let Some(plugin) = loaded {
            next = next.with_plugin(plugin);
        }
        let shown = |published: &Published| {
            let all = next.versions(name, caller.sees());
            let found = all.into_iter().find(|one| one.digest == published.digest && one.tenant == owner);
            found.unwrap_or(published).clone()
        };
        let (from, to) = (shown(from), shown(to));
        let next = Arc::new(next);
        app.world.store(Arc::clone(&next));
        drop(changing);
        let left = left_bare(&world, &next, name, caller);
        return Ok((from, to, left));
    }
}

/// Whether the step is one from where the version stands; false where it was taken before.
fn is_next(found: &Published, event: ActivationEvent) -> Result<bool, Problem> {
    let which = format!("{} {}", found.manifest.name, found.manifest.version);
    let state = found.state;
    if state == State::Yanked {
        if event == ActivationEvent::Yanked {
            return Ok(false);
        }
        return Err(Problem::conflict(format!("{which} is yanked, which can't be undone: publish a new version")));
    }
    let remedy = match (event, state) {
        (ActivationEvent::Submitted, State::Submitted)
        | (ActivationEvent::Approved, State::Approved)
        | (ActivationEvent::Activated, State::Active)
        | (ActivationEvent::Deactivated, State::Draft)
        | (ActivationEvent::Retired, State::Retired) => return Ok(false),
        (ActivationEvent::Submitted, State::Approved) => "it is approved already: activate it",
        (ActivationEvent::Submitted, State::Active) => "it serves already",
        (ActivationEvent::Approved, _) if state != State::Submitted => "only what was submitted is approved: submit it",
        (ActivationEvent::Rejected, _) if !matches!(state, State::Submitted | State::Approved) => {
            "only what was submitted or approved is rejected"
        }
        (ActivationEvent::Deactivated, _) if state != State::Active => "it doesn't serve",
        _ => return Ok(true),
    };
    Err(Problem::conflict(format!("{which} is {}: {remedy}", state.as_str())))
}

/// Whether a version may serve, by all that is said of it; with what the entry tells of that.
async fn may_serve(
    app: &App,
    world: &World,
    found: &Published,
    allow_overlap: bool,
) -> Result<Vec<(&'static str, String)>, Problem> {
    eyes::check_approval(world, found)?;
    let mut details: Vec<_> = overlapping(world, found, allow_overlap)?.into_iter().collect();
    signing::check_admission(app, world, found).await?;
    if found.approved == Some(found.digest) {
        details.push(("approved", found.digest.to_string()));
    }
    Ok(details)
}

/// A version that was found in good health: beside the order of changes, since compiling takes seconds and a plugin's own code
/// takes as long as its fuel lasts. Whatever must not wait, a yank, goes on meanwhile.
#[derive(Default)]
struct Fit {
    plugin: Option<Arc<Plugin>>,
    /// It was tried as these versions of policies would run it.
    under: Rulings,
    tries: u8,
}

/// Versions of policies, by tenant and scope.
type Rulings = BTreeMap<(Option<String>, String), u64>;

/// The policies of whoever owns a version. Those of others count as they stood when it was tried: who sets one afterwards may bring in
/// something that it doesn't take, to be met by their own failure policy, and must not be able to keep others' versions from serving.
fn own_rulings(world: &World, wanted: &Published) -> Rulings {
    world.rulings(|scope| scope.tenant() == wanted.tenant.as_deref())
}

impl Fit {
    /// Whether this version is it, as the policies of this world would run it.
    fn found(&self, world: &World, wanted: &Published) -> bool {
        self.plugin.as_ref().is_some_and(|plugin| plugin.digest() == wanted.digest)
            && self.under == own_rulings(world, wanted)
    }

    /// Compiles a version and looks at its health. Whatever was looked at before is to be looked at again then.
    async fn find(&mut self, app: &App, world: &World, wanted: &Published) -> Result<(), Problem> {
        if self.tries == TRIES {
            let manifest = &wanted.manifest;
            return Err(Problem::conflict(format!(
                "what is in force changed {TRIES} times while the health of {} {} was looked at: try again",
                manifest.name, manifest.version
            )));
        }
        self.tries += 1;
        let compiled = self.plugin.take().filter(|plugin| plugin.digest() == wanted.digest);
        let plugin = match compiled {
            Some(plugin) => plugin,
            None => loaded_plugin(app, world, wanted).await?,
        };
        health::check(world, wanted, &plugin).await?;
        (self.plugin, self.under) = (Some(plugin), own_rulings(world, wanted));
        Ok(())
    }
}

/// The component, compiled; its bytes are those of its digest.
async fn loaded_plugin(app: &App, world: &World, found: &Published) -> Result<Arc<Plugin>, Problem> {
    let which = format!("{} {}", found.manifest.name, found.manifest.version);
    if let Some(plugin) = world.plugin(found.digest) {
        return Ok(plugin);
    }
    let bytes = app.store.component(&found.digest).await?;
    let bytes: Arc<[u8]> = bytes.ok_or_else(|| Problem::internal(format!("the bytes of {which} are gone")))?.into();
    let given = Digest::of(&bytes);
    if given != found.digest {
        let detail = format!(
            "the bytes of {which} hash to {given}, and {} was published: run `assize ledger verify`",
            found.digest
        );
        tracing::error!(detail, "not activated");
        return Err(Problem::conflict(detail).at("digest"));
    }
    Ok(Arc::new(compile(app, &bytes).await?))
}

/// The active versions whose period has a moment in common with this one's: refused unless that is meant, and then told.
///
/// The higher version would be chosen for such a moment, without anybody having said so. A pre-release is chosen only where
/// a binding names it.
fn overlapping(world: &World, found: &Published, allowed: bool) -> Result<Option<(&'static str, String)>, Problem> {
    let manifest = &found.manifest;
    let mut others = world.versions(manifest.name.as_str(), None);
    others.retain(|other| {
        other.tenant == found.tenant
            && other.state == State::Active
            && other.manifest.version != manifest.version
            && other.manifest.version.pre.is_empty()
            && manifest.version.pre.is_empty()
            && other.manifest.effective.overlaps(&manifest.effective)
    });
    let shown = |one: &Published| format!("{} ({})", one.manifest.version, one.manifest.effective);
    let list = others.iter().map(|other| shown(other)).collect::<Vec<_>>().join(", ");
    match (list.is_empty(), allowed) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(("overlaps", list))),
        (false, false) => Err(Problem::conflict(format!(
            "{} {} overlaps with what is active: {list}. Of two versions in force at one moment the higher is chosen: if that \
             is meant, allow the overlap; else retire the other, or publish with a period of its own",
            manifest.name,
            shown(found)
        ))
        .at("effective")),
    }
}

/// The policies that a package's versions must satisfy: those of whoever published it.
pub(crate) fn scopes(tenant: Option<&str>) -> Vec<Scope> {
    let own = tenant.map(|tenant| Scope::Tenant(tenant.to_owned()));
    std::iter::once(Scope::Global).chain(own).collect()
}

async fn record(
    app: &App,
    caller: &Caller,
    found: &Published,
    change: Change,
    details: Vec<(&'static str, String)>,
    step: Step,
) -> Result<(), Problem> {
    let mut draft = by(caller, found.tenant.clone(), Timestamp::now(), change)?;
    draft.details.extend(details.into_iter().map(|(name, text)| (name.to_owned(), text)));
    let said = [("reason", step.reason), ("operator", step.operator)];
    draft.confidential.extend(said.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))));
    app.store.change(draft).await?;
    Ok(())
}
