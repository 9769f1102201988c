//! Judging a past decision again, from what is archived.

use std::collections::HashMap;
use std::sync::Arc;

use assize_kernel::{Comparison, Input, Record, RunStatus, Snapshot, WhySkipped, compare, decide};
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
    let input = Input::from_bytes(&input).map_err(|error| ReplayError::Unreadable("the input", error.to_string()))?;
    let hash = record.policy.snapshot;
    let bytes = reader.snapshot(&hash).await?.ok_or_else(|| ReplayError::Incomplete(format!("snapshot {hash}")))?;
    let unreadable = |error: assize_kernel::SnapshotError| ReplayError::Unreadable("the snapshot", error.to_string());
    let bytes: Arc<[u8]> = bytes.into();
    let bare = Snapshot::from_bytes(Arc::clone(&bytes), |_| None).map_err(unreadable)?;
    let plugins = archived(reader, sandbox, &needed(&record, &bare), loaded).await?;
    let snapshot = Snapshot::from_bytes(bytes, |digest| plugins.get(&digest).cloned()).map_err(unreadable)?;
    if snapshot.hash() != hash {
        return Err(ReplayError::Unreadable("the snapshot", format!("it hashes to {}, not {hash}", snapshot.hash())));
    }
    let judged = decide(&Arc::new(snapshot), &Arc::new(input))
        .await
        .map_err(|error| ReplayError::Unreadable("the input", error.to_string()))?;
    let comparison = compare(&record, &judged, sandbox.id());
    Ok(Replay { id: id.to_owned(), verdict: record.outcome.verdict.to_string(), comparison })
}

/// The components that took part, and those of actions that weren't asked for the verdict alone: another verdict would ask
/// them. A plugin that was missing then stays away, so that its binding fails again, as it did.
fn needed(record: &Record, snapshot: &Snapshot) -> Vec<Digest> {
    let ran = record.plugins.iter().filter(|run| run.status != RunStatus::Missing).filter_map(|run| run.digest);
    let waiting = record.skipped.iter().filter(|skipped| skipped.reason == WhySkipped::OtherVerdict);
    let of_waiting = waiting.filter_map(|skipped| {
        let bound = snapshot
            .bindings()
            .iter()
            .find(|bound| bound.layer == skipped.layer && bound.binding.name == skipped.binding)?;
        let candidate =
            bound.candidates.iter().find(|candidate| Some(&candidate.version) == skipped.version.as_ref())?;
        Some(candidate.digest)
    });
    ran.chain(of_waiting).collect()
}

/// Loads components by digest. Whether a version is yanked or retired by now doesn't matter.
async fn archived(
    reader: &Reader,
    sandbox: &Sandbox,
    digests: &[Digest],
    loaded: impl Fn(Digest) -> Option<Arc<Plugin>>,
) -> Result<HashMap<Digest, Arc<Plugin>>, ReplayError> {
    let mut plugins = HashMap::new();
    for &digest in digests {
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
