//! The same in PostgreSQL, by a superuser who takes a table's guard away.

use std::time::Instant;

use assize_store::Store;
use assize_tests::{Dice, assize};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::runtime::Runtime;

use super::{Host, Tally, flips, named};
use crate::postgres::Server as Postgres;
use crate::tampering::names;

/// A table as PostgreSQL has it.
struct Table {
    name: String,
    /// Each with its type.
    columns: Vec<(String, String)>,
    key: Vec<usize>,
    /// Triggers that keep a row as it is.
    guards: Vec<String>,
    /// Each value as text; bytes in hexadecimal.
    rows: Vec<Vec<Option<String>>>,
}

async fn texts(db: &mut PgConnection, sql: String) -> Vec<Vec<Option<String>>> {
    let rows = db.fetch_all(AssertSqlSafe(sql)).await.unwrap();
    rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
}

impl Table {
    async fn all(db: &mut PgConnection) -> Vec<Self> {
        let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                   AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '_sqlx_migrations' ORDER BY 1";
        let mut tables = Vec::new();
        for name in texts(db, sql.to_owned()).await {
            tables.push(Self::read(db, name[0].as_ref().unwrap()).await);
        }
        tables
    }

    async fn read(db: &mut PgConnection, name: &str) -> Self {
        let first = |rows: Vec<Vec<Option<String>>>| rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect();
        let columns = format!(
            "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
             WHERE attrelid = '{name}'::regclass AND attnum > 0 ORDER BY attnum"
        );
        let columns: Vec<(String, String)> = texts(db, columns)
            .await
            .into_iter()
            .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
            .collect();
        let key = format!(
            "SELECT (unnest(indkey) - 1)::text FROM pg_index WHERE indrelid = '{name}'::regclass AND indisprimary"
        );
        let key: Vec<String> = first(texts(db, key).await);
        let guards = format!(
            "SELECT tgname::text FROM pg_trigger WHERE tgrelid = '{name}'::regclass AND NOT tgisinternal \
             AND tgname <> 'keep_table' AND tgname <> 'erase'"
        );
        let guards = first(texts(db, guards).await);
        let cells: Vec<String> = columns.iter().map(|(column, _)| format!("{column}::text")).collect();
        let rows = texts(db, format!("SELECT {} FROM {name}", cells.join(", "))).await;
        let key = key.iter().map(|place| place.parse().unwrap()).collect();
        Self { name: name.to_owned(), columns, key, guards, rows }
    }

    /// Replaces a value without the guard, which is back in place after, in one transaction.
    async fn alter(
        &self,
        db: &mut PgConnection,
        row: &[Option<String>],
        column: usize,
        value: &str,
    ) -> Result<u64, sqlx::Error> {
        let literal = |at: usize, value: &str| format!("'{}'::{}", value.replace('\'', "''"), self.columns[at].1);
        let only: Vec<String> = self
            .key
            .iter()
            .map(|&at| format!("{} = {}", self.columns[at].0, literal(at, row[at].as_ref().unwrap())))
            .collect();
        let switch = |how: &str| {
            let each = self.guards.iter().map(|guard| format!("ALTER TABLE {} {how} TRIGGER {guard};", self.name));
            each.collect::<Vec<_>>().concat()
        };
        let set = format!("{} = {}", self.columns[column].0, literal(column, value));
        let update = format!("UPDATE {} SET {set} WHERE {};", self.name, only.join(" AND "));
        let sql = [switch("DISABLE"), update, switch("ENABLE ALWAYS")].concat();
        // Statements that are sent together are one transaction.
        Ok(db.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?.rows_affected())
    }
}

