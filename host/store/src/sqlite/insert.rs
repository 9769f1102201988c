//! Adding rows, many with one statement.
//!
//! Each statement is a trip to the connection's thread and back, which costs more than a row. So a group's rows go in
//! one statement where they can: up to [`EXACT`] rows there is a text of just that many, beyond it chunks of powers of two.
//! That is few enough different texts for each to be prepared once and kept. One text holds the inserts into all three
//! tables that a decision takes; the first begins the transaction, and the last adds the head and commits. A group of
//! decisions is one trip, mostly.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use assize_ledger::{Head, Tile, Timestamp};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::arguments::{Arguments, Before};
use crate::StoreError;
use crate::db::{int, storage};
use crate::seal::{Payload, SealedDecision};
use crate::writer::NewEntry;

/// The largest chunk; `SQLite` takes 32,766 parameters in a statement, a decision has 31.
const LARGEST: usize = 256;
/// Up to this many rows, groups are as large as they happen to be; with powers of two alone, most groups are several trips.
const EXACT: usize = 64;
/// Statements that the writing connection keeps prepared: each size at each place, of decisions and effects, and the rest.
pub(crate) const PREPARED: usize = 1_024;

const ENTRY: (&str, usize) = ("entries (seq, hash, kind, subject, tenant, time, bytes)", 7);
const SEALED: (&str, usize) = ("sealed (seq, tenant, input_salt, input, record_salt, record)", 6);
const DECISION: (&str, usize) = (
    "decisions (seq, id, tenant, system, environment, kind, verdict, reason, risk_score, confidence, occurred_at, \
     rules_as_of, received_at, decided_at, snapshot, kill_switch, idempotency_key, body_hash)",
    18,
);
const EFFECT: (&str, usize) = ("effects (seq, n, tenant, binding, kind, body, state)", 7);

const HEAD: (&str, usize) = ("heads (size, root, hash, time)", 4);
/// What a decision takes in all three.
const COLUMNS: usize = ENTRY.1 + SEALED.1 + DECISION.1;
const BEGIN: &str = "BEGIN IMMEDIATE;";
const COMMIT: &str = "COMMIT;";

/// The texts of the statements, made once.
pub(crate) struct Inserts {
    decisions: Sizes,
    effects: Sizes,
    entry: Arc<str>,
}

/// The texts of every size of chunk, made when first needed.
struct Sizes {
    tables: &'static [(&'static str, usize)],
    /// Of 1 to [`EXACT`] rows, then of each power of two up to [`LARGEST`].
    texts: Vec<OnceLock<Texts>>,
}

/// The same inserts at each place in a transaction.
struct Texts {
    inside: Arc<str>,
    first: Arc<str>,
    last: Arc<str>,
    only: Arc<str>,
}

/// Begins with the first statement that writes, and ends with the last.
pub(crate) struct Transaction<'c> {
    connection: &'c mut SqliteConnection,
    begun: bool,
}

/// The texts of the decision before, column by column.
#[derive(Default)]
struct Usual {
    entry: Before,
    tenant: Before,
    system: Before,
    environment: Before,
    kind: Before,
    verdict: Before,
    reason: Before,
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(connection: &'c mut SqliteConnection, begun: bool) -> Self {
        Self { connection, begun }
    }

    /// The connection, inside the transaction.
    pub(crate) async fn begun(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if !self.begun {
            sqlx::query(BEGIN).execute(&mut *self.connection).await.map_err(storage("beginning to write"))?;
            self.begun = true;
        }
        Ok(self.connection)
    }
}

impl Inserts {
    pub(crate) fn new() -> Self {
        Self {
            decisions: Sizes::new(&[ENTRY, SEALED, DECISION]),
            effects: Sizes::new(&[EFFECT]),
            entry: text(&[ENTRY, SEALED], 1).into(),
        }
    }

