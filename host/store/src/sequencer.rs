//! The one task of a host that writes: it gives every entry its place. Where hosts share a database, their sequencers take
//! turns.
//!
//! Requests wait in a bounded queue. Whatever waits when the last group is done makes the next one, so groups grow with
//! the load and nobody waits for a timer. A group is one transaction; its requesters hear of it after `COMMIT` returned,
//! and not before.

mod change;
mod erasure;
mod keys;
mod publishing;
mod rows;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assize_ledger::{Digest, Draft, Head, Tile};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use self::keys::Keys;
use crate::append::{Appended, ChangeDraft, Idempotency, Outcome};
use crate::changes::Others;
use crate::db::{query_scalar, storage};
use crate::seal::{Payload, SealedDecision};
use crate::writer::{Begun, Ending, NewEntry, Writer};
use crate::{StoreError, read};

/// Requests in a group at most: enough to make the disk's answer cheap, few enough not to keep the first one waiting.
const GROUP: usize = 256;
/// How long a group waits for half of the requests that were announced. A commit has its price however small the group: the
/// last page of every table and index, and the disk's confirmation. A lone client's request never waits: it is all that was
/// announced.
const GATHER: Duration = Duration::from_millis(2);

/// How long a commit speaks for the next one.
const PROVEN: Duration = Duration::from_secs(1);

pub(crate) type Reply = oneshot::Sender<Result<Outcome, StoreError>>;

/// What waits in the queue.
pub(crate) enum Request {
    Decision(Box<DecisionRequest>, Reply),
    Change(Box<ChangeDraft>, Reply),
    Snapshot(Digest, Arc<[u8]>, oneshot::Sender<Result<(), StoreError>>),
    /// A signed tree head, and its size.
    Checkpoint(u64, Vec<u8>, oneshot::Sender<Result<(), StoreError>>),
    /// A witness's signature over one: its size, the witness's key, the line.
    Cosignature(u64, String, String, oneshot::Sender<Result<(), StoreError>>),
    /// Whether a decision could be recorded now.
    Probe(oneshot::Sender<Result<(), StoreError>>),
    /// Takes no more requests; those before it are still served.
    Close,
}

pub(crate) struct DecisionRequest {
    pub(crate) draft: Draft,
    pub(crate) payload: Payload,
    pub(crate) decision: SealedDecision,
    pub(crate) snapshot: Option<Arc<[u8]>>,
    pub(crate) halt_epoch: u64,
}

pub(crate) struct Sequencer {
    writer: Writer,
    origin: String,
    /// None after a failure, until it was read again: what was appended in memory may not be in the database.
    head: Option<Head>,
    snapshots: HashSet<Digest>,
    others: Arc<Others>,
    /// Requests that are being prepared or wait, see [`crate::Store::announce`].
    announced: Arc<AtomicUsize>,
    poisoned: Option<StoreError>,
    /// Bytes of the last group.
    committed: u64,
    /// When the last commit succeeded, unless one failed since.
    proven: Option<Instant>,
}

/// What is kept beside the entries.
#[derive(Default)]
struct Kept {
    snapshots: Vec<(Digest, Arc<[u8]>)>,
    checkpoints: Vec<(u64, Vec<u8>)>,
    cosignatures: Vec<(u64, String, String)>,
}

/// A group on its way into the database.
struct Group {
    head: Head,
    tiles: Vec<Tile>,
    decisions: Vec<(NewEntry, SealedDecision)>,
    /// Decisions by tenant and key: those stored before, and those of this group.
    keys: Keys,
    snapshots: Vec<Digest>,
    /// The halt epoch that it began with, and the one that it is at.
    began: u64,
    halt_epoch: u64,
    /// Whether something in force changes.
    changed: bool,
    /// Bytes of its entries and payloads.
    bytes: u64,
    /// One for each request that asks for an entry, in order.
    outcomes: Vec<Result<Outcome, StoreError>>,
}

