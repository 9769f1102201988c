//! Reading what is stored.

mod columns;
mod publishing;

use std::path::Path;
use std::sync::Arc;

use assize_ledger::{DecisionFacts, Digest, Entry, EntryRef, Salt, Timestamp};
use sqlx::AssertSqlSafe;

use self::columns::{Columns, decision, effect, policy, stamp, system};
use crate::db::{On, Pool, Query, Row, Scalar, Value, int, query, query_scalar, storage};
use crate::edge::Edge;
use crate::rows::{
    DecisionFilter, DecisionRow, EntryRow, HeadRow, KeyRow, Page, PastDecision, Payloads, PolicyRow, ReEvaluationRow,
    RetentionRow, SealedRow, SimulationRow, StampRow, StoredDecision, SystemRow,
};
use crate::{StoreError, postgres, sqlite};

/// Reads, and checks. Clones share their connections.
///
/// Where a method takes a tenant, `None` means all of them (for an administrator of the host), and another tenant's rows
/// aren't found.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) pool: Pool,
    pub(crate) edge: Arc<Edge>,
}

const DECISION: &str = "SELECT d.seq, e.hash, d.id, d.tenant, d.system, d.environment, d.kind, d.verdict, d.reason, \
    d.risk_score, d.confidence, d.occurred_at, d.rules_as_of, d.received_at, d.decided_at, d.snapshot, d.kill_switch, \
    d.idempotency_key, d.body_hash FROM decisions d JOIN entries e ON e.seq = d.seq";

