//! The check of a whole database, or of a range of its ledger.
//!
//! Rows are read in the order of `seq`, a batch ahead of the check, so memory is that of two batches. Nothing is read in
//! one long transaction, which would keep a running server from shortening its WAL: rows are never changed, so what was
//! there when the check began is still there.

mod outside;
mod read;
mod state;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use assize_ledger::timestamp::Trust;
use assize_ledger::{
    Checkpoint, CheckpointError, Digest, EntryRef, Fault, Keyring, Link, Note, Outside, Report, Start, Tile, TileId,
    Timestamp, Verifier, VerifierKey, entry_hash,
};
use futures::future::LocalBoxFuture;

use self::read::Batch;
use crate::StoreError;
use crate::check::{self, Seen};
use crate::db::{Row, int, query, query_scalar, storage};
use crate::read::Reader;
use crate::record::{Cell, hex};

/// Which part of the ledger to check, and against what.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The first entry; none or 0 for all of them. From a later one on, the hash of the entry before is taken as
    /// stored, and what can only be told from the beginning (tree, tiles, heads) isn't checked.
    pub from: Option<u64>,
    /// The last entry; none for the newest.
    pub to: Option<u64>,
    /// A size and the root that the tree had then, known from elsewhere: without one, nobody can tell that the newest
    /// entries were cut off.
    pub expected: Option<(u64, Digest)>,
    /// A checkpoint known from elsewhere: as `expected`, and it must be signed by the log's key of its time.
    pub checkpoint: Option<Note>,
    /// A key of the log known from elsewhere: one of those that it introduced must be this, and there must be a checkpoint that
    /// one of them signed. A key's statement binds no entries: it can be copied to another history.
    pub key: Option<VerifierKey>,
    /// Authorities whose time stamps are believed; without any, stamps aren't checked.
    pub trust: Option<Trust>,
    /// Witnesses whose signatures are believed.
    pub witnesses: Vec<VerifierKey>,
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries checked.
    pub done: u64,
    /// Entries to check.
    pub total: u64,
}

/// What the check of one batch needs besides its rows.
struct Shared {
    seen: Seen,
    expected: Vec<(u64, Digest)>,
    keyring: Mutex<Keyring>,
    /// Whether the check begins with the first entry.
    whole: bool,
    /// The sizes of the sound checkpoints, in order: what others say of these counts.
    sound: Mutex<Vec<u64>>,
}

