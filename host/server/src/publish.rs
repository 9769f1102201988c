//! Publishing a package, with its publisher's signature where there is one. Each is an entry in the ledger.

use std::sync::Arc;

use assize_ledger::Timestamp;
use assize_registry::{Package, inspect};
use assize_sandbox::{LoadError, Plugin};
use assize_store::{Change, ChangeDraft, Outcome};
use bytes::Bytes;

use crate::app::App;
use crate::fitness::started;
use crate::identity::Caller;
use crate::pipeline::details;
use crate::problem::Problem;
use crate::{reload, signing};
use assize_rehearing::Published;

/// Whether a package is new.
pub(crate) enum Publication {
    New(Box<Published>),
    Known(Box<Published>),
}

/// Checks, compiles and keeps a package, and its signature.
pub(crate) async fn publish(
    app: &App,
    caller: &Caller,
    bytes: Bytes,
    signature: Option<String>,
) -> Result<Publication, Problem> {
    let bytes: Arc<[u8]> = Arc::from(bytes.as_ref());
    let package = examine(Arc::clone(&bytes)).await?;
    let owner = caller.bound_to.clone();
    let known = app.world.load().by_digest(package.digest, owner.as_deref()).cloned();
    if let Some(known) = known.filter(|known| known.tenant == owner) {
        let known = match signature {
            Some(note) => sign(app, caller, &known, note).await?,
            None => known,
        };
        return Ok(Publication::Known(Box::new(known)));
    }
    publishable(&package)?;
    let manifest = package.manifest;
    let key = match &signature {
        Some(note) => {
            Some(signing::verified(app, owner.as_deref(), (&manifest, package.digest), note.as_bytes()).await?)
        }
        None => None,
    };
    let signed_by: Vec<String> = key.into_iter().collect();
    signing::may_publish(app, &app.world.load(), owner.as_deref(), &manifest, &signed_by).await?;
    let plugin = {
        let _compiling = app.compiling.lock().await;
        started(&app.sandbox, &manifest, &bytes, app.config.compile_timeout).await.map_err(refused)?
    };
    // Compiling may have taken seconds: the order of changes begins here.
    let changing = app.changing.lock().await;
    let now = Timestamp::now();
    let change = Change::Publish {
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        kind: manifest.kind.to_string(),
        contract: manifest.contract.to_string(),
        manifest: serde_json::to_string(&manifest).map_err(Problem::internal)?,
        component: bytes,
    };
    let published = Published::new(manifest, package.digest, owner.clone(), now);
    let outcome = app.store.change(by(caller, owner, now, change)?).await?;
    let new = !matches!(outcome, Outcome::Existing(_));
    if new {
        let world = app.world.load().with_package(published.clone()).with_plugin(Arc::new(plugin));
        app.world.store(Arc::new(world));
    } else {
        // Another host published it, and this one hasn't heard of it yet.
        reload::world(app, &changing).await?;
    }
    drop(changing);
    // An entry of its own. Should the host end before it, publishing the same again adds it.
    let published = match signature {
        Some(note) => sign(app, caller, &published, note).await?,
        None => published,
    };
    Ok(if new { Publication::New(Box::new(published)) } else { Publication::Known(Box::new(published)) })
}

/// Verifies and keeps a signature over a published version.
pub(crate) async fn sign(
    app: &App,
    caller: &Caller,
    published: &Published,
    note: String,
) -> Result<Published, Problem> {
    let _changing = app.changing.lock().await;
    let (manifest, tenant) = (&published.manifest, published.tenant.clone());
    let (name, version) = (manifest.name.to_string(), manifest.version.to_string());
    let key = signing::verified(app, tenant.as_deref(), (manifest, published.digest), note.as_bytes()).await?;
    let change = Change::Sign { package: name.clone(), version: version.clone(), key: key.clone(), note };
    let outcome = app.store.change(by(caller, tenant.clone(), Timestamp::now(), change)?).await?;
    let mut world = app.world.load_full();
    if let Outcome::Appended(_) = outcome {
        world = Arc::new(world.with_signature(&name, &version, tenant.as_deref(), key));
        app.world.store(Arc::clone(&world));
    }
    let found = world.version(&name, &manifest.version, tenant.as_deref());
    Ok(found.filter(|found| found.tenant == tenant).unwrap_or(published).clone())
}

/// Everything that can be told from the bytes, before anything is compiled.
pub(crate) async fn examine(bytes: Arc<[u8]>) -> Result<Package, Problem> {
    let inspected = tokio::task::spawn_blocking(move || inspect(&bytes)).await.map_err(Problem::internal)?;
    inspected.map_err(|error| Problem::invalid("component", error))
}

/// What is asked of packages that come in, and not of those that were published before.
pub(crate) fn publishable(package: &Package) -> Result<(), Problem> {
    let why = package.manifest.scope.unpublishable();
    why.map_or(Ok(()), |why| Err(Problem::invalid("component", format!("manifest field {why}"))))
}

/// Compiles off the serving path, one component at a time and bounded in time.
pub(crate) async fn compile(app: &App, bytes: &Arc<[u8]>) -> Result<Plugin, Problem> {
    let _compiling = app.compiling.lock().await;
    app.sandbox.load_bounded(Arc::clone(bytes), app.config.compile_timeout).await.map_err(refused)
}

fn refused(error: LoadError) -> Problem {
    match error {
        LoadError::Thread(_) => Problem::busy(error),
        _ => Problem::invalid("component", error),
    }
}

/// A change, with the key that made it, which must hold still.
pub(crate) fn by(
    caller: &Caller,
    tenant: Option<String>,
    time: Timestamp,
    change: Change,
) -> Result<ChangeDraft, Problem> {
    caller.must_hold()?;
    Ok(ChangeDraft {
        tenant,
        time,
        details: details([("key", &caller.key), ("role", caller.role.as_str())]),
        confidential: details([]),
        input: None,
        change,
    })
}
