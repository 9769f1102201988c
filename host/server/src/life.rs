//! Each further step in the life of a published version, and whose it is. Every step is an entry in the ledger.
//!
//! What was refused leaves the world as it was: whichever version served goes on serving.

use std::sync::Arc;

use assize_ledger::{Digest, Timestamp};
use assize_rehearing::{Published, Scope, State, World, served};
use assize_sandbox::Plugin;
use assize_store::{ActivationEvent, Change};
use semver::Version;

use crate::app::App;
use crate::identity::Caller;
use crate::problem::Problem;
use crate::publish::{by, compile};
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

/// A step in the life of a version.
pub(crate) async fn step(
    app: &App,
    caller: &Caller,
    (name, version): (&str, &Version),
    event: ActivationEvent,
    step: Step,
) -> Result<Published, Problem> {
    let _changing = app.changing.lock().await;
    let world = app.world.load_full();
    let found = world.version(name, version, caller.sees());
    let Some(found) = found else {
        return Err(Problem::not_found(format!("plugin {name} {version}")));
    };
    if found.tenant.is_none() {
        caller.must_be_host()?;
    }
    if !is_next(found, event)? {
        return Ok(found.clone());
    }
    let mut details = Vec::new();
    let mut loaded = None;
    match event {
        ActivationEvent::Approved => eyes::may_approve(app, caller, found, &step).await?,
        ActivationEvent::Activated => {
            let ready = ready(app, &world, found, step.allow_overlap).await?;
            details.extend(ready.details);
            loaded = Some(ready.plugin);
        }
        _ => {}
    }
    // A yank is right whatever else happened meanwhile, and must not have to be asked for again.
    let known = (event != ActivationEvent::Yanked).then(|| world.steps(name, found.tenant.as_deref()));
    let change = Change::Activation { package: name.to_owned(), version: version.to_string(), event, known };
    record(app, caller, found, change, details, step).await?;
    let mut next = world.with_step(name, &version.to_string(), found.tenant.as_deref(), event, found.digest);
    if let Some(plugin) = loaded {
        next = next.with_plugin(plugin);
    }
    let published = next.version(name, version, caller.sees()).unwrap_or(found).clone();
    app.world.store(Arc::new(next));
    Ok(published)
}

/// Takes the version that serves since last out of use, and lets the one that served before it serve again.
pub(crate) async fn roll_back(
    app: &App,
    caller: &Caller,
    name: &str,
    step: Step,
) -> Result<(Published, Published), Problem> {
    let _changing = app.changing.lock().await;
    let world = app.world.load_full();
    let all = world.versions(name, caller.sees());
    // The caller's own before the host's.
    let owner = match all.iter().find(|published| published.tenant == caller.bound_to) {
        Some(own) => own.tenant.clone(),
        None if all.is_empty() => return Err(Problem::not_found(format!("plugin {name}"))),
        None => {
            caller.must_be_host()?;
            None
        }
    };
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
    let from_version = from.manifest.version.to_string();
    // Whether the one before it may serve is asked as if the other had gone already.
    let without = world.with_step(name, &from_version, owner.as_deref(), ActivationEvent::Deactivated, from.digest);
    let mut details = Vec::new();
    let mut loaded = None;
    if to.state != State::Active {
        let plugin = loaded_plugin(app, &without, to).await?;
        details.extend(overlapping(&without, to, step.allow_overlap)?);
        signing::check_admission(app, &without, to).await?;
        health::check(&without, to, &plugin).await?;
        loaded = Some(plugin);
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
    let both = (shown(from), shown(to));
    app.world.store(Arc::new(next));
    Ok(both)
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

/// A version that may serve.
struct Ready {
    plugin: Arc<Plugin>,
    details: Vec<(&'static str, String)>,
}

/// Whether a version may serve, and is well.
async fn ready(app: &App, world: &World, found: &Published, allow_overlap: bool) -> Result<Ready, Problem> {
    eyes::check_approval(world, found)?;
    let plugin = loaded_plugin(app, world, found).await?;
    let mut details: Vec<_> = overlapping(world, found, allow_overlap)?.into_iter().collect();
    signing::check_admission(app, world, found).await?;
    health::check(world, found, &plugin).await?;
    if found.approved == Some(found.digest) {
        details.push(("approved", found.digest.to_string()));
    }
    Ok(Ready { plugin, details })
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
    let mut draft = by(caller, found.tenant.clone(), Timestamp::now(), change);
    draft.details.extend(details.into_iter().map(|(name, text)| (name.to_owned(), text)));
    let said = [("reason", step.reason), ("operator", step.operator)];
    draft.confidential.extend(said.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))));
    app.store.change(draft).await?;
    Ok(())
}