impl Reader {
    /// Recomputes everything from the rows: chain, tree, tiles and heads, payloads against their commitments, and every
    /// column against what binds it. What is wrong is in the report, also what can't be read.
    ///
    /// # Errors
    /// Only when nothing can be checked: the range isn't in the ledger, or there is none.
    pub async fn verify(
        &self,
        options: VerifyOptions,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, StoreError> {
        self.recompute(options, &mut progress).await
    }

    /// In a box, so that it is compiled here, and not again by everybody who waits for it (decision 0035).
    fn recompute<'a>(
        &'a self,
        options: VerifyOptions,
        progress: &'a mut (dyn FnMut(Progress) + Send),
    ) -> LocalBoxFuture<'a, Result<Report, StoreError>> {
        Box::pin(async move {
            let size = self.size().await?;
            let from = options.from.unwrap_or(0);
            let end = options.to.map_or(size, |to| to.saturating_add(1));
            let invalid =
                |field, value: u64, detail: String| StoreError::Invalid { field, detail: format!("{value}: {detail}") };
            if end > size {
                return Err(invalid("to", end - 1, format!("the last entry is {}", size.saturating_sub(1))));
            }
            if from >= end {
                return Err(invalid("from", from, format!("the last entry to check is {}", end.saturating_sub(1))));
            }
            let whole = from == 0;
            let mut verifier = self.begin(from).await?;
            if whole {
                self.check_database(verifier.report_mut()).await;
            } else {
                let report = verifier.report_mut();
                report.notes.push(format!("the hash of entry {} was taken as stored", from - 1));
                report
                    .notes
                    .push("tree, tiles, heads, checkpoints, components, snapshots and what others outside confirmed are checked from the beginning only".into());
                if options.key.is_some() {
                    report.notes.push("the log's key was not compared: it is from the beginning only".into());
                }
            }
            let given = options.checkpoint.as_ref().map(|note| Checkpoint::parse(note.text())).transpose();
            let given =
                given.map_err(|error| StoreError::Invalid { field: "checkpoint", detail: error.to_string() })?;
            let given = given.map(|checkpoint| (checkpoint.size, checkpoint.root));
            let expected: Vec<(u64, Digest)> = options.expected.into_iter().chain(given).collect();
            let seen = Seen { size, ..Seen::default() };
            let (keyring, sound) = (Mutex::default(), Mutex::default());
            let shared = Arc::new(Shared { seen, expected, keyring, whole, sound });
            let mut batch = self.batch(from, end, whole).await;
            while let Some(current) = batch {
                let (next, shared) = (current.next, Arc::clone(&shared));
                let blocking = move || check_batch(verifier, current, &shared);
                // Reading the next batch and checking this one keep both cores busy.
                let (checked, following) = tokio::join!(tokio::task::spawn_blocking(blocking), async {
                    if next < end { self.batch(next, end, whole).await } else { None }
                });
                let (checked, tiles) = checked
                    .map_err(|error| StoreError::Storage { action: "checking entries", detail: error.to_string() })?;
                verifier = checked;
                self.check_tiles(&mut verifier, tiles).await;
                progress(Progress { done: next.min(end) - from, total: end - from });
                batch = following;
            }
            let complete = verifier.size();
            let report = verifier.report_mut();
            if complete != end {
                let found = format_args!("the last is {}", complete.saturating_sub(1));
                report.faults.push(Fault::new(complete, format_args!("entry {complete}"), "seq", found, "an entry"));
            }
            for (size, _) in shared.expected.iter().filter(|(size, _)| whole && *size > end) {
                let name = format_args!("head {size}");
                report.faults.push(Fault::new(None, name, "size", format_args!("{end} entries"), "at least that many"));
            }
            match (shared.expected.is_empty(), whole) {
                (false, false) => report.notes.push("the expected root can be compared from the beginning only".into()),
                (true, true) => report.notes.push(
                    "no expected checkpoint was given: entries cut off at the end can't be told from entries never written"
                        .into(),
                ),
                _ => {}
            }
            let sound = shared.sound.lock().map(|sound| sound.clone()).unwrap_or_default();
            if let Ok(keyring) = shared.keyring.lock() {
                check_keys(&options, whole, &keyring, &sound, report);
            }
            if let Ok(counts) = shared.seen.counts.lock() {
                report.decisions = counts.decisions;
                report.payloads = counts.payloads;
                report.erased = counts.erased;
            }
            self.erasures_elsewhere(&shared.seen, from..end, report).await;
            check_erasures(&shared.seen, from..end, report);
            if whole {
                self.check_cosignatures(&options.witnesses, &sound, report).await;
                self.check_stamps(options.trust.as_ref(), &sound, report).await;
                report.notes.extend(unsigned(report.checkpointed, end));
                report.notes.push(Outside::sentence(&report.outside, end));
            }
            self.check_state(&shared.seen, from..end, whole, report).await;
            Ok(verifier.finish())
        })
    }

    /// Reads the erasures that entries outside the range recorded of what lies in it.
    async fn erasures_elsewhere(&self, seen: &Seen, range: std::ops::Range<u64>, report: &mut Report) {
        let elsewhere: BTreeSet<u64> = match seen.erased.lock() {
            Ok(erased) => erased.values().copied().filter(|by| !range.contains(by)).collect(),
            Err(_) => return,
        };
        if !elsewhere.is_empty() {
            let count = elsewhere.len();
            report
                .notes
                .push(format!("erasures recorded outside the range: {count}, whose entries were taken as stored"));
        }
        for by in elsewhere {
            let read = query("SELECT hash, bytes FROM entries WHERE seq = ?").bind(int(by));
            let row = read.fetch_optional(&self.pool).await;
            // What can't be read, or isn't the entry there, names nothing: then its targets are faults.
            let cells = row.ok().flatten().map(Row::into_cells).unwrap_or_default();
            let [Cell::Blob(hash), Cell::Blob(bytes)] = cells.as_slice() else { continue };
            if let Ok(entry) = EntryRef::decode(bytes)
                && entry.seq == by
                && entry_hash(bytes).as_bytes() == hash.as_slice()
            {
                check::details(by, &entry, seen, &mut report.faults);
            }
        }
    }

    /// How many entries there are: one more than the last `seq`.
    async fn size(&self) -> Result<u64, StoreError> {
        let failed = storage("reading the end of the ledger");
        let last: Option<i64> =
            query_scalar("SELECT max(seq) FROM entries").fetch_one(&self.pool).await.map_err(failed)?;
        Ok(last.and_then(|last| u64::try_from(last).ok()).map_or(0, |last| last.saturating_add(1)))
    }

    async fn begin(&self, from: u64) -> Result<Verifier, StoreError> {
        let origin = self.origin().await.ok().flatten();
        let Some(before) = from.checked_sub(1) else { return Ok(Verifier::new(Start::Genesis, origin)) };
        let failed = storage("reading the entry before the range");
        let row = query("SELECT hash, time FROM entries WHERE seq = ?").bind(int(before));
        let row = row.fetch_one(&self.pool).await.map_err(&failed)?;
        let (hash, time): (Vec<u8>, i64) = (row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?);
        let corrupt = |detail: String| StoreError::Corrupt { record: format!("entry {before}"), detail };
        let previous = Digest::try_from(hash.as_slice()).map_err(|error| corrupt(error.to_string()))?;
        let time = u64::try_from(time).ok().and_then(Timestamp::from_millis);
        let time = time.ok_or_else(|| corrupt("time: out of range".into()))?;
        Ok(Verifier::new(Start::After { seq: from, previous, time }, origin))
    }

    /// Compares the tiles that entries filled with those that are stored.
    async fn check_tiles(&self, verifier: &mut Verifier, tiles: Vec<Tile>) {
        for Tile { id: TileId { level, index }, hashes } in tiles {
            let query = query_scalar("SELECT hashes FROM tiles WHERE level = ? AND idx = ?");
            let query = query.bind(i64::from(level)).bind(int(index));
            let stored: Result<Option<Vec<u8>>, _> = query.fetch_optional(&self.pool).await;
            let node = query_scalar("SELECT hash FROM nodes WHERE level = ? AND idx = ?");
            let node: Result<Option<Vec<u8>>, _> =
                node.bind(i64::from(level) + 1).bind(int(index)).fetch_optional(&self.pool).await;
            let report = verifier.report_mut();
            report.tiles += 1;
            let name = format_args!("node {}/{index}", level + 1);
            let root = Tile { id: TileId { level, index }, hashes: hashes.clone() }.root().unwrap_or(Digest::ZERO);
            match node {
                Ok(Some(hash)) if hash == root.as_bytes() => {}
                Ok(Some(hash)) => report.faults.push(Fault::new(None, name, "hash", hex(&hash), root)),
                Ok(None) => report.faults.push(Fault::new(None, name, "level, idx", "no row", "a row")),
                Err(error) => report.faults.push(Fault::new(None, name, "hash", error, "a readable row")),
            }
            let name = format_args!("tile {level}/{index}");
            match stored {
                Ok(Some(stored)) if stored == hashes => {}
                Ok(Some(stored)) => {
                    let (found, expected) = (Digest::of(&stored), Digest::of(&hashes));
                    let found = format_args!("{} bytes with SHA-256 {found}", stored.len());
                    report.faults.push(Fault::new(None, name, "hashes", found, format_args!("SHA-256 {expected}")));
                }
                Ok(None) => report.faults.push(Fault::new(None, name, "level, idx", "no row", "a row")),
                Err(error) => report.faults.push(Fault::new(None, name, "hashes", error, "a readable row")),
            }
        }
    }
}

