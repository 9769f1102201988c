//! Gathering what a bundle holds.

use std::collections::{BTreeMap, BTreeSet};

use assize_kernel::{Record, Snapshot};
use assize_ledger::{
    BUNDLE_FORMAT, Bundle, BundleHeader, Checkpoint, DecisionFacts, EarlierCheckpoint, EntryRef, Note, PayloadKind,
    ProvenEntry,
};
use assize_store::{Reader, StoreError};
use futures::future::BoxFuture;

use crate::replay::needed;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MakeError {
    #[error("there is no decision {0}")]
    NotFound(String),
    /// Sign a checkpoint of this size, and try again.
    #[error(
        "no signed checkpoint covers the decision yet: {needed} entries are needed, the newest has {newest}. A running server \
         signs one within seconds"
    )]
    NotCovered { needed: u64, newest: u64 },
    #[error("the archive lacks {0}; run `assize ledger verify`")]
    Incomplete(String),
    #[error("{0} can't be read: {1}; run `assize ledger verify`")]
    Unreadable(String, String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gathers everything about decision `id`, proven by the newest checkpoint there is. `tenant` restricts whose decision it may
/// be. The same state of the log makes the same bundle.
pub fn make_bundle<'a>(
    reader: &'a Reader,
    tenant: Option<&'a str>,
    id: &'a str,
) -> BoxFuture<'a, Result<Bundle, MakeError>> {
    Box::pin(async move {
        let stored = reader.decision(tenant, id).await?.ok_or_else(|| MakeError::NotFound(id.to_owned()))?;
        let seq = stored.row.seq;
        let unreadable = |what: &str, error: String| MakeError::Unreadable(format!("{what} of decision {id}"), error);
        let entry = EntryRef::decode(&stored.entry).map_err(|error| unreadable("the entry", error.to_string()))?;
        let facts: DecisionFacts =
            serde_json::from_slice(entry.facts).map_err(|error| unreadable("the entry", error.to_string()))?;

        // What is there is read before what took it away is looked for: an erasure meanwhile is found, or took nothing.
        let sealed = reader.sealed(seq, seq + 1).await?.pop();
        let (input, record) = sealed.map_or((None, None), |sealed| (sealed.input, sealed.record));
        let newest = reader.checkpoint().await?;
        let size = newest.as_ref().map_or(0, |newest| newest.size);
        let erased = (entry.input.is_some() && input.is_none()) || (entry.record.is_some() && record.is_none());
        let erasure =
            if erased { reader.erasures_after(seq, seq + 1, u64::MAX >> 1).await?.first().copied() } else { None };
        let last = erasure.unwrap_or(seq);
        let Some(newest) = newest.filter(|newest| newest.size > last) else {
            return Err(MakeError::NotCovered { needed: last + 1, newest: size });
        };

        let snapshot = reader.snapshot(&facts.snapshot).await?;
        let snapshot = snapshot.ok_or_else(|| MakeError::Incomplete(format!("snapshot {}", facts.snapshot)))?;
        let mut components = BTreeMap::new();
        if let (Some((_, record)), Some(_)) = (&record, &input) {
            let record: Record =
                serde_json::from_slice(record).map_err(|error| unreadable("the record", error.to_string()))?;
            let bare = Snapshot::from_bytes(snapshot.clone().into(), |_| None);
            let bare = bare.map_err(|error| unreadable("the snapshot", error.to_string()))?;
            for digest in needed(&record, &bare) {
                let bytes = reader.component(&digest).await?;
                components.insert(digest, bytes.ok_or_else(|| MakeError::Incomplete(format!("component {digest}")))?);
            }
        }

        let mut places = BTreeSet::from([seq]);
        places.extend(erasure);
        places.extend(reader.log_keys().await?.iter().map(|key| key.seq).filter(|&key| key < size));
        places.extend(published(reader, &facts).await?);
        let mut entries = Vec::with_capacity(places.len());
        for place in places {
            entries.push(proven(reader, place, size).await?);
        }
        let (earlier, tokens) = outside(reader, seq, size).await?;
        let header = BundleHeader {
            format: BUNDLE_FORMAT.to_owned(),
            origin: entry.origin.to_owned(),
            decision: entry.subject.to_owned(),
            seq,
            size,
        };
        let payloads = [(PayloadKind::Input, input), (PayloadKind::Record, record)];
        let payloads =
            payloads.into_iter().filter_map(|(kind, payload)| payload.map(|(salt, bytes)| (kind, salt, bytes)));
        Ok(Bundle {
            header,
            checkpoint: reader.with_cosignatures(size, &newest.note).await?,
            entries,
            payloads: payloads.collect(),
            snapshot,
            components: components.into_iter().collect(),
            earlier,
            tokens,
        })
    })
}