impl Reader {
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { pool: Pool::Sqlite(sqlite::open::readers(path).await?), edge: Arc::default() })
    }

    pub(crate) async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        // A TLS handshake takes much room in a future, once.
        let pool = Box::pin(postgres::open::readers(url)).await?;
        Ok(Self { pool: Pool::Postgres(pool), edge: Arc::default() })
    }

    /// Closes the connections. A reader that isn't closed is closed when its last clone is dropped, a little later.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The log's name; none before its first entry.
    pub async fn origin(&self) -> Result<Option<String>, StoreError> {
        origin((&self.pool).into()).await
    }

    /// The newest end of the ledger; none before its first entry.
    pub async fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        let sql = "SELECT size, root, hash, time FROM heads ORDER BY size DESC LIMIT 1";
        let row = query(sql).fetch_optional(&self.pool).await.map_err(storage("reading the newest head"))?;
        let head = |row: Row| {
            let row = Columns(&row, "head");
            Ok(HeadRow { size: row.count(0)?, root: row.digest(1)?, hash: row.digest(2)?, time: row.time(3)? })
        };
        row.map(head).transpose()
    }

    /// A decision with all that is kept of it.
    pub async fn decision(&self, tenant: Option<&str>, id: &str) -> Result<Option<StoredDecision>, StoreError> {
        let failed = storage("reading a decision");
        let sql = format!("{DECISION} WHERE d.id = ? AND (?2 IS NULL OR d.tenant = ?2)");
        let row = query(AssertSqlSafe(sql)).bind(id).bind(tenant).fetch_optional(&self.pool);
        let Some(row) = row.await.map_err(&failed)? else { return Ok(None) };
        let row = decision(&row)?;
        let seq = int(row.seq);
        let entry = query("SELECT bytes, time FROM entries WHERE seq = ?").bind(seq);
        let entry = entry.fetch_one(&self.pool).await.map_err(&failed)?;
        let entry = Columns(&entry, "entry");
        let (bytes, time) = (entry.get(0)?, entry.time(1)?);
        let sealed = query("SELECT input, record FROM sealed WHERE seq = ?").bind(seq);
        let sealed = sealed.fetch_optional(&self.pool).await.map_err(&failed)?;
        let (input, record) = match &sealed {
            Some(sealed) => (Columns(sealed, "payload").payload(0)?, Columns(sealed, "payload").payload(1)?),
            None => (None, None),
        };
        let effects = query("SELECT n, binding, kind, body, state FROM effects WHERE seq = ? ORDER BY n").bind(seq);
        let effects = effects.fetch_all(&self.pool).await.map_err(&failed)?;
        let effects: Result<_, _> = effects.iter().map(effect).collect();
        Ok(Some(StoredDecision { row, entry: bytes, time, input, record, effects: effects? }))
    }

    /// Decisions, newest first. `cursor` is a page's [`Page::next`].
    pub async fn decisions(
        &self,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<DecisionRow>, StoreError> {
        let (mut sql, mut values) =
            (format!("{DECISION} WHERE d.seq < ?"), vec![Value::from(cursor.map_or(i64::MAX, int))]);
        conditions(tenant, filter, &mut sql, &mut values);
        // One more than asked for tells whether there is a next page.
        sql.push_str(" ORDER BY d.seq DESC LIMIT ?");
        values.push((i64::from(limit) + 1).into());
        let query = values.into_iter().fold(query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.fetch_all(&self.pool).await.map_err(storage("listing decisions"))?;
        let rows: Result<Vec<_>, _> = rows.iter().map(decision).collect();
        Ok(page(rows?, limit, |row| row.seq))
    }

    /// Past decisions with the payloads that are still there, oldest first: those of entries `from` to before `end`.
    pub async fn past(
        &self,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        from: u64,
        end: u64,
        limit: u32,
        payloads: Payloads,
    ) -> Result<Vec<PastDecision>, StoreError> {
        const FROM: &str = "FROM decisions d JOIN entries e ON e.seq = d.seq \
            LEFT JOIN sealed s ON s.seq = d.seq WHERE d.seq >= ? AND d.seq < ?";
        let columns = DECISION.split(" FROM ").next().unwrap_or_default();
        let record = match payloads {
            Payloads::Inputs => "NULL",
            Payloads::InputsAndRecords => "s.record",
        };
        let mut sql = format!("{columns}, s.input, {record} {FROM}");
        let mut values = vec![Value::from(int(from)), int(end).into()];
        conditions(tenant, filter, &mut sql, &mut values);
        sql.push_str(" ORDER BY d.seq LIMIT ?");
        values.push(i64::from(limit).into());
        let query = values.into_iter().fold(query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.fetch_all(&self.pool).await.map_err(storage("reading past decisions"))?;
        let past = |row: &Row| {
            let payload = Columns(row, "payload");
            Ok(PastDecision { row: decision(row)?, input: payload.payload(19)?, record: payload.payload(20)? })
        };
        rows.iter().map(past).collect()
    }

    /// The entry that the newest `count` decisions begin with, of those of entries `from` to before `end`; `from` where there
    /// are no more than that.
    pub async fn newest_from(
        &self,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        from: u64,
        end: u64,
        count: u32,
    ) -> Result<u64, StoreError> {
        let mut sql = "SELECT d.seq FROM decisions d WHERE d.seq >= ? AND d.seq < ?".to_owned();
        let mut values = vec![Value::from(int(from)), int(end).into()];
        conditions(tenant, filter, &mut sql, &mut values);
        sql.push_str(" ORDER BY d.seq DESC LIMIT 1 OFFSET ?");
        values.push((i64::from(count) - 1).max(0).into());
        let query = values.into_iter().fold(query_scalar(AssertSqlSafe(sql)), Scalar::bind);
        let seq: Option<i64> =
            query.fetch_optional(&self.pool).await.map_err(storage("looking up the newest decisions"))?;
        Ok(seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(from))
    }

    /// How many decisions of entries `from` to before `end` there are.
    pub async fn count_past(
        &self,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        from: u64,
        end: u64,
    ) -> Result<u64, StoreError> {
        let mut sql = "SELECT count(*) FROM decisions d WHERE d.seq >= ? AND d.seq < ?".to_owned();
        let mut values = vec![Value::from(int(from)), int(end).into()];
        conditions(tenant, filter, &mut sql, &mut values);
        let query = values.into_iter().fold(query_scalar(AssertSqlSafe(sql)), Scalar::bind);
        let count: i64 = query.fetch_one(&self.pool).await.map_err(storage("counting decisions"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Later decisions that rule this one's case anew, oldest first, by the facts of their entries: they stay known when
    /// their records are erased.
    ///
    /// No row of this decision says that there are any, since it never changes. They are found among the tenant's later
    /// decisions by what both have in common, which is their case but for its id and the day of its rules.
    pub async fn re_evaluations(&self, row: &DecisionRow) -> Result<Vec<ReEvaluationRow>, StoreError> {
        let sql = "SELECT d.id, d.seq, e.hash, d.verdict, e.bytes FROM decisions d JOIN entries e ON e.seq = d.seq \
            WHERE d.tenant = ? AND d.seq > ? AND d.occurred_at = ? AND d.environment = ? AND d.kind = ? ORDER BY d.seq";
        let query = query(sql)
            .bind(row.tenant.as_str())
            .bind(int(row.seq))
            .bind(int(row.occurred_at.as_millis()))
            .bind(row.environment.as_str())
            .bind(row.kind.as_str());
        let rows = query.fetch_all(&self.pool).await.map_err(storage("looking for re-evaluations"))?;
        let mut found = Vec::new();
        for candidate in &rows {
            let columns = Columns(candidate, "decision");
            let bytes: &[u8] = columns.get(4)?;
            let entry = EntryRef::decode(bytes).map_err(|error| columns.corrupt(&error))?;
            let facts: DecisionFacts = serde_json::from_slice(entry.facts).map_err(|error| columns.corrupt(&error))?;
            if let Some(link) = facts.re_evaluates.filter(|link| link.id == row.id) {
                found.push(ReEvaluationRow {
                    id: columns.get(0)?,
                    seq: columns.count(1)?,
                    entry_hash: columns.digest(2)?,
                    verdict: columns.get(3)?,
                    reason: link.reason,
                    time: entry.time,
                });
            }
        }
        Ok(found)
    }

    /// The decision that an idempotency key stands for, with the hash of the body it was used with.
    pub async fn find_idempotent(&self, tenant: &str, key: &str) -> Result<Option<(String, Digest)>, StoreError> {
        let sql = "SELECT id, body_hash FROM decisions WHERE tenant = ? AND idempotency_key = ?";
        let row = query(sql).bind(tenant).bind(key).fetch_optional(&self.pool);
        let row = row.await.map_err(storage("looking up an idempotency key"))?;
        row.map(|row| Ok((Columns(&row, "decision").get(0)?, Columns(&row, "decision").digest(1)?))).transpose()
    }

    /// Entries from `from` on, oldest first.
    pub async fn entries(&self, tenant: Option<&str>, from: u64, limit: u32) -> Result<Vec<EntryRow>, StoreError> {
        let sql = "SELECT seq, hash, kind, subject, tenant, time, bytes FROM entries \
            WHERE seq >= ? AND (?2 IS NULL OR tenant = ?2) ORDER BY seq LIMIT ?3";
        let rows = query(sql).bind(int(from)).bind(tenant).bind(i64::from(limit)).fetch_all(&self.pool);
        let rows = rows.await.map_err(storage("reading entries"))?;
        let entry = |row: &Row| {
            let row = Columns(row, "entry");
            Ok(EntryRow {
                seq: row.count(0)?,
                hash: row.digest(1)?,
                kind: row.get(2)?,
                subject: row.get(3)?,
                tenant: row.tenant(4)?,
                time: row.time(5)?,
                bytes: row.get(6)?,
            })
        };
        rows.iter().map(entry).collect()
    }

    /// The bytes of a component.
    pub async fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.content("SELECT bytes FROM components WHERE digest = ?", digest, "reading a component").await
    }

    /// The bytes of a snapshot.
    pub async fn snapshot(&self, hash: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.content("SELECT bytes FROM snapshots WHERE hash = ?", hash, "reading a snapshot").await
    }

    async fn content(
        &self,
        sql: &'static str,
        hash: &Digest,
        action: &'static str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let query = query_scalar(sql).bind(hash.as_bytes().as_slice());
        query.fetch_optional(&self.pool).await.map_err(storage(action))
    }

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

    /// Simulations, newest first. `cursor` is a page's [`Page::next`].
    pub async fn simulations(
        &self,
        tenant: Option<&str>,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<SimulationRow>, StoreError> {
        let sql = "SELECT id, tenant, digest, length(report), at, seq FROM simulations \
            WHERE seq < ? AND (?2 IS NULL OR tenant = ?2) ORDER BY seq DESC LIMIT ?3";
        let query = query(sql).bind(cursor.map_or(i64::MAX, int)).bind(tenant).bind(i64::from(limit) + 1);
        let rows = query.fetch_all(&self.pool).await.map_err(storage("listing simulations"))?;
        let simulation = |row: &Row| {
            let row = Columns(row, "simulation");
            Ok(SimulationRow {
                id: row.get(0)?,
                tenant: row.tenant(1)?,
                digest: row.digest(2)?,
                length: row.count(3)?,
                at: row.time(4)?,
                seq: row.count(5)?,
            })
        };
        let rows: Result<Vec<_>, StoreError> = rows.iter().map(simulation).collect();
        Ok(page(rows?, limit, |row| row.seq))
    }

    /// The report of a simulation, and its entry.
    pub async fn simulation(&self, tenant: Option<&str>, id: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let sql = "SELECT seq, report FROM simulations WHERE id = ? AND (?2 IS NULL OR tenant = ?2)";
        let row = query(sql).bind(id).bind(tenant).fetch_optional(&self.pool);
        let row = row.await.map_err(storage("reading a simulation"))?;
        row.map(|row| Ok((Columns(&row, "simulation").count(0)?, Columns(&row, "simulation").get(1)?))).transpose()
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

/// Adds what a filter demands to a statement on `decisions d`.
fn conditions(tenant: Option<&str>, filter: &DecisionFilter, sql: &mut String, values: &mut Vec<Value>) {
    let columns = [
        ("d.tenant", tenant),
        ("d.system", filter.system.as_deref()),
        ("d.verdict", filter.verdict.as_deref()),
        ("d.environment", filter.environment.as_deref()),
    ];
    for (column, value) in columns {
        if let Some(value) = value {
            sql.extend([" AND ", column, " = ?"]);
            values.push(value.into());
        }
    }
    for (condition, moment) in [(" AND d.decided_at >= ?", filter.from), (" AND d.decided_at < ?", filter.before)] {
        if let Some(moment) = moment {
            sql.push_str(condition);
            values.push(int(moment.as_millis()).into());
        }
    }
}

/// The log's name, as its first entry says; none without entries.
pub(crate) async fn origin(on: On<'_>) -> Result<Option<String>, StoreError> {
    let query = query_scalar("SELECT bytes FROM entries WHERE seq = 0");
    let bytes: Option<Vec<u8>> = query.fetch_optional(on).await.map_err(storage("reading the first entry"))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let corrupt = |detail: String| StoreError::Corrupt { record: "entry 0".into(), detail };
    Entry::decode(&bytes).map(|entry| Some(entry.origin)).map_err(|error| corrupt(error.to_string()))
}

fn page<T>(mut rows: Vec<T>, limit: u32, seq: impl Fn(&T) -> u64) -> Page<T> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(seq);
    Page { rows, next }
}