/// What is gone was erased by an entry that names it; what such entries name is gone.
fn check_erasures(seen: &Seen, range: std::ops::Range<u64>, report: &mut Report) {
    let (Ok(erased), Ok(erasures)) = (seen.erased.lock(), seen.erasures.lock()) else { return };
    for (target, by) in erased.iter() {
        if by <= target || !erasures.get(by).is_some_and(|targets| targets.contains(*target)) {
            let name = format_args!("erased {target}");
            let expected = format_args!("an erasure that names entry {target}");
            report.faults.push(Fault::new(*target, name, "seq", format_args!("entry {by}"), expected));
        }
    }
    // What was erased while the check ran may have been read before that.
    for (by, targets) in erasures.iter().filter(|(by, _)| **by < seen.size) {
        // Cut to what is checked: an entry may name any number.
        let places = |(first, last): &(u64, u64)| *first.max(&range.start)..(last.saturating_add(1)).min(range.end);
        for target in targets.ranges().iter().flat_map(places) {
            if erased.get(&target) != Some(by) {
                let found = erased.get(&target).map_or_else(|| "no row".to_owned(), |by| format!("entry {by}"));
                report.faults.push(Fault::new(
                    target,
                    format_args!("erased {target}"),
                    "seq",
                    found,
                    format_args!("entry {by}"),
                ));
            }
        }
    }
}

