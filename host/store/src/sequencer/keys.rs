//! Idempotency keys: two requests with one key are one decision.

use std::collections::HashMap;

use assize_ledger::Digest;
use sqlx::AssertSqlSafe;

use super::Work;
use crate::StoreError;
use crate::db::{On, query, storage};

/// Tenant and key, and the decision that they stand for, with the hash of its request's body.
pub(super) type Keys = HashMap<(String, String), (String, Digest)>;

/// Keys looked up with one statement: a larger one costs `SQLite` more to prepare than it saves, and PostgreSQL a trip.
const AT_ONCE: usize = 32;
const AT_ONCE_POSTGRES: usize = 256;

/// Which of the group's idempotency keys stand for a decision already.
pub(super) async fn known(mut on: On<'_>, work: &[Work]) -> Result<Keys, StoreError> {
    let mut wanted = work.iter().filter_map(|work| match work {
        Work::Decision(request) => {
            let same = request.decision.idempotency.as_ref()?;
            Some((request.decision.facts.tenant.clone(), same.key.clone()))
        }
        Work::Change(_) => None,
    });
    let mut known = Keys::new();
    let at_once = if let On::Postgres(_) = on { AT_ONCE_POSTGRES } else { AT_ONCE };
    loop {
        let chunk: Vec<(String, String)> = wanted.by_ref().take(at_once).collect();
        if chunk.is_empty() {
            return Ok(known);
        }
        // Rows that are missing repeat the last one, so that few texts are prepared.
        let rows = chunk.len().next_power_of_two();
        let values = vec!["(?,?)"; rows].join(",");
        let sql = format!(
            "WITH wanted (tenant, key) AS (VALUES {values}) SELECT d.tenant, d.idempotency_key, d.id, d.body_hash \
             FROM wanted CROSS JOIN decisions d WHERE d.tenant = wanted.tenant AND d.idempotency_key = wanted.key"
        );
        let mut query = query(AssertSqlSafe(sql));
        for (tenant, key) in
            chunk.iter().chain(std::iter::repeat_n(&chunk, rows - chunk.len()).filter_map(|all| all.last()))
        {
            query = query.bind(tenant.as_str()).bind(key.as_str());
        }
        let failed = storage("looking up idempotency keys");
        for row in query.fetch_all(on.again()).await.map_err(&failed)? {
            let (tenant, key, id): (String, String, String) =
                (row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?, row.try_get(2).map_err(&failed)?);
            let hash: Vec<u8> = row.try_get(3).map_err(&failed)?;
            let hash = Digest::try_from(hash.as_slice()).map_err(|error| StoreError::Corrupt {
                record: format!("decision {id}"),
                detail: format!("body_hash: {error}"),
            })?;
            known.insert((tenant, key), (id, hash));
        }
    }
}
