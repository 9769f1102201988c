//! Reading what is stored: the log's entries and end, decisions one by one, and what is kept by its digest.

mod columns;
mod evidence;
mod in_force;
mod past;
mod publishing;

use std::path::Path;
use std::sync::Arc;

use assize_ledger::{Digest, Entry, Salt};
use futures::future::BoxFuture;
use sqlx::AssertSqlSafe;

use self::columns::{Columns, decision, effect};
use crate::db::{On, Pool, Query, Row, Value, int, query, query_scalar, storage};
use crate::edge::Edge;
use crate::rows::{DecisionFilter, DecisionRow, EntryRow, HeadRow, Page, StoredDecision};
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
    pub(crate) fn open(path: &Path) -> BoxFuture<'_, Result<Self, StoreError>> {
        Box::pin(
            async move { Ok(Self { pool: Pool::Sqlite(sqlite::open::readers(path).await?), edge: Arc::default() }) },
        )
    }

    pub(crate) fn open_postgres(url: &str) -> BoxFuture<'_, Result<Self, StoreError>> {
        Box::pin(async move {
            // A TLS handshake takes much room in a future, once.
            let pool = Box::pin(postgres::open::readers(url)).await?;
            Ok(Self { pool: Pool::Postgres(pool), edge: Arc::default() })
        })
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

    /// A decision with all that is kept of it, and whether that is what its entry binds.
    pub async fn decision(&self, tenant: Option<&str>, id: &str) -> Result<Option<StoredDecision>, StoreError> {
        let Some((row, entry, sealed)) = self.bound(tenant, id).await? else { return Ok(None) };
        let altered = sealed.payloads(&row.id, &entry).err();
        let effects = query("SELECT n, binding, kind, body, state FROM effects WHERE seq = ? ORDER BY n");
        let effects = effects.bind(int(row.seq)).fetch_all(&self.pool).await.map_err(storage("reading a decision"))?;
        let effects: Result<_, _> = effects.iter().map(effect).collect();
        let bytes = |payload: Option<(Salt, Vec<u8>)>| payload.map(|(_, bytes)| bytes);
        let (input, record) = (bytes(sealed.input), bytes(sealed.record));
        Ok(Some(StoredDecision { row, entry, input, record, effects: effects?, altered }))
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
