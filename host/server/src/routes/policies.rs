//! Policies: each change is a new version and an entry.

use std::collections::BTreeSet;
use std::sync::Arc;

use assize_kernel::{Binding, Policy};
use assize_ledger::{Digest, Timestamp};
use assize_registry::Kind;
use assize_rehearing::{InForce, InForceError, Published, Ruling, Scope, State as LifeState, World};
use assize_sandbox::{Limits, Settings};
use assize_store::Change;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;

use crate::app::{App, SharedApp, TRIES};
use crate::door::{Parameters, Path, StrictJson, parsed};
use crate::health;
use crate::identity::{Caller, Role};
use crate::problem::Problem;
use crate::publish::by;
use crate::whose::{self, NamedSystem, WhosePolicy};

/// A version of a scope's policy.
#[derive(Serialize)]
pub(crate) struct PolicyView {
    scope: String,
    /// Whose; none for the whole host.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    version: u64,
    hash: Digest,
    at: Timestamp,
    policy: Arc<Policy>,
}

/// The scope that an address means. Whose it is says the caller, or that only one tenant can be meant.
pub(super) async fn scope(app: &App, caller: &Caller, text: &str, named: Option<&str>) -> Result<Scope, Problem> {
    let unknown = || Problem::not_found(format!("scope {text:?}; use global, tenant, tenant:NAME or system:ID"));
    let fits = match text.strip_prefix("tenant:") {
        Some(name) => named.is_none_or(|named| named == name),
        None => named.is_none() || text != "global",
    };
    if !fits {
        let detail = format!("the scope {text:?} says already whose policy is meant: leave tenant out");
        return Err(Problem::invalid("tenant", detail));
    }
    let tenant = match text.split_once(':') {
        None if text == "global" => String::new(),
        None if text == "tenant" => whose::tenant(app, caller, named).await?,
        Some(("tenant", name)) => whose::tenant(app, caller, Some(name)).await?,
        Some(("system", id)) => match whose::named(app, caller, named).await? {
            Some(tenant) => tenant.to_owned(),
            None => NamedSystem { id, tenant: None }.owner(&app.systems, caller)?,
        },
        _ => return Err(unknown()),
    };
    Scope::parse(text, &tenant).ok_or_else(unknown)
}

/// The policy in force for a scope.
#[utoipa::path(get, path = "/v1/policies/{scope}", tag = "policies",
    params(("scope" = String, Path, description = "`global`, `tenant` or `system:ID`"), WhosePolicy),
    responses((status = 200, description = "The newest version"), (status = 404, body = Problem),
        (status = 409, description = "It may be several tenants'", body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(text): Path<String>,
    Parameters(whose): Parameters<WhosePolicy>,
) -> Result<Json<PolicyView>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let scope = scope(&app, &caller, &text, whose.tenant.as_deref()).await?;
    let world = app.world.load();
    let ruling = world.policy(&scope).ok_or_else(|| Problem::not_found(format!("policy for {text}")))?;
    Ok(Json(view(&scope, ruling)))
}

/// Which day of the law's, and which of ours.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectiveQuery {
    /// The day of the facts (RFC 3339 or a date): which versions apply to them. Now where left out.
    as_of: Option<String>,
    /// What was published, activated and set by this moment of ours. Now where left out.
    known_at: Option<String>,
    /// The tenant whose policies are meant: for keys of the host, which see those of all. Left out, those of the one
    /// tenant which has the system are meant, or those of the only tenant that there is.
    tenant: Option<String>,
}

/// What is or was in force for a scope, with the layers above it: which versions applied, with digests.
#[utoipa::path(get, path = "/v1/policies/{scope}/effective", tag = "policies",
    params(("scope" = String, Path, description = "`global`, `tenant` or `system:ID`"), EffectiveQuery),
    responses((status = 200, description = "The merged policy, and for each binding the version that applied"),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, description = "It may be several tenants'", body = Problem)))]
pub(crate) async fn effective(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(text): Path<String>,
    Parameters(query): Parameters<EffectiveQuery>,
) -> Result<Json<InForce>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let scope = scope(&app, &caller, &text, query.tenant.as_deref()).await?;
    let now = Timestamp::now();
    let moment = |field, text: Option<&str>| text.map_or(Ok(now), |text| parsed(field, text));
    let (as_of, known_at) = (moment("as_of", query.as_of.as_deref())?, moment("known_at", query.known_at.as_deref())?);
    let found = InForce::read(&app.store, &scope, as_of, known_at).await.map_err(|error| match error {
        InForceError::Store(error) => error.into(),
        InForceError::Snapshot(error) => Problem::internal(error),
    });
    Ok(Json(found?))
}

