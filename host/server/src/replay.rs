//! Judging a past decision again, from what is archived.

use std::collections::HashMap;
use std::sync::Arc;

use assize_kernel::{Comparison, Input, Record, Snapshot, compare, decide};
use assize_ledger::Digest;
use assize_sandbox::{Plugin, Sandbox};
use assize_store::{Reader, StoreError};
use serde::Serialize;

/// A decision judged again.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// Which.
    pub id: String,
    /// Its verdict, as recorded.
    pub verdict: String,
    /// What the two have in common, and what not.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Why a decision can't be judged again.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReplayError {
    #[error("there is no decision {0}")]
    NotFound(String),
    #[error("the {what} of decision {id} was erased: the record can still be proven, but not judged again")]
    Erased { id: String, what: &'static str },
    #[error("the archive lacks {0}; run `assize ledger verify`")]
    Incomplete(String),
    #[error("{0} can't be read: {1}; run `assize ledger verify`")]
    Unreadable(&'static str, String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Judges decision `id` again: the recorded snapshot and input, the archived components, the same `decide`. `tenant`
/// restricts whose decision it may be. `loaded` finds components that are compiled already.
pub async fn replay(
    reader: &Reader,
    sandbox: &Sandbox,
    tenant: Option<&str>,
    id: &str,
    loaded: impl Fn(Digest) -> Option<Arc<Plugin>>,
) -> Result<Replay, ReplayError> {
    let stored = reader.decision(tenant, id).await?.ok_or_else(|| ReplayError::NotFound(id.to_owned()))?;
    let erased = |what| ReplayError::Erased { id: id.to_owned(), what };
    let record = stored.record.ok_or_else(|| erased("record"))?;
    let input = stored.input.ok_or_else(|| erased("input"))?;
    let record: Record =
        serde_json::from_slice(&record).map_err(|error| ReplayError::Unreadable("the record", error.to_string()))?;
    let input =
        Input::from_bytes(&input).map_err(|error| ReplayError::Unreadable("the input", error.to_string()))?;
    let hash = record.policy.snapshot;
    let bytes = reader.snapshot(&hash).await?.ok_or_else(|| ReplayError::Incomplete(format!("snapshot {hash}")))?;
    let plugins = archived(reader, sandbox, &record, loaded).await?;
    let snapshot = Snapshot::from_bytes(bytes.into(), |digest| plugins.get(&digest).cloned())
        .map_err(|error| ReplayError::Unreadable("the snapshot", error.to_string()))?;
    if snapshot.hash() != hash {
        return Err(ReplayError::Unreadable("the snapshot", format!("it hashes to {}, not {hash}", snapshot.hash())));
    }
    let judged = decide(&Arc::new(snapshot), &Arc::new(input))
        .await
        .map_err(|error| ReplayError::Unreadable("the input", error.to_string()))?;
    let comparison = compare(&record, &judged, sandbox.id());
    Ok(Replay { id: id.to_owned(), verdict: record.outcome.verdict.to_string(), comparison })
}

/// The components that took part, by digest. Whether a version is yanked or retired by now doesn't matter.
async fn archived(
    reader: &Reader,
    sandbox: &Sandbox,
    record: &Record,
    loaded: impl Fn(Digest) -> Option<Arc<Plugin>>,
) -> Result<HashMap<Digest, Arc<Plugin>>, ReplayError> {
    let mut plugins = HashMap::new();
    // A plugin that was missing then stays away: its binding fails again, as it did.
    let took_part = record.plugins.iter().filter(|run| run.status != assize_kernel::RunStatus::Missing);
    // Those that were passed over for the verdict alone may be asked for again and must be found.
    for digest in took_part.filter_map(|run| run.digest) {
        if plugins.contains_key(&digest) {
            continue;
        }
        let plugin = match loaded(digest) {
            Some(plugin) => plugin,
            None => Arc::new(from_archive(reader, sandbox, digest).await?),
        };
        plugins.insert(digest, plugin);
    }
    Ok(plugins)
}

async fn from_archive(reader: &Reader, sandbox: &Sandbox, digest: Digest) -> Result<Plugin, ReplayError> {
    let bytes = reader.component(&digest).await?;
    let bytes = bytes.ok_or_else(|| ReplayError::Incomplete(format!("component {digest}")))?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(ReplayError::Unreadable("a component", format!("it hashes to {found}, not {digest}")));
    }
    let sandbox = sandbox.clone();
    let loaded = tokio::task::spawn_blocking(move || sandbox.load(&bytes)).await;
    let loaded = loaded.map_err(|error| ReplayError::Unreadable("a component", error.to_string()))?;
    loaded.map_err(|error| ReplayError::Unreadable("a component", error.to_string()))
}
