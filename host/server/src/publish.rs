//! Publishing a package, and each further step in its life. Every one is an entry in the ledger.

use std::sync::Arc;

use assize_ledger::Timestamp;
use assize_registry::{Package, inspect};
use assize_sandbox::{Limits, LoadError, Plugin};
use assize_store::{ActivationEvent, Change, ChangeDraft, Outcome};
use bytes::Bytes;
use semver::Version;

use crate::app::App;
use crate::identity::Caller;
use crate::pipeline::details;
use crate::problem::Problem;
use assize_rehearing::{Published, State};

/// Whether a package is new.
pub(crate) enum Publication {
    New(Box<Published>),
    Known(Box<Published>),
}

/// Checks, compiles and keeps a package.
pub(crate) async fn publish(app: &App, caller: &Caller, bytes: Bytes) -> Result<Publication, Problem> {
    let bytes: Arc<[u8]> = Arc::from(bytes.as_ref());
    let package = examine(Arc::clone(&bytes)).await?;
    let owner = caller.bound_to.clone();
    let known = app.world.load().by_digest(package.digest, owner.as_deref()).cloned();
    if let Some(known) = known.filter(|known| known.tenant == owner) {
        return Ok(Publication::Known(Box::new(known)));
    }
    let plugin = compile(app, &bytes).await?;
    let own = package.manifest.limits;
    let limits = Limits { fuel: own.fuel, memory_bytes: own.memory_bytes, ..Limits::default() };
    plugin.probe(&limits).await.map_err(|error| Problem::invalid("component", error))?;
    // Compiling may have taken seconds: the order of changes begins here.
    let _changing = app.changing.lock().await;
    let manifest = package.manifest;
    let now = Timestamp::now();
    let change = Change::Publish {
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        kind: manifest.kind.to_string(),
        contract: manifest.contract.to_string(),
        manifest: serde_json::to_string(&manifest).map_err(Problem::internal)?,
        component: bytes,
    };
    let published =
        Published { manifest, digest: package.digest, tenant: owner.clone(), at: now, state: State::Published };
    let outcome = app.store.change(by(caller, owner, now, change)).await?;
    if matches!(outcome, Outcome::Existing(_)) {
        return Ok(Publication::Known(Box::new(published)));
    }
    let world = app.world.load().with_package(published.clone()).with_plugin(Arc::new(plugin));
    app.world.store(Arc::new(world));
    Ok(Publication::New(Box::new(published)))
}

/// Everything that can be told from the bytes, before anything is compiled.
pub(crate) async fn examine(bytes: Arc<[u8]>) -> Result<Package, Problem> {
    let inspected = tokio::task::spawn_blocking(move || inspect(&bytes)).await.map_err(Problem::internal)?;
    inspected.map_err(|error| Problem::invalid("component", error))
}

/// Compiles off the serving path, one component at a time and bounded in time.
async fn compile(app: &App, bytes: &Arc<[u8]>) -> Result<Plugin, Problem> {
    let _compiling = app.compiling.lock().await;
    let loaded = app.sandbox.load_bounded(Arc::clone(bytes), app.config.compile_timeout).await;
    loaded.map_err(|error| match error {
        LoadError::Thread(_) => Problem::busy(error),
        _ => Problem::invalid("component", error),
    })
}

/// A step in the life of a version.
pub(crate) async fn step(
    app: &App,
    caller: &Caller,
    (name, version): (&str, &Version),
    event: ActivationEvent,
    reason: Option<String>,
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
    let state = match event {
        ActivationEvent::Activated => State::Active,
        ActivationEvent::Deactivated => State::Published,
        ActivationEvent::Yanked => State::Yanked,
    };
    if found.state == state {
        return Ok(found.clone());
    }
    if found.state == State::Yanked {
        return Err(Problem::conflict(format!(
            "{name} {version} is yanked, which can't be undone: publish a new version"
        )));
    }
    let plugin = if state == State::Active && world.plugin(found.digest).is_none() {
        let bytes = app.store.component(&found.digest).await?;
        let bytes: Arc<[u8]> = bytes.ok_or_else(|| Problem::internal("the component's bytes are gone"))?.into();
        Some(compile(app, &bytes).await?)
    } else {
        None
    };
    let change = Change::Activation { package: name.to_owned(), version: version.to_string(), event };
    let owner = found.tenant.clone();
    let mut draft = by(caller, owner.clone(), Timestamp::now(), change);
    if let Some(reason) = reason {
        draft.confidential.insert("reason".to_owned(), reason);
    }
    app.store.change(draft).await?;
    let mut next = world.with_activation(name, &version.to_string(), owner.as_deref(), event);
    if let Some(plugin) = plugin {
        next = next.with_plugin(Arc::new(plugin));
    }
    app.world.store(Arc::new(next));
    Ok(Published { state, ..found.clone() })
}

/// A change, with the key that made it.
pub(crate) fn by(caller: &Caller, tenant: Option<String>, time: Timestamp, change: Change) -> ChangeDraft {
    ChangeDraft {
        tenant,
        time,
        details: details([("key", &caller.key), ("role", caller.role.as_str())]),
        confidential: details([]),
        input: None,
        change,
    }
}