fn view(scope: &Scope, ruling: &Ruling) -> PolicyView {
    PolicyView {
        scope: scope.name(),
        tenant: scope.tenant().map(str::to_owned),
        version: ruling.version,
        hash: ruling.hash,
        at: ruling.at,
        policy: Arc::clone(&ruling.policy),
    }
}

/// Sets a scope's policy.
#[utoipa::path(put, path = "/v1/policies/{scope}", tag = "policies",
    params(("scope" = String, Path, description = "`global`, `tenant` or `system:ID`"), WhosePolicy),
    request_body(content = Object, description = "thresholds, on_failure, limits, bindings"),
    responses((status = 200, description = "In force"), (status = 404, body = Problem),
        (status = 409, description = "It may be several tenants': nothing is changed", body = Problem),
        (status = 422, description = "Refused", body = Problem)))]
pub(crate) async fn put(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(text): Path<String>,
    Parameters(whose): Parameters<WhosePolicy>,
    body: StrictJson<Policy>,
) -> Result<Json<PolicyView>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let scope = scope(&app, &caller, &text, whose.tenant.as_deref()).await?;
    may_change(&app, &caller, &scope)?;
    set(&app, &caller, scope, body.value).await.map(Json)
}

/// The global policy is the host's, and a system's needs the system.
pub(super) fn may_change(app: &App, caller: &Caller, scope: &Scope) -> Result<(), Problem> {
    match scope {
        Scope::Global => caller.must_be_host(),
        Scope::System(tenant, id) if app.systems.get(tenant, id).is_none() => {
            Err(Problem::not_found(format!("system {id:?}; register it with POST /v1/systems")))
        }
        _ => Ok(()),
    }
}

/// Sets a policy, whichever stood before.
pub(crate) async fn set(app: &App, caller: &Caller, scope: Scope, policy: Policy) -> Result<PolicyView, Problem> {
    let propose = |world: &World| {
        check_admission(world, caller, &scope, &policy)?;
        let policy = policy.clone();
        Ok(Proposed { policy, only: None, details: Vec::new(), confidential: Vec::new() })
    };
    change(app, caller, &scope, propose).await
}

