//! Where a test keeps its store.

use std::sync::Arc;

use assize_store::{Options, Reader, Store, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Sqlite, SqliteConnection};

use super::ORIGIN;
use super::postgres::Server;

/// A database of its own: a file, or one of a PostgreSQL server in the tests that `postgres.rs` takes in once more.
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: Arc<Server>, url: String },
}

impl Database {
    /// None where PostgreSQL is meant and isn't installed.
    pub(crate) fn new() -> Option<Self> {
        if module_path!().starts_with("postgres::") { Self::postgres() } else { Some(Self::sqlite()) }
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Option<Self> {
        let server = Server::shared()?;
        let url = server.database();
        Some(Self::Postgres { server, url })
    }

    pub(crate) async fn open(&self) -> Store {
        self.open_with(&Options::default(), ORIGIN).await.unwrap()
    }

    pub(crate) async fn open_with(&self, options: &Options, origin: &str) -> Result<Store, StoreError> {
        match self {
            Self::Sqlite(dir) => options.open(dir.path(), origin).await,
            Self::Postgres { url, .. } => options.open_postgres(url, origin).await,
        }
    }

    /// Whether these bytes are stored anywhere: in the file, or for PostgreSQL in a payload that can be read.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sqlite(dir) => {
                let files = std::fs::read_dir(dir.path()).unwrap();
                files
                    .map(|file| std::fs::read(file.unwrap().path()).unwrap())
                    .any(|file| file.windows(bytes.len()).any(|at| at == bytes))
            }
            Self::Postgres { server, url } => {
                let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                let sql =
                    format!("SELECT count(*) FROM sealed WHERE '\\x{hex}' IN (input_salt, input, record_salt, record)");
                server.run(url, &sql) != "0"
            }
        }
    }

    pub(crate) async fn reader(&self) -> Result<Reader, StoreError> {
        match self {
            Self::Sqlite(dir) => Store::open_read_only(dir.path()).await,
            Self::Postgres { url, .. } => Store::open_postgres_read_only(url).await,
        }
    }

    /// The same once more, to be altered.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Sqlite(dir) => {
                let copy = tempfile::tempdir().unwrap();
                std::fs::copy(dir.path().join("assize.db"), copy.path().join("assize.db")).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres { server, url } => Self::Postgres { server: Arc::clone(server), url: server.copy(url) },
        }
    }

    /// Executes a statement on a table as an intruder would who knows the triggers.
    pub(crate) async fn intrude(&self, table: &str, sql: &str) {
        match self {
            Self::Sqlite(dir) => {
                let options = SqliteConnectOptions::new().filename(dir.path().join("assize.db"));
                let mut db = options.disable_statement_logging().connect().await.unwrap();
                intrude(&mut db, sqlx::query(AssertSqlSafe(sql.to_owned()))).await.unwrap();
                db.close().await.unwrap();
            }
            Self::Postgres { server, url } => drop(server.intrude(url, table, sql)),
        }
    }
}

/// Executes a statement as an intruder would who knows the triggers: without them, and with them back in place after.
pub(crate) async fn intrude(
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
