//! From a row to what it stands for, column by column.

use std::fmt;

use assize_ledger::{Digest, Timestamp};

use crate::db::{FromCell, Row};
use crate::rows::{DecisionRow, EffectRow, PolicyRow, StampRow, SystemRow};
use crate::{StoreError, packed};

/// Reads columns by place, and says which record can't be read.
pub(super) struct Columns<'r>(pub(super) &'r Row, pub(super) &'static str);

impl<'r> Columns<'r> {
    pub(super) fn get<T>(&self, at: usize) -> Result<T, StoreError>
    where
        T: FromCell<'r>,
    {
        self.0.try_get(at).map_err(|error| self.corrupt(&error))
    }

    pub(super) fn count(&self, at: usize) -> Result<u64, StoreError> {
        u64::try_from(self.get::<i64>(at)?).map_err(|error| self.corrupt(&error))
    }

    pub(super) fn digest(&self, at: usize) -> Result<Digest, StoreError> {
        Digest::try_from(self.get::<&[u8]>(at)?).map_err(|error| self.corrupt(&error))
    }

    pub(super) fn time(&self, at: usize) -> Result<Timestamp, StoreError> {
        let millis = self.count(at)?;
        Timestamp::from_millis(millis).ok_or_else(|| self.corrupt(&format_args!("{millis} is no time")))
    }

    pub(super) fn tenant(&self, at: usize) -> Result<Option<String>, StoreError> {
        Ok(Some(self.get::<String>(at)?).filter(|tenant| !tenant.is_empty()))
    }

    /// What an entry binds, as it was before it was packed.
    pub(super) fn payload(&self, at: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let column: Option<Vec<u8>> = self.get(at)?;
        column.map(packed::payload).transpose().map_err(|error| self.corrupt(&error))
    }

    pub(super) fn corrupt(&self, error: &dyn fmt::Display) -> StoreError {
        StoreError::Corrupt { record: self.1.to_owned(), detail: error.to_string() }
    }
}

pub(super) fn decision(row: &Row) -> Result<DecisionRow, StoreError> {
    let row = Columns(row, "decision");
    let body_hash: Option<&[u8]> = row.get(18)?;
    Ok(DecisionRow {
        seq: row.count(0)?,
        entry_hash: row.digest(1)?,
        id: row.get(2)?,
        tenant: row.get(3)?,
        system: row.get(4)?,
        environment: row.get(5)?,
        kind: row.get(6)?,
        verdict: row.get(7)?,
        reason: row.get(8)?,
        risk_score: row.get(9)?,
        confidence: row.get(10)?,
        occurred_at: row.time(11)?,
        rules_as_of: row.time(12)?,
        received_at: row.time(13)?,
        decided_at: row.time(14)?,
        snapshot: row.digest(15)?,
        kill_switch: row.get::<i64>(16)? != 0,
        idempotency_key: row.get(17)?,
        body_hash: body_hash.map(|_| row.digest(18)).transpose()?,
    })
}

pub(super) fn effect(row: &Row) -> Result<EffectRow, StoreError> {
    let row = Columns(row, "effect");
    let n = u32::try_from(row.count(0)?).map_err(|error| row.corrupt(&error))?;
    Ok(EffectRow { n, binding: row.get(1)?, kind: row.get(2)?, body: row.get(3)?, state: row.get(4)? })
}

pub(super) fn stamp(row: &Row) -> Result<StampRow, StoreError> {
    let row = Columns(row, "time stamp");
    Ok(StampRow {
        authority: row.get(0)?,
        size: row.count(1)?,
        gen_time: row.time(2)?,
        token: row.get(3)?,
        at: row.time(4)?,
        seq: row.count(5)?,
    })
}

pub(super) fn policy(row: &Row) -> Result<PolicyRow, StoreError> {
    let row = Columns(row, "policy");
    Ok(PolicyRow {
        tenant: row.tenant(0)?,
        scope: row.get(1)?,
        version: row.count(2)?,
        hash: row.digest(3)?,
        bytes: row.get(4)?,
        at: row.time(5)?,
        seq: row.count(6)?,
    })
}

pub(super) fn system(row: &Row) -> Result<SystemRow, StoreError> {
    let row = Columns(row, "system");
    Ok(SystemRow {
        tenant: row.tenant(0)?,
        id: row.get(1)?,
        version: row.count(2)?,
        bytes: row.get(3)?,
        at: row.time(4)?,
        seq: row.count(5)?,
    })
}