/// A policy that somebody wants in force.
pub(super) struct Proposed {
    pub(super) policy: Policy,
    /// The one binding that is new in it; all are, where left out.
    pub(super) only: Option<String>,
    /// What its entry says.
    pub(super) details: Vec<(&'static str, String)>,
    /// What its entry commits to.
    pub(super) confidential: Vec<(&'static str, String)>,
}

/// Checks what is proposed and puts it in force, as the next version after the one that stands.
///
/// Plugins are asked whether they take their settings, by their own code, which takes as long as its fuel lasts: other changes
/// don't wait for that. Where one of them came between that matters, it is proposed and checked anew.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    scope: &Scope,
    propose: impl Fn(&World) -> Result<Proposed, Problem>,
) -> Result<PolicyView, Problem> {
    for _ in 0..TRIES {
        let world = app.world.load_full();
        let proposed = propose(&world)?;
        check(&world, scope, &proposed).await?;
        let changing = app.changing.lock().await;
        let newest = app.world.load_full();
        if depends_on(&world, scope, &proposed.policy) == depends_on(&newest, scope, &proposed.policy) {
            return enact(app, caller, scope.clone(), &newest, proposed, &changing).await;
        }
    }
    Err(Problem::conflict(format!("what is in force changed {TRIES} times while the policy was checked: try again")))
}

/// What a policy was checked against: itself before, the policies above it, and where the versions that it may bind stand.
fn depends_on(world: &World, scope: &Scope, policy: &Policy) -> impl PartialEq + use<> {
    let above = |other: &Scope| match (other, scope) {
        (other, scope) if other == scope => true,
        (Scope::Global, _) => true,
        (Scope::Tenant(other), scope) => scope.tenant() == Some(other),
        (Scope::System(..), _) => false,
    };
    let mut standing: Vec<_> =
        policy.bindings.iter().map(|binding| world.standing(binding.plugin.as_str(), scope.tenant())).collect();
    if *scope == Scope::Global {
        // It binds none of a tenant's.
        for versions in &mut standing {
            versions.retain(|(_, tenant, ..)| tenant.is_none());
        }
    }
    (world.rulings(above), standing)
}

/// Checks a policy as such, and those of its bindings that are new against what is there to run.
async fn check(world: &World, scope: &Scope, proposed: &Proposed) -> Result<(), Problem> {
    let Proposed { policy, only, .. } = proposed;
    policy.check().map_err(|error| Problem::invalid("policy", error))?;
    let new = |binding: &Binding| only.as_ref().is_none_or(|name| binding.name == *name);
    for (index, binding) in policy.bindings.iter().enumerate().filter(|(_, binding)| new(binding)) {
        check_binding(world, scope, index, binding, policy).await?;
        check_candidate(world, scope, index, binding, policy)?;
    }
    Ok(())
}

/// What versions need before they serve is an admin's to change: whoever publishes must not be able to do away with it. A system's
/// versions are published by its tenant, or by the host.
fn check_admission(world: &World, caller: &Caller, scope: &Scope, policy: &Policy) -> Result<(), Problem> {
    let before = world.policy(scope).and_then(|ruling| ruling.policy.admission.as_ref());
    if before != policy.admission.as_ref() {
        let denied =
            caller.must_be(&[]).map_err(|problem| problem.because("what a version needs changes").at("admission"));
        denied?;
    }
    let approval = policy.admission.as_ref().is_some_and(|admission| admission.approval);
    if approval && matches!(scope, Scope::System(..)) {
        let detail =
            "a version is approved for its tenant, or for the host: ask for it in the tenant's or the global policy";
        return Err(Problem::invalid("admission.approval", detail));
    }
    Ok(())
}

/// Puts a policy in force, as the next version after the one in `world`. Needs the order of changes for itself.
async fn enact(
    app: &App,
    caller: &Caller,
    scope: Scope,
    world: &World,
    proposed: Proposed,
    _changing: &MutexGuard<'_, ()>,
) -> Result<PolicyView, Problem> {
    let Proposed { policy, details, confidential, .. } = proposed;
    let bytes = serde_json::to_vec(&policy).map_err(Problem::internal)?;
    let (hash, at) = (Digest::of(&bytes), Timestamp::now());
    let version = world.policy(&scope).map_or(1, |newest| newest.version + 1);
    let change = Change::Policy { scope: scope.name(), version, bytes };
    let mut draft = by(caller, scope.tenant().map(str::to_owned), at, change)?;
    draft.details.extend(details.into_iter().map(|(name, text)| (name.to_owned(), text)));
    draft.confidential.extend(confidential.into_iter().map(|(name, text)| (name.to_owned(), text)));
    app.store.change(draft).await?;
    let ruling = Ruling { version, hash, policy: Arc::new(policy), at };
    let shown = view(&scope, &ruling);
    app.world.store(Arc::new(world.with_policy(scope, ruling)));
    Ok(shown)
}

/// A candidate must be of the same kind as what it is instead of: a score isn't to be compared with a verdict, and a rule isn't to
/// be replaced by an action.
fn check_candidate(
    world: &World,
    scope: &Scope,
    index: usize,
    binding: &Binding,
    policy: &Policy,
) -> Result<(), Problem> {
    let incumbent = policy.bindings.iter().find(|other| binding.instead_of.as_ref() == Some(&other.name));
    let Some(incumbent) = incumbent else { return Ok(()) };
    let kinds = |binding: &Binding| -> BTreeSet<&'static str> {
        let versions = bindable(world, scope, binding, policy);
        versions.into_iter().map(|published| published.manifest.kind.as_str()).collect()
    };
    let (own, other) = (kinds(binding), kinds(incumbent));
    // Nothing is told of an incumbent that has nothing to run: its own check does that.
    if other.is_empty() || own == other {
        return Ok(());
    }
    let text = |kinds: BTreeSet<&'static str>| kinds.into_iter().collect::<Vec<_>>().join(" or ");
    let detail = format!(
        "{:?} is a {} and {:?} a {}: name a live binding of the same kind, or leave instead_of out",
        incumbent.name,
        text(other),
        binding.name,
        text(own),
    );
    Err(Problem::invalid(format!("bindings[{index}].instead_of"), detail))
}

