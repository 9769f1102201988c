//! API keys in memory: only their hashes, and how often each calls.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use assize_ledger::Digest;
use assize_store::KeyRow;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use crate::identity::{Caller, Role};
use crate::problem::Problem;

/// All keys that aren't revoked.
pub(crate) struct Keys {
    /// Held from before a key is recorded, or the rows are read, until what they say is held here. A revocation doesn't wait for it.
    pub(crate) changing: Mutex<()>,
    held: RwLock<Held>,
    app_limit: Option<(u32, DefaultKeyedRateLimiter<String>)>,
    clock: DefaultClock,
}

#[derive(Default)]
struct Held {
    by_hash: HashMap<Digest, Caller>,
    /// Those that were revoked here: rows that were read before, or whose revocation couldn't be recorded, don't bring them back.
    revoked: HashSet<String>,
}

impl Keys {
    pub(crate) fn new(app_requests_per_minute: Option<u32>) -> Self {
        let app_limit = app_requests_per_minute
            .and_then(NonZeroU32::new)
            .map(|limit| (limit.get(), RateLimiter::keyed(Quota::per_minute(limit))));
        Self { changing: Mutex::default(), held: RwLock::default(), app_limit, clock: DefaultClock::default() }
    }

    /// Holds what is on record: those that hold on, keys that were made since, and none that was revoked.
    pub(crate) fn load(&self, rows: Vec<KeyRow>) {
        let mut callers = Vec::with_capacity(rows.len());
        for row in rows.into_iter().filter(|row| row.revoked_at.is_none()) {
            let Some(role) = Role::parse(&row.role) else {
                // Made by a later version, perhaps. It opens nothing here, and doesn't keep others' revocations from being heard.
                tracing::error!(key = row.id, role = row.role, "a key of an unknown role is left out");
                continue;
            };
            callers.push((row.hash, Caller::new(row.id, role, row.tenant)));
        }
        let mut held = self.held.write();
        let mut before = std::mem::take(&mut held.by_hash);
        for (hash, caller) in callers {
            if !held.revoked.contains(&caller.key) {
                // The one that requests under way have is told of a revocation later.
                held.by_hash.insert(hash, before.remove(&hash).unwrap_or(caller));
            }
        }
        for gone in before.values() {
            gone.revoked.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.read().by_hash.is_empty()
    }

    pub(crate) fn add(&self, hash: Digest, caller: Caller) {
        let mut held = self.held.write();
        // It may have been revoked already, by somebody who found it on record.
        if !held.revoked.contains(&caller.key) {
            held.by_hash.insert(hash, caller);
        }
    }

    /// At once, also for requests of its that are under way.
    pub(crate) fn revoke(&self, id: &str) {
        let mut held = self.held.write();
        held.revoked.insert(id.to_owned());
        held.by_hash.retain(|_, caller| {
            let goes = caller.key == id;
            if goes {
                caller.revoked.store(true, Ordering::SeqCst);
            }
            !goes
        });
    }

    /// Looking a hash up tells nothing of the key through timing: near misses hash far apart.
    pub(crate) fn find(&self, key: &str) -> Option<Caller> {
        self.held.read().by_hash.get(&Digest::of(key.as_bytes())).cloned()
    }

    /// Counts a request against its key's limit.
    pub(crate) fn count(&self, caller: &Caller) -> Result<(), Problem> {
        let (Role::App, Some((per_minute, limiter))) = (caller.role, &self.app_limit) else { return Ok(()) };
        limiter.check_key(&caller.key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            Problem::too_many(*per_minute, wait.as_secs() + 1)
        })
    }

    /// A new key: 32 random bytes. Its hash needs no salt and no stretching, since nobody can guess it.
    pub(crate) fn generate() -> Result<String, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(format!("assize_{}", hex::encode(bytes)))
    }
}