    /// Adds decisions with their entries, payloads and effects, the tiles that the group filled, and where the log stands
    /// after it; then commits. Without any entry, commits what was begun.
    pub(crate) async fn commit(
        &self,
        mut transaction: Transaction<'_>,
        rows: Vec<(NewEntry, SealedDecision)>,
        tiles: Vec<Tile>,
        head: Option<&Head>,
    ) -> Result<(), StoreError> {
        for tile in tiles {
            node(transaction.begun().await?, &tile).await?;
            let query = sqlx::query("INSERT INTO tiles (level, idx, hashes) VALUES (?, ?, ?)");
            let query = query.bind(i64::from(tile.id.level)).bind(int(tile.id.index)).bind(tile.hashes);
            query.execute(transaction.begun().await?).await.map_err(storage("adding a tile"))?;
        }
        self.effects(&mut transaction, &rows).await?;
        data_subjects(&mut transaction, &rows).await?;
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            if let Some(head) = head {
                let sql: String = text(&[HEAD], 1);
                let mut arguments = Arguments::with_capacity(HEAD.1);
                add_head(&mut arguments, head)?;
                let query = sqlx::query_with(AssertSqlSafe(sql), arguments.into_inner());
                query.execute(transaction.begun().await?).await.map_err(storage("adding a head"))?;
            }
            if transaction.begun {
                sqlx::query(COMMIT).execute(transaction.connection).await.map_err(storage("committing"))?;
            }
            return Ok(());
        }
        while rows.peek().is_some() {
            let (chunk, texts) = self.decisions.chunk(&mut rows)?;
            let last = head.filter(|_| rows.peek().is_none());
            let sql = match (transaction.begun, last.is_some()) {
                (true, false) => &texts.inside,
                (false, false) => &texts.first,
                (true, true) => &texts.last,
                (false, true) => &texts.only,
            };
            let mut arguments = Arguments::with_capacity(chunk.len() * COLUMNS + HEAD.1);
            let mut rest = Vec::with_capacity(chunk.len());
            let mut usual = Usual::default();
            for (NewEntry { sealed, kind, subject, tenant, payload }, decision) in chunk {
                let (id, tenant) = (Arc::<str>::from(subject), usual.tenant.or(&tenant));
                rest.push((sealed.seq, Arc::clone(&id), Arc::clone(&tenant), payload, decision));
                add_entry(&mut arguments, sealed, usual.entry.or(&kind), id, tenant)?;
            }
            for (seq, _, tenant, payload, _) in &mut rest {
                add_payload(&mut arguments, *seq, Arc::clone(tenant), std::mem::take(payload))?;
            }
            for (seq, id, tenant, _, decision) in rest {
                add_decision(&mut arguments, &mut usual, seq, id, tenant, decision)?;
            }
            if let Some(head) = last {
                add_head(&mut arguments, head)?;
            }
            let query = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments.into_inner());
            query.execute(&mut *transaction.connection).await.map_err(storage("adding decisions"))?;
            transaction.begun = true;
        }
        Ok(())
    }

    async fn effects(
        &self,
        transaction: &mut Transaction<'_>,
        rows: &[(NewEntry, SealedDecision)],
    ) -> Result<(), StoreError> {
        let effects: Vec<_> = rows
            .iter()
            .flat_map(|(entry, decision)| {
                let effects = decision.effects.iter().enumerate();
                effects.map(|(n, effect)| (entry.sealed.seq, n, entry.tenant.clone(), effect.clone()))
            })
            .collect();
        let mut effects = effects.into_iter().peekable();
        while effects.peek().is_some() {
            let (chunk, texts) = self.effects.chunk(&mut effects)?;
            let sql = if transaction.begun { &texts.inside } else { &texts.first };
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            for (seq, n, tenant, effect) in chunk {
                query = query.bind(int(seq)).bind(int(n as u64)).bind(tenant).bind(effect.binding).bind(effect.kind);
                query = query.bind(effect.body).bind("planned");
            }
            query.execute(&mut *transaction.connection).await.map_err(storage("adding effects"))?;
            transaction.begun = true;
        }
        Ok(())
    }

    /// Adds one entry that isn't a decision's.
    pub(crate) async fn entry(&self, connection: &mut SqliteConnection, entry: NewEntry) -> Result<(), StoreError> {
        let NewEntry { sealed, kind, subject, tenant, payload } = entry;
        let seq = sealed.seq;
        let (tenant, mut arguments) = (Arc::<str>::from(tenant), Arguments::with_capacity(ENTRY.1 + SEALED.1));
        add_entry(&mut arguments, sealed, kind.into(), subject.into(), Arc::clone(&tenant))?;
        add_payload(&mut arguments, seq, tenant, payload)?;
        let query = sqlx::query_with(AssertSqlSafe(Arc::clone(&self.entry)), arguments.into_inner());
        query.execute(connection).await.map_err(storage("adding an entry"))?;
        Ok(())
    }
}

/// Whom the cases are about, where a caller said so.
async fn data_subjects(
    transaction: &mut Transaction<'_>,
    rows: &[(NewEntry, SealedDecision)],
) -> Result<(), StoreError> {
    for (entry, decision) in rows {
        let Some(subject) = &decision.data_subject else { continue };
        let query = sqlx::query("INSERT INTO data_subjects (tenant, subject, seq) VALUES (?, ?, ?)");
        let query = query.bind(entry.tenant.clone()).bind(subject.clone()).bind(int(entry.sealed.seq));
        query.execute(transaction.begun().await?).await.map_err(storage("adding a data subject"))?;
    }
    Ok(())
}

impl Texts {
    fn new(tables: &[(&str, usize)], rows: usize) -> Self {
        let inside = text(tables, rows);
        let head = text(&[HEAD], 1);
        Self {
            first: format!("{BEGIN}{inside}").into(),
            last: format!("{inside}{head}{COMMIT}").into(),
            only: format!("{BEGIN}{inside}{head}{COMMIT}").into(),
            inside: inside.into(),
        }
    }
}

