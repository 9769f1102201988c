//! Taking payloads away, where an entry says that they go.

use std::collections::BTreeSet;

use sqlx::{Row as _, SqliteConnection};

use crate::StoreError;
use crate::sqlite::{int, storage};

/// Those of the targets that hold something still. Refused where one isn't a decision of the tenant.
pub(super) async fn open_targets(
    connection: &mut SqliteConnection,
    owner: &str,
    targets: &BTreeSet<u64>,
) -> Result<Result<BTreeSet<u64>, StoreError>, StoreError> {
    let failed = storage("looking up what is to be erased");
    let sql =
        "SELECT e.target FROM decisions d LEFT JOIN erased e ON e.target = d.seq WHERE d.seq = ? AND d.tenant = ?";
    let mut open = BTreeSet::new();
    for &target in targets {
        let query = sqlx::query(sql).bind(int(target)).bind(owner);
        let Some(row) = query.fetch_optional(&mut *connection).await.map_err(&failed)? else {
            return Ok(Err(StoreError::NotFound { subject: format!("decision of entry {target}") }));
        };
        let erased: Option<i64> = row.try_get(0).map_err(&failed)?;
        if erased.is_none() {
            open.insert(target);
        }
    }
    Ok(Ok(open))
}

/// Erases what the targets' entries bind. The freed pages are overwritten (`secure_delete`).
pub(super) async fn erase(
    connection: &mut SqliteConnection,
    seq: u64,
    targets: &BTreeSet<u64>,
) -> Result<(), StoreError> {
    const STEPS: [&str; 5] = [
        "INSERT INTO erased (target, seq) VALUES (?1, ?2)",
        "UPDATE sealed SET input_salt = NULL, input = NULL, record_salt = NULL, record = NULL WHERE seq = ?1 AND ?2 >= 0",
        "DELETE FROM effects WHERE seq = ?1 AND ?2 >= 0",
        "UPDATE decisions SET kind = '', idempotency_key = NULL, body_hash = NULL, \
         received_at = (SELECT time FROM entries WHERE seq = ?1), decided_at = (SELECT time FROM entries WHERE seq = ?1) \
         WHERE seq = ?1 AND ?2 >= 0",
        "DELETE FROM data_subjects WHERE seq = ?1 AND ?2 >= 0",
    ];
    for &target in targets {
        for sql in STEPS {
            let query = sqlx::query(sql).bind(int(target)).bind(int(seq));
            query.execute(&mut *connection).await.map_err(storage("erasing a payload"))?;
        }
    }
    Ok(())
}