/// Compares the keys that the log introduced with what is known from elsewhere. `sound` has the sizes of checkpoints that were compared.
fn check_keys(options: &VerifyOptions, whole: bool, keyring: &Keyring, sound: &[u64], report: &mut Report) {
    report.keys = keyring.keys().iter().map(|introduced| introduced.key.to_string()).collect();
    if !whole {
        return;
    }
    if let Some(note) = &options.checkpoint
        && let Err(error) = keyring.open(report.origin.as_deref().unwrap_or_default(), note)
    {
        let expected = "a checkpoint that this log signed";
        report.faults.push(Fault::new(None, "expected checkpoint", "note", error, expected));
    }
    let Some(key) = &options.key else { return };
    if !keyring.keys().iter().any(|introduced| introduced.key == *key) {
        let found = keyring.newest().map_or_else(|| "no key".to_owned(), ToString::to_string);
        report.faults.push(Fault::new(None, "log's key", "key", found, format_args!("{key} (as given)")));
    }
    // The statements by which it was introduced, and vouched for the key after it, can be copied to any history.
    match sound.iter().rev().find(|size| keyring.at(**size).is_ok_and(|of_its_time| of_its_time == key)) {
        None => {
            let expected = "one at least: `assize ledger checkpoint` has the server sign one";
            report.faults.push(Fault::new(None, "log's key", "checkpoints", "none that it signed", expected));
        }
        Some(size) if keyring.newest() != Some(key) => report.notes.push(format!(
            "the key that was given signed checkpoints of up to {size} entries; later ones are by keys that it vouched for"
        )),
        Some(_) => {}
    }
}

/// What is to be said of entries that no sound checkpoint covers.
fn unsigned(checkpointed: Option<u64>, end: u64) -> Option<String> {
    let covered = checkpointed.unwrap_or(0);
    let last = end.checked_sub(1).filter(|last| covered <= *last)?;
    let entries = if covered == last { format!("entry {last}") } else { format!("entries {covered} to {last}") };
    Some(format!(
        "no checkpoint among those checked covers {entries}: whoever can write to the database could have made that up"
    ))
}

/// Takes the key that an entry introduces, if it introduces one. In a range, the keys before it aren't known.
fn introduce(shared: &Shared, seq: u64, report: &mut Report) {
    if !shared.whole {
        return;
    }
    let introduced = shared.seen.statements.lock().ok().and_then(|mut statements| statements.remove(&seq));
    let (Some((subject, statement)), Ok(mut keyring)) = (introduced, shared.keyring.lock()) else { return };
    let origin = report.origin.as_deref().unwrap_or_default();
    let name = format_args!("entry {seq}");
    match keyring.introduce(seq, origin, statement.as_bytes()) {
        Ok(key) => report.faults.compare((Some(seq), &name), "subject", &subject, &key.to_string()),
        Err(error) => {
            let expected = "a key, signed by the one before";
            report.faults.push(Fault::new(seq, name, "facts.details.statement", error, expected));
        }
    }
}

