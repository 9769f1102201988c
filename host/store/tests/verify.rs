//! Whatever bit is flipped, the check names the record and the field.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::cell::Cell;
use std::path::Path;

use assize_ledger::{Checkpoint, Digest, Note, Report};
use assize_store::{Store, VerifyOptions};
use common::{ORIGIN, change, publish, record};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions as _, Connection as _, Decode, Row as _, Sqlite, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};

const TABLES: [&str; 24] = [
    "entries",
    "sealed",
    "decisions",
    "effects",
    "snapshots",
    "components",
    "packages",
    "activations",
    "policies",
    "systems",
    "keys",
    "key_revocations",
    "tiles",
    "heads",
    "nodes",
    "checkpoints",
    "log_keys",
    "exports",
    "stamps",
    "cosignatures",
    "erasures",
    "erased",
    "data_subjects",
    "retentions",
];

/// A database with something in every table.
async fn fill(dir: &Path) {
    let store = Store::open(dir, ORIGIN).await.unwrap();
    common::fill(&store).await;
    store.close().await;
}

async fn verify(dir: &Path, options: VerifyOptions) -> Result<Report, assize_store::StoreError> {
    let reader = Store::open_read_only(dir).await?;
    let report = reader.verify(options, |_| {}).await;
    reader.close().await;
    report
}

async fn open(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.join("assize.db")).disable_statement_logging();
    options.connect().await.unwrap()
}

/// Executes a statement as an intruder would who knows the triggers: without them, and with them back in place after.
async fn intrude(
    db: &mut SqliteConnection,
    statement: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
) -> Result<(), sqlx::Error> {
    let triggers: Vec<(String, String)> =
        sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetch_all(&mut *db).await?;
    for (name, _) in &triggers {
        sqlx::query(AssertSqlSafe(format!("DROP TRIGGER {name}"))).execute(&mut *db).await?;
    }
    let done = statement.execute(&mut *db).await;
    for (_, sql) in triggers {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await?;
    }
    done.map(drop)
}

/// A value as bytes, with the way to put them back.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Int(i64),
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    fn of(row: &sqlx::sqlite::SqliteRow, at: usize) -> Self {
        let raw = row.try_get_raw(at).unwrap();
        if raw.is_null() {
            return Self::Null;
        }
        match raw.type_info().name().to_owned().as_str() {
            "INTEGER" => Self::Int(<i64 as Decode<Sqlite>>::decode(raw).unwrap()),
            "REAL" => Self::Real(<f64 as Decode<Sqlite>>::decode(raw).unwrap().to_bits()),
            "TEXT" => Self::Text(<Vec<u8> as Decode<Sqlite>>::decode(raw).unwrap()),
            _ => Self::Blob(<Vec<u8> as Decode<Sqlite>>::decode(raw).unwrap()),
        }
    }

    fn flipped(&self, bit: prop::sample::Index) -> Option<Self> {
        let flip = |bytes: &Vec<u8>| {
            let mut bytes = bytes.clone();
            let bit = bit.index((bytes.len() * 8).max(1));
            *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
            Some(bytes)
        };
        match self {
            Self::Null => None,
            Self::Int(number) => Some(Self::Int(number ^ 1 << bit.index(64))),
            Self::Real(bits) => Some(Self::Real(bits ^ 1 << bit.index(64))),
            Self::Text(bytes) => flip(bytes).map(Self::Text),
            Self::Blob(bytes) => flip(bytes).map(Self::Blob),
        }
    }
}

async fn update(
    db: &mut SqliteConnection,
    table: &str,
    column: &str,
    n: usize,
    value: &Value,
) -> Result<(), sqlx::Error> {
    // The row is found by its place in the order of all columns but the one that changes.
    let mark = if matches!(value, Value::Text(_)) { "CAST(? AS TEXT)" } else { "?" };
    let keys = keys(table);
    let sql = format!(
        "UPDATE {table} SET {column} = {mark} WHERE ({keys}) = (SELECT {keys} FROM {table} ORDER BY {keys} LIMIT 1 OFFSET {n})"
    );
    let query = sqlx::query(AssertSqlSafe(sql));
    let query = match value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(number) => query.bind(*number),
        Value::Real(bits) => query.bind(f64::from_bits(*bits)),
        Value::Text(bytes) | Value::Blob(bytes) => query.bind(bytes.clone()),
    };
    intrude(db, query).await
}

