//! The host's side of one running instance: what its imports see and where its log goes.

use crate::call::LogLine;
use crate::limits::{Accounts, Limits};
use crate::virtual_wasi::VirtualWasi;
use assize_ledger::{Digest, Timestamp};

/// The data of a store. It lives for one call.
pub(crate) struct Guest {
    pub(crate) accounts: Accounts,
    pub(crate) log: LogBook,
    /// Made when a guest first asks for WASI: most guests never do.
    wasi: Option<Box<VirtualWasi>>,
    now: Timestamp,
    seed: Digest,
    log_bytes: u64,
}

impl Guest {
    pub(crate) fn new(limits: &Limits, now: Timestamp, seed: Digest) -> Self {
        Self {
            accounts: Accounts::new(limits),
            log: LogBook { lines: Vec::new(), room: limits.log_bytes, dropped: false },
            wasi: None,
            now,
            seed,
            log_bytes: limits.log_bytes,
        }
    }

    pub(crate) fn wasi(&mut self) -> &mut VirtualWasi {
        let (now, seed, bytes) = (self.now, self.seed, self.log_bytes);
        self.wasi.get_or_insert_with(|| Box::new(VirtualWasi::new(now, seed, bytes)))
    }

    /// The log lines, with what was written to stdout and stderr after them.
    pub(crate) fn into_log(mut self) -> (Vec<LogLine>, bool) {
        if let Some(wasi) = self.wasi.take() {
            for (level, bytes) in wasi.into_output() {
                for line in String::from_utf8_lossy(&bytes).lines() {
                    self.log.write(level, line.to_owned());
                }
            }
        }
        (self.log.lines, self.log.dropped)
    }
}

/// Bounded: a flood costs its author the lines, and the host nothing.
pub(crate) struct LogBook {
    lines: Vec<LogLine>,
    room: u64,
    dropped: bool,
}

impl LogBook {
    pub(crate) fn write(&mut self, level: &'static str, message: String) {
        // A line costs its bytes and a little more, so that empty lines run out too.
        let cost = message.len() as u64 + 16;
        if cost > self.room {
            self.dropped = true;
            return;
        }
        self.room -= cost;
        self.lines.push(LogLine { level: level.into(), message });
    }
}
