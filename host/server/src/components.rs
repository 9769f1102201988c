//! The components of the versions that serve, loaded into the sandbox.

use std::sync::Arc;
use std::time::Duration;

use assize_ledger::Digest;
use assize_rehearing::World;
use assize_sandbox::{Plugin, Sandbox};
use assize_store::{Store, StoreError};

/// Loads the components of all active versions, side by side: those that are kept compiled as they are, the others from the
/// store. One that no longer compiles leaves its bindings to their failure policy: the host serves, and says so.
pub(crate) async fn with_components(
    mut world: World,
    store: &Store,
    sandbox: &Sandbox,
    timeout: Duration,
) -> Result<World, StoreError> {
    let mut waiting = world.active();
    waiting.sort_unstable();
    waiting.dedup();
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        while tasks.len() < at_once
            && let Some(digest) = waiting.pop()
        {
            let (store, sandbox) = (store.clone(), sandbox.clone());
            tasks.spawn(async move { component(digest, &store, &sandbox, timeout).await });
        }
        match tasks.join_next().await {
            None => return Ok(world),
            Some(Ok(Ok(plugin))) => {
                if let Some(plugin) = plugin {
                    world = world.with_plugin(Arc::new(plugin));
                }
            }
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(error)) => tracing::error!(%error, "loading a component failed"),
        }
    }
}

/// A component of an active version; none, and a line in the log, where it can't be had.
pub(crate) async fn component(
    digest: Digest,
    store: &Store,
    sandbox: &Sandbox,
    timeout: Duration,
) -> Result<Option<Plugin>, StoreError> {
    let kept = {
        let sandbox = sandbox.clone();
        tokio::task::spawn_blocking(move || sandbox.load_kept(digest)).await
    };
    let loading = match kept {
        // It isn't kept.
        Ok(Ok(None)) => {
            let Some(bytes) = store.component(&digest).await? else {
                tracing::error!(%digest, "the component of an active version is gone");
                return Ok(None);
            };
            if Digest::of(&bytes) != digest {
                tracing::error!(%digest, "the component of an active version was altered: it isn't loaded");
                return Ok(None);
            }
            sandbox.load_bounded(bytes.into(), timeout).await.map(Some)
        }
        Ok(kept) => kept,
        Err(error) => {
            tracing::error!(%digest, %error, "loading a component failed");
            return Ok(None);
        }
    };
    match loading {
        Ok(plugin) => Ok(plugin),
        Err(error) => {
            tracing::error!(%digest, %error, "an active component can't be loaded");
            Ok(None)
        }
    }
}
