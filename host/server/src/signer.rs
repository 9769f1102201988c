//! Signs where the log stands, and only forward.
//!
//! A checkpoint is signed over a head that is durable, kept in the database, and then given out. The newest one is kept in a
//! file of its own, too: a database that was put back to an earlier state contradicts it, and then nothing is signed any
//! more, since a log that signs two histories is worth nothing.

mod files;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use assize_ledger::{
    AdministrativeFacts, Algorithm, Checkpoint, Entry, ExportWriter, Keyring, KeyringError, Note, Receipt, SignerKey,
    Timestamp, VerifierKey, key_statement,
};
use assize_store::{Change, ChangeDraft, LogKeyRow, Reader, Store, StoreError};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

pub use self::files::CHECKPOINT_FILE;
use self::files::{find_key, kept, key_error, retire, take_up, write_private};
pub(crate) use self::files::{replace, stored_key};
use crate::config::LogKey;
use crate::identity::HOST;
use crate::pipeline::details;

/// How often it is looked whether a checkpoint is due.
const LOOK: Duration = Duration::from_millis(200);

/// When checkpoints are signed unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Once this many entries follow the newest checkpoint.
    pub entries: u64,
    /// Once the newest checkpoint is this old, and any entry follows it.
    pub period: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { entries: 10_000, period: Duration::from_secs(10) }
    }
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{what}: {error}")]
    Key { what: String, error: assize_ledger::KeyError },
    #[error(
        "the log's key is {newest}, and {place} holds {found}: give the key that the log introduced last, or the copy of \
         its file"
    )]
    WrongKey { newest: String, place: String, found: String },
    #[error(
        "the key {key} can't sign the log {origin}: a log signs by an Ed25519 key of its own name. Give such a key, or let \
         the host make one"
    )]
    ForeignKey { key: String, origin: String },
    #[error("the log's keys can't be followed: {0}; run `assize ledger verify`")]
    Keyring(#[from] KeyringError),
    #[error("a note can't be signed: {0}")]
    Note(#[from] assize_ledger::NoteError),
    #[error("{path} is no checkpoint of this log: {detail}; put back the file that belongs to this database")]
    NoCheckpoint { path: PathBuf, detail: String },
    #[error(
        "the database contradicts what was signed before: {path} says {expected}, and the database has {found}. Put back \
         the newest copy of the database. To go on from an older one, knowing that receipts given since then will \
         contradict it, remove that file"
    )]
    Fork { path: PathBuf, expected: String, found: String },
    #[error(
        "the database contradicts itself: its newest head says size {size} with root {found}, and its tree {expected}; run \
         `assize ledger verify`. Nothing is signed until it is as it was recorded"
    )]
    Head { size: u64, found: assize_ledger::Digest, expected: String },
    #[error("the log has no entries to sign")]
    Empty,
    #[error(
        "the new key is in force and can't be put in its place: {next} is its only copy. Move it to {path} ({error})"
    )]
    Misplaced { next: PathBuf, path: PathBuf, error: String },
    #[error("the key isn't in a file of the data directory: rotate it where it is kept")]
    Elsewhere,
}

/// A checkpoint as it is given out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) size: u64,
    pub(crate) note: String,
}

/// Holds the log's key.
pub(crate) struct Signer {
    origin: String,
    data: PathBuf,
    store: Store,
    key: ArcSwap<SignerKey>,
    /// Where the key came from; none where it was given in the environment.
    place: Option<PathBuf>,
    newest: ArcSwapOption<Signed>,
    /// Held from reading where the log stands to keeping what was signed, and while the key changes.
    signing: Mutex<()>,
    /// Told when a checkpoint was signed.
    signed: Notify,
    /// The size of the checkpoint in the file.
    kept: AtomicU64,
}