/// Compares a stored checkpoint with the tree, and its signature with the log's key.
fn check_checkpoint(shared: &Shared, link: &Link, stored: &[Cell], root: Option<Digest>, report: &mut Report) {
    let name = format_args!("checkpoint {}", link.size);
    report.checkpoints += 1;
    let note = match stored.get(1) {
        Some(Cell::Blob(note)) => Note::parse(note),
        other => {
            let found = other.cloned().unwrap_or(Cell::Null);
            report.faults.push(Fault::new(None, name, "note", found, "a signed note"));
            return;
        }
    };
    let origin = report.origin.as_deref().unwrap_or_default();
    let opened = match (note, shared.keyring.lock()) {
        (Ok(note), Ok(keyring)) => keyring.open(origin, &note),
        (Err(error), _) => Err(CheckpointError::Note(error).into()),
        (_, Err(_)) => return,
    };
    match opened {
        Ok(checkpoint) => {
            report.faults.compare((None, &name), "size", &checkpoint.size, &link.size);
            if let Some(root) = root {
                report.faults.compare((None, &name), "root", &checkpoint.root, &root);
            }
            // One that says something else covers nothing.
            if checkpoint.size == link.size && root == Some(checkpoint.root) {
                report.checkpointed = report.checkpointed.max(Some(link.size));
                if let Ok(mut sound) = shared.sound.lock() {
                    sound.push(link.size);
                }
            }
        }
        Err(error) => report.faults.push(Fault::new(None, name, "note", error, "a checkpoint that this log signed")),
    }
}

/// Checks a batch on a thread that may be kept busy; hands out the tiles that it filled.
fn check_batch(mut verifier: Verifier, batch: Batch, shared: &Shared) -> (Verifier, Vec<Tile>) {
    verifier.report_mut().faults.append(&mut { batch.faults });
    let mut heads: HashMap<u64, Vec<Cell>> = batch.heads.into_iter().collect();
    let mut checkpoints: HashMap<u64, Vec<Cell>> = batch.checkpoints.into_iter().collect();
    let mut tiles = Vec::new();
    verifier.batch(
        &batch.rows,
        batch.after,
        |row, entry, faults| check::row(row, entry, &shared.seen, faults),
        |link, root, report| {
            tiles.extend(link.tiles.iter().cloned());
            if let Some(stored) = heads.remove(&link.size) {
                report.heads += 1;
                let root = root();
                let wants = [
                    check::Want::Any,
                    root.as_ref().map_or(check::Want::Any, |root| check::Want::Blob(root.as_bytes())),
                    check::Want::Blob(link.hash.as_bytes()),
                    link.time.map_or(check::Want::Any, |time| check::Want::Int(int(time.as_millis()))),
                ];
                let name = format_args!("head {}", link.size);
                check::compare(&mut report.faults, None, &name, &["size", "root", "hash", "time"], &stored, &wants);
            }
            introduce(shared, link.size - 1, report);
            if let Some(stored) = checkpoints.remove(&link.size) {
                check_checkpoint(shared, link, &stored, root(), report);
            }
            for (_, expected) in shared.expected.iter().filter(|(size, _)| *size == link.size) {
                if let Some(found) = root().filter(|found| found != expected) {
                    let name = format_args!("head {}", link.size);
                    report.faults.push(Fault::new(None, name, "root", found, format_args!("{expected} (as given)")));
                }
            }
        },
    );
    let mut left: Vec<u64> = heads.into_keys().collect();
    left.sort_unstable();
    for size in left {
        let found = format_args!("a head after entry {}", size.saturating_sub(1));
        verifier.report_mut().faults.push(Fault::new(
            None,
            format_args!("head {size}"),
            "size",
            found,
            "no such entry",
        ));
    }
    (verifier, tiles)
}
