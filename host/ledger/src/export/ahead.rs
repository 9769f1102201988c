//! Reading an export ahead of its check: unpacking and hashing the file on a thread of its own, and what its payloads commit
//! to on those that are left.

use std::io::Read;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::vec;

use super::content::{Item, Items, Stop, payload};
use super::kind::Kind;
use crate::Commitment;

/// Bytes of content after which what was read is handed over: enough that nobody waits for the other's next step.
const BATCH: usize = 1 << 20;
/// Batches that wait for the check; memory is that of these, of the one that is read and of the one that is checked.
const WAITING: usize = 2;

/// An item, and what of it is computed before its turn.
pub(super) struct Prepared {
    pub(super) item: Item,
    /// Of a payload that can be read as one.
    pub(super) commitment: Option<Commitment>,
}

/// The items in their order, up to the manifest.
pub(super) struct Ahead {
    batches: Receiver<Result<Vec<Item>, Stop>>,
    ready: vec::IntoIter<Prepared>,
    threads: usize,
}

/// The thread that reads. It ends after the manifest, at the end of the file, or when nobody takes what it reads.
pub(super) struct Reading<'scope, R>(ScopedJoinHandle<'scope, R>);

impl Ahead {
    /// Begins to read.
    pub(super) fn start<'scope, R: Read + Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        items: Items<R>,
    ) -> (Self, Reading<'scope, R>) {
        let (send, batches) = sync_channel(WAITING);
        let reading = scope.spawn(move || read(items, &send));
        // The reader keeps one of them busy.
        let threads = thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1);
        (Self { batches, ready: Vec::new().into_iter(), threads }, Reading(reading))
    }

    /// The next item; none at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Prepared>, Stop> {
        loop {
            if let Some(item) = self.ready.next() {
                return Ok(Some(item));
            }
            let Ok(batch) = self.batches.recv() else { return Ok(None) };
            self.ready = prepare(batch?, self.threads).into_iter();
        }
    }
}

impl<R> Reading<'_, R> {
    /// What is left of the file after the items. Whoever still holds the [`Ahead`] may wait for ever.
    pub(super) fn rest(self) -> R {
        self.0.join().unwrap_or_else(|died| resume_unwind(died))
    }
}

fn read<R: Read>(mut items: Items<R>, send: &SyncSender<Result<Vec<Item>, Stop>>) -> R {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let next = items.next();
        let last = !matches!(&next, Ok(Some(item)) if item.kind != Kind::Manifest);
        let stop = match next {
            Ok(item) => {
                // An item without content takes room, too.
                bytes += item.as_ref().map_or(0, |item| size_of::<Prepared>() + item.content.len());
                batch.extend(item);
                None
            }
            Err(stop) => Some(stop),
        };
        if !last && bytes < BATCH {
            continue;
        }
        bytes = 0;
        let mut taken = send.send(Ok(std::mem::take(&mut batch))).is_ok();
        if let Some(stop) = stop {
            taken &= send.send(Err(stop)).is_ok();
        }
        // Nobody takes anything where something was wrong already.
        if last || !taken {
            return items.into_inner();
        }
    }
}

fn prepare(items: Vec<Item>, threads: usize) -> Vec<Prepared> {
    let one = |item: Item| {
        let commitment = Some(&item).filter(|item| item.kind == Kind::Payload).and_then(payload);
        let commitment = commitment.map(|payload| Commitment::to(&payload.salt, payload.bytes));
        Prepared { item, commitment }
    };
    if threads == 1 {
        return items.into_iter().map(one).collect();
    }
    let share = items.len().div_ceil(threads).max(1);
    let mut shares = Vec::with_capacity(threads);
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        shares.push(items.by_ref().take(share).collect::<Vec<_>>());
    }
    thread::scope(|scope| {
        let one = &one;
        let work: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(one).collect::<Vec<_>>()))
            .collect();
        work.into_iter().flat_map(|work| work.join().unwrap_or_else(|died| resume_unwind(died))).collect()
    })
}