impl Signer {
    /// Finds the log's key, or makes and introduces it; refuses a database that contradicts what was signed before.
    pub(crate) async fn open(store: Store, origin: &str, data: &Path, given: &LogKey) -> Result<Self, SignError> {
        let keyring = keyring(&introductions(&store).await?, origin)?;
        let (key, place) = find_key(origin, data, given, keyring.newest())?;
        let public = key.public();
        if public.name() != origin || public.algorithm() != Algorithm::Ed25519 {
            return Err(SignError::ForeignKey { key: public.to_string(), origin: origin.to_owned() });
        }
        if let Some(newest) = keyring.newest()
            && newest != key.public()
        {
            return Err(wrong_key(newest, place.as_deref(), key.public()));
        }
        let newest = store
            .checkpoint()
            .await?
            .map(|row| Signed { size: row.size, note: String::from_utf8_lossy(&row.note).into_owned() });
        let signer = Self {
            origin: origin.to_owned(),
            data: data.to_owned(),
            store,
            key: ArcSwap::from_pointee(key),
            place,
            newest: ArcSwapOption::from(newest.map(Arc::new)),
            signing: Mutex::new(()),
            signed: Notify::new(),
            kept: AtomicU64::new(0),
        };
        signer.check_continuity().await?;
        if keyring.newest().is_none() {
            signer.introduce(&signer.key.load_full(), None, HOST, None).await?;
        }
        Ok(signer)
    }

    /// The log's name.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Signs the end of an export under a checkpoint of `size` entries.
    pub(crate) fn finish_export(
        &self,
        export: ExportWriter<Vec<u8>>,
        keyring: &Keyring,
        size: u64,
    ) -> Result<Vec<u8>, SignError> {
        let key = self.key.load_full();
        // The key changed while it was written: whoever asked asks again.
        let expected = keyring.at(size)?;
        if expected != key.public() {
            let (newest, place) = (expected.to_string(), "this host".to_owned());
            return Err(SignError::WrongKey { newest, place, found: key.public().to_string() });
        }
        export.finish(&key).map_err(|error| SignError::File { path: PathBuf::from("export"), error })
    }

    /// The newest checkpoint; signed now if there is none yet.
    pub(crate) async fn newest(&self) -> Result<Arc<Signed>, SignError> {
        match self.newest.load_full() {
            Some(signed) => Ok(signed),
            None => self.covering(1).await,
        }
    }

    /// A checkpoint of at least `size` entries, or of all if there aren't as many; signed now if there is none yet.
    pub(crate) async fn covering(&self, size: u64) -> Result<Arc<Signed>, SignError> {
        let known = || self.newest.load_full().filter(|signed| signed.size >= size);
        if let Some(signed) = known() {
            return Ok(signed);
        }
        let _signing = self.signing.lock().await;
        // Whoever held the lock may have signed it.
        match known() {
            Some(signed) => Ok(signed),
            None => self.sign().await,
        }
    }

    /// The receipt of an entry.
    pub(crate) async fn receipt(&self, seq: u64, entry: &[u8]) -> Result<Receipt, SignError> {
        let signed = self.covering(seq + 1).await?;
        let proof = self.store.inclusion_proof(seq, signed.size).await?;
        Receipt::new(seq, entry, &proof, &signed.note)
            .map_err(|error| StoreError::Corrupt { record: format!("entry {seq}"), detail: error.to_string() }.into())
    }