fn keys(table: &str) -> &'static str {
    match table {
        "effects" => "seq, n",
        "cosignatures" => "size, key",
        "data_subjects" => "tenant, subject, seq",
        "tiles" | "nodes" => "level, idx",
        _ => "rowid",
    }
}

async fn rows(db: &mut SqliteConnection, table: &str) -> Vec<sqlx::sqlite::SqliteRow> {
    let sql = format!("SELECT * FROM {table} ORDER BY {}", keys(table));
    sqlx::query(AssertSqlSafe(sql)).fetch_all(db).await.unwrap_or_default()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn an_unaltered_database_is_sound() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path()).await;
        let mut progress = Vec::new();
        let reader = Store::open_read_only(dir.path()).await.unwrap();
        let report = reader.verify(VerifyOptions::default(), |at| progress.push(at)).await.unwrap();
        assert!(report.is_sound(), "{:#?}", report.faults);
        assert_eq!((report.entries, report.decisions, report.tiles), (335, 320, 1));
        assert_eq!(report.payloads, 317 * 2 + 14);
        assert_eq!((report.checkpoints, report.checkpointed, report.keys.len()), (2, Some(335), 1));
        assert_eq!(report.origin.as_deref(), Some(ORIGIN));
        assert_eq!(report.root, Some(reader.head().await.unwrap().unwrap().root));
        assert_eq!(progress.last().map(|at| (at.done, at.total)), Some((335, 335)));

        let part = VerifyOptions { from: Some(100), to: Some(250), ..VerifyOptions::default() };
        let report = reader.verify(part, |_| {}).await.unwrap();
        assert!(report.is_sound(), "{:#?}", report.faults);
        assert_eq!((report.from, report.entries, report.root), (100, 151, None));
        assert!(report.notes[0].contains("entry 99"));

        let beyond = VerifyOptions { from: None, to: Some(335), ..VerifyOptions::default() };
        assert!(reader.verify(beyond, |_| {}).await.is_err());
    });
}

#[test]
fn a_database_is_checked_while_it_grows() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), ORIGIN).await.unwrap();
        let writer = {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..20 {
                    record(&store, n * 60, (n + 1) * 60).await;
                    let component = format!("component {n}");
                    store.change(change(None, publish(&format!("1.{n}.0"), component.as_bytes()))).await.unwrap();
                }
            })
        };
        let mut sizes = Vec::new();
        while !writer.is_finished() {
            let report = verify(dir.path(), VerifyOptions::default()).await.unwrap();
            assert!(report.is_sound(), "{:#?}", report.faults);
            sizes.push(report.entries);
        }
        writer.await.unwrap();
        let report = verify(dir.path(), VerifyOptions::default()).await.unwrap();
        assert_eq!((report.is_sound(), report.entries), (true, 1 + 20 * 61), "{sizes:?}");
    });
}