impl Sequencer {
    pub(crate) async fn start(
        mut writer: Writer,
        origin: String,
        others: Arc<Others>,
        announced: Arc<AtomicUsize>,
    ) -> Result<Self, StoreError> {
        let belongs = |found: Option<String>| match found {
            Some(found) if found != origin => Err(StoreError::Origin { found, expected: origin.clone() }),
            _ => Ok(()),
        };
        belongs(read::origin(writer.reading()?).await?)?;
        let known: Vec<Vec<u8>> = query_scalar("SELECT hash FROM snapshots")
            .fetch_all(writer.reading()?)
            .await
            .map_err(storage("reading snapshots"))?;
        let snapshots = known.iter().filter_map(|hash| Digest::try_from(hash.as_slice()).ok()).collect();
        let mut sequencer = Self {
            writer,
            origin: origin.clone(),
            head: None,
            snapshots,
            others,
            announced,
            poisoned: None,
            committed: 0,
            proven: None,
        };
        sequencer.open_log().await?;
        // Another host may have opened it meanwhile.
        belongs(read::origin(sequencer.writer.reading()?).await?)?;
        Ok(sequencer)
    }

    /// Serves requests until every [`crate::Store`] is gone and the queue is empty.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(GROUP);
        while queue.recv_many(&mut requests, GROUP).await > 0 {
            self.gather(&mut requests, &mut queue).await;
            if requests.iter().any(|request| matches!(request, Request::Close)) {
                queue.close();
            }
            self.serve(std::mem::replace(&mut requests, Vec::with_capacity(GROUP))).await;
        }
        self.writer.close().await;
    }

    /// Waits a moment for requests that were announced, so that a group is worth its commit.
    async fn gather(&self, requests: &mut Vec<Request>, queue: &mut mpsc::Receiver<Request>) {
        let enough = || self.announced.load(Ordering::Relaxed) / 2;
        if requests.len() >= enough() {
            return;
        }
        let deadline = Instant::now() + GATHER;
        while requests.len() < enough().min(GROUP) {
            let room = GROUP - requests.len();
            match timeout_at(deadline, queue.recv_many(requests, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
    }

    /// Writes a group and answers it.
    async fn serve(&mut self, requests: Vec<Request>) {
        let mut replies = Vec::with_capacity(requests.len());
        let (mut kept_replies, mut probe_replies) = (Vec::new(), Vec::new());
        let mut work = Vec::with_capacity(requests.len());
        let mut kept = Kept::default();
        for request in requests {
            match request {
                Request::Decision(decision, reply) => {
                    work.push(Work::Decision(decision));
                    replies.push(reply);
                }
                Request::Change(change, reply) => {
                    work.push(Work::Change(change));
                    replies.push(reply);
                }
                Request::Snapshot(hash, bytes, reply) => {
                    kept.snapshots.push((hash, bytes));
                    kept_replies.push(reply);
                }
                Request::Checkpoint(size, note, reply) => {
                    kept.checkpoints.push((size, note));
                    kept_replies.push(reply);
                }
                Request::Cosignature(size, key, line, reply) => {
                    kept.cosignatures.push((size, key, line));
                    kept_replies.push(reply);
                }
                Request::Probe(reply) => probe_replies.push(reply),
                Request::Close => {}
            }
        }
        if work.is_empty() && kept_replies.is_empty() {
            if !probe_replies.is_empty() {
                self.answer_probes(probe_replies).await;
            }
            return;
        }
        let begun = Instant::now();
        let committed = self.commit(work, kept).await;
        tracing::trace!(requests = replies.len(), took = ?begun.elapsed(), "a group");
        // A requester that has gone away doesn't undo what it asked for: a failed send is fine.
        match committed {
            Ok(outcomes) => {
                for reply in kept_replies.into_iter().chain(probe_replies) {
                    drop(reply.send(Ok(())));
                }
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    drop(reply.send(outcome));
                }
            }
            Err(error) => {
                tracing::error!(%error, requests = replies.len(), "a group of requests could not be written");
                for reply in kept_replies.into_iter().chain(probe_replies) {
                    drop(reply.send(Err(error.clone())));
                }
                for reply in replies {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
        self.writer.answered(std::mem::take(&mut self.committed)).await;
    }

    async fn answer_probes(&mut self, replies: Vec<oneshot::Sender<Result<(), StoreError>>>) {
        // Asking often must not cost a commit each time.
        let mut answer = Ok(());
        if self.proven.is_none_or(|proven| proven.elapsed() >= PROVEN) {
            answer = self.probe().await;
            self.proven = answer.is_ok().then(Instant::now);
        }
        for reply in replies {
            drop(reply.send(answer.clone()));
        }
    }

    async fn probe(&mut self) -> Result<(), StoreError> {
        if let Some(poisoned) = self.poisoned() {
            return Err(poisoned);
        }
        let written = match self.begin().await {
            Ok((head, _)) => {
                let written = self.writer.probe(&head).await;
                self.head = Some(head);
                written
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &written {
            self.failed(error).await;
        }
        written
    }

    fn poisoned(&self) -> Option<StoreError> {
        self.poisoned.clone().or_else(|| self.writer.poisoned())
    }

    async fn failed(&mut self, error: &StoreError) {
        self.proven = None;
        if let StoreError::Poisoned { .. } = error {
            self.poisoned = Some(error.clone());
        }
        self.writer.undo().await;
    }

    /// One transaction. On an error nothing of it is stored.
    async fn commit(&mut self, work: Vec<Work>, kept: Kept) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
        if let Some(poisoned) = self.poisoned() {
            return Err(poisoned);
        }
        match self.transaction(work, kept).await {
            Ok(group) => {
                self.committed += group.bytes;
                // A group of repeated or refused requests writes nothing, and so proves nothing.
                if group.bytes > 0 {
                    self.proven = Some(Instant::now());
                }
                self.head = Some(group.head);
                self.snapshots.extend(group.snapshots);
                // Published before the stop is answered: whoever reads the epoch after that reads the new one.
                self.others.committed(group.began, group.halt_epoch);
                Ok(group.outcomes)
            }
            Err(error) => {
                self.failed(&error).await;
                Err(error)
            }
        }
    }

    /// Where the next group goes on, and from which halt epoch.
    async fn begin(&mut self) -> Result<(Head, u64), StoreError> {
        let known = self.others.halt_epoch();
        let Begun { head, halt_epoch, changed } = self.writer.begin(self.head.take(), &self.origin, known).await?;
        if changed {
            self.others.changed(halt_epoch);
        }
        Ok((head, halt_epoch))
    }

    async fn transaction(&mut self, work: Vec<Work>, kept: Kept) -> Result<Group, StoreError> {
        // What is looked up from here on still holds at the commit: nobody else can write before it.
        let (head, halt_epoch) = self.begin().await?;
        let before = head.size();
        let mut group = Group {
            head,
            tiles: Vec::new(),
            decisions: Vec::with_capacity(work.len()),
            keys: keys::known(self.writer.reading()?, &work).await?,
            snapshots: Vec::new(),
            began: halt_epoch,
            halt_epoch,
            changed: false,
            bytes: 0,
            outcomes: Vec::with_capacity(work.len()),
        };
        for (hash, bytes) in kept.snapshots {
            // Its hash was compared before it was queued, so it can't be refused.
            drop(self.snapshot(&mut group, hash, Some(bytes)).await?);
        }
        for (size, note) in kept.checkpoints {
            rows::checkpoint(self.writer.writing().await?, size, &note).await?;
        }
        for (size, key, line) in kept.cosignatures {
            rows::cosignature(self.writer.writing().await?, size, key, line).await?;
        }
        for work in work {
            let outcome = match work {
                Work::Decision(decision) => self.decide(&mut group, *decision).await?,
                Work::Change(change) => self.change(&mut group, *change).await?,
            };
            group.outcomes.push(outcome);
        }
        let ending = Ending {
            decisions: std::mem::take(&mut group.decisions),
            tiles: std::mem::take(&mut group.tiles),
            head: (group.head.size() > before).then_some(&group.head),
            halt_epoch: group.halt_epoch,
            changed: group.changed,
        };
        self.writer.commit(ending).await?;
        Ok(group)
    }

    /// Gives a decision its place. The outer error is the group's, the inner one its own.
    async fn decide(
        &mut self,
        group: &mut Group,
        request: DecisionRequest,
    ) -> Result<Result<Outcome, StoreError>, StoreError> {
        let DecisionRequest { draft, payload, decision, snapshot, halt_epoch } = request;
        let tenant = decision.facts.tenant.clone();
        let id = draft.subject.clone();
        let key = decision.idempotency.clone();
        if let Some(Idempotency { key, body_hash }) = &key
            && let Some((decision, found)) = group.keys.get(&(tenant.clone(), key.clone()))
        {
            return Ok(if found == body_hash {
                Ok(Outcome::Existing(decision.clone()))
            } else {
                let (key, decision) = (key.clone(), decision.clone());
                Err(StoreError::IdempotencyConflict { key, decision, found: *found, given: *body_hash })
            });
        }
        if halt_epoch < group.halt_epoch {
            return Ok(Err(StoreError::Stale { judged: halt_epoch, current: group.halt_epoch }));
        }
        if let Err(error) = self.writer.holds(decision.texts(&id)) {
            return Ok(Err(error));
        }
        if let Err(error) = self.snapshot(group, decision.facts.snapshot, snapshot).await? {
            return Ok(Err(error));
        }
        let sealed = match group.head.append(draft) {
            Ok(sealed) => sealed,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Some(Idempotency { key, body_hash }) = key {
            group.keys.insert((tenant.clone(), key), (id.clone(), body_hash));
        }
        let (entry, appended) = group.take(sealed, "decision", id, tenant, payload);
        group.decisions.push((entry, decision));
        Ok(Ok(Outcome::Appended(appended)))
    }

    /// Adds a snapshot unless it is known. The outer error is the group's, the inner one the request's.
    async fn snapshot(
        &mut self,
        group: &mut Group,
        hash: Digest,
        bytes: Option<Arc<[u8]>>,
    ) -> Result<Result<(), StoreError>, StoreError> {
        if self.snapshots.contains(&hash) || group.snapshots.contains(&hash) {
            return Ok(Ok(()));
        }
        let Some(bytes) = bytes else {
            // Another host may have added it.
            let known = query_scalar("SELECT count(*) FROM snapshots WHERE hash = ?").bind(hash.as_bytes().as_slice());
            let known: i64 = known.fetch_one(self.writer.reading()?).await.map_err(storage("looking up a snapshot"))?;
            if known == 0 {
                return Ok(Err(StoreError::NotFound { subject: format!("snapshot {hash}") }));
            }
            group.snapshots.push(hash);
            return Ok(Ok(()));
        };
        let found = Digest::of(&bytes);
        if found != hash {
            let detail = format!("hashes to {found}, not {hash}");
            return Ok(Err(StoreError::Invalid { field: "snapshot", detail }));
        }
        rows::snapshot(self.writer.writing().await?, hash.as_bytes(), &bytes).await?;
        group.snapshots.push(hash);
        Ok(Ok(()))
    }
}

impl Group {
    /// Prepares an entry for its table.
    fn take(
        &mut self,
        mut sealed: assize_ledger::Sealed,
        kind: &str,
        subject: String,
        tenant: String,
        payload: Payload,
    ) -> (NewEntry, Appended) {
        self.tiles.append(&mut sealed.tiles);
        self.bytes += (sealed.bytes.len() + payload.len()) as u64;
        let appended = Appended { seq: sealed.seq, entry_hash: sealed.hash, time: sealed.time };
        (NewEntry { sealed, kind: kind.to_owned(), subject, tenant, payload }, appended)
    }
}

/// A request for an entry.
enum Work {
    Decision(Box<DecisionRequest>),
    Change(Box<ChangeDraft>),
}