    /// Signs on schedule, for as long as it is polled.
    pub(crate) async fn run(&self, schedule: Schedule) {
        let mut last = Instant::now();
        let mut failing = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => self.keep().await,
                () = self.signed.notified() => {
                    self.keep().await;
                    continue;
                }
            }
            let signed = self.newest.load().as_ref().map_or(0, |signed| signed.size);
            let size = match self.store.head().await {
                Ok(head) => head.map_or(0, |head| head.size),
                Err(error) => {
                    tracing::error!(%error, "where the log stands can't be read");
                    continue;
                }
            };
            let due = size > signed && (size - signed >= schedule.entries || last.elapsed() >= schedule.period);
            if !due {
                continue;
            }
            match self.covering(size).await {
                Ok(_) => failing = false,
                // Said once: it is tried again for as long as it fails.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "no checkpoint could be signed");
                }
                Err(_) => {}
            }
            last = Instant::now();
        }
    }

    /// Makes a new key and puts it in force by an entry that the old and the new key signed. The old file is kept beside
    /// it under its key's id.
    pub(crate) async fn rotate(&self, by: &str, reason: Option<String>) -> Result<VerifierKey, SignError> {
        let Some(place) = &self.place else { return Err(SignError::Elsewhere) };
        let _signing = self.signing.lock().await;
        let old = self.key_of(u64::MAX).await?;
        let new =
            SignerKey::generate(&self.origin, Algorithm::Ed25519).map_err(|error| key_error("the new key", error))?;
        // First the file, then the entry: a key that the log names must not be lost. Each has a file of its own until it is in
        // force, so that neither another host in this folder nor a second try, after an answer that was lost, writes over it.
        let next = kept(place, new.public());
        write_private(&next, &new.to_secret())?;
        self.introduce(&new, Some(&old), by, reason).await?;
        let public = new.public().clone();
        // The log names the new key from here on: whatever becomes of the files, nothing is signed by the old one any more.
        // A start finds the new key in either of them.
        self.key.store(Arc::new(new));
        retire(place, &next).map_err(|error| SignError::Misplaced {
            next,
            path: place.clone(),
            error: error.to_string(),
        })?;
        Ok(public)
    }

    /// The key that signs what has `size` entries: the last one that these introduced. It is another than ours where another host put
    /// it in force, or where nobody heard how a rotation here ended: then it is looked for among the files. The lock is held.
    async fn key_of(&self, size: u64) -> Result<Arc<SignerKey>, SignError> {
        let ours = self.key.load_full();
        let introductions = introductions(&self.store).await?;
        let Some(newest) = introductions.iter().rev().find(|known| known.row.seq < size) else { return Ok(ours) };
        if newest.row.key == ours.public().to_string() {
            return Ok(ours);
        }
        // By what the keys signed, and only onwards: no row takes us back to a key that was replaced.
        let keyring = keyring(&introductions, &self.origin)?;
        let newest = keyring.at(size)?;
        let place = |key: &VerifierKey| keyring.keys().iter().position(|known| known.key == *key);
        let wrong = || wrong_key(newest, self.place.as_deref(), ours.public());
        if place(ours.public()).is_none_or(|ours| Some(ours) > place(newest)) {
            return Err(wrong());
        }
        let found = self.place.as_deref().map(|place| take_up(place, newest)).transpose()?.flatten();
        let key = Arc::new(found.ok_or_else(wrong)?);
        tracing::info!(key = %key.public(), "the log has a new key, which signs from here on");
        self.key.store(Arc::clone(&key));
        Ok(key)
    }

    async fn introduce(
        &self,
        key: &SignerKey,
        old: Option<&SignerKey>,
        by: &str,
        reason: Option<String>,
    ) -> Result<(), SignError> {
        let statement = key_statement(&self.origin, key, old)?.to_string();
        let draft = ChangeDraft {
            tenant: None,
            time: Timestamp::now(),
            details: details([("key", by), ("statement", &statement)]),
            confidential: reason.into_iter().map(|reason| ("reason".to_owned(), reason)).collect(),
            input: None,
            change: Change::LogKey { key: key.public().to_string(), before: old.map(|old| old.public().to_string()) },
        };
        self.store.change(draft).await?;
        Ok(())
    }

    /// Signs where the log stands. The lock is held.
    async fn sign(&self) -> Result<Arc<Signed>, SignError> {
        let head = self.store.head().await?.filter(|head| head.size > 0).ok_or(SignError::Empty)?;
        // Asked for more than there is: nothing new is signed, whoever asks how often.
        if let Some(newest) = self.newest.load_full().filter(|newest| newest.size >= head.size) {
            return Ok(newest);
        }
        // A row that somebody altered is nothing to sign: a checkpoint can't be taken back.
        let contradiction = |expected| SignError::Head { size: head.size, found: head.root, expected };
        let whole = 0..head.size;
        match self.store.roots(vec![whole]).await {
            Ok(roots) if roots == [head.root] => {}
            Ok(roots) => {
                let found: Vec<String> = roots.iter().map(ToString::to_string).collect();
                return Err(contradiction(format!("has root {}", found.join(", "))));
            }
            Err(error @ StoreError::Corrupt { .. }) => return Err(contradiction(format!("can't be read: {error}"))),
            Err(error) => return Err(error.into()),
        }
        // Asked each time: a checkpoint by a key that was replaced would stay, and stand in the way of the right one.
        let key = self.key_of(head.size).await?;
        let note = Checkpoint::new(&self.origin, head.size, head.root).sign(&key)?.to_string();
        self.store.put_checkpoint(head.size, note.clone().into_bytes()).await?;
        let signed = Arc::new(Signed { size: head.size, note });
        self.newest.store(Some(Arc::clone(&signed)));
        self.signed.notify_one();
        Ok(signed)
    }

    /// Keeps the newest checkpoint beside the database, too. Nobody waits for that: with two more syncs on the way, a decision
    /// with its receipt took 4.3 ms instead of 2.5. Should the host go away in between, the file is a moment older than the
    /// database, and tells a database that was put back from before that moment as well.
    pub(crate) async fn keep(&self) {
        let Some(signed) = self.newest.load_full().filter(|signed| signed.size > self.kept.load(Ordering::Relaxed))
        else {
            return;
        };
        let path = self.data.join(CHECKPOINT_FILE);
        let (file, note) = (path.clone(), signed.note.clone());
        match tokio::task::spawn_blocking(move || replace(&file, &note)).await {
            Ok(Ok(())) => self.kept.store(signed.size, Ordering::Relaxed),
            // It is tried again at the next look.
            Ok(Err(error)) => tracing::error!(%error, path = %path.display(), "the newest checkpoint can't be kept"),
            Err(error) => tracing::error!(%error, "the newest checkpoint can't be kept"),
        }
    }

    /// Whether the database still holds what was signed before.
    async fn check_continuity(&self) -> Result<(), SignError> {
        let path = self.data.join(CHECKPOINT_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(SignError::File { path, error }),
        };
        let note = Note::parse(&bytes).map_err(assize_ledger::CheckpointError::from);
        let signed = note.and_then(|note| Checkpoint::parse(note.text()));
        let signed = signed.and_then(|signed| signed.expect_origin(&self.origin).map(|()| signed));
        let signed =
            signed.map_err(|error| SignError::NoCheckpoint { path: path.clone(), detail: error.to_string() })?;
        let size = self.store.head().await?.map_or(0, |head| head.size);
        let expected = format!("size {} with root {}", signed.size, signed.root);
        if size < signed.size {
            return Err(SignError::Fork { path, expected, found: format!("{size} entries") });
        }
        let root = self.store.root_at(signed.size).await?;
        if root == signed.root {
            Ok(())
        } else {
            Err(SignError::Fork { path, expected, found: format!("root {root}") })
        }
    }
}

