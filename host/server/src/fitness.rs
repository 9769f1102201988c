//! Would a host take this package? The steps that publishing and activating take, without a host: nothing is kept, and no
//! namespace, signature or policy has a say.

use std::sync::Arc;
use std::time::Duration;

use assize_ledger::Timestamp;
use assize_registry::{InspectError, Manifest, Package, inspect};
use assize_rehearing::{Published, World};
use assize_sandbox::{Limits, LoadError, Plugin, Sandbox};
use futures::future::BoxFuture;

use crate::health;

/// Why no host would.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Publishing would be refused, before anything is compiled.
    #[error("publishing would be refused: {0}")]
    Bytes(#[from] InspectError),
    /// Publishing would be refused: it doesn't compile in time, start within its limits or have the contract's types.
    #[error("publishing would be refused: {0}")]
    Component(#[from] LoadError),
    /// It would be published, and not activated.
    #[error("it would be published, but activating it would be refused: {0}")]
    Health(String),
}

/// Whether a package that nobody has bound yet would be published and activated by a host in its default configuration; what
/// was made on the way.
///
/// # Errors
/// The first thing that would be refused, with its remedy.
pub fn fit(
    sandbox: &Sandbox,
    bytes: Arc<[u8]>,
    timeout: Duration,
) -> BoxFuture<'_, Result<(Package, Arc<Plugin>), Unfit>> {
    Box::pin(async move {
        let package = inspect(&bytes)?;
        let plugin = Arc::new(started(sandbox, &package.manifest, &bytes, timeout).await?);
        let published = Published::new(package.manifest.clone(), package.digest, None, Timestamp::now());
        let healthy = health::check(&World::default(), &published, &plugin).await;
        healthy.map_err(|problem| Unfit::Health(problem.detail().to_owned()))?;
        Ok((package, plugin))
    })
}

/// Compiles a component, and starts it once within its manifest's limits.
pub(crate) async fn started(
    sandbox: &Sandbox,
    manifest: &Manifest,
    bytes: &Arc<[u8]>,
    timeout: Duration,
) -> Result<Plugin, LoadError> {
    let plugin = sandbox.load_bounded(Arc::clone(bytes), timeout).await?;
    let own = manifest.limits;
    let limits = Limits { fuel: own.fuel, memory_bytes: own.memory_bytes, ..Limits::default() };
    plugin.probe(&limits).await?;
    Ok(plugin)
}
