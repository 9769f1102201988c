//! The database file behind the host's back: to look at what is really there, and to alter it as an intruder would.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::runtime::Runtime;

use crate::payload;

/// An open database file.
pub struct Database {
    runtime: Runtime,
    /// None only while it is dropped.
    connection: Option<SqliteConnection>,
    /// What keeps rows from being changed: out of the way for as long as this is open, and back in place after.
    triggers: Vec<String>,
}

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number, by its bits.
    Real(u64),
    /// Text, which an intruder may have made invalid.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What keeps the rows of a table from being changed.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The name of the trigger.
    pub name: String,
    sql: String,
}

/// A row: its cells in the order of its table's columns.
pub type Cells = Vec<Cell>;

/// A table and its columns.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns' names, in order.
    pub columns: Vec<String>,
    /// Which of them are its primary key.
    key: Vec<usize>,
}

impl Database {
    /// Opens a file that no server has open.
    pub fn open(file: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).disable_statement_logging();
        let connection = runtime.block_on(options.connect()).unwrap();
        let mut database = Self { runtime, connection: Some(connection), triggers: Vec::new() };
        // A damaged file may have none that can be read.
        let triggers = database.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap_or_default();
        for trigger in triggers {
            let name: String = trigger.get(0);
            if database.try_execute(&format!("DROP TRIGGER {name}")).is_ok() {
                database.triggers.push(trigger.get(1));
            }
        }
        database
    }

    /// Opens a file that a host has open. What keeps rows from being changed stays in place.
    pub fn beside(file: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // An intruder need not wait for the disk.
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).disable_statement_logging();
        let options = options.synchronous(SqliteSynchronous::Off);
        let connection = runtime.block_on(options.connect()).unwrap();
        Self { runtime, connection: Some(connection), triggers: Vec::new() }
    }

    /// Takes away what keeps a table's rows from being changed; [`Database::guard`] puts it back.
    pub fn unguard(&mut self, table: &Table) -> Guard {
        let name = format!("{}_keep_update", table.name);
        let rows = self.rows(&format!("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = '{name}'"));
        let sql = rows.unwrap()[0].get(0);
        self.execute(&format!("DROP TRIGGER {name}"));
        Guard { name, sql }
    }

    /// Puts it back.
    pub fn guard(&mut self, guard: &Guard) {
        self.execute(&guard.sql);
    }

    /// The row with the key of this one, as it is stored; none if there is none.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub fn stored(&mut self, table: &Table, row: &[Cell]) -> Result<Option<Cells>, sqlx::Error> {
        Ok(self.select(table, &format!("WHERE {}", table.only(row)), "")?.pop())
    }

    /// Executes a statement; gives the number of rows that it changed.
    pub fn execute(&mut self, statement: &str) -> u64 {
        self.try_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// As [`Database::execute`], where a constraint may object.
    ///
    /// # Errors
    /// What the database says.
    pub fn try_execute(&mut self, statement: &str) -> Result<u64, sqlx::Error> {
        let connection = self.connection.as_mut().expect("open");
        let done = self.runtime.block_on(sqlx::query(AssertSqlSafe(statement)).execute(connection))?;
        Ok(done.rows_affected())
    }

    /// The rows of a query, each column as text.
    pub fn texts(&mut self, query: &str) -> Vec<Vec<String>> {
        let rows = self.rows(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.iter().map(|row| (0..row.len()).map(|n| row.get(n)).collect()).collect()
    }

    fn rows(&mut self, query: &str) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let connection = self.connection.as_mut().expect("open");
        self.runtime.block_on(sqlx::query(AssertSqlSafe(query)).fetch_all(connection))
    }

    /// All tables but the database's own and the migrations'.
    pub fn tables(&mut self) -> Vec<Table> {
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' \
                     AND name NOT LIKE 'sqlite%' ORDER BY name";
        let names: Vec<String> = self.rows(names).unwrap().iter().map(|row| row.get(0)).collect();
        names.into_iter().map(|name| self.table(&name)).collect()
    }

    /// One table.
    pub fn table(&mut self, name: &str) -> Table {
        let rows = self.rows(&format!("SELECT name, pk FROM pragma_table_info('{name}') ORDER BY cid")).unwrap();
        let columns: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let key = (0..rows.len()).filter(|&n| rows[n].get::<i64, _>(1) > 0).collect();
        Table { name: name.to_owned(), columns, key }
    }

    /// How many rows a table has.
    pub fn count(&mut self, table: &Table) -> usize {
        let rows = self.rows(&format!("SELECT count(*) FROM {}", table.name)).unwrap();
        usize::try_from(rows[0].get::<i64, _>(0)).unwrap()
    }

    /// All rows of a table, in the order of its key.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub fn all(&mut self, table: &Table) -> Result<Vec<Cells>, sqlx::Error> {
        self.select(table, "", "")
    }

    /// The n-th row of a table, in the order of its key.
    pub fn nth(&mut self, table: &Table, n: usize) -> Cells {
        self.select(table, "", &format!("LIMIT 1 OFFSET {n}")).unwrap().remove(0)
    }

    fn select(&mut self, table: &Table, only: &str, rest: &str) -> Result<Vec<Cells>, sqlx::Error> {
        // Text as bytes: it may not be UTF-8 any more.
        let cell = |name: &String| {
            format!("typeof({name}), CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END")
        };
        let cells: Vec<String> = table.columns.iter().map(cell).collect();
        let key: Vec<&str> = table.key.iter().map(|&n| table.columns[n].as_str()).collect();
        let query =
            format!("SELECT {} FROM {} {only} ORDER BY {} {rest}", cells.join(", "), table.name, key.join(", "));
        let rows = self.rows(&query)?;
        Ok(rows.iter().map(|row| (0..table.columns.len()).map(|n| cell_at(row, 2 * n)).collect()).collect())
    }

    /// Replaces one cell of a row.
    ///
    /// # Errors
    /// Where a constraint of the table objects.
    pub fn replace(&mut self, table: &Table, row: &[Cell], column: usize, cell: &Cell) -> Result<u64, sqlx::Error> {
        let name = &table.columns[column];
        self.try_execute(&format!("UPDATE {} SET {name} = {} WHERE {}", table.name, cell.literal(), table.only(row)))
    }

    /// The payload that an entry binds, `input` or `record`, as it was before it was packed.
    pub fn payload(&mut self, seq: u64, column: &str) -> Vec<u8> {
        payload::unpacked(&self.packed(seq, column))
    }

    /// As [`Database::payload`], the bytes that are on the disk.
    pub fn packed(&mut self, seq: u64, column: &str) -> Vec<u8> {
        self.rows(&format!("SELECT {column} FROM sealed WHERE seq = {seq}")).unwrap()[0].get(0)
    }

    /// Replaces a text in the record of a decision, and packs it as if nothing had happened.
    pub fn forge_record(&mut self, seq: u64, from: &str, to: &str) {
        let record = String::from_utf8(self.payload(seq, "record")).unwrap();
        let forged = record.replace(from, to);
        assert_ne!(forged, record, "{record}");
        let packed = Cell::Blob(payload::packed(forged.as_bytes()));
        let statement = format!("UPDATE sealed SET record = {} WHERE seq = {seq}", packed.literal());
        assert_eq!(self.execute(&statement), 1);
    }

    /// Deletes a row.
    pub fn delete(&mut self, table: &Table, row: &[Cell]) -> u64 {
        self.execute(&format!("DELETE FROM {} WHERE {}", table.name, table.only(row)))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for trigger in std::mem::take(&mut self.triggers) {
            drop(self.try_execute(&trigger));
        }
        if let Some(connection) = self.connection.take() {
            // Closed properly, so that its write-ahead log is gone.
            drop(self.runtime.block_on(connection.close()));
        }
    }
}

impl Table {
    /// The position of a column.
    pub fn column(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    /// The condition that selects a row by its key.
    fn only(&self, row: &[Cell]) -> String {
        let parts: Vec<String> =
            self.key.iter().map(|&n| format!("{} = {}", self.columns[n], row[n].literal())).collect();
        parts.join(" AND ")
    }
}

impl Cell {
    /// As SQL writes it.
    fn literal(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Real(bits) => format!("{:e}", f64::from_bits(*bits)),
            Self::Text(bytes) => format!("CAST(x'{}' AS TEXT)", hex(bytes)),
            Self::Blob(bytes) => format!("x'{}'", hex(bytes)),
        }
    }
}

fn cell_at(row: &SqliteRow, at: usize) -> Cell {
    let kind: String = row.get(at);
    match kind.as_str() {
        "null" => Cell::Null,
        "integer" => Cell::Integer(row.get_unchecked(at + 1)),
        "real" => Cell::Real(row.get_unchecked::<f64, _>(at + 1).to_bits()),
        "text" => Cell::Text(row.get_unchecked(at + 1)),
        _ => Cell::Blob(row.get_unchecked(at + 1)),
    }
}
