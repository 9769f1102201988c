//! What a record stands on: payloads and what became of them, times, stamps.

use assize_ledger::{Salt, Timestamp};

use super::columns::{Columns, stamp};
use crate::StoreError;
use crate::db::{Row, int, query, query_scalar, storage};
use crate::read::Reader;
use crate::rows::{RetentionRow, SealedRow, StampRow};

impl Reader {
    /// Salts and bytes of what an entry binds, with the entry that erased them, if one did.
    pub async fn sealed(&self, from: u64, end: u64) -> Result<Vec<SealedRow>, StoreError> {
        let sql = "SELECT s.seq, s.input_salt, s.input, s.record_salt, s.record, e.seq FROM sealed s \
            LEFT JOIN erased e ON e.target = s.seq WHERE s.seq >= ? AND s.seq < ? ORDER BY s.seq";
        let rows = query(sql).bind(int(from)).bind(int(end)).fetch_all(&self.pool);
        let rows = rows.await.map_err(storage("reading payloads"))?;
        let sealed = |row: &Row| {
            let row = Columns(row, "payload");
            let part = |salt: usize| -> Result<Option<(Salt, Vec<u8>)>, StoreError> {
                let (Some(bytes), Some(key)) = (row.payload(salt + 1)?, row.get::<Option<&[u8]>>(salt)?) else {
                    return Ok(None);
                };
                let key = <[u8; 32]>::try_from(key).map_err(|error| row.corrupt(&error))?;
                Ok(Some((Salt::from_bytes(key), bytes)))
            };
            let erased_by = row.get::<Option<i64>>(5)?.map(|_| row.count(5)).transpose()?;
            Ok(SealedRow { seq: row.count(0)?, input: part(1)?, record: part(3)?, erased_by })
        };
        rows.iter().map(sealed).collect()
    }

    /// The decisions of a tenant about a person that still say so, oldest first.
    pub async fn decisions_about(&self, tenant: &str, subject: &str) -> Result<Vec<u64>, StoreError> {
        let query = query_scalar("SELECT seq FROM data_subjects WHERE tenant = ? AND subject = ? ORDER BY seq");
        let seqs: Vec<i64> = query
            .bind(tenant)
            .bind(subject)
            .fetch_all(&self.pool)
            .await
            .map_err(storage("looking up a data subject"))?;
        Ok(seqs.into_iter().filter_map(|seq| u64::try_from(seq).ok()).collect())
    }

    /// Decisions of a tenant judged before a moment whose payload is still there, oldest first.
    pub async fn kept_before(&self, tenant: &str, before: Timestamp, limit: u32) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT d.seq FROM decisions d WHERE d.tenant = ? AND d.decided_at < ? \
            AND NOT EXISTS (SELECT 1 FROM erased e WHERE e.target = d.seq) ORDER BY d.seq LIMIT ?";
        let query = query_scalar(sql).bind(tenant).bind(int(before.as_millis())).bind(i64::from(limit));
        let seqs: Vec<i64> = query.fetch_all(&self.pool).await.map_err(storage("looking up what is kept too long"))?;
        Ok(seqs.into_iter().filter_map(|seq| u64::try_from(seq).ok()).collect())
    }

    /// Entries that erased payloads of entries before `end`, at or after `end`.
    pub async fn erasures_after(&self, from: u64, end: u64, size: u64) -> Result<Vec<u64>, StoreError> {
        let sql =
            "SELECT DISTINCT seq FROM erased WHERE target >= ? AND target < ? AND seq >= ? AND seq < ? ORDER BY seq";
        let query = query_scalar(sql).bind(int(from)).bind(int(end)).bind(int(end)).bind(int(size));
        let seqs: Vec<i64> = query.fetch_all(&self.pool).await.map_err(storage("listing erasures"))?;
        Ok(seqs.into_iter().filter_map(|seq| u64::try_from(seq).ok()).collect())
    }

    /// How many entries' payloads an entry erased.
    pub async fn erased_by(&self, seq: u64) -> Result<u64, StoreError> {
        let query = query_scalar("SELECT count(*) FROM erased WHERE seq = ?").bind(int(seq));
        let count: i64 = query.fetch_one(&self.pool).await.map_err(storage("counting what was erased"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Every tenant that has decisions.
    pub async fn tenants(&self) -> Result<Vec<String>, StoreError> {
        // One step of the index for each tenant: there may be millions of decisions.
        let sql = "WITH RECURSIVE t(tenant) AS (SELECT min(tenant) FROM decisions UNION ALL \
            SELECT (SELECT min(tenant) FROM decisions WHERE tenant > t.tenant) FROM t WHERE t.tenant IS NOT NULL) \
            SELECT tenant FROM t WHERE tenant IS NOT NULL";
        query_scalar(sql).fetch_all(&self.pool).await.map_err(storage("listing tenants"))
    }

    /// How long each tenant's payloads are kept, where it was said.
    pub async fn retentions(&self) -> Result<Vec<RetentionRow>, StoreError> {
        let sql = "SELECT tenant, payloads, at, seq FROM retentions r WHERE seq = \
            (SELECT max(seq) FROM retentions WHERE tenant = r.tenant) ORDER BY tenant";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing retentions"))?;
        let retention = |row: &Row| {
            let row = Columns(row, "retention");
            Ok(RetentionRow { tenant: row.get(0)?, payloads: row.get(1)?, at: row.time(2)?, seq: row.count(3)? })
        };
        rows.iter().map(retention).collect()
    }

    /// The first entry at or after a moment; the size of the log if there is none.
    pub async fn first_at(&self, moment: Timestamp) -> Result<u64, StoreError> {
        let failed = storage("looking up a moment");
        let size = self.head().await?.map_or(0, |head| head.size);
        // Time never runs backwards in a log.
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let time: i64 = query_scalar("SELECT time FROM entries WHERE seq = ?")
                .bind(int(middle))
                .fetch_one(&self.pool)
                .await
                .map_err(&failed)?;
            if time < int(moment.as_millis()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Time stamps over checkpoints, oldest first.
    pub async fn stamps(&self) -> Result<Vec<StampRow>, StoreError> {
        let sql = "SELECT authority, size, gen_time, token, at, seq FROM stamps ORDER BY seq";
        let rows = query(sql).fetch_all(&self.pool).await.map_err(storage("listing time stamps"))?;
        rows.iter().map(stamp).collect()
    }

    /// Of each authority the first and the last time stamp over a checkpoint of more than `seq` entries, oldest first.
    pub async fn stamps_over(&self, seq: u64) -> Result<Vec<StampRow>, StoreError> {
        let sql = "SELECT authority, size, gen_time, token, at, seq FROM stamps WHERE seq IN \
            (SELECT min(seq) FROM stamps WHERE size > ?1 GROUP BY authority UNION \
            SELECT max(seq) FROM stamps WHERE size > ?1 GROUP BY authority) ORDER BY seq";
        let rows = query(sql).bind(int(seq)).fetch_all(&self.pool).await.map_err(storage("listing time stamps"))?;
        rows.iter().map(stamp).collect()
    }
}