impl Sizes {
    fn new(tables: &'static [(&'static str, usize)]) -> Self {
        let beyond = (LARGEST.ilog2() - EXACT.ilog2()) as usize;
        Self { tables, texts: (0..EXACT + beyond).map(|_| OnceLock::new()).collect() }
    }

    /// Takes as many rows as the largest statement that they fill.
    fn chunk<T>(&self, rows: &mut impl ExactSizeIterator<Item = T>) -> Result<(Vec<T>, &Texts), StoreError> {
        let size = match rows.len() {
            left @ ..=EXACT => left.max(1),
            left => 1 << left.ilog2().min(LARGEST.ilog2()),
        };
        let beyond = (size.ilog2() as usize).saturating_sub(EXACT.ilog2() as usize);
        let at = if size <= EXACT { size - 1 } else { EXACT - 1 + beyond };
        let missing = || StoreError::Storage { action: "adding rows", detail: format!("no statement of {size} rows") };
        let texts = self.texts.get(at).ok_or_else(missing)?;
        let texts = texts.get_or_init(|| Texts::new(self.tables, size));
        Ok((rows.by_ref().take(size).collect(), texts))
    }
}

/// `INSERT INTO … VALUES (?, …), …; …`, with the same number of rows for each table. A row that can't be added fails the
/// whole group, so there is no need to keep what the statement alone would undo: `OR ROLLBACK` says so.
fn text(tables: &[(&str, usize)], rows: usize) -> String {
    let mut sql = String::new();
    for (table, columns) in tables {
        let row = format!("({})", vec!["?"; *columns].join(","));
        // Writing to a String can't fail.
        let _ = write!(sql, "INSERT OR ROLLBACK INTO {table} VALUES {};", vec![row; rows].join(","));
    }
    sql
}

fn add_head(arguments: &mut Arguments, head: &Head) -> Result<(), StoreError> {
    arguments.add(int(head.size()))?.add(head.root().as_bytes().to_vec())?;
    arguments.add(head.hash().as_bytes().to_vec())?.add(millis(head.time()))?;
    Ok(())
}

fn add_entry(
    arguments: &mut Arguments,
    entry: assize_ledger::Sealed,
    kind: Arc<str>,
    subject: Arc<str>,
    tenant: Arc<str>,
) -> Result<(), StoreError> {
    arguments.add(int(entry.seq))?.add(entry.hash.as_bytes().to_vec())?.add(kind)?.add(subject)?;
    arguments.add(tenant)?.add(millis(entry.time))?.add(entry.bytes)?;
    Ok(())
}

fn add_payload(arguments: &mut Arguments, seq: u64, tenant: Arc<str>, payload: Payload) -> Result<(), StoreError> {
    let (input, record) = (payload.input, payload.record);
    let (input_salt, input) = input.map(|(salt, bytes)| (salt.as_bytes().to_vec(), bytes)).unzip();
    let (record_salt, record) = record.map(|(salt, bytes)| (salt.as_bytes().to_vec(), bytes)).unzip();
    arguments.add(int(seq))?.add(tenant)?.add(input_salt)?.add(input)?.add(record_salt)?.add(record)?;
    Ok(())
}

fn add_decision(
    arguments: &mut Arguments,
    usual: &mut Usual,
    seq: u64,
    id: Arc<str>,
    tenant: Arc<str>,
    decision: SealedDecision,
) -> Result<(), StoreError> {
    let facts = decision.facts;
    let (key, body_hash) = decision.idempotency.map(|same| (same.key, same.body_hash.as_bytes().to_vec())).unzip();
    arguments
        .add(int(seq))?
        .add(id)?
        .add(tenant)?
        .add(facts.system.map(|system| usual.system.or(&system)))?
        .add(usual.environment.or(&facts.environment))?
        .add(usual.kind.or(&decision.kind))?
        .add(usual.verdict.or(&facts.verdict))?
        .add(usual.reason.or(&facts.reason))?
        .add(facts.risk_score)?
        .add(facts.confidence)?
        .add(millis(facts.occurred_at))?
        .add(millis(facts.rules_as_of))?
        .add(millis(decision.received_at))?
        .add(millis(decision.decided_at))?
        .add(facts.snapshot.as_bytes().to_vec())?
        .add(i64::from(facts.kill_switch))?
        .add(key)?
        .add(body_hash)?;
    Ok(())
}

/// Adds the hash that a full tile is in the tile above it.
pub(crate) async fn node(connection: &mut SqliteConnection, tile: &Tile) -> Result<(), StoreError> {
    let (level, idx) = (i64::from(tile.id.level) + 1, int(tile.id.index));
    let corrupt = |error: assize_ledger::TreeError| StoreError::Corrupt {
        record: format!("tile {}/{}", tile.id.level, tile.id.index),
        detail: error.to_string(),
    };
    let root = tile.root().map_err(corrupt)?;
    let query = sqlx::query("INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)");
    let query = query.bind(level).bind(idx).bind(root.as_bytes().to_vec());
    query.execute(connection).await.map_err(storage("adding a node"))?;
    Ok(())
}

fn millis(time: Timestamp) -> i64 {
    int(time.as_millis())
}
