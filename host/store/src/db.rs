//! Asking a database, whichever it is: a statement is written once, with `?` or `?2` where a value goes, and a row comes
//! back as [`Cell`]s. Beyond this page only what a database does in its own way knows which one it is.

use std::fmt::Write as _;
use std::marker::PhantomData;

use futures::future::BoxFuture;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{
    AssertSqlSafe, Decode, PgConnection, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};

use crate::StoreError;
use crate::record::Cell;

/// Connections that read.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// What a statement is executed on.
pub(crate) enum On<'c> {
    Pool(&'c Pool),
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A statement with its values.
pub(crate) struct Query {
    sql: SqlStr,
    values: Vec<Value>,
}

/// A statement whose rows are read for their first column.
pub(crate) struct Scalar<T> {
    query: Query,
    column: PhantomData<fn() -> T>,
}

/// What goes into a statement. PostgreSQL must know the type of what is missing, too.
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

/// A row as it was read, whatever has become of it.
pub(crate) struct Row(Vec<Cell>);

/// A column as a type of ours.
pub(crate) trait FromCell<'r>: Sized {
    fn from_cell(cell: &'r Cell) -> Option<Self>;
}

pub(crate) fn query(sql: impl SqlSafeStr) -> Query {
    Query { sql: sql.into_sql_str(), values: Vec::new() }
}

pub(crate) fn query_scalar<T>(sql: impl SqlSafeStr) -> Scalar<T> {
    Scalar { query: query(sql), column: PhantomData }
}

impl Pool {
    pub(crate) fn close(&self) -> BoxFuture<'_, ()> {
        match self {
            Self::Sqlite(pool) => Box::pin(pool.close()),
            Self::Postgres(pool) => Box::pin(pool.close()),
        }
    }
}

impl Query {
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(crate) async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> Result<Vec<Row>, sqlx::Error> {
        self.rows(on.into()).await
    }

    /// In a box, so that what a driver does is compiled here, and not once more by everybody who waits for it.
    fn rows(self, on: On<'_>) -> BoxFuture<'_, Result<Vec<Row>, sqlx::Error>> {
        Box::pin(async move {
            match on {
                On::Pool(Pool::Sqlite(pool)) => self.sqlite().fetch_all(pool).await.map(Row::of_sqlite),
                On::Sqlite(connection) => self.sqlite().fetch_all(connection).await.map(Row::of_sqlite),
                On::Pool(Pool::Postgres(pool)) => self.postgres().fetch_all(pool).await.map(Row::of_postgres),
                On::Postgres(connection) => self.postgres().fetch_all(connection).await.map(Row::of_postgres),
            }
        })
    }

    pub(crate) async fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }

    pub(crate) async fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> Result<Row, sqlx::Error> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }

    pub(crate) async fn execute<'c>(self, on: impl Into<On<'c>>) -> Result<(), sqlx::Error> {
        self.done(on.into()).await
    }

    /// In a box, as [`Query::rows`].
    fn done(self, on: On<'_>) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(async move {
            match on {
                On::Pool(Pool::Sqlite(pool)) => self.sqlite().execute(pool).await.map(drop),
                On::Sqlite(connection) => self.sqlite().execute(connection).await.map(drop),
                On::Pool(Pool::Postgres(pool)) => self.postgres().execute(pool).await.map(drop),
                On::Postgres(connection) => self.postgres().execute(connection).await.map(drop),
            }
        })
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Int(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Blob(bytes) => query.bind(bytes),
        })
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments> {
        let sql = AssertSqlSafe(numbered(self.sql.as_str()));
        self.values.into_iter().fold(sqlx::query(sql), |query, value| match value {
            Value::Int(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Blob(bytes) => query.bind(bytes),
        })
    }
}

impl<T: for<'r> FromCell<'r>> Scalar<T> {
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.query = self.query.bind(value);
        self
    }

    pub(crate) async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> Result<Vec<T>, sqlx::Error> {
        self.query.fetch_all(on).await?.iter().map(|row| row.try_get(0)).collect()
    }

    pub(crate) async fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> Result<Option<T>, sqlx::Error> {
        self.query.fetch_optional(on).await?.map(|row| row.try_get(0)).transpose()
    }

    pub(crate) async fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> Result<T, sqlx::Error> {
        self.query.fetch_one(on).await?.try_get(0)
    }
}

/// `?` and `?2` as PostgreSQL writes them. No text in a statement of ours holds a question mark.
fn numbered(sql: &str) -> String {
    let mut written = String::with_capacity(sql.len() + 16);
    let (mut parts, mut last) = (sql.split('?'), 0);
    written.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = part.strip_suffix(rest).and_then(|number| number.parse().ok());
        let number: usize = number.unwrap_or(last + 1);
        last = last.max(number);
        // Writing to a String can't fail.
        let _ = write!(written, "${number}{rest}");
    }
    written
}

impl Row {
    /// A column by its place.
    pub(crate) fn try_get<'r, T: FromCell<'r>>(&'r self, at: usize) -> Result<T, sqlx::Error> {
        let cell = self.0.get(at).ok_or(sqlx::Error::ColumnIndexOutOfBounds { index: at, len: self.0.len() })?;
        let other = || format!("{cell} can't be read as {}", std::any::type_name::<T>());
        T::from_cell(cell).ok_or_else(|| sqlx::Error::ColumnDecode { index: at.to_string(), source: other().into() })
    }