#[test]
fn a_cut_tail_shows_against_an_expected_root() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path()).await;
        let mut db = open(dir.path()).await;
        let (size, root): (i64, Vec<u8>) =
            sqlx::query_as("SELECT size, root FROM heads ORDER BY size DESC").fetch_one(&mut db).await.unwrap();
        for sql in [
            "DELETE FROM heads WHERE size > 320",
            "DELETE FROM checkpoints WHERE size > 320",
            "DELETE FROM entries WHERE seq >= 320",
            "DELETE FROM sealed WHERE seq >= 320",
            "DELETE FROM decisions WHERE seq >= 320",
            "DELETE FROM effects WHERE seq >= 320",
            "DELETE FROM data_subjects WHERE seq >= 320",
            "DELETE FROM cosignatures",
        ] {
            intrude(&mut db, sqlx::query(sql)).await.unwrap();
        }
        db.close().await.unwrap();
        assert!(verify(dir.path(), VerifyOptions::default()).await.unwrap().is_sound());
        let expected = Some((size.cast_unsigned(), Digest::try_from(root.as_slice()).unwrap()));
        let report = verify(dir.path(), VerifyOptions { expected, ..VerifyOptions::default() }).await.unwrap();
        assert_eq!(
            report.faults.first[0].to_string(),
            "head 335: size: found 320 entries, expected at least that many"
        );
        let wrong = Some((320, Digest::ZERO));
        let report = verify(dir.path(), VerifyOptions { expected: wrong, ..VerifyOptions::default() }).await.unwrap();
        assert_eq!(report.faults.first[0].field, "root");
    });
}

#[test]
fn a_missing_row_is_named() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path()).await;
        for (delete, record) in [
            ("DELETE FROM sealed WHERE seq = 50", "payload 50"),
            ("DELETE FROM entries WHERE seq = 60", "entry 60"),
            (
                "DELETE FROM effects WHERE seq = 1 AND n = 0 OR seq = 2 AND n = 0 OR seq = 3 AND n = 0",
                "effects of decision",
            ),
            ("DELETE FROM components WHERE size = 9", "component sha256:"),
            ("DELETE FROM snapshots", "snapshot sha256:"),
            ("DELETE FROM tiles", "tile 0/0"),
            ("DELETE FROM nodes", "node 1/0"),
            ("DELETE FROM log_keys", "row of log_keys"),
            ("DELETE FROM policies", "row of policies"),
            ("DELETE FROM heads WHERE size = 335", "head"),
        ] {
            let copy = tempfile::tempdir().unwrap();
            std::fs::copy(dir.path().join("assize.db"), copy.path().join("assize.db")).unwrap();
            let mut db = open(copy.path()).await;
            intrude(&mut db, sqlx::query(delete)).await.unwrap();
            db.close().await.unwrap();
            let report = verify(copy.path(), VerifyOptions::default()).await.unwrap();
            let named = report.faults.first.iter().any(|fault| fault.record.starts_with(record));
            assert!(named, "{delete}: {:#?}", report.faults);
        }
    });
}

#[test]
fn rows_are_not_changed_or_deleted_by_accident() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path()).await;
        let mut db = open(dir.path()).await;
        for table in TABLES {
            let column: String =
                sqlx::query_scalar(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
                    .fetch_one(&mut db)
                    .await
                    .unwrap();
            for sql in [format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")] {
                let said = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut db).await.unwrap_err().to_string();
                assert!(said.contains("rows are never"), "{sql}: {said}");
            }
        }
        db.close().await.unwrap();
        assert!(verify(dir.path(), VerifyOptions::default()).await.unwrap().is_sound());
    });
}

#[test]
fn an_expected_checkpoint_shows_what_was_cut_or_forked() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path()).await;
        let reader = Store::open_read_only(dir.path()).await.unwrap();
        let newest = reader.checkpoint().await.unwrap().unwrap();
        let note = Note::parse(&newest.note).unwrap();
        let expect = |note: Note| VerifyOptions { checkpoint: Some(note), ..VerifyOptions::default() };
        assert!(reader.verify(expect(note), |_| {}).await.unwrap().is_sound());
        for (size, root, key, said) in [
            (335, Digest::ZERO, common::log_key(), "head 335: root: found"),
            (500, Digest::ZERO, common::log_key(), "head 500: size: found 335 entries"),
            (
                335,
                reader.root_at(335).await.unwrap(),
                common::other_key(),
                "expected checkpoint: note: found no signature",
            ),
        ] {
            let note = Checkpoint::new(ORIGIN, size, root).sign(&key).unwrap();
            let report = reader.verify(expect(note), |_| {}).await.unwrap();
            let first = report.faults.first.first().unwrap().to_string();
            assert!(first.starts_with(said), "{first}");
        }
    });
}

