//! All registered systems in memory, so that the kill switch is one look-up away.

use std::collections::HashMap;
use std::sync::Arc;

use assize_store::{StoreError, SystemRow};
use parking_lot::RwLock;
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use crate::system::System;

/// A system with what every case of its needs ready-made.
pub(crate) struct Registered {
    pub(crate) system: System,
    /// From 1, counted by changes.
    pub(crate) version: u64,
    /// Its JSON, for `context.system`.
    pub(crate) json: Box<RawValue>,
    pub(crate) stopped: bool,
}

impl Registered {
    pub(crate) fn new(system: System, version: u64) -> serde_json::Result<Self> {
        let json = system.considered()?;
        let stopped = system.stopped.is_some();
        Ok(Self { system, version, json, stopped })
    }

    /// As it is stored.
    pub(crate) fn read(row: &SystemRow) -> Result<Self, StoreError> {
        let read = |bytes| Self::new(serde_json::from_slice(bytes)?, row.version);
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            record: format!("system {}", row.id),
            detail: error.to_string(),
        };
        read(&row.bytes).map_err(corrupt)
    }
}

/// By tenant and id.
#[derive(Default)]
pub(crate) struct Systems {
    /// Held from reading a system to putting its next version in force. Of their own: a stop doesn't wait for what else changes.
    pub(crate) changing: Mutex<()>,
    map: RwLock<HashMap<String, HashMap<String, Arc<Registered>>>>,
}

impl Systems {
    pub(crate) fn load(&self, rows: Vec<SystemRow>) -> Result<(), StoreError> {
        for row in rows {
            let registered = Registered::read(&row)?;
            // Never backwards: a stop is in force here before it is stored.
            let known = self.get(&registered.system.tenant, &registered.system.id);
            if known.is_none_or(|known| known.version < registered.version) {
                self.put(registered);
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, tenant: &str, id: &str) -> Option<Arc<Registered>> {
        self.map.read().get(tenant)?.get(id).cloned()
    }

    pub(crate) fn put(&self, registered: Registered) -> Arc<Registered> {
        let registered = Arc::new(registered);
        let (tenant, id) = (registered.system.tenant.clone(), registered.system.id.clone());
        self.map.write().entry(tenant).or_default().insert(id, Arc::clone(&registered));
        registered
    }

    /// Of one tenant, by id.
    pub(crate) fn list(&self, tenant: &str) -> Vec<Arc<Registered>> {
        let mut list: Vec<_> = self.map.read().get(tenant).into_iter().flat_map(HashMap::values).cloned().collect();
        list.sort_by(|a, b| a.system.id.cmp(&b.system.id));
        list
    }

    /// How many there are, and how many of them are stopped.
    pub(crate) fn count(&self) -> (usize, usize) {
        let map = self.map.read();
        let all = map.values().flat_map(HashMap::values);
        all.fold((0, 0), |(all, stopped), registered| (all + 1, stopped + usize::from(registered.stopped)))
    }
}
