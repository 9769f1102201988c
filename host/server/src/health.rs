//! Is a version fit to serve? Tried in the sandbox before it does, by the same function that judges.
//!
//! It has to take the settings that bindings give it, and to judge an empty case that it applies to. That it can't judge such a
//! case and says so is an answer; that it traps, runs out of fuel or memory, or answers what the contract doesn't allow, isn't.

use std::sync::Arc;

use assize_kernel::{Input, Layer, Policy, RunStatus, Snapshot, decide};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Effective, Limits as Most, Manifest, SettingsSchema};
use assize_rehearing::{Published, Scope, State, World, candidate};
use assize_sandbox::contract::Case;
use assize_sandbox::{CallError, Limits, Plugin, Settings};
use serde_json::json;
use serde_json::value::RawValue;

use crate::problem::Problem;

/// What it is tried as.
struct Trial {
    /// The binding, as errors call it; none where no binding has it.
    binding: Option<String>,
    settings: Box<RawValue>,
    limits: Option<Most>,
}

/// Tries a version as every binding would run it, or by itself where no binding would.
pub(crate) async fn check(world: &World, published: &Published, plugin: &Arc<Plugin>) -> Result<(), Problem> {
    let manifest = &published.manifest;
    let schema = schema_of(manifest).await.map_err(|error| ill(world, published, error))?;
    for trial in trials(world, published) {
        let of = trial.binding.as_ref().map(|binding| format!("{binding}: ")).unwrap_or_default();
        let bound = trial.binding.is_some();
        match settings(manifest, plugin, &schema, &trial).await {
            Ok(()) => {}
            // Without a binding there are no settings to try it with, and it may need some.
            Err(Unfit::Refused(_)) if !bound => continue,
            Err(Unfit::Refused(why) | Unfit::Ill(why)) => return Err(ill(world, published, format!("{of}{why}"))),
        }
        judge(published, plugin, trial).await.map_err(|why| ill(world, published, format!("{of}{why}")))?;
    }
    Ok(())
}

/// A package's schema, ready to hold settings against.
pub(crate) async fn schema_of(manifest: &Manifest) -> Result<Arc<SettingsSchema>, String> {
    let schema = manifest.settings_schema.clone();
    aside(move || SettingsSchema::compile(&schema).map(Arc::new).map_err(|error| error.to_string())).await
}

/// Holds settings against a package's schema.
pub(crate) async fn check_against(schema: &Arc<SettingsSchema>, settings: &str) -> Result<(), String> {
    let (schema, settings) = (Arc::clone(schema), settings.to_owned());
    let check = move || {
        let settings = serde_json::from_str(&settings).map_err(|error| error.to_string())?;
        schema.validate(&settings).map_err(|error| error.to_string())
    };
    aside(check).await
}

/// Off the threads that serve: whoever wrote schema and settings has a say in how long it takes.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

/// Each way in which bindings would run it.
fn trials(world: &World, published: &Published) -> Vec<Trial> {
    let manifest = &published.manifest;
    let mut trials: Vec<Trial> = Vec::new();
    for (scope, ruling) in world.policies() {
        let binds = match published.tenant.as_deref() {
            None => true,
            Some(owner) => *scope != Scope::Global && scope.tenant() == Some(owner),
        };
        let bindings =
            ruling.policy.bindings.iter().filter(|binding| {
                binds && binding.plugin == manifest.name && binding.version.matches(&manifest.version)
            });
        for binding in bindings {
            trials.push(Trial {
                binding: Some(format!("binding {:?} of {}", binding.name, scope.layer())),
                settings: binding.settings.clone(),
                limits: ruling.policy.limits,
            });
        }
    }
    if trials.is_empty() {
        let settings = RawValue::from_string("{}".to_owned()).unwrap_or_default();
        trials.push(Trial { binding: None, settings, limits: None });
    }
    trials
}

/// Why it isn't fit.
enum Unfit {
    /// It doesn't take the settings.
    Refused(String),
    /// It couldn't be asked.
    Ill(String),
}

