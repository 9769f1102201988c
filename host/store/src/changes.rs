//! What other hosts on the same database have changed, and how far this one has loaded it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Something in force may have been changed by another host: policies, systems, keys, packages, activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Goes up with each time that something may have changed.
    pub count: u64,
    /// The halt epoch then. Whoever loads what is in force after seeing this has loaded every stop up to it.
    pub halt_epoch: u64,
}

/// The two ends of it: what is known to have changed, and the halt epoch that decisions of this host may carry.
#[derive(Debug)]
pub(crate) struct Others {
    changes: watch::Sender<Changes>,
    /// Stops up to this one are in this host's memory. It is raised by a stop of its own, and by [`Others::applied`].
    halt_epoch: AtomicU64,
}

impl Others {
    pub(crate) fn new() -> Self {
        Self { changes: watch::Sender::new(Changes::default()), halt_epoch: AtomicU64::new(0) }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    pub(crate) fn halt_epoch(&self) -> u64 {
        self.halt_epoch.load(Ordering::SeqCst)
    }

    /// Another host changed something; the log stands at this halt epoch.
    pub(crate) fn changed(&self, halt_epoch: u64) {
        self.changes.send_modify(|changes| {
            changes.count += 1;
            changes.halt_epoch = changes.halt_epoch.max(halt_epoch);
        });
    }

    /// Everything was loaded that these changes are about.
    pub(crate) fn applied(&self, changes: Changes) {
        self.halt_epoch.fetch_max(changes.halt_epoch, Ordering::SeqCst);
    }

    /// A group of this host is committed, which began and ended at these halt epochs. The stops between are its own, and
    /// were in its memory before; but where one of another host came before them, it may not be yet.
    pub(crate) fn committed(&self, began: u64, ended: u64) {
        if ended > began && self.halt_epoch.compare_exchange(began, ended, Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            self.changed(ended);
        }
    }
}