fn wrong_key(newest: &VerifierKey, place: Option<&Path>, found: &VerifierKey) -> SignError {
    let place = place.map_or_else(|| "ASSIZE_LOG_KEY".to_owned(), |path| path.display().to_string());
    SignError::WrongKey { newest: newest.to_string(), place, found: found.to_string() }
}

/// What introduced a key of the log.
pub(crate) struct Introduction {
    pub(crate) row: LogKeyRow,
    pub(crate) statement: String,
}

/// What introduced each of the log's keys, oldest first.
pub(crate) async fn introductions(store: &Reader) -> Result<Vec<Introduction>, StoreError> {
    let introduction = |row: LogKeyRow| {
        let corrupt = |detail: String| StoreError::Corrupt { record: format!("entry {}", row.seq), detail };
        let entry = Entry::decode(&row.entry).map_err(|error| corrupt(error.to_string()))?;
        let facts: AdministrativeFacts =
            serde_json::from_slice(&entry.facts).map_err(|error| corrupt(error.to_string()))?;
        Ok(Introduction { statement: facts.details.get("statement").cloned().unwrap_or_default(), row })
    };
    store.log_keys().await?.into_iter().map(introduction).collect()
}

/// The keys that the log introduced.
pub(crate) fn keyring(introductions: &[Introduction], origin: &str) -> Result<Keyring, KeyringError> {
    let mut keyring = Keyring::new();
    for Introduction { row, statement } in introductions {
        keyring.introduce(row.seq, origin, statement.as_bytes())?;
    }
    Ok(keyring)
}