async fn settings(
    manifest: &Manifest,
    plugin: &Plugin,
    schema: &Arc<SettingsSchema>,
    trial: &Trial,
) -> Result<(), Unfit> {
    let text = trial.settings.get();
    let refused = |error: &dyn std::fmt::Display| Unfit::Refused(format!("its settings are refused: {error}"));
    let settings = Settings::parse(text).map_err(|error| refused(&error))?;
    check_against(schema, text).await.map_err(|error| refused(&error))?;
    let limits = Limits { fuel: manifest.limits.fuel, memory_bytes: manifest.limits.memory_bytes, ..Limits::default() };
    match plugin.validate_settings(&settings, &limits).await.result {
        Ok(()) => Ok(()),
        Err(error @ CallError::Failed(_)) => Err(refused(&error)),
        Err(error) => Err(Unfit::Ill(format!("asked whether it takes the settings, it gave no answer: {error}"))),
    }
}

/// Judges an empty case by nothing but this version.
async fn judge(published: &Published, plugin: &Arc<Plugin>, trial: Trial) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let manifest = &published.manifest;
    let policy = json!({ "bindings": [{
        "name": "health",
        "plugin": manifest.name,
        "version": format!("={}", manifest.version),
        "on": ["allow", "warn", "review", "block"],
    }] });
    let mut policy: Policy = serde_json::from_value(policy).map_err(|error| text(&error))?;
    policy.limits = trial.limits;
    for binding in &mut policy.bindings {
        // As they are written, to the byte.
        binding.settings.clone_from(&trial.settings);
    }
    let layer = Layer { scope: "health".to_owned(), version: 1, hash: Digest::ZERO };
    let snapshot =
        Snapshot::merged(&[(layer, &policy)], |_, _| vec![candidate(published)], |_| Some(Arc::clone(plugin)));
    let snapshot = Arc::new(snapshot.map_err(|error| text(&error))?);
    let input = Arc::new(Input::new(empty_case(manifest), None));
    let judged = decide(&snapshot, &input).await.map_err(|error| text(&error))?;
    for run in &judged.runs {
        if !matches!(run.status, RunStatus::Ok | RunStatus::Abstained | RunStatus::Failed) {
            let why = run.error.as_deref().unwrap_or("it gave no answer");
            return Err(format!("it didn't judge an empty case ({}): {why}", run.status.as_str()));
        }
    }
    match judged.skipped.first() {
        Some(skipped) => Err(format!("no case could be made that it applies to ({:?})", skipped.reason)),
        None => Ok(()),
    }
}

/// A case of nothing that the version applies to.
fn empty_case(manifest: &Manifest) -> Case {
    let nothing = || RawValue::from_string("{}".to_owned()).unwrap_or_default();
    let scope = &manifest.scope;
    let at = moment_in(&manifest.effective);
    Case {
        id: uuid::Uuid::nil().to_string(),
        kind: scope.kinds.first().cloned().unwrap_or_else(|| "prompt".to_owned()),
        tenant: "health".to_owned(),
        system: None,
        environment: "development".to_owned(),
        jurisdictions: scope.jurisdictions.clone(),
        sector: scope.sectors.first().cloned(),
        actor: None,
        action: None,
        resource: None,
        occurred_at: at,
        rules_as_of: at,
        payload: nothing(),
        context: nothing(),
    }
}

/// Now, or the moment of the period that is nearest to it.
fn moment_in(period: &Effective) -> Timestamp {
    let now = Timestamp::now();
    match (period.from(), period.to()) {
        (Some(from), _) if now < from => from,
        (_, Some(to)) if now >= to => Timestamp::from_millis(to.as_millis().saturating_sub(1)).unwrap_or(now),
        _ => now,
    }
}

/// The refusal, with who serves in its place.
fn ill(world: &World, published: &Published, why: impl std::fmt::Display) -> Problem {
    let manifest = &published.manifest;
    let versions = world.versions(manifest.name.as_str(), None);
    let serving: Vec<String> = versions
        .iter()
        .filter(|other| other.tenant == published.tenant && other.state == State::Active)
        .map(|other| other.manifest.version.to_string())
        .collect();
    let instead = match serving.as_slice() {
        [] => "no version of it serves".to_owned(),
        serving => format!("{} goes on serving", serving.join(" and ")),
    };
    let detail = format!("{} {} fails its health check: {why}; {instead}", manifest.name, manifest.version);
    tracing::warn!(detail, "not activated");
    Problem::conflict(detail).at("health")
}