/// The active versions that a binding of this policy may run, with the signatures that it and those above it want.
fn bindable<'w>(world: &'w World, scope: &Scope, binding: &Binding, policy: &Policy) -> Vec<&'w Published> {
    let mut versions = active(world, scope, binding);
    for (_, admission) in world.admissions_above(scope) {
        versions.retain(|published| admission.admits(&published.signed_by));
    }
    versions.retain(|published| policy.admits(&published.signed_by));
    versions
}

/// The active versions that a binding's range matches.
fn active<'w>(world: &'w World, scope: &Scope, binding: &Binding) -> Vec<&'w Published> {
    let mut versions = packaged(world, scope, binding);
    versions.retain(|published| binding.version.matches(&published.manifest.version));
    versions.retain(|published| published.state == LifeState::Active);
    versions
}

/// All versions of a binding's package that its scope may see.
fn packaged<'w>(world: &'w World, scope: &Scope, binding: &Binding) -> Vec<&'w Published> {
    let mut versions = world.versions(binding.plugin.as_str(), scope.tenant());
    // See `World::candidates`.
    versions.retain(|published| *scope != Scope::Global || published.tenant.is_none());
    versions
}

/// Largest settings of a binding that comes into force, in bytes. Lists of words have some kilobytes; and each part of settings
/// may have to be held against thousands of a schema's.
const LARGEST_SETTINGS: usize = 64 << 10;

/// A binding must name a package that there is, in a version that may be bound, and settings that every such version
/// can work with.
async fn check_binding(
    world: &World,
    scope: &Scope,
    index: usize,
    binding: &Binding,
    policy: &Policy,
) -> Result<(), Problem> {
    let field = |name: &str| format!("bindings[{index}].{name}");
    if packaged(world, scope, binding).is_empty() {
        let detail = format!("there is no plugin {}; publish it with POST /v1/plugins", binding.plugin);
        return Err(Problem::invalid(field("plugin"), detail));
    }
    let versions = bindable(world, scope, binding, policy);
    if versions.is_empty() {
        let unsigned = active(world, scope, binding);
        if !unsigned.is_empty() {
            let list = unsigned.iter().map(|one| one.manifest.version.to_string()).collect::<Vec<_>>().join(", ");
            let detail = format!(
                "{} {list} lacks the signature that this policy, or one above it, asks for: sign it with `assize plugin sign` \
                 and publish it again",
                binding.plugin
            );
            return Err(Problem::invalid(field("plugin"), detail));
        }
        let detail = format!("no active version of {} matches {}; activate one first", binding.plugin, binding.version);
        return Err(Problem::invalid(field("version"), detail));
    }
    let agent = versions.iter().any(|published| published.manifest.kind == Kind::RiskAgent);
    if binding.adds && !agent {
        return Err(Problem::invalid(field("adds"), "only a risk agent has a score to add"));
    }
    let text = binding.settings.get();
    if text.len() > LARGEST_SETTINGS {
        let detail = format!("{} bytes, more than the {LARGEST_SETTINGS} that settings may have", text.len());
        return Err(Problem::invalid(field("settings"), detail));
    }
    let settings = Settings::parse(text).map_err(|error| Problem::invalid(field("settings"), error))?;
    for published in versions {
        check_settings(world, published, &settings).await.map_err(|why| Problem::invalid(field("settings"), why))?;
    }
    Ok(())
}

/// Against the manifest's schema, and then against the plugin itself.
async fn check_settings(world: &World, published: &Published, settings: &Settings) -> Result<(), String> {
    let manifest = &published.manifest;
    let which = format!("{} {}", manifest.name, manifest.version);
    let schema = health::schema_of(manifest).await.map_err(|error| format!("{which}: {error}"))?;
    let checked = health::check_against(&schema, settings.as_str()).await;
    checked.map_err(|error| format!("{which} refuses them: {error}"))?;
    let plugin = world.plugin(published.digest).ok_or_else(|| format!("{which} isn't loaded here yet: try again"))?;
    let limits = Limits { fuel: manifest.limits.fuel, memory_bytes: manifest.limits.memory_bytes, ..Limits::default() };
    let call = plugin.validate_settings(settings, &limits).await;
    call.result.map_err(|error| format!("{which} refuses them: {error}"))
}
