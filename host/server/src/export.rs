//! Handing out a part of the ledger in one file that needs no server to be checked.
//!
//! An export is itself an entry, written before the first byte leaves. The file is made as it is sent, a few entries at a
//! time, so its length costs no memory.

use assize_ledger::tree::full_nodes;
use assize_ledger::{Digest, EXPORT_FORMAT, Entry, EntryKind, ExportHeader, ExportWriter, PayloadKind, Timestamp};
use assize_store::{Change, ChangeDraft, Reader, StoreError};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::app::SharedApp;
use crate::identity::Caller;
use crate::pipeline::details;
use crate::problem::Problem;
use crate::signer::{Introduction, SignError, introductions, keyring};

/// Entries that are read at once.
const BATCH: u64 = 128;
/// Bytes after which a chunk is sent, at the latest.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for a slow reader.
const AHEAD: usize = 4;

/// A place in the log: an entry's number, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Seq(u64),
    Moment(Timestamp),
}

impl Bound {
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self, Problem> {
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        let moment = text.parse().map_err(|error| {
            Problem::invalid(field, format!("{text:?}: use an entry's number, a date or an RFC 3339 time ({error})"))
        });
        moment.map(Self::Moment)
    }

    async fn place(self, store: &Reader) -> Result<u64, StoreError> {
        match self {
            Self::Seq(seq) => Ok(seq),
            Self::Moment(moment) => store.first_at(moment).await,
        }
    }
}

/// What is asked for.
pub(crate) struct Export {
    pub(crate) from: Option<Bound>,
    /// The first that isn't in it any more.
    pub(crate) to: Option<Bound>,
    pub(crate) payloads: bool,
}

/// What goes to the reader: a chunk, or why the file ends too early.
pub(crate) type Chunk = Result<Bytes, std::io::Error>;