/// For every column of every table: a random row, a random bit.
#[test]
fn a_bit_flipped_in_any_column_is_found_and_named() {
    let runtime = runtime();
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(fill(dir.path()));
    let db = tokio::sync::Mutex::new(runtime.block_on(open(dir.path())));
    let flips = Cell::new(0);
    for table in TABLES {
        let stored = runtime.block_on(async { rows(&mut *db.lock().await, table).await });
        assert!(!stored.is_empty(), "{table} has rows");
        let columns: Vec<String> = stored[0].columns().iter().map(|column| Column::name(column).to_owned()).collect();
        for (at, column) in columns.iter().enumerate() {
            let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
            let strategy = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
            let outcome = runner.run(&strategy, |(row, bit)| {
                let n = row.index(stored.len());
                let before = Value::of(&stored[n], at);
                let Some(after) = before.flipped(bit) else { return Ok(()) };
                let (report, restored) = runtime.block_on(async {
                    let mut db = db.lock().await;
                    // A constraint may forbid it: then it can't happen this way.
                    if update(&mut db, table, column, n, &after).await.is_err() {
                        return (None, true);
                    }
                    let now = rows(&mut db, table).await;
                    let moved =
                        now.iter().position(|row| Value::of(row, at) == after && differs_only(&stored[n], row, at));
                    let report = verify(dir.path(), VerifyOptions::default()).await.unwrap();
                    update(&mut db, table, column, moved.unwrap(), &before).await.unwrap();
                    (Some(report), rows(&mut db, table).await.len() == stored.len())
                });
                prop_assert!(restored);
                let Some(report) = report else { return Ok(()) };
                flips.set(flips.get() + 1);
                let key = columns[0].as_str() == column || keys(table).contains(column.as_str());
                let named = report.faults.first.iter().any(|fault| fault.field.contains(column.as_str()) || key);
                prop_assert!(named, "{table}.{column} row {n}: {before:?} -> {after:?}: {:#?}", report.faults);
                Ok(())
            });
            if let Err(error) = outcome {
                panic!("{error}");
            }
        }
    }
    assert!(flips.get() > 300, "{} flips", flips.get());
    assert!(runtime.block_on(verify(dir.path(), VerifyOptions::default())).unwrap().is_sound());
}

fn differs_only(one: &sqlx::sqlite::SqliteRow, other: &sqlx::sqlite::SqliteRow, at: usize) -> bool {
    (0..one.len()).all(|column| column == at || Value::of(one, column) == Value::of(other, column))
}

/// Any bit of the file: either the check finds it, or nothing that is stored reads otherwise.
#[test]
fn a_bit_flipped_in_the_file_is_found_or_changes_nothing() {
    let runtime = runtime();
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(fill(dir.path()));
    let file = std::fs::read(dir.path().join("assize.db")).unwrap();
    let contents = |dir: &Path| {
        runtime.block_on(async {
            let mut db = open(dir).await;
            let mut contents = Vec::new();
            for table in TABLES {
                for row in rows(&mut db, table).await {
                    contents.push((0..row.len()).map(|at| Value::of(&row, at)).collect::<Vec<_>>());
                }
            }
            db.close().await.unwrap();
            contents
        })
    };
    let original = contents(dir.path());
    let found = Cell::new(0);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&any::<prop::sample::Index>(), |bit| {
        let bit = bit.index(file.len() * 8);
        let mut altered = file.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("assize.db"), altered).unwrap();
        match runtime.block_on(verify(copy.path(), VerifyOptions::default())) {
            Ok(report) if report.is_sound() => prop_assert!(contents(copy.path()) == original, "bit {bit}"),
            _ => found.set(found.get() + 1),
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    println!("{} of 300 flips found; the others change nothing that is stored", found.get());
}
