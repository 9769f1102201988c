//! Past decisions as they are judged again, many at once, and what came of it: re-evaluations and simulations.

use assize_ledger::{DecisionFacts, EntryRef, Salt};
use sqlx::AssertSqlSafe;

use super::columns::{Columns, decision};
use super::{DECISION, conditions, page};
use crate::StoreError;
use crate::db::{Query, Row, Scalar, Value, int, query, query_scalar, storage};
use crate::read::Reader;
use crate::rows::{
    DecisionFilter, DecisionRow, Page, PastDecision, Payloads, ReEvaluationRow, SealedRow, SimulationRow,
};

/// A decision's columns, its entry's exact bytes, and what that binds, with salts.
type Bound = (DecisionRow, Vec<u8>, SealedRow);

/// The columns of [`Bound`] after those of [`DECISION`]. Decisions have all of this, but for what was erased.
const BOUND: &str = "e.bytes, s.input_salt, s.input, s.record_salt, s.record, x.seq";

impl Reader {
    /// Past decisions with the payloads that are still there, oldest first: those of entries `from` to before `end`.
    ///
    /// Whoever reads them counts what came or would come out over millions of decisions, and says of none what the
    /// ledger holds: that these payloads are what their entries bind isn't looked at. For that there is
    /// [`Reader::past_bound`].
    pub async fn past(
        &self,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        from: u64,
        end: u64,
        limit: u32,
        payloads: Payloads,
    ) -> Result<Vec<PastDecision>, StoreError> {
        let record = match payloads {
            Payloads::Inputs => "NULL",
            Payloads::InputsAndRecords => "s.record",
        };
        let rows = self.range(&format!("s.input, {record}"), tenant, filter, from, end, limit).await?;
        let past = |row: &Row| {
            let payload = Columns(row, "payload");
            Ok(PastDecision { row: decision(row)?, input: payload.payload(19)?, record: payload.payload(20)? })
        };
        rows.iter().map(past).collect()
    }

    /// As [`Reader::past`], with what it takes to see whether the payloads are those that were written: each decision
    /// with the exact bytes of its entry, and with the salts of what that binds.
    pub async fn past_bound(
        &self,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        from: u64,
        end: u64,
        limit: u32,
    ) -> Result<Vec<Bound>, StoreError> {
        self.range(BOUND, tenant, filter, from, end, limit).await?.iter().map(bound).collect()
    }

    /// One decision as [`Reader::past_bound`] gives it.
    pub async fn bound(&self, tenant: Option<&str>, id: &str) -> Result<Option<Bound>, StoreError> {
        let sql = format!("{} WHERE d.id = ? AND (?2 IS NULL OR d.tenant = ?2)", select(BOUND));
        let row = query(AssertSqlSafe(sql)).bind(id).bind(tenant).fetch_optional(&self.pool);
        row.await.map_err(storage("reading a decision"))?.as_ref().map(bound).transpose()
    }

    /// The decisions of a range with some more columns, oldest first.
    async fn range(
        &self,
        columns: &str,
        tenant: Option<&str>,
        filter: &DecisionFilter,
        from: u64,
        end: u64,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let mut sql = format!("{} WHERE d.seq >= ? AND d.seq < ?", select(columns));
        let mut values = vec![Value::from(int(from)), int(end).into()];
        conditions(tenant, filter, &mut sql, &mut values);
        sql.push_str(" ORDER BY d.seq LIMIT ?");
        values.push(i64::from(limit).into());
        let query = values.into_iter().fold(query(AssertSqlSafe(sql)), Query::bind);
        query.fetch_all(&self.pool).await.map_err(storage("reading past decisions"))
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
}

/// Selects the columns of decisions, and some more of what belongs to them.
fn select(columns: &str) -> String {
    let of_decision = DECISION.split(" FROM ").next().unwrap_or_default();
    format!(
        "{of_decision}, {columns} FROM decisions d JOIN entries e ON e.seq = d.seq \
         LEFT JOIN sealed s ON s.seq = d.seq LEFT JOIN erased x ON x.target = d.seq"
    )
}

fn bound(row: &Row) -> Result<Bound, StoreError> {
    let (of_decision, payload) = (decision(row)?, Columns(row, "payload"));
    let part = |salt: usize| -> Result<Option<(Salt, Vec<u8>)>, StoreError> {
        let (Some(bytes), Some(key)) = (payload.payload(salt + 1)?, payload.get::<Option<&[u8]>>(salt)?) else {
            return Ok(None);
        };
        let key = <[u8; 32]>::try_from(key).map_err(|error| payload.corrupt(&error))?;
        Ok(Some((Salt::from_bytes(key), bytes)))
    };
    let erased_by = payload.get::<Option<i64>>(24)?.map(|_| payload.count(24)).transpose()?;
    let sealed = SealedRow { seq: of_decision.seq, input: part(20)?, record: part(22)?, erased_by };
    Ok((of_decision, Columns(row, "entry").get(19)?, sealed))
}
