//! What an empty data directory begins with: an admin key, the bundled plugins, a sensible global policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assize_kernel::{Environment, Policy, Thresholds};
use assize_ledger::{Digest, Timestamp};
use assize_registry::Kind;
use assize_store::{ActivationEvent, Change, ChangeDraft};
use serde_json::json;

use crate::app::App;
use crate::identity::{Caller, HOST, Role};
use crate::keys::Keys;
use crate::life::{Step, step};
use crate::pipeline::details;
use crate::problem::Problem;
use crate::publish::{Publication, publish};
use crate::routes::policies;
use crate::whose::Named;
use assize_rehearing::{Published, Scope};

/// Why the beginning failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BootstrapError {
    #[error("plugin {path}: {problem}")]
    Plugin { path: PathBuf, problem: String },
    #[error("{path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("the global policy: {0}")]
    Policy(String),
    #[error("the admin key: {0}")]
    Key(String),
}

/// Makes sure that there is an admin key. Gives it back if it was made here: it is shown this once.
pub(crate) async fn admin_key(app: &App) -> Result<Option<String>, BootstrapError> {
    let failed = |error: &dyn std::fmt::Display| BootstrapError::Key(error.to_string());
    let (key, made) = match &app.config.admin_key {
        Some(given) if app.keys.find(given).is_some() => return Ok(None),
        Some(given) if given.len() < 16 => {
            return Err(BootstrapError::Key(
                "ASSIZE_ADMIN_KEY is shorter than 16 characters: give a longer one".into(),
            ));
        }
        Some(given) => (given.clone(), false),
        None if !app.keys.is_empty() => return Ok(None),
        None => (Keys::generate().map_err(|error| failed(&error))?, true),
    };
    let hash = Digest::of(key.as_bytes());
    let id = uuid::Uuid::now_v7().to_string();
    let draft = ChangeDraft {
        tenant: None,
        time: Timestamp::now(),
        details: details([("key", HOST)]),
        confidential: BTreeMap::new(),
        input: None,
        change: Change::Key { id: id.clone(), hash, role: "admin".into(), label: "first admin key".into() },
    };
    app.store.change(draft).await.map_err(|error| failed(&error))?;
    app.keys.add(hash, Caller::new(id, Role::Admin, None));
    Ok(made.then_some(key))
}

/// Publishes and activates the plugins in a directory and binds them globally.
pub(crate) async fn bundled(app: &App, directory: &Path) -> Result<usize, BootstrapError> {
    let read = |error| BootstrapError::Read { path: directory.to_owned(), error };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| BootstrapError::Read { path: path.clone(), error })?;
        let failed =
            |problem: Problem| BootstrapError::Plugin { path: path.clone(), problem: problem.detail().to_owned() };
        let (Publication::New(published) | Publication::Known(published)) =
            publish(app, &Caller::host(), bytes.into(), None).await.map_err(failed)?;
        let manifest = &published.manifest;
        let which = Named { package: manifest.name.as_str(), version: Some(&manifest.version), tenant: None };
        let why = Step { reason: Some("bundled with the host".to_owned()), ..Step::default() };
        let (activated, _) =
            step(app, &Caller::host(), which, ActivationEvent::Activated, why).await.map_err(failed)?;
        all.push(activated);
    }
    let policy = global_policy(&all).map_err(|error| BootstrapError::Policy(error.to_string()))?;
    let set = policies::set(app, &Caller::host(), Scope::Global, policy).await;
    set.map_err(|problem| BootstrapError::Policy(problem.detail().to_owned()))?;
    Ok(all.len())
}

/// Binds whatever is bundled: agents by BuildToValue's weights (BTV-3, BTV-4) where it names them, rules as they are,
/// actions that need no settings of the operator's. Thresholds are BTV-6's.
fn global_policy(published: &[Published]) -> serde_json::Result<Policy> {
    let mut names: Vec<(&str, Kind)> =
        published.iter().map(|one| (one.manifest.name.as_str(), one.manifest.kind)).collect();
    names.dedup();
    let mut bindings = Vec::new();
    for (plugin, kind) in names {
        let name = plugin.split_once('/').map_or(plugin, |(_, name)| name);
        let binding = match (kind, plugin) {
            (Kind::RiskAgent, "assize/technical" | "assize/ethical") => json!({ "weight": 0.3 }),
            (Kind::RiskAgent, "assize/regulatory") => json!({ "weight": 0.4 }),
            (Kind::RiskAgent, "assize/threat-taxonomy") => json!({ "weight": 1.0, "adds": true }),
            (Kind::ComplianceRule, _) => json!({}),
            (Kind::Action, "assize/alert") => json!({ "on": ["review", "block"] }),
            // Other agents and actions wait for someone who knows their weight and settings.
            _ => continue,
        };
        let mut binding = binding;
        if let Some(fields) = binding.as_object_mut() {
            fields.insert("name".into(), json!(name));
            fields.insert("plugin".into(), json!(plugin));
        }
        bindings.push(binding);
    }
    let mut policy: Policy = serde_json::from_value(json!({
        "title": "Bundled plugins with BuildToValue's weights and thresholds",
        "bindings": bindings,
    }))?;
    for (environment, review, block) in
        [(Environment::Development, 6.0, 8.0), (Environment::Staging, 4.5, 6.0), (Environment::Production, 3.0, 4.0)]
    {
        let thresholds = Thresholds { warn: None, review: Some(review), block: Some(block) };
        policy.thresholds.insert(environment, thresholds);
    }
    Ok(policy)
}
