//! Adding a group's rows: all of them with one statement, whose values are columns.
//!
//! A trip to the server costs as much as some rows, so a group of any size takes one. It ends by moving the head, which
//! is the fence: with no row moved, another host was first, and all of it is undone.

use assize_ledger::{Digest, Head, Tile};
use sqlx::PgConnection;

use crate::StoreError;
use crate::db::{int, storage};
use crate::seal::SealedDecision;
use crate::writer::NewEntry;

const GROUP: &str = "\
    WITH e AS (INSERT INTO entries (seq, hash, kind, subject, tenant, time, bytes) \
        SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])), \
    s AS (INSERT INTO sealed (seq, tenant, time, input_salt, input, record_salt, record) \
        SELECT * FROM unnest($1::bigint[], $5::text[], $6::bigint[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[])), \
    d AS (INSERT INTO decisions (seq, id, tenant, system, environment, kind, verdict, reason, risk_score, confidence, \
            occurred_at, rules_as_of, received_at, decided_at, snapshot, kill_switch, idempotency_key, body_hash) \
        SELECT * FROM unnest($12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], \
            $19::text[], $20::float8[], $21::float8[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[], \
            $26::bytea[], $27::bigint[], $28::text[], $29::bytea[])), \
    f AS (INSERT INTO effects (seq, n, tenant, binding, kind, body, time, state) \
        SELECT *, 'planned' FROM unnest($30::bigint[], $31::bigint[], $32::text[], $33::text[], $34::text[], \
            $35::bytea[], $36::bigint[])), \
    p AS (INSERT INTO data_subjects (tenant, subject, seq) \
        SELECT * FROM unnest($37::text[], $38::text[], $39::bigint[])), \
    t AS (INSERT INTO tiles (level, idx, hashes) SELECT * FROM unnest($40::int[], $41::bigint[], $42::bytea[])), \
    n AS (INSERT INTO nodes (level, idx, hash) SELECT l + 1, i, h FROM unnest($40::int[], $41::bigint[], $43::bytea[]) \
        AS filled (l, i, h)), \
    h AS (INSERT INTO heads (size, root, hash, time) VALUES ($44, $45, $46, $47)) \
    UPDATE head SET size = $44, hash = $46, halt_epoch = $48 WHERE size = $49 AND hash = $50";

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Where the log stood when the group began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stood {
    pub(super) size: u64,
    pub(super) hash: Digest,
}

/// One table's values by column.
#[derive(Default)]
struct Entries<'g> {
    seq: Vec<i64>,
    hash: Vec<&'g [u8]>,
    kind: Vec<&'g str>,
    subject: Vec<&'g str>,
    tenant: Vec<&'g str>,
    time: Vec<i64>,
    bytes: Vec<&'g [u8]>,
    input_salt: Vec<Option<&'g [u8]>>,
    input: Vec<Option<&'g [u8]>>,
    record_salt: Vec<Option<&'g [u8]>>,
    record: Vec<Option<&'g [u8]>>,
}

#[derive(Default)]
struct Decisions<'g> {
    seq: Vec<i64>,
    id: Vec<&'g str>,
    tenant: Vec<&'g str>,
    system: Vec<Option<&'g str>>,
    environment: Vec<&'g str>,
    kind: Vec<&'g str>,
    verdict: Vec<&'g str>,
    reason: Vec<&'g str>,
    risk_score: Vec<f64>,
    confidence: Vec<f64>,
    occurred_at: Vec<i64>,
    rules_as_of: Vec<i64>,
    received_at: Vec<i64>,
    decided_at: Vec<i64>,
    snapshot: Vec<&'g [u8]>,
    kill_switch: Vec<i64>,
    idempotency_key: Vec<Option<&'g str>>,
    body_hash: Vec<Option<&'g [u8]>>,
}

#[derive(Default)]
struct Effects<'g> {
    seq: Vec<i64>,
    n: Vec<i64>,
    tenant: Vec<&'g str>,
    binding: Vec<&'g str>,
    kind: Vec<&'g str>,
    body: Vec<&'g [u8]>,
    time: Vec<i64>,
}

#[derive(Default)]
struct Subjects<'g> {
    tenant: Vec<&'g str>,
    subject: Vec<&'g str>,
    seq: Vec<i64>,
}

#[derive(Default)]
struct Tiles<'g> {
    level: Vec<i32>,
    idx: Vec<i64>,
    hashes: Vec<&'g [u8]>,
    root: Vec<Vec<u8>>,
}

/// Adds everything of a group and moves the head to where it ends. On an error the transaction is of no more use.
pub(super) async fn group(
    connection: &mut PgConnection,
    changes: &[NewEntry],
    decisions: &[(NewEntry, SealedDecision)],
    tiles: &[Tile],
    from: Stood,
    to: (&Head, u64),
) -> Result<(), StoreError> {
    let mut added = Entries::default();
    let (mut decided, mut planned, mut named, mut filled) =
        (Decisions::default(), Effects::default(), Subjects::default(), Tiles::default());
    for entry in changes.iter().chain(decisions.iter().map(|(entry, _)| entry)) {
        added.add(entry);
    }
    for (entry, decision) in decisions {
        decided.add(entry, decision);
        planned.add(entry, decision);
        named.add(entry, decision);
    }
    for tile in tiles {
        filled.add(tile)?;
    }
    let (head, halt_epoch) = to;
    let query = filled.bind(named.bind(planned.bind(decided.bind(added.bind(sqlx::query(GROUP))))));
    let query = query.bind(int(head.size())).bind(head.root().as_bytes().to_vec());
    let query = query.bind(head.hash().as_bytes().to_vec()).bind(int(head.time().as_millis())).bind(int(halt_epoch));
    let query = query.bind(int(from.size)).bind(from.hash.as_bytes().to_vec());
    let moved = query.execute(connection).await.map_err(storage("adding a group"))?;
    if moved.rows_affected() == 1 {
        return Ok(());
    }
    let detail = format!("the head isn't at {} any more ({}): another host was first", from.size, from.hash);
    Err(StoreError::Storage { action: "moving the head", detail })
}