/// The entries that published the plugins which took part, as far as the decision's tenant may see them: of each the first.
async fn published(reader: &Reader, facts: &DecisionFacts) -> Result<BTreeSet<u64>, StoreError> {
    let packages = reader.packages().await?;
    let first = |plugin: &assize_ledger::PluginFact| {
        let ours = |tenant: &Option<String>| tenant.is_none() || tenant.as_ref() == Some(&facts.tenant);
        let same = packages.iter().find(|row| {
            let version = Some(row.version.as_str());
            row.name == plugin.package
                && version == plugin.version.as_deref()
                && Some(row.digest) == plugin.digest
                && ours(&row.tenant)
        });
        same.map(|row| row.seq)
    };
    Ok(facts.plugins.iter().filter_map(first).collect())
}

async fn proven(reader: &Reader, seq: u64, size: u64) -> Result<ProvenEntry, MakeError> {
    let rows = reader.entries(None, seq, 1).await?;
    let row = rows.into_iter().find(|row| row.seq == seq);
    let row = row.ok_or_else(|| MakeError::Incomplete(format!("entry {seq}")))?;
    Ok(ProvenEntry { seq, proof: reader.inclusion_proof(seq, size).await?, bytes: row.bytes })
}

type Outside = (Vec<EarlierCheckpoint>, Vec<(u64, Vec<u8>)>);

/// What others confirmed: of each authority and each witness the first word after the decision, which says since when it
/// exists, and the last, whose certificates and keys are the newest.
async fn outside(reader: &Reader, seq: u64, size: u64) -> Result<Outside, MakeError> {
    let stamps: Vec<_> = reader.stamps_over(seq).await?.into_iter().filter(|stamp| stamp.size <= size).collect();
    let mut sizes: BTreeSet<u64> = stamps.iter().map(|stamp| stamp.size).collect();
    sizes.extend(reader.cosigned_between(seq, size).await?.into_iter().flat_map(|(first, last)| [first, last]));
    sizes.remove(&size);
    let mut earlier = Vec::with_capacity(sizes.len());
    for size in sizes {
        let row = reader.checkpoint_from(size).await?.filter(|row| row.size == size);
        let row = row.ok_or_else(|| MakeError::Incomplete(format!("checkpoint {size}")))?;
        let unreadable = |error: String| MakeError::Unreadable(format!("checkpoint {size}"), error);
        let note = reader.with_cosignatures(size, &row.note).await?;
        let parsed = Note::parse(&note).map_err(|error| unreadable(error.to_string()))?;
        let checkpoint = Checkpoint::parse(parsed.text()).map_err(|error| unreadable(error.to_string()))?;
        let proof = reader.inclusion_proof(seq, size).await?;
        earlier.push(EarlierCheckpoint { size: checkpoint.size, proof, note });
    }
    let mut tokens: Vec<(u64, Vec<u8>)> = stamps.into_iter().map(|stamp| (stamp.size, stamp.token)).collect();
    tokens.sort();
    tokens.dedup();
    Ok((earlier, tokens))
}
