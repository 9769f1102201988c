//! The store that writes.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assize_ledger::Digest;
use futures::future::{BoxFuture, LocalBoxFuture};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::append::{ChangeDraft, DecisionDraft, Outcome};
use crate::changes::{Changes, Others};
use crate::db::Pool;
use crate::postgres::Listener;
use crate::read::Reader;
use crate::sequencer::{DecisionRequest, Request, Sequencer};
use crate::writer::Writer;
use crate::{StoreError, postgres, seal, sqlite};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many requests may wait for the sequencer; more are refused with [`StoreError::QueueFull`].
    pub queue: usize,
    /// The largest size of the database file in bytes; none for as much as the disk holds.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue: 4_096, max_bytes: None }
    }
}

/// Writes and reads. Clones share one sequencer.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    reader: Reader,
    queue: mpsc::Sender<Request>,
    limit: usize,
    others: Arc<Others>,
    announced: Arc<AtomicUsize>,
    /// Where there may be other hosts.
    listener: std::sync::Mutex<Option<Listener>>,
    sequencer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the database in `dir`, or makes it and begins the log `origin`.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process writes there, [`StoreError::Origin`] when it holds another log,
    /// [`StoreError::Corrupt`] when the end of the ledger contradicts itself.
    pub async fn open(dir: &Path, origin: &str) -> Result<Self, StoreError> {
        Options::default().open(dir, origin).await
    }

    /// Opens for reading alone, beside a running server or without one. Makes no database.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub fn open_read_only(dir: &Path) -> BoxFuture<'_, Result<Reader, StoreError>> {
        Box::pin(async move { Reader::open(&sqlite::open::database(dir)).await })
    }

    /// Opens the PostgreSQL database at `url` beside other hosts, or makes its tables and begins the log `origin`.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Role`] when the tables have to be made, and the user may not.
    pub async fn open_postgres(url: &str, origin: &str) -> Result<Self, StoreError> {
        Options::default().open_postgres(url, origin).await
    }

    /// Opens the PostgreSQL database at `url` for reading alone. Makes no tables.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there are none.
    pub fn open_postgres_read_only(url: &str) -> BoxFuture<'_, Result<Reader, StoreError>> {
        Reader::open_postgres(url)
    }

    /// Records a decision with all that belongs to it; answers once that is durable.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] (try again), [`StoreError::Stale`] (judge again),
    /// [`StoreError::IdempotencyConflict`], and failures of the disk.
    pub async fn decide(&self, draft: DecisionDraft) -> Result<Outcome, StoreError> {
        let (snapshot, halt_epoch) = (draft.snapshot.clone(), draft.halt_epoch);
        let (draft, payload, decision) = seal::decision(draft)?;
        let request = Box::new(DecisionRequest { draft, payload, decision, snapshot, halt_epoch });
        self.ask(|reply| Request::Decision(request, reply)).await?
    }

    /// Records a change of what is in force; answers once that is durable.
    ///
    /// # Errors
    /// What [`Change`](crate::Change) says of each, [`StoreError::QueueFull`], and failures of the disk.
    pub async fn change(&self, draft: ChangeDraft) -> Result<Outcome, StoreError> {
        if draft.tenant.as_deref() == Some("") {
            return Err(StoreError::Invalid { field: "tenant", detail: "a tenant has a name".into() });
        }
        let draft = Box::new(draft);
        self.ask(|reply| Request::Change(draft, reply)).await?
    }

    /// Keeps the bytes of a snapshot, unless they are kept; answers once that is durable. They must hash to `hash`.
    pub async fn put_snapshot(&self, hash: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        let found = Digest::of(&bytes);
        if found != hash {
            return Err(StoreError::Invalid { field: "snapshot", detail: format!("hashes to {found}, not {hash}") });
        }
        self.ask(|reply| Request::Snapshot(hash, bytes, reply)).await?
    }

    /// Keeps a signed tree head of this size; answers once that is durable. What it says isn't looked at: sign only heads
    /// that were read from here.
    pub async fn put_checkpoint(&self, size: u64, note: Vec<u8>) -> Result<(), StoreError> {
        self.ask(|reply| Request::Checkpoint(size, note, reply)).await?
    }

    /// Keeps a witness's signature line over the checkpoint of this size; answers once that is durable. Verify it before.
    pub async fn put_cosignature(&self, size: u64, key: String, line: String) -> Result<(), StoreError> {
        self.ask(|reply| Request::Cosignature(size, key, line, reply)).await?
    }

    /// Whether a decision could be recorded now, found out by way of the sequencer: by a commit of its own, unless another
    /// succeeded within the last second.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.ask(Request::Probe).await?
    }

    /// How many emergency stops were recorded: in a directory, since the store was opened.
    ///
    /// A decision carries the epoch that was read *before* the kill switch was looked at, and a stop is set in memory
    /// *before* it is appended: then no decision that was judged without the stop is recorded after it.
    ///
    /// Where several hosts share a database, it counts the stops that this host is known to have loaded
    /// ([`Store::applied`]): a decision that was judged without another host's stop is [`StoreError::Stale`].
    pub fn halt_epoch(&self) -> u64 {
        self.inner.others.halt_epoch()
    }

    /// Changes that other hosts made of what is in force; none where there can't be others. Whoever sees one loads what is
    /// in force, then tells [`Store::applied`].
    pub fn changes(&self) -> watch::Receiver<Changes> {
        self.inner.others.watch()
    }

    /// Everything in force was loaded after these changes were seen: from here on, decisions carry their halt epoch.
    pub fn applied(&self, changes: Changes) {
        self.inner.others.applied(changes);
    }

    /// Tells the sequencer that a request is being prepared, until the guard is dropped after its answer: it may wait a
    /// moment for it, and commit more at once. Only a hint; a request that wasn't announced is served as well.
    pub fn announce(&self) -> Announced {
        self.inner.announced.fetch_add(1, Ordering::Relaxed);
        Announced(Arc::clone(&self.inner.announced))
    }

    /// How many requests wait for the sequencer.
    pub fn waiting(&self) -> usize {
        self.inner.limit.saturating_sub(self.inner.queue.capacity())
    }

    /// Lets the sequencer finish what waits, and closes the database. Requests after this answer
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        let Some(sequencer) = self.inner.sequencer.lock().await.take() else { return };
        drop(self.inner.listener.lock().map(|mut listener| listener.take()));
        self.inner.reader.close().await;
        // Either fails only if the sequencer is gone already.
        drop(self.inner.queue.send(Request::Close).await);
        drop(sequencer.await);
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.inner.queue.try_send(request(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::QueueFull { limit: self.inner.limit },
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_| StoreError::Closed)
    }
}

