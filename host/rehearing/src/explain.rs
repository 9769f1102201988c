//! Why a decision came out as it did, from the archive.

use std::sync::Arc;

use assize_kernel::{Explanation, Input, Record, Snapshot, explain};
use assize_ledger::Digest;
use futures::future::BoxFuture;

use crate::archive::Archive;
use crate::replay::{ReplayError, Unreplayable};

/// A past decision with what it was made from. No component is loaded.
pub(crate) struct Past {
    pub(crate) id: String,
    pub(crate) seq: u64,
    pub(crate) entry_hash: Digest,
    pub(crate) record: Record,
    pub(crate) snapshot: Arc<Snapshot>,
    /// None once erased.
    pub(crate) input: Option<Arc<Input>>,
}

impl Archive {
    /// Explains decision `id`; `tenant` restricts whose it may be. No plugin runs.
    pub fn explain<'a>(
        &'a self,
        tenant: Option<&'a str>,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Explanation, ReplayError>> {
        Box::pin(async move {
            let past = self.recall(tenant, id).await?;
            Ok(explain(&past.record, &past.snapshot, past.input.as_deref()))
        })
    }

    /// Reads a decision. Without its record there is nothing to tell; without its input, less.
    pub(crate) async fn recall(&self, tenant: Option<&str>, id: &str) -> Result<Past, ReplayError> {
        let stored = self.reader().decision(tenant, id).await?;
        let stored = stored.ok_or_else(|| ReplayError::NotFound(id.to_owned()))?;
        if let Some(altered) = stored.altered {
            return Err(Unreplayable::Altered(altered).into());
        }
        let erased = || Unreplayable::Erased { id: id.to_owned(), what: "record" };
        let unreadable = |what, error: String| Unreplayable::Unreadable(what, error);
        let record = stored.record.ok_or_else(erased)?;
        let record: Record =
            serde_json::from_slice(&record).map_err(|error| unreadable("the record", error.to_string()))?;
        let input = stored.input.map(|bytes| Input::from_bytes(&bytes).map(Arc::new)).transpose();
        let input = input.map_err(|error| unreadable("the input", error.to_string()))?;
        let snapshot = self.snapshot(record.policy.snapshot, |_| Vec::new()).await.map_err(Unreplayable::from)?;
        let (seq, entry_hash) = (stored.row.seq, stored.row.entry_hash);
        Ok(Past { id: stored.row.id, seq, entry_hash, record, snapshot, input })
    }
}