/// Records the export, and begins to send it.
pub(crate) async fn begin(app: &SharedApp, caller: &Caller, export: Export) -> Result<mpsc::Receiver<Chunk>, Problem> {
    let size = app.store.head().await?.map_or(0, |head| head.size);
    let place = async |bound: Option<Bound>, none: u64| match bound {
        Some(bound) => bound.place(&app.store).await,
        None => Ok(none),
    };
    let (from, to) = (place(export.from, 0).await?, place(export.to, size).await?);
    if to > size {
        return Err(Problem::invalid("to", format!("{to}: the ledger has {size} entries")));
    }
    if from >= to {
        return Err(Problem::invalid("from", format!("{from}: no entries from there to before {to}")));
    }
    let id = uuid::Uuid::now_v7().to_string();
    let draft = ChangeDraft {
        tenant: caller.bound_to.clone(),
        time: Timestamp::now(),
        details: details([
            ("key", &caller.key),
            ("entries", &format!("{from}-{}", to - 1)),
            ("payloads", if export.payloads { "yes" } else { "no" }),
        ]),
        confidential: std::collections::BTreeMap::new(),
        input: None,
        change: Change::Export { id, first: from, last: to - 1 },
    };
    app.store.change(draft).await?;
    // Under a checkpoint of now: it covers what was erased until now, and the newest key signs it (the one before is gone).
    let keyed = app.store.log_keys().await?.last().map_or(0, |key| key.seq + 1);
    let covered = app.signer.covering(size.max(keyed)).await?;
    let previous = match from.checked_sub(1) {
        Some(before) => app.store.entry_hash(before).await?.unwrap_or(Digest::ZERO),
        None => Digest::ZERO,
    };
    let header = ExportHeader {
        format: EXPORT_FORMAT.to_owned(),
        origin: app.signer.origin().to_owned(),
        from,
        to,
        size: covered.size,
        previous,
        tenant: caller.bound_to.clone(),
        payloads: export.payloads,
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (app, caller) = (SharedApp::clone(app), caller.clone());
    tokio::spawn(async move {
        if let Err(error) = send(&app, &caller, header, covered.note.clone(), &sender).await {
            match error {
                SendError::Revoked(_) | SendError::Gone => tracing::warn!(%error, "an export ended early"),
                _ => tracing::error!(%error, "an export ended early"),
            }
            // Whoever reads sees a broken transfer, and not a short file.
            drop(sender.send(Err(std::io::Error::other(error.to_string()))).await);
        }
    });
    Ok(receiver)
}

/// Why an export ends early.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("writing: {0}")]
    Write(#[from] std::io::Error),
    #[error("entry {0} is gone")]
    Hole(u64),
    #[error("what entry {0} binds was erased meanwhile: ask again")]
    Erased(u64),
    #[error("key {0} was revoked meanwhile")]
    Revoked(String),
    #[error("the reader went away")]
    Gone,
}

async fn send(
    app: &SharedApp,
    caller: &Caller,
    header: ExportHeader,
    note: String,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), SendError> {
    let store = &app.store;
    let ExportHeader { from, to, size, payloads, ref tenant, ref origin, .. } = header;
    let tenant = tenant.clone();
    let introductions = introductions(store).await?;
    let keyring = keyring(&introductions, origin).map_err(SignError::from)?;
    let keys: Vec<&Introduction> = introductions.iter().filter(|key| key.row.seq < size).collect();
    let mut out = ExportWriter::new(Vec::new(), header)?;
    for key in &keys {
        out.key(key.row.seq, &key.statement)?;
    }
    out.peaks(&store.roots(nodes(0..from)).await?)?;
    let mut next = from;
    while next < to {
        let end = to.min(next + BATCH);
        let rows = store.entries(None, next, u32::try_from(end - next).unwrap_or(u32::MAX)).await?;
        let sealed = if payloads { store.sealed(next, end).await? } else { Vec::new() };
        let mut sealed = sealed.into_iter().peekable();
        let checkpoints = store.checkpoints(next + 1, u32::try_from(BATCH).unwrap_or(u32::MAX)).await?;
        let mut checkpoints = checkpoints.into_iter().peekable();
        for row in rows {
            if row.seq != next {
                return Err(SendError::Hole(next));
            }
            let bound = std::iter::from_fn(|| sealed.next_if(|bound| bound.seq <= row.seq)).last();
            if tenant.is_some() && row.tenant != tenant {
                out.foreign(&row.hash)?;
            } else {
                out.entry(&row.bytes)?;
                // Its erasure isn't under this checkpoint, so the file would look as if it had a hole.
                if bound.as_ref().and_then(|bound| bound.erased_by).is_some_and(|by| by >= size) {
                    return Err(SendError::Erased(row.seq));
                }
                let parts = bound
                    .into_iter()
                    .flat_map(|bound| [(PayloadKind::Input, bound.input), (PayloadKind::Record, bound.record)]);
                for (kind, part) in parts {
                    if let Some((salt, bytes)) = part {
                        out.payload(row.seq, kind, &salt, &bytes)?;
                    }
                }
            }
            next += 1;
            if out.get_mut().len() >= CHUNK {
                flush(&mut out, sender, caller).await?;
            }
            if let Some(checkpoint) =
                checkpoints.next_if(|checkpoint| checkpoint.size == next && checkpoint.size != size)
            {
                out.checkpoint(&store.with_cosignatures(checkpoint.size, &checkpoint.note).await?)?;
            } else if next == size {
                out.checkpoint(&store.with_cosignatures(size, note.as_bytes()).await?)?;
            }
        }
        if next != end {
            return Err(SendError::Hole(next));
        }
        flush(&mut out, sender, caller).await?;
    }
    out.rest(&store.roots(nodes(to..size)).await?)?;
    if to < size {
        out.checkpoint(&store.with_cosignatures(size, note.as_bytes()).await?)?;
    }
    for Introduction { row, .. } in keys {
        // A key is the whole host's: in a tenant's export its entry isn't shown.
        if tenant.is_some() || !(from..to).contains(&row.seq) {
            let proof = store.inclusion_proof(row.seq, size).await?;
            out.extra(row.seq, &proof, &row.entry)?;
        }
    }
    if payloads {
        erasures(store, &mut out, (from, to, size), tenant.as_deref()).await?;
    }
    // Those over checkpoints that are in the file.
    let held = |at: u64| (from < at && at <= to) || at == size;
    for stamp in store.stamps().await?.into_iter().filter(|stamp| held(stamp.size)) {
        out.token(stamp.size, &stamp.authority, &stamp.token)?;
    }
    let rest = app.signer.finish_export(out, &keyring, size)?;
    sender.send(Ok(rest.into())).await.map_err(|_| SendError::Gone)
}

/// Erasures after the range, of what lies in it.
async fn erasures(
    store: &Reader,
    out: &mut ExportWriter<Vec<u8>>,
    (from, to, size): (u64, u64, u64),
    tenant: Option<&str>,
) -> Result<(), SendError> {
    for seq in store.erasures_after(from, to, size).await? {
        let Some(row) = store.entries(tenant, seq, 1).await?.into_iter().find(|row| row.seq == seq) else { continue };
        let is_erasure = Entry::decode(&row.bytes).is_ok_and(|entry| entry.kind == EntryKind::PayloadErased);
        if is_erasure {
            let proof = store.inclusion_proof(seq, size).await?;
            out.extra(seq, &proof, &row.bytes)?;
        }
    }
    Ok(())
}

fn nodes(leaves: std::ops::Range<u64>) -> Vec<std::ops::Range<u64>> {
    full_nodes(leaves).map(|(height, index)| index << height..(index + 1) << height).collect()
}

async fn flush(
    out: &mut ExportWriter<Vec<u8>>,
    sender: &mpsc::Sender<Chunk>,
    caller: &Caller,
) -> Result<(), SendError> {
    // Asked again where a chunk leaves; here it ends the work.
    caller.must_hold().map_err(|_| SendError::Revoked(caller.key.clone()))?;
    let chunk = std::mem::take(out.get_mut());
    if chunk.is_empty() {
        return Ok(());
    }
    sender.send(Ok(chunk.into())).await.map_err(|_| SendError::Gone)
}