/// A request under way, see [`Store::announce`].
#[derive(Debug)]
pub struct Announced(Arc<AtomicUsize>);

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Options {
    /// As [`Store::open`], with these options.
    pub fn open<'a>(&'a self, dir: &'a Path, origin: &'a str) -> LocalBoxFuture<'a, Result<Store, StoreError>> {
        Box::pin(async move {
            let writer = Writer::Sqlite(Box::new(sqlite::Writer::open(dir, self.max_bytes).await?));
            let reader = Reader::open(&sqlite::open::database(dir)).await?;
            self.start(writer, reader, None, Arc::new(Others::new()), origin).await
        })
    }

    /// As [`Store::open_postgres`], with these options.
    pub fn open_postgres<'a>(&'a self, url: &'a str, origin: &'a str) -> LocalBoxFuture<'a, Result<Store, StoreError>> {
        Box::pin(async move {
            let writer = Box::pin(postgres::Writer::open(url)).await?;
            let (reader, others) = (Reader::open_postgres(url).await?, Arc::new(Others::new()));
            let listener = match &reader.pool {
                Pool::Postgres(pool) => {
                    let (options, host) = (postgres::open::options(url)?, writer.host().to_owned());
                    Some(Listener::start(options, pool.clone(), host, Arc::clone(&others)))
                }
                Pool::Sqlite(_) => None,
            };
            self.start(Writer::Postgres(Box::new(writer)), reader, listener, others, origin).await
        })
    }

    async fn start(
        &self,
        writer: Writer,
        reader: Reader,
        listener: Option<Listener>,
        others: Arc<Others>,
        origin: &str,
    ) -> Result<Store, StoreError> {
        let announced = Arc::new(AtomicUsize::new(0));
        let listener = std::sync::Mutex::new(listener);
        let (heard, coming) = (Arc::clone(&others), Arc::clone(&announced));
        let sequencer = Sequencer::start(writer, origin.to_owned(), heard, coming).await?;
        let limit = self.queue.max(1);
        let (queue, requests) = mpsc::channel(limit);
        let sequencer = Mutex::new(Some(tokio::spawn(sequencer.run(requests))));
        Ok(Store { inner: Arc::new(Inner { reader, queue, limit, others, announced, listener, sequencer }) })
    }
}

impl Deref for Store {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.inner.reader
    }
}