impl<'g> Entries<'g> {
    fn bind(self, query: Query) -> Query {
        let query = query.bind(self.seq).bind(self.hash).bind(self.kind).bind(self.subject).bind(self.tenant);
        let query = query.bind(self.time).bind(self.bytes).bind(self.input_salt).bind(self.input);
        query.bind(self.record_salt).bind(self.record)
    }

    fn add(&mut self, entry: &'g NewEntry) {
        let part = |part: &'g Option<(assize_ledger::Salt, Vec<u8>)>| {
            part.as_ref().map(|(salt, bytes)| (salt.as_bytes().as_slice(), bytes.as_slice())).unzip()
        };
        let (input_salt, input) = part(&entry.payload.input);
        let (record_salt, record) = part(&entry.payload.record);
        self.seq.push(int(entry.sealed.seq));
        self.hash.push(entry.sealed.hash.as_bytes());
        self.kind.push(&entry.kind);
        self.subject.push(&entry.subject);
        self.tenant.push(&entry.tenant);
        self.time.push(int(entry.sealed.time.as_millis()));
        self.bytes.push(&entry.sealed.bytes);
        self.input_salt.push(input_salt);
        self.input.push(input);
        self.record_salt.push(record_salt);
        self.record.push(record);
    }
}

impl<'g> Decisions<'g> {
    fn bind(self, query: Query) -> Query {
        let query = query.bind(self.seq).bind(self.id).bind(self.tenant).bind(self.system).bind(self.environment);
        let query = query.bind(self.kind).bind(self.verdict).bind(self.reason).bind(self.risk_score);
        let query = query.bind(self.confidence).bind(self.occurred_at).bind(self.rules_as_of).bind(self.received_at);
        let query = query.bind(self.decided_at).bind(self.snapshot).bind(self.kill_switch);
        query.bind(self.idempotency_key).bind(self.body_hash)
    }

    fn add(&mut self, entry: &'g NewEntry, decision: &'g SealedDecision) {
        let facts = &decision.facts;
        let idempotency = decision.idempotency.as_ref();
        self.seq.push(int(entry.sealed.seq));
        self.id.push(&entry.subject);
        self.tenant.push(&entry.tenant);
        self.system.push(facts.system.as_deref());
        self.environment.push(&facts.environment);
        self.kind.push(&decision.kind);
        self.verdict.push(&facts.verdict);
        self.reason.push(&facts.reason);
        self.risk_score.push(facts.risk_score);
        self.confidence.push(facts.confidence);
        self.occurred_at.push(int(facts.occurred_at.as_millis()));
        self.rules_as_of.push(int(facts.rules_as_of.as_millis()));
        self.received_at.push(int(decision.received_at.as_millis()));
        self.decided_at.push(int(decision.decided_at.as_millis()));
        self.snapshot.push(facts.snapshot.as_bytes());
        self.kill_switch.push(facts.kill_switch.into());
        self.idempotency_key.push(idempotency.map(|same| same.key.as_str()));
        self.body_hash.push(idempotency.map(|same| same.body_hash.as_bytes().as_slice()));
    }
}

impl<'g> Effects<'g> {
    fn bind(self, query: Query) -> Query {
        let query = query.bind(self.seq).bind(self.n).bind(self.tenant).bind(self.binding).bind(self.kind);
        query.bind(self.body).bind(self.time)
    }

    fn add(&mut self, entry: &'g NewEntry, decision: &'g SealedDecision) {
        for (n, effect) in (0..).zip(&decision.effects) {
            self.seq.push(int(entry.sealed.seq));
            self.n.push(n);
            self.tenant.push(&entry.tenant);
            self.binding.push(&effect.binding);
            self.kind.push(&effect.kind);
            self.body.push(&effect.body);
            self.time.push(int(entry.sealed.time.as_millis()));
        }
    }
}

impl<'g> Subjects<'g> {
    fn bind(self, query: Query) -> Query {
        query.bind(self.tenant).bind(self.subject).bind(self.seq)
    }

    fn add(&mut self, entry: &'g NewEntry, decision: &'g SealedDecision) {
        if let Some(subject) = &decision.data_subject {
            self.tenant.push(&entry.tenant);
            self.subject.push(subject);
            self.seq.push(int(entry.sealed.seq));
        }
    }
}

impl<'g> Tiles<'g> {
    fn bind(self, query: Query) -> Query {
        query.bind(self.level).bind(self.idx).bind(self.hashes).bind(self.root)
    }

    fn add(&mut self, tile: &'g Tile) -> Result<(), StoreError> {
        let corrupt = |error: assize_ledger::TreeError| StoreError::Corrupt {
            record: format!("tile {}/{}", tile.id.level, tile.id.index),
            detail: error.to_string(),
        };
        self.root.push(tile.root().map_err(corrupt)?.as_bytes().to_vec());
        self.level.push(tile.id.level.into());
        self.idx.push(int(tile.id.index));
        self.hashes.push(&tile.hashes);
        Ok(())
    }
}
