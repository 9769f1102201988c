//! The streaming check of chain and tree.
//!
//! Rows come in batches. Hashing and reading, which is most of the work, is spread over the cores; linking follows it on the
//! caller's thread, a chunk behind. Memory is that of one batch.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::{Fault, Faults, Report, TimeRange};
use crate::entry::entry_hash;
use crate::tree::{Frontier, Tile};
use crate::{Digest, EntryRef, Timestamp};

/// An entry as a store holds it: its bytes, and the place and the hash that the store believes it has.
pub trait StoredEntry: Sync {
    /// The place it is stored at.
    fn seq(&self) -> u64;
    /// Its exact bytes.
    fn bytes(&self) -> &[u8];
    /// The hash stored beside it; 32 bytes if nothing is wrong.
    fn hash(&self) -> &[u8];
}

/// Where a check begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first entry: chain, tree, tiles and heads are checked.
    Genesis,
    /// At a later entry: the hash and the time of the entry before are taken as stored, and there is no tree.
    After {
        /// The first entry to check; not 0.
        seq: u64,
        /// The stored hash of the entry before.
        previous: Digest,
        /// The stored time of the entry before.
        time: Timestamp,
    },
}

/// Where the log stands after a row, for comparing with stored heads and tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Entries up to here, this one included.
    pub size: u64,
    /// The hash that the next entry should name.
    pub hash: Digest,
    /// This entry's time, if it could be read.
    pub time: Option<Timestamp>,
    /// Tiles that this entry filled.
    pub tiles: Vec<Tile>,
}

/// Checks entries in the order of their `seq`.
#[derive(Debug)]
pub struct Verifier {
    next: u64,
    previous: Digest,
    time: Timestamp,
    /// None for a range, and after a hole: the tree can't be told any more.
    tree: Option<Frontier>,
    report: Report,
    threads: usize,
}

/// What one thread makes of one row.
struct Read {
    hash: Digest,
    link: Option<(u64, Digest, Timestamp)>,
    faults: Faults,
}

/// Rows that a thread reads before it hands them on: fewer aren't worth it, and with more, linking starts late.
const CHUNK: usize = 256;

