//! What is in force and who may ask for it: policies, systems, keys.

use assize_ledger::Timestamp;

use super::columns::{Columns, policy, system};
use crate::StoreError;
use crate::db::{Row, int, query, storage};
use crate::read::Reader;
use crate::rows::{KeyRow, PolicyRow, SystemRow};

impl Reader {
    /// The newest policy of every scope; with a moment, the newest of then.
    pub async fn policies(&self, known: Option<Timestamp>) -> Result<Vec<PolicyRow>, StoreError> {
        let sql = "SELECT tenant, scope, version, hash, bytes, at, seq FROM policies p WHERE version = \
            (SELECT max(version) FROM policies WHERE tenant = p.tenant AND scope = p.scope AND at <= ?) \
            ORDER BY tenant, scope";
        let known = int(known.unwrap_or(Timestamp::MAX).as_millis());
        let rows = query(sql).bind(known).fetch_all(&self.pool).await.map_err(storage("listing policies"))?;
        rows.iter().map(policy).collect()
    }

    /// Every version of a scope's policy, oldest first. Here `None` is the host's own scope.
    pub async fn policy_history(&self, tenant: Option<&str>, scope: &str) -> Result<Vec<PolicyRow>, StoreError> {
        let sql = "SELECT tenant, scope, version, hash, bytes, at, seq FROM policies \
            WHERE tenant = ? AND scope = ? ORDER BY version";
        let rows = query(sql).bind(tenant.unwrap_or_default()).bind(scope).fetch_all(&self.pool);
        rows.await.map_err(storage("reading a policy's history"))?.iter().map(policy).collect()
    }

    /// The newest data of every system.
    pub async fn systems(&self, tenant: Option<&str>) -> Result<Vec<SystemRow>, StoreError> {
        let sql = "SELECT tenant, id, version, bytes, at, seq FROM systems s WHERE (?1 IS NULL OR tenant = ?1) AND \
            version = (SELECT max(version) FROM systems WHERE tenant = s.tenant AND id = s.id) ORDER BY tenant, id";
        let rows = query(sql).bind(tenant).fetch_all(&self.pool).await.map_err(storage("listing systems"))?;
        rows.iter().map(system).collect()
    }

    /// Every version of a system's data, oldest first.
    pub async fn system_history(&self, tenant: Option<&str>, id: &str) -> Result<Vec<SystemRow>, StoreError> {
        let sql = "SELECT tenant, id, version, bytes, at, seq FROM systems \
            WHERE id = ? AND (?2 IS NULL OR tenant = ?2) ORDER BY tenant, version";
        let rows = query(sql).bind(id).bind(tenant).fetch_all(&self.pool);
        rows.await.map_err(storage("reading a system's history"))?.iter().map(system).collect()
    }

    /// Every key, revoked ones too, in the order of making.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let sql = "SELECT k.id, k.hash, k.role, k.tenant, k.label, k.at, k.seq, r.at FROM keys k \
            LEFT JOIN key_revocations r ON r.id = k.id ORDER BY k.seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing keys"))?;
        let key = |row: &Row| {
            let row = Columns(row, "key");
            Ok(KeyRow {
                id: row.get(0)?,
                hash: row.digest(1)?,
                role: row.get(2)?,
                tenant: row.tenant(3)?,
                label: row.get(4)?,
                at: row.time(5)?,
                seq: row.count(6)?,
                revoked_at: row.get::<Option<i64>>(7)?.map(|_| row.time(7)).transpose()?,
            })
        };
        rows.iter().map(key).collect()
    }
}