    pub(crate) fn into_cells(self) -> Vec<Cell> {
        self.0
    }

    fn of_sqlite(rows: Vec<SqliteRow>) -> Vec<Self> {
        let row = |row: SqliteRow| Self((0..row.len()).map(|at| of_sqlite(&row, at).unwrap_or(Cell::Null)).collect());
        rows.into_iter().map(row).collect()
    }

    fn of_postgres(rows: Vec<PgRow>) -> Vec<Self> {
        let row = |row: PgRow| Self((0..row.len()).map(|at| of_postgres(&row, at).unwrap_or(Cell::Null)).collect());
        rows.into_iter().map(row).collect()
    }
}

/// What a value is, of the types that columns have.
enum Sort {
    Int,
    Real,
    Text,
    Blob,
}

fn of_sqlite(row: &SqliteRow, at: usize) -> Option<Cell> {
    let value = row.try_get_raw(at).ok()?;
    if value.is_null() {
        return Some(Cell::Null);
    }
    let sort = match value.type_info().name() {
        "INTEGER" => Sort::Int,
        "REAL" => Sort::Real,
        "TEXT" => Sort::Text,
        _ => Sort::Blob,
    };
    Some(match sort {
        Sort::Int => Cell::Int(<i64 as Decode<Sqlite>>::decode(value).ok()?),
        Sort::Real => Cell::Real(<f64 as Decode<Sqlite>>::decode(value).ok()?),
        Sort::Text => text(<Vec<u8> as Decode<Sqlite>>::decode(value).ok()?),
        Sort::Blob => Cell::Blob(<Vec<u8> as Decode<Sqlite>>::decode(value).ok()?),
    })
}

fn of_postgres(row: &PgRow, at: usize) -> Option<Cell> {
    let value = row.try_get_raw(at).ok()?;
    if value.is_null() {
        return Some(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    Some(match kind.as_str() {
        "INT8" => Cell::Int(<i64 as Decode<Postgres>>::decode(value).ok()?),
        "INT4" => Cell::Int(<i32 as Decode<Postgres>>::decode(value).ok()?.into()),
        "BOOL" => Cell::Int(<bool as Decode<Postgres>>::decode(value).ok()?.into()),
        "FLOAT8" => Cell::Real(<f64 as Decode<Postgres>>::decode(value).ok()?),
        "BYTEA" => Cell::Blob(<Vec<u8> as Decode<Postgres>>::decode(value).ok()?),
        _ => text(value.as_bytes().ok()?.to_vec()),
    })
}

fn text(bytes: Vec<u8>) -> Cell {
    String::from_utf8(bytes).map_or_else(|error| Cell::Broken(error.into_bytes()), Cell::Text)
}

impl<'r> FromCell<'r> for i64 {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        if let Cell::Int(number) = cell { Some(*number) } else { None }
    }
}

impl<'r> FromCell<'r> for bool {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl<'r> FromCell<'r> for f64 {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        if let Cell::Real(number) = cell { Some(*number) } else { None }
    }
}

impl<'r> FromCell<'r> for String {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        if let Cell::Text(text) = cell { Some(text.clone()) } else { None }
    }
}

impl<'r> FromCell<'r> for &'r [u8] {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        if let Cell::Blob(bytes) = cell { Some(bytes) } else { None }
    }
}

impl<'r> FromCell<'r> for Vec<u8> {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        <&[u8]>::from_cell(cell).map(<[u8]>::to_vec)
    }
}

impl<'r, T: FromCell<'r>> FromCell<'r> for Option<T> {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        if *cell == Cell::Null { Some(None) } else { T::from_cell(cell).map(Some) }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(Some(bytes))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            // Only columns of text may be empty.
            Cell::Null => Self::Text(None),
            Cell::Int(number) => number.into(),
            Cell::Real(number) => Self::Real(Some(number)),
            Cell::Text(text) => text.into(),
            Cell::Blob(bytes) | Cell::Broken(bytes) => bytes.into(),
        }
    }
}

impl<'c> From<&'c Pool> for On<'c> {
    fn from(pool: &'c Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'c> From<&'c mut SqliteConnection> for On<'c> {
    fn from(connection: &'c mut SqliteConnection) -> Self {
        Self::Sqlite(connection)
    }
}

impl<'c> From<&'c mut PgConnection> for On<'c> {
    fn from(connection: &'c mut PgConnection) -> Self {
        Self::Postgres(connection)
    }
}

impl On<'_> {
    /// The same again, for one statement of several.
    pub(crate) fn again(&mut self) -> On<'_> {
        match self {
            Self::Pool(pool) => On::Pool(pool),
            Self::Sqlite(connection) => On::Sqlite(connection),
            Self::Postgres(connection) => On::Postgres(connection),
        }
    }
}

/// Both databases' integers are signed; no count of ours comes near the limit.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Says what was being done when the database failed.
pub(crate) fn storage(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| {
        let failure = error.as_database_error();
        if failure.is_some_and(|failure| failure.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()) {
            crate::postgres::failure(action, error)
        } else {
            crate::sqlite::failure(action, error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_as_sqlite_counts_them() {
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
        assert_eq!(numbered("a = ? AND (?2 IS NULL OR b = ?2) LIMIT ?"), "a = $1 AND ($2 IS NULL OR b = $2) LIMIT $3");
        assert_eq!(numbered("x > ? AND ?1 < y"), "x > $1 AND $1 < y");
    }
}
