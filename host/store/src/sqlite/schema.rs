//! Whether the file is a database as `SQLite` and this version make it.

use std::collections::{BTreeMap, HashSet};

use assize_ledger::{Fault, Report};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::OnceCell;

use super::open::migrate;
use crate::StoreError;
use crate::db::{On, Pool, Row, query, query_scalar, storage};

const SCHEMA: &str = "SELECT type || ' ' || name, tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema \
                      ORDER BY type, name";

pub(crate) async fn check(pool: &Pool, report: &mut Report) {
    match query_scalar::<String>("PRAGMA integrity_check(100)").fetch_all(pool).await {
        Ok(lines) => {
            for line in lines.iter().filter(|line| *line != "ok") {
                report.faults.push(Fault::new(None, "database", "integrity_check", line, "ok"));
            }
        }
        Err(error) => report.faults.push(Fault::new(None, "database", "integrity_check", error, "ok")),
    }
    let (found, expected) = match (schema(pool.into()).await, pristine().await) {
        (Ok(found), Ok(expected)) => (found, expected),
        (found, expected) => {
            for error in [found.err(), expected.err()].into_iter().flatten() {
                report.faults.push(Fault::new(None, "database", "schema", error, "a readable schema"));
            }
            return;
        }
    };
    for name in found.keys().chain(expected.keys()).collect::<HashSet<_>>() {
        let (found, expected) = (found.get(name), expected.get(name));
        if found != expected {
            let text = |sql: Option<&String>| sql.map_or("nothing".to_owned(), |sql| sql.trim().to_owned());
            let name = format_args!("schema of {name}");
            report.faults.push(Fault::new(None, "database", name, text(found), text(expected)));
        }
    }
}

/// What the database says of its tables, by name.
async fn schema(on: On<'_>) -> Result<BTreeMap<String, String>, StoreError> {
    let failed = storage("reading the schema");
    let rows = query(SCHEMA).fetch_all(on).await.map_err(&failed)?;
    let pair = |row: &Row| Ok((row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?));
    rows.iter().map(pair).collect()
}

/// The schema that the migrations make: the same for as long as this program runs.
async fn pristine() -> Result<&'static BTreeMap<String, String>, StoreError> {
    static MADE: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();
    MADE.get_or_try_init(make).await
}

async fn make() -> Result<BTreeMap<String, String>, StoreError> {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let mut connection = options.connect().await.map_err(storage("making a schema to compare with"))?;
    migrate(&mut connection).await?;
    schema((&mut connection).into()).await
}
