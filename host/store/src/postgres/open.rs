//! Connecting, as the role that may do what is to be done and no more.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use crate::StoreError;
use crate::db::storage;

/// The schema, in steps; each is applied once, in order.
pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations/postgres");

/// Adds rows, and moves the head.
const WRITER: &str = "assize_writer";
/// Reads everything.
const VERIFIER: &str = "assize_verifier";
const READERS: u32 = 8;
/// A host that stands still in the middle of a group (stopped, or cut off) must not keep the others waiting for ever, and
/// one that waits says so in the end. In milliseconds.
const STUCK: &str = "15000";
const WAITING: &str = "30000";
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// How every connection is made.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Invalid {
        field: "database",
        detail: format!("not a postgres:// URL: {error}"),
    })?;
    let options = options.application_name("assize").disable_statement_logging().options([
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", STUCK),
        ("lock_timeout", WAITING),
        ("timezone", "UTC"),
    ]);
    Ok(options)
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let late = || StoreError::Storage {
        action: "connecting to PostgreSQL",
        detail: format!("{}: no answer within {CONNECTING:?}", options.get_host()),
    };
    let connected = tokio::time::timeout(CONNECTING, options.connect()).await.map_err(|_| late())?;
    connected.map_err(storage("connecting to PostgreSQL"))
}

/// A connection that writes; makes the tables if they are missing.
pub(crate) async fn prepare(url: &str) -> Result<PgConnection, StoreError> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    if !complete(&mut connection, &options).await? {
        let failed = |error| match error {
            sqlx::migrate::MigrateError::Execute(error) | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
                refused(&options, "making the tables", error)
            }
            other => StoreError::Storage { action: "migrating the database", detail: other.to_string() },
        };
        MIGRATIONS.run(&mut connection).await.map_err(failed)?;
    }
    become_role(&mut connection, WRITER, &options).await?;
    Ok(connection)
}

/// A connection that writes, where the tables are known to be there.
pub(crate) async fn writer(url: &str) -> Result<PgConnection, StoreError> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    become_role(&mut connection, WRITER, &options).await?;
    Ok(connection)
}

/// Connections that can only read.
pub(crate) async fn readers(url: &str) -> Result<PgPool, StoreError> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    // Before the tables are made, there may be no roles either.
    if !complete(&mut connection, &options).await? {
        return Err(StoreError::Missing { path: format!("{} (or not of this version)", shown(&options)) });
    }
    become_role(&mut connection, VERIFIER, &options).await?;
    drop(connection.close().await);
    let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(CONNECTING);
    let pool = pool.after_connect(|connection, _| {
        Box::pin(async move {
            let sql = format!("SET ROLE {VERIFIER}; SET default_transaction_read_only = on");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
        })
    });
    pool.connect_with(options).await.map_err(storage("connecting to PostgreSQL"))
}

/// Whether every migration of this version was applied.
async fn complete(connection: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, StoreError> {
    let failed = |error| refused(options, "reading the schema's version", error);
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !there {
        return Ok(false);
    }
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(newest >= MIGRATIONS.iter().map(|migration| migration.version).max())
}

/// Gives up all rights but those of `role`, also a superuser's.
async fn become_role(connection: &mut PgConnection, role: &str, options: &PgConnectOptions) -> Result<(), StoreError> {
    // One plan for all: else each group's arrays are looked through once more in order to plan for just them.
    let sql = AssertSqlSafe(format!("SET ROLE {role}; SET plan_cache_mode = force_generic_plan"));
    connection.execute(sqlx::raw_sql(sql)).await.map_err(|error| refused(options, "taking a role", error))?;
    Ok(())
}

/// Tells a want of rights from other failures.
fn refused(options: &PgConnectOptions, action: &'static str, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code().map(String::from));
    match code.as_deref() {
        // insufficient_privilege, undefined_object, invalid_parameter_value: `SET ROLE` of one that isn't there.
        Some("42501" | "42704" | "22023") => {
            StoreError::Role { user: options.get_username().to_owned(), detail: error.to_string() }
        }
        _ => storage(action)(error),
    }
}

/// The address without a password.
fn shown(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
}
