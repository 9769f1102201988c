//! Whatever bit is flipped in a file, the check names the record and the field.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::cell::Cell;
use std::path::Path;

use assize_ledger::Report;
use assize_store::{Store, VerifyOptions};
use common::ORIGIN;
use common::database::intrude;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions as _, Connection as _, Decode, Row as _, Sqlite, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};

const TABLES: [&str; 30] = [
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
    "simulations",
    "roll_backs",
    "namespaces",
    "publisher_keys",
    "publisher_key_revocations",
    "signatures",
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
