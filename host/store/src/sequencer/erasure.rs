//! Taking payloads away, where an entry says that they go.

use std::collections::BTreeSet;

use crate::StoreError;
use crate::append::{ErasureCause, LEGAL_HOLD};
use crate::db::{On, int, query, query_scalar, storage};

/// Those of the targets that hold something still. Refused where one isn't a decision of the tenant.
pub(super) async fn open_targets(
    mut on: On<'_>,
    owner: &str,
    targets: &BTreeSet<u64>,
) -> Result<Result<BTreeSet<u64>, StoreError>, StoreError> {
    let failed = storage("looking up what is to be erased");
    let sql =
        "SELECT e.target FROM decisions d LEFT JOIN erased e ON e.target = d.seq WHERE d.seq = ? AND d.tenant = ?";
    let mut open = BTreeSet::new();
    for &target in targets {
        let query = query(sql).bind(int(target)).bind(owner);
        let Some(row) = query.fetch_optional(on.again()).await.map_err(&failed)? else {
            return Ok(Err(StoreError::NotFound { subject: format!("decision of entry {target}") }));
        };
        let erased: Option<i64> = row.try_get(0).map_err(&failed)?;
        if erased.is_none() {
            open.insert(target);
        }
    }
    Ok(Ok(open))
}

/// Why nothing may be erased now, whatever was so when it was looked at.
pub(super) async fn admit(on: On<'_>, owner: &str, cause: &ErasureCause) -> Result<Option<StoreError>, StoreError> {
    let newest = query_scalar("SELECT payloads FROM retentions WHERE tenant = ? ORDER BY seq DESC LIMIT 1").bind(owner);
    let newest: Option<String> = newest.fetch_optional(on).await.map_err(storage("looking up the retention"))?;
    let tenant = owner.to_owned();
    Ok(match cause {
        _ if newest.as_deref() == Some(LEGAL_HOLD) => Some(StoreError::Held { tenant }),
        ErasureCause::Retention(seen) if *seen != newest => Some(StoreError::RetentionChanged { tenant }),
        ErasureCause::Request | ErasureCause::Retention(_) => None,
    })
}

/// Erases what the targets' entries bind. The freed pages are overwritten (`secure_delete`).
pub(super) async fn erase(mut on: On<'_>, seq: u64, targets: &BTreeSet<u64>) -> Result<(), StoreError> {
    const STEPS: [&str; 5] = [
        "INSERT INTO erased (target, seq) VALUES (?1, ?2)",
        "UPDATE sealed SET input_salt = NULL, input = NULL, record_salt = NULL, record = NULL WHERE seq = ?1 AND ?2 >= 0",
        "DELETE FROM effects WHERE seq = ?1 AND ?2 >= 0",
        "UPDATE decisions SET kind = '', idempotency_key = NULL, body_hash = NULL, \
         received_at = (SELECT time FROM entries WHERE seq = ?1), decided_at = (SELECT time FROM entries WHERE seq = ?1) \
         WHERE seq = ?1 AND ?2 >= 0",
        "DELETE FROM data_subjects WHERE seq = ?1 AND ?2 >= 0",
    ];
    // In PostgreSQL the first step brings the others about: its host may only add rows.
    let steps = if let On::Postgres(_) = on { 1 } else { STEPS.len() };
    for &target in targets {
        for sql in STEPS.into_iter().take(steps) {
            let query = query(sql).bind(int(target)).bind(int(seq));
            query.execute(on.again()).await.map_err(storage("erasing a payload"))?;
        }
    }
    Ok(())
}
