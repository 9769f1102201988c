//! API keys in memory: only their hashes, and how often each calls.

use std::collections::HashMap;
use std::num::NonZeroU32;

use assize_ledger::Digest;
use assize_store::{KeyRow, StoreError};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use crate::identity::{Caller, Role};
use crate::problem::Problem;

/// All keys that aren't revoked.
pub(crate) struct Keys {
    /// Held from before a change of the keys is recorded, or the rows are read, until it is in force. Of their own: a revocation
    /// doesn't wait for what else changes.
    pub(crate) changing: Mutex<()>,
    by_hash: RwLock<HashMap<Digest, Caller>>,
    app_limit: Option<(u32, DefaultKeyedRateLimiter<String>)>,
    clock: DefaultClock,
}

impl Keys {
    pub(crate) fn new(app_requests_per_minute: Option<u32>) -> Self {
        let app_limit = app_requests_per_minute
            .and_then(NonZeroU32::new)
            .map(|limit| (limit.get(), RateLimiter::keyed(Quota::per_minute(limit))));
        Self { changing: Mutex::default(), by_hash: RwLock::default(), app_limit, clock: DefaultClock::default() }
    }

    pub(crate) fn load(&self, rows: Vec<KeyRow>) -> Result<(), StoreError> {
        for row in rows.into_iter().filter(|row| row.revoked_at.is_none()) {
            let Some(role) = Role::parse(&row.role) else {
                let detail = format!("unknown role {:?}", row.role);
                return Err(StoreError::Corrupt { record: format!("key {}", row.id), detail });
            };
            self.add(row.hash, Caller { key: row.id, role, bound_to: row.tenant });
        }
        Ok(())
    }

    /// As [`Keys::load`], instead of those that are there.
    pub(crate) fn replace(&self, rows: Vec<KeyRow>) -> Result<(), StoreError> {
        let fresh = Self::new(None);
        fresh.load(rows)?;
        *self.by_hash.write() = fresh.by_hash.into_inner();
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_hash.read().is_empty()
    }

    pub(crate) fn add(&self, hash: Digest, caller: Caller) {
        self.by_hash.write().insert(hash, caller);
    }

    pub(crate) fn revoke(&self, id: &str) {
        self.by_hash.write().retain(|_, caller| caller.key != id);
    }

    /// Looking a hash up tells nothing of the key through timing: near misses hash far apart.
    pub(crate) fn find(&self, key: &str) -> Option<Caller> {
        self.by_hash.read().get(&Digest::of(key.as_bytes())).cloned()
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