impl Verifier {
    /// Begins a check. The origin that every entry must name is `origin`, or else the first entry's.
    pub fn new(start: Start, origin: Option<String>) -> Self {
        let (next, previous, time, tree) = match start {
            Start::Genesis => (0, Digest::ZERO, Timestamp::default(), Some(Frontier::new())),
            Start::After { seq, previous, time } => (seq, previous, time, None),
        };
        let report = Report {
            origin,
            from: next,
            entries: 0,
            decisions: 0,
            payloads: 0,
            components: 0,
            tiles: 0,
            outside: Vec::new(),
            cosignatures: 0,
            stamps: 0,
            erased: 0,
            heads: 0,
            checkpoints: 0,
            checkpointed: None,
            keys: Vec::new(),
            times: None,
            last: None,
            root: None,
            faults: Faults::default(),
            notes: Vec::new(),
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { next, previous, time, tree, report, threads }
    }

    /// Counts and faults so far; a store adds its own.
    pub fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    /// The root over all entries so far; none for a range or after a hole.
    pub fn root(&self) -> Option<Digest> {
        self.tree.as_ref().map(Frontier::root)
    }

    /// Entries up to here.
    pub fn size(&self) -> u64 {
        self.next
    }

    /// Checks rows that follow those of the last batch. `check` is called for each row that can be read, on any thread,
    /// to compare what else the store knows of it. `linked` is called for each row in order, with the root so far. `after` is what
    /// the entry behind the last row names as the one before it, where there is one that can be read: it tells whether that row's
    /// bytes or its hash were altered.
    pub fn batch<R: StoredEntry>(
        &mut self,
        rows: &[R],
        after: Option<Digest>,
        check: impl Fn(&R, &EntryRef<'_>, &mut Faults) + Sync,
        mut linked: impl FnMut(&Link, &dyn Fn() -> Option<Digest>, &mut Report),
    ) {
        if self.report.origin.is_none() {
            let first = rows.first().and_then(|row| EntryRef::decode(row.bytes()).ok());
            self.report.origin = first.map(|entry| entry.origin.to_owned());
        }
        let origin = self.report.origin.clone();
        let read =
            |rows: &[R]| -> Vec<Read> { rows.iter().map(|row| read_row(row, origin.as_deref(), &check)).collect() };
        let threads = self.threads;
        // A row is linked when the next one is there, whose link tells which of two is wrong.
        let mut waiting: Option<(&R, Read)> = None;
        let mut link = |row, read: Read| {
            let next = read.link.map(|(_, previous, _)| previous);
            if let Some((row, mut read)) = waiting.replace((row, read)) {
                self.linked(row, &mut read, next, &mut linked);
            }
        };
        in_order(rows, threads, &read, |rows, reads| {
            rows.iter().zip(reads).for_each(|(row, read)| link(row, read));
        });
        if let Some((row, mut read)) = waiting {
            self.linked(row, &mut read, after, &mut linked);
        }
    }

    /// Ends the check.
    pub fn finish(mut self) -> Report {
        self.report.root = self.root();
        self.report.last = (self.report.entries > 0).then_some(self.previous);
        self.report
    }

    fn linked<R: StoredEntry>(
        &mut self,
        row: &R,
        read: &mut Read,
        next: Option<Digest>,
        linked: &mut impl FnMut(&Link, &dyn Fn() -> Option<Digest>, &mut Report),
    ) {
        let link = self.link(row, read, next);
        let tree = &self.tree;
        linked(&link, &|| tree.as_ref().map(Frontier::root), &mut self.report);
    }

    fn link<R: StoredEntry>(&mut self, row: &R, read: &mut Read, next: Option<Digest>) -> Link {
        let seq = row.seq();
        // Written only where something is wrong.
        let record = format_args!("entry {seq}");
        let report = &mut self.report;
        report.entries += 1;
        if seq != self.next {
            let hole = if seq == self.next + 1 {
                format!("entry {}", self.next)
            } else {
                format!("entries {} to {}", self.next, seq.saturating_sub(1))
            };
            report.faults.push(Fault::new(self.next, hole, "seq", "nothing", "an entry"));
            self.tree = None;
        }
        if let Some((named, previous, time)) = read.link {
            report.faults.compare((Some(seq), &record), "seq", &named, &seq);
            report.faults.compare((Some(seq), &record), "previous", &previous, &self.previous);
            if time < self.time {
                report.faults.push(Fault::new(seq, record, "time", time, format!("not before {}", self.time)));
            }
            self.time = time;
            let first = report.times.map_or(time, |times| times.first);
            report.times = Some(TimeRange { first, last: time });
        }
        report.faults.append(&mut read.faults);
        // When bytes and stored hash disagree, one of them was altered: the next entry's link tells which. Going on from
        // the true one keeps the fault where it is, instead of in everything after it.
        let stored = Digest::try_from(row.hash()).ok();
        let (hash, field) = match (stored, next) {
            (Some(stored), Some(next)) if next == stored => (stored, "bytes"),
            (_, Some(next)) if next == read.hash => (read.hash, "hash"),
            _ => (read.hash, "bytes or hash"),
        };
        if stored != Some(read.hash) {
            let found = stored.map_or_else(|| hex::encode(row.hash()), |stored| stored.to_string());
            let found = format_args!("hash {found}");
            let expected = format_args!("{} (SHA-256 of the bytes)", read.hash);
            report.faults.push(Fault::new(seq, record, field, found, expected));
        }
        self.previous = hash;
        self.next = seq.saturating_add(1);
        let tiles = self.tree.as_mut().map(|tree| tree.append(hash)).unwrap_or_default();
        Link { size: self.next, hash, time: read.link.map(|(_, _, time)| time), tiles }
    }
}

/// Has rows read in chunks, on so many threads, and hands what came of each to `then`, on this thread and in their order,
/// while the next are being read. Where reading panics, this does.
fn in_order<'r, R: Sync, T: Send>(
    rows: &'r [R],
    threads: usize,
    read: &(impl Fn(&'r [R]) -> Vec<T> + Sync),
    mut then: impl FnMut(&'r [R], Vec<T>),
) {
    let chunks: Vec<&[R]> = rows.chunks(CHUNK).collect();
    let threads = threads.min(chunks.len());
    if threads < 2 {
        for chunk in chunks {
            then(chunk, read(chunk));
        }
        return;
    }
    let taken = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, taken, chunks) = (sender.clone(), &taken, &chunks);
            scope.spawn(move || {
                loop {
                    let at = taken.fetch_add(1, Ordering::Relaxed);
                    let Some(chunk) = chunks.get(at) else { return };
                    // Nobody listens any more where `then` panicked.
                    if sender.send((at, read(chunk))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut early, mut next) = (BTreeMap::new(), 0);
        for (at, reads) in receiver {
            early.insert(at, reads);
            while let (Some(reads), Some(chunk)) = (early.remove(&next), chunks.get(next)) {
                then(chunk, reads);
                next += 1;
            }
        }
    });
}

fn read_row<R: StoredEntry>(
    row: &R,
    origin: Option<&str>,
    check: &(impl Fn(&R, &EntryRef<'_>, &mut Faults) + Sync),
) -> Read {
    let mut faults = Faults::default();
    let seq = row.seq();
    let hash = entry_hash(row.bytes());
    let link = match EntryRef::decode(row.bytes()) {
        Ok(entry) => {
            if origin.is_some_and(|origin| origin != entry.origin) {
                let expected = origin.unwrap_or_default();
                faults.push(Fault::new(seq, format_args!("entry {seq}"), "origin", entry.origin, expected));
            }
            check(row, &entry, &mut faults);
            Some((entry.seq, entry.previous, entry.time))
        }
        Err(error) => {
            let record = format_args!("entry {seq}");
            faults.push(Fault::new(seq, record, format_args!("bytes.{}", error.field()), &error, "an entry"));
            None
        }
    };
    Read { hash, link, faults }
}