/// The value with one bit flipped; none where that can't be stored as its type.
fn flipped(value: &str, kind: &str, dice: &mut Dice) -> Option<String> {
    let mut flip = |mut bytes: Vec<u8>| -> Option<Vec<u8>> {
        if bytes.is_empty() {
            return None;
        }
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        Some(bytes)
    };
    match kind {
        "bytea" => Some(format!("\\x{}", hex::encode(flip(hex::decode(value.strip_prefix("\\x")?).unwrap())?))),
        "text" => String::from_utf8(flip(value.as_bytes().to_vec())?).ok().filter(|text| !text.contains('\0')),
        "bigint" => {
            let bytes = flip(value.parse::<i64>().unwrap().to_be_bytes().to_vec())?;
            Some(i64::from_be_bytes(bytes.try_into().unwrap()).to_string())
        }
        "integer" => {
            let bytes = flip(value.parse::<i32>().unwrap().to_be_bytes().to_vec())?;
            Some(i32::from_be_bytes(bytes.try_into().unwrap()).to_string())
        }
        "double precision" => {
            let bytes = flip(value.parse::<f64>().unwrap().to_be_bytes().to_vec())?;
            Some(format!("{:e}", f64::from_be_bytes(bytes.try_into().unwrap())))
        }
        "boolean" => Some(if value == "true" { "false" } else { "true" }.to_owned()),
        other => panic!("a column of type {other}"),
    }
}

#[test]
fn bits_flipped_beside_a_host_on_postgresql_are_found() {
    // No test of ours pulls the plug.
    let Some(server) = Postgres::start(&["fsync=off"]) else { return };
    let url = server.database();
    let host = Host::start(&["--database", &url]);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(values(&host, &url, flips(2_000)));
    host.goes_on();
    let report = assize(&["ledger", "verify", "--json", "--database", &url]).expect(0).json();
    assert_eq!(report["faults"]["count"], 0, "{report}");
}

async fn values(host: &Host, url: &str, flips: u32) {
    let (begun, mut tally, mut dice) = (Instant::now(), Tally::default(), Dice::new());
    let mut db = PgConnection::connect(url).await.unwrap();
    let tables = Table::all(&mut db).await;
    assert!(tables.len() >= 26 && tables.iter().all(|table| !table.rows.is_empty() && !table.guards.is_empty()));
    let columns: Vec<(usize, usize)> =
        tables.iter().enumerate().flat_map(|(at, table)| (0..table.columns.len()).map(move |n| (at, n))).collect();
    let reader = Store::open_postgres_read_only(url).await.unwrap();
    let untouched = reader.verify(host.options(), |_| {}).await.unwrap();
    assert!(untouched.is_sound(), "{untouched:?}");
    while tally.found() < flips {
        let (at, column) = *dice.one_of(&columns);
        let table = &tables[at];
        let row = dice.one_of(&table.rows);
        let (name, kind) = &table.columns[column];
        let cell =
            |name: &str| row[table.columns.iter().position(|(column, _)| column == name).unwrap()].clone().unwrap();
        if host.would_mend(&table.name, name, cell) {
            continue;
        }
        let Some(altered) = row[column].as_ref().and_then(|value| flipped(value, kind, &mut dice)) else { continue };
        // A constraint may object: then it can't happen this way.
        if table.alter(&mut db, row, column, &altered).await.is_err() {
            continue;
        }
        let mut now = row.clone();
        now[column] = Some(altered);
        let what = || format!("{}.{}: {:?} became {:?}", table.name, table.columns[column].0, row[column], now[column]);
        let report = reader.verify(host.options(), |_| {}).await.unwrap();
        assert!(report.faults.count > 0, "not found: {}", what());
        let called = |row: &[Option<String>]| {
            let text = |name: &str| {
                let at = table.columns.iter().position(|(column, _)| column == name).unwrap();
                let value = row[at].clone().unwrap();
                value.strip_prefix("\\x").map(str::to_owned).unwrap_or(value)
            };
            if table.name == "head" { vec!["the head".to_owned()] } else { names(&table.name, text) }
        };
        assert!(named(&report.faults, &[called(row), called(&now)].concat()), "{}: {:?}", what(), report.faults);
        assert_eq!(table.alter(&mut db, &now, column, row[column].as_ref().unwrap()).await.unwrap(), 1, "{}", what());
        *tally.found.entry(table.name.clone()).or_default() += 1;
    }
    let after = reader.verify(host.options(), |_| {}).await.unwrap();
    assert!(after.is_sound() && after.root == untouched.root, "{after:?}");
    reader.close().await;
    db.close().await.unwrap();
    tally.tell("values in PostgreSQL", begun);
}
