//! All registered systems in memory, so that the kill switch is one look-up away.

use std::collections::HashMap;
use std::sync::Arc;

use assize_ledger::Timestamp;
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

    /// Since when it is in emergency stop.
    pub(crate) fn stopped_since(&self) -> Option<Timestamp> {
        self.system.stopped.as_ref().map(|stop| stop.since)
    }
}

/// A system as it is on record, and as it is in force.
struct Known {
    recorded: Arc<Registered>,
    /// In force in its place: a stop that isn't on record yet, or couldn't be recorded.
    halted: Option<Pending>,
}

/// A stop that isn't known to be on record.
struct Pending {
    /// The version that was on record when it was asked for: it is on record with a later one, if at all.
    after: u64,
    stopped: Arc<Registered>,
}

/// By tenant and id.
#[derive(Default)]
pub(crate) struct Systems {
    /// Held from reading a system to recording its next version. Stops don't take it: they wait for nobody, and where one comes between,
    /// the change that it overtook is refused.
    pub(crate) changing: Mutex<()>,
    map: RwLock<HashMap<String, HashMap<String, Known>>>,
}

impl Systems {
    pub(crate) fn load(&self, rows: Vec<SystemRow>) -> Result<(), StoreError> {
        for row in rows {
            self.put(Registered::read(&row)?);
        }
        Ok(())
    }

    /// As it is in force.
    pub(crate) fn get(&self, tenant: &str, id: &str) -> Option<Arc<Registered>> {
        self.map.read().get(tenant)?.get(id).map(|known| Arc::clone(known.in_force()))
    }

    /// As it is on record, as far as this host has heard: what its next version follows.
    pub(crate) fn recorded(&self, tenant: &str, id: &str) -> Option<Arc<Registered>> {
        self.map.read().get(tenant)?.get(id).map(|known| Arc::clone(&known.recorded))
    }

    /// Stops a system here, before that is on record: gives what is.
    pub(crate) fn halt(&self, tenant: &str, id: &str) -> serde_json::Result<Option<Arc<Registered>>> {
        let mut map = self.map.write();
        let Some(known) = map.get_mut(tenant).and_then(|systems| systems.get_mut(id)) else { return Ok(None) };
        let recorded = Arc::clone(&known.recorded);
        if known.halted.is_none() {
            let stopped = if recorded.stopped {
                // As far as is known here: another host may have resumed it.
                Arc::clone(&recorded)
            } else {
                Arc::new(Registered::new(recorded.system.stop(Timestamp::now()), recorded.version + 1)?)
            };
            known.halted = Some(Pending { after: recorded.version, stopped });
        }
        Ok(Some(recorded))
    }

    /// Takes what was recorded; gives the newest that is known to be. Never backwards: it may come late.
    pub(crate) fn put(&self, registered: Registered) -> Arc<Registered> {
        let registered = Arc::new(registered);
        let (tenant, id) = (registered.system.tenant.clone(), registered.system.id.clone());
        let mut map = self.map.write();
        let known = map.entry(tenant).or_default().entry(id);
        let known = known.or_insert_with(|| Known { recorded: Arc::clone(&registered), halted: None });
        if known.recorded.version < registered.version {
            known.recorded = registered;
        }
        if known.recorded.stopped {
            let version = known.recorded.version;
            known.halted.take_if(|pending| pending.after < version);
        }
        Arc::clone(&known.recorded)
    }

    /// The database was read after a stop was asked for, and has one: gives what is on record. One that is pending was asked for
    /// beside it.
    pub(crate) fn put_stopped(&self, registered: Registered) -> Arc<Registered> {
        let (tenant, id) = (registered.system.tenant.clone(), registered.system.id.clone());
        let (stopped, version) = (registered.stopped, registered.version);
        let newest = self.put(registered);
        let mut map = self.map.write();
        if let Some(known) = map.get_mut(&tenant).and_then(|systems| systems.get_mut(&id))
            && stopped
            && known.recorded.version == version
        {
            known.halted = None;
        }
        newest
    }

    /// Of one tenant or all, by id.
    pub(crate) fn list(&self, tenant: Option<&str>) -> Vec<Arc<Registered>> {
        let map = self.map.read();
        let meant = map.iter().filter(|(owner, _)| tenant.is_none_or(|tenant| tenant == owner.as_str()));
        let known = meant.flat_map(|(_, systems)| systems.values());
        let mut list: Vec<_> = known.map(|known| Arc::clone(known.in_force())).collect();
        list.sort_by(|a, b| (&a.system.id, &a.system.tenant).cmp(&(&b.system.id, &b.system.tenant)));
        list
    }

    /// The tenants that have a system of this id, in order.
    pub(crate) fn owners(&self, id: &str) -> Vec<String> {
        let map = self.map.read();
        let having = map.iter().filter(|(_, systems)| systems.contains_key(id));
        let mut owners: Vec<String> = having.map(|(tenant, _)| tenant.clone()).collect();
        owners.sort();
        owners
    }

    /// How many there are, and how many of them are stopped.
    pub(crate) fn count(&self) -> (usize, usize) {
        let map = self.map.read();
        let all = map.values().flat_map(HashMap::values);
        all.fold((0, 0), |(all, stopped), known| (all + 1, stopped + usize::from(known.in_force().stopped)))
    }
}

impl Known {
    fn in_force(&self) -> &Arc<Registered> {
        self.halted.as_ref().map_or(&self.recorded, |pending| &pending.stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;

    fn running() -> System {
        let registration = serde_json::from_str(r#"{"id": "bot", "risk": "minimal"}"#).unwrap();
        System::registered(registration, "acme", Timestamp::now()).unwrap()
    }

    #[test]
    fn a_stop_holds_until_it_is_on_record_whatever_comes_late() {
        let systems = Systems::default();
        let put = |system: System, version| systems.put(Registered::new(system, version).unwrap()).version;
        let stopped = || systems.get("acme", "bot").unwrap().stopped;
        assert!(systems.halt("acme", "bot").unwrap().is_none());
        put(running(), 1);
        assert_eq!(systems.halt("acme", "bot").unwrap().unwrap().version, 1);
        assert!(stopped());
        // A change that was under way, and another of another host.
        assert_eq!((put(running(), 2), put(running(), 3)), (2, 3));
        assert!(stopped() && !systems.recorded("acme", "bot").unwrap().stopped);
        // On record; then what came before it, late.
        assert_eq!((put(running().stop(Timestamp::now()), 4), put(running(), 3)), (4, 4));
        assert!(stopped());
        // Stopped again beside a resumption that this host hasn't heard of; rows from before it are read late.
        systems.halt("acme", "bot").unwrap();
        assert_eq!((put(running().stop(Timestamp::now()), 4), put(running(), 5)), (4, 5));
        assert!(stopped());
        put(running().stop(Timestamp::now()), 6);
        // Resumed for good.
        put(running(), 7);
        assert!(!stopped());
        assert_eq!(systems.count(), (1, 0));
        // Asked for beside another, which the database has.
        put(running().stop(Timestamp::now()), 8);
        systems.halt("acme", "bot").unwrap();
        systems.put_stopped(Registered::new(running().stop(Timestamp::now()), 8).unwrap());
        put(running(), 9);
        assert!(!stopped());
    }
}
