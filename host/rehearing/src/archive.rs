//! Snapshots and components as they were, by their hashes, compiled once.

use std::collections::HashMap;
use std::sync::Arc;

use assize_kernel::{Snapshot, SnapshotError};
use assize_ledger::Digest;
use assize_sandbox::{Plugin, Sandbox};
use assize_store::{Reader, StoreError};
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::world::World;

/// Compiled components that are kept at most: a few megabytes of code each.
const PLUGINS: usize = 256;
/// Snapshots that are kept at most: each has its settings parsed.
const SNAPSHOTS: usize = 256;

/// By hash, and by which components they have.
type Snapshots = HashMap<(Digest, Vec<Digest>), Arc<Snapshot>>;

/// What judging again needs from the store.
pub struct Archive {
    reader: Reader,
    sandbox: Sandbox,
    /// Where components are loaded already.
    lent: Mutex<Arc<World>>,
    plugins: Mutex<HashMap<Digest, Arc<Plugin>>>,
    /// Held while a component compiles: many cases begin together, and all of them need the same ones.
    loading: tokio::sync::Mutex<()>,
    snapshots: Mutex<Snapshots>,
}

/// Why something isn't to be had from the archive.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ArchiveError {
    #[error("the archive lacks {0}; run `assize ledger verify`")]
    Incomplete(String),
    #[error("{0} can't be read: {1}; run `assize ledger verify`")]
    Unreadable(String, String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Archive {
    /// Reads from the store, and runs what it finds in the sandbox.
    pub fn new(reader: Reader, sandbox: Sandbox) -> Self {
        let lent = Mutex::new(Arc::new(World::default()));
        let (plugins, loading, snapshots) = (Mutex::default(), tokio::sync::Mutex::default(), Mutex::default());
        Self { reader, sandbox, lent, plugins, loading, snapshots }
    }

    /// Where it reads.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Where it runs.
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Takes what is loaded there before it compiles anything itself.
    pub fn lend(&self, world: Arc<World>) {
        *self.lent.lock() = world;
    }

    /// A component, compiled. Whether a version is yanked or retired by now doesn't matter.
    pub fn plugin(&self, digest: Digest) -> BoxFuture<'_, Result<Arc<Plugin>, ArchiveError>> {
        Box::pin(async move {
            if let Some(plugin) = self.loaded(digest) {
                return Ok(plugin);
            }
            let _loading = self.loading.lock().await;
            if let Some(plugin) = self.loaded(digest) {
                return Ok(plugin);
            }
            let bytes = self.reader.component(&digest).await?;
            let bytes = bytes.ok_or_else(|| ArchiveError::Incomplete(format!("component {digest}")))?;
            let unreadable = |detail: String| ArchiveError::Unreadable(format!("component {digest}"), detail);
            let found = Digest::of(&bytes);
            if found != digest {
                return Err(unreadable(format!("it hashes to {found}")));
            }
            let sandbox = self.sandbox.clone();
            let loaded = tokio::task::spawn_blocking(move || sandbox.load(&bytes)).await;
            let loaded = loaded.map_err(|error| unreadable(error.to_string()))?;
            let plugin = Arc::new(loaded.map_err(|error| unreadable(error.to_string()))?);
            self.keep(Arc::clone(&plugin));
            Ok(plugin)
        })
    }

    fn loaded(&self, digest: Digest) -> Option<Arc<Plugin>> {
        let lent = self.lent.lock().plugin(digest);
        lent.or_else(|| self.plugins.lock().get(&digest).cloned())
    }

    /// A recorded snapshot with the components that `needed` picks from it. Others stay away, as if they were missing.
    pub async fn snapshot(
        &self,
        hash: Digest,
        needed: impl FnOnce(&Snapshot) -> Vec<Digest>,
    ) -> Result<Arc<Snapshot>, ArchiveError> {
        let unreadable = |error: SnapshotError| ArchiveError::Unreadable(format!("snapshot {hash}"), error.to_string());
        let bare = self.bare(hash).await?;
        let mut needed = needed(&bare);
        needed.sort_unstable();
        needed.dedup();
        if needed.is_empty() {
            return Ok(bare);
        }
        let key = (hash, needed);
        if let Some(snapshot) = self.snapshots.lock().get(&key) {
            return Ok(Arc::clone(snapshot));
        }
        let mut plugins = HashMap::new();
        for &digest in &key.1 {
            plugins.insert(digest, self.plugin(digest).await?);
        }
        let snapshot = Snapshot::from_bytes(Arc::clone(bare.bytes()), |digest| plugins.get(&digest).cloned());
        let snapshot = Arc::new(snapshot.map_err(unreadable)?);
        self.remember(key, &snapshot);
        Ok(snapshot)
    }

    /// Takes a component that isn't in the store: one that is about to be published.
    pub fn keep(&self, plugin: Arc<Plugin>) {
        let mut plugins = self.plugins.lock();
        if plugins.len() >= PLUGINS {
            plugins.clear();
        }
        plugins.insert(plugin.digest(), plugin);
    }

    /// A snapshot with the components of all its candidates.
    pub fn equipped<'a>(&'a self, bare: &'a Snapshot) -> BoxFuture<'a, Result<Arc<Snapshot>, ArchiveError>> {
        Box::pin(async move {
            let mut plugins = HashMap::new();
            for candidate in bare.bindings().iter().flat_map(|bound| &bound.candidates) {
                if let std::collections::hash_map::Entry::Vacant(place) = plugins.entry(candidate.digest) {
                    place.insert(self.plugin(candidate.digest).await?);
                }
            }
            let snapshot = Snapshot::from_bytes(Arc::clone(bare.bytes()), |digest| plugins.get(&digest).cloned());
            let unreadable =
                |error: SnapshotError| ArchiveError::Unreadable(format!("snapshot {}", bare.hash()), error.to_string());
            snapshot.map(Arc::new).map_err(unreadable)
        })
    }

    /// A recorded snapshot without any component.
    pub(crate) async fn bare(&self, hash: Digest) -> Result<Arc<Snapshot>, ArchiveError> {
        let key = (hash, Vec::new());
        if let Some(snapshot) = self.snapshots.lock().get(&key) {
            return Ok(Arc::clone(snapshot));
        }
        let bytes = self.reader.snapshot(&hash).await?;
        let bytes = bytes.ok_or_else(|| ArchiveError::Incomplete(format!("snapshot {hash}")))?;
        let unreadable = |detail: String| ArchiveError::Unreadable(format!("snapshot {hash}"), detail);
        let snapshot = Snapshot::from_bytes(bytes.into(), |_| None).map_err(|error| unreadable(error.to_string()))?;
        if snapshot.hash() != hash {
            return Err(unreadable(format!("it hashes to {}", snapshot.hash())));
        }
        let snapshot = Arc::new(snapshot);
        self.remember(key, &snapshot);
        Ok(snapshot)
    }

    fn remember(&self, key: (Digest, Vec<Digest>), snapshot: &Arc<Snapshot>) {
        let mut snapshots = self.snapshots.lock();
        if snapshots.len() >= SNAPSHOTS {
            snapshots.clear();
        }
        snapshots.insert(key, Arc::clone(snapshot));
    }
}
