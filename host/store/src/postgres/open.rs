//! Connecting, as the role that may do what is to be done and no more.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
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
///
/// Over a network it is encrypted, and the server shows a certificate of its name, unless the URL's `sslmode` asks for
/// less by name: what is left to the server's choice (`prefer`, the driver's default, and `allow`) is left to whoever stands
/// between.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Invalid {
        field: "database",
        detail: format!("not a postgres:// URL: {error}"),
    })?;
    let undecided = matches!(options.get_ssl_mode(), PgSslMode::Prefer | PgSslMode::Allow);
    let options = if undecided && !is_near(&options) { options.ssl_mode(PgSslMode::VerifyFull) } else { options };
    let options = options.application_name("assize").disable_statement_logging().options([
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", STUCK),
        ("lock_timeout", WAITING),
        ("timezone", "UTC"),
    ]);
    Ok(options)
}

/// Whether the server is on this machine.
fn is_near(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let loopback = || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || loopback()
}

pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let late = || StoreError::Storage {
        action: "connecting to PostgreSQL",
        detail: format!("{}: no answer within {CONNECTING:?}", options.get_host()),
    };
    let connected = tokio::time::timeout(CONNECTING, options.connect()).await.map_err(|_| late())?;
    connected.map_err(|error| match error {
        sqlx::Error::Tls(error) => untrusted(options, &error.to_string()),
        // What the handshake says of a certificate.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            untrusted(options, &error.to_string())
        }
        error => storage("connecting to PostgreSQL")(error),
    })
}

fn untrusted(options: &PgConnectOptions, why: &str) -> StoreError {
    let host = options.get_host();
    StoreError::Storage {
        action: "connecting to PostgreSQL",
        detail: format!(
            "{host}: no encrypted connection to a server that is known by that name: {why}. Add sslrootcert=FILE to the URL \
             for an authority of your own, or on a private network sslmode=require (encrypted, to anyone) or sslmode=disable"
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> String {
        format!("{:?}", options(url).unwrap().get_ssl_mode())
    }

    #[test]
    fn a_server_over_a_network_must_show_who_it_is_unless_the_url_asks_for_less() {
        for url in
            ["postgres://a@db.example/x", "postgres://a@10.0.0.2/x?sslmode=prefer", "postgres://a@db/x?sslmode=allow"]
        {
            assert_eq!(mode(url), "VerifyFull", "{url}");
        }
        assert_eq!(mode("postgres://a@db.example/x?sslmode=disable"), "Disable");
        assert_eq!(mode("postgres://a@db.example/x?sslmode=require"), "Require");
        for url in [
            "postgres://a@localhost/x",
            "postgres://a@127.0.0.1/x",
            "postgres://a@[::1]/x",
            "postgres://a@x/x?host=/run",
        ] {
            assert_eq!(mode(url), "Prefer", "{url}");
        }
    }
}
