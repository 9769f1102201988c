//! What PostgreSQL guards by itself: rows that nobody changes, months, tenants that don't see each other; and that `verify`
//! finds what is done behind its back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::sync::Arc;

use assize_ledger::Timestamp;
use assize_store::{Change, ChangeDraft, Store, StoreError, VerifyOptions};
use common::database::Database;
use common::postgres::Server;

/// A database with something in every table.
async fn filled() -> Option<(Database, Arc<Server>, String)> {
    let database = Database::postgres()?;
    let Database::Postgres { server, url } = &database else { return None };
    let (server, url) = (Arc::clone(server), url.clone());
    let store = database.open().await;
    common::fill(&store).await;
    store.decide(common::decision_for("other", 900)).await.unwrap_err();
    let late = assize_store::DecisionDraft { halt_epoch: store.halt_epoch(), ..common::decision_for("other", 900) };
    store.decide(late).await.unwrap();
    store.close().await;
    Some((database, server, url))
}

fn tables(server: &Server, url: &str) -> Vec<String> {
    let sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
               AND relname NOT IN ('_sqlx_migrations', 'head') ORDER BY 1";
    server.run(url, sql).lines().map(str::to_owned).collect()
}

async fn faults(database: &Database) -> Vec<String> {
    let reader = database.reader().await.unwrap();
    let report = reader.verify(VerifyOptions::default(), |_| {}).await.unwrap();
    reader.close().await;
    report.faults.first.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_changes_rows_by_accident() {
    let Some((database, server, url)) = filled().await else { return };
    let tables = tables(&server, &url);
    assert!(tables.len() >= 24 + 6, "{tables:?}");
    for table in &tables {
        let column = format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum LIMIT 1"
        );
        let column = server.run(&url, &column);
        // A month that hasn't begun has no rows to guard.
        let empty = server.run(&url, &format!("SELECT count(*) FROM {table}")) == "0";
        let statements = [
            (format!("UPDATE {table} SET {column} = {column}"), empty),
            (format!("DELETE FROM {table}"), empty),
            (format!("TRUNCATE {table}"), false),
        ];
        for (sql, nothing) in statements {
            let said = server.refused(&url, &format!("SET ROLE assize_writer; {sql}"));
            assert!(said.contains("permission denied"), "{sql}: {said}");
            // Neither the owner nor a superuser, nor one that pretends to replicate.
            for before in ["SET ROLE assize_owner", "SET session_replication_role = replica"] {
                if !nothing {
                    let said = server.refused(&url, &format!("{before}; {sql}"));
                    assert!(said.contains("rows are never"), "{sql}: {said}");
                }
            }
        }
    }
    for sql in ["UPDATE head SET size = size - 1", "UPDATE head SET size = size + 1, halt_epoch = 0"] {
        let said = server.refused(&url, &format!("SET ROLE assize_writer; {sql}"));
        assert!(said.contains("only forwards"), "{sql}: {said}");
    }
    assert_eq!(faults(&database).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_superuser_edits_is_found() {
    let Some((database, server, _)) = filled().await else { return };
    let edits = [
        ("entries", "UPDATE entries SET subject = 'x' WHERE seq = 50", "entry 50: subject: found \"x\""),
        ("sealed", "UPDATE sealed SET record = record || '\\x20' WHERE seq = 51", "payload 51: record or record_salt"),
        ("sealed", "UPDATE sealed SET time = time + 1 WHERE seq = 51", "payload 51: time"),
        ("decisions", "UPDATE decisions SET verdict = 'allow' WHERE verdict = 'block'", "decision 0"),
        ("decisions", "DELETE FROM decisions WHERE seq = 60", "decision 0"),
        ("effects", "DELETE FROM effects WHERE seq IN (SELECT seq FROM effects WHERE seq > 60 LIMIT 1)", "effects of"),
        ("tiles", "DELETE FROM tiles", "tile 0/0"),
        ("policies", "UPDATE policies SET bytes = '{}'", "row of policies for entry"),
        ("head", "UPDATE head SET hash = decode(repeat('00', 32), 'hex')", "the head: hash"),
        ("head", "UPDATE head SET halt_epoch = halt_epoch + 1", "the head: halt_epoch"),
    ];
    for (table, sql, found) in edits {
        let copied = database.copy();
        let Database::Postgres { url: altered, .. } = &copied else { return };
        server.run(altered, &format!("ALTER TABLE {table} DISABLE TRIGGER ALL; {sql}"));
        let faults = faults(&copied).await;
        assert!(faults.iter().any(|fault| fault.starts_with(found)), "{sql}: {faults:#?}");
        // The guard that was taken away is missed, too.
        assert!(faults.iter().any(|fault| fault.starts_with(&format!("table {table}"))), "{sql}: {faults:#?}");
    }
    assert_eq!(faults(&database).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_doesnt_see_the_rows_of_another() {
    let Some((_database, server, url)) = filled().await else { return };
    let count = |tenant: Option<&str>, table: &str| -> u64 {
        let tenant = tenant.map(|tenant| format!("SET LOCAL assize.tenant = '{tenant}';")).unwrap_or_default();
        let sql = format!("BEGIN; SET LOCAL ROLE assize_reader; {tenant} SELECT count(*) FROM {table}; COMMIT");
        server.run(&url, &sql).parse().unwrap()
    };
    for table in ["entries", "sealed", "decisions"] {
        assert!(count(Some("acme"), table) >= 320);
        assert_eq!(count(Some("other"), table), 1);
        assert_eq!((count(None, table), count(Some(""), table), count(Some("third"), table)), (0, 0, 0));
    }
    assert_eq!(count(Some("other"), "packages"), 2, "the host's own packages concern everybody");
    // By way of a partition neither, nor what no tenant reads.
    let month = tables(&server, &url).into_iter().find(|table| table.starts_with("sealed_")).unwrap();
    for table in [month.as_str(), "keys", "components", "snapshots"] {
        let said = server.refused(&url, &format!("SET ROLE assize_reader; SELECT * FROM {table}"));
        assert!(said.contains("permission denied"), "{table}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_needs_no_more_than_its_roles() {
    let Some((database, server, url)) = filled().await else { return };
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    let (host, stranger) = (format!("{name}_host"), format!("{name}_stranger"));
    server.run(&url, &format!("CREATE ROLE {host} LOGIN; GRANT assize_writer, assize_verifier TO {host}"));
    server.run(&url, &format!("CREATE ROLE {stranger} LOGIN"));
    let store = Store::open_postgres(&server.url(&host, name), common::ORIGIN).await.unwrap();
    let draft = assize_store::DecisionDraft { halt_epoch: store.halt_epoch(), ..common::decision(5_000) };
    store.decide(draft).await.unwrap();
    store.probe().await.unwrap();
    store.close().await;
    let refused = Store::open_postgres(&server.url(&stranger, name), common::ORIGIN).await.unwrap_err();
    assert!(matches!(refused, StoreError::Role { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("GRANT assize_writer, assize_verifier TO {stranger}")), "{refused}");
    drop(database);
}

#[tokio::test]
async fn reading_makes_no_tables() {
    // A server of its own: the roles of others belong to all of its databases.
    let Some(server) = Server::start(&["fsync=off"]) else { return };
    let url = server.database();
    let database = Database::Postgres { server: Arc::new(server), url };
    let missing = database.reader().await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_month_has_a_partition_before_it_begins() {
    let Some((_database, server, url)) = filled().await else { return };
    let now = server.run(&url, "SELECT to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')");
    let next = server.run(&url, "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '_YYYY_MM')");
    let tables = tables(&server, &url);
    for whole in ["entries", "sealed", "effects"] {
        for month in [&now, &next] {
            assert!(tables.contains(&format!("{whole}{month}")), "{whole}{month}: {tables:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_of_a_group_that_failed_are_made_again() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let Some((database, server, url)) = filled().await else { return };
    let store = database.open().await;
    let began = Timestamp::now().as_millis();
    let in_days = async |days: u64| {
        let time = Timestamp::from_millis(began + days * DAY).unwrap();
        let retain = Change::Retain { payloads: format!("{days}d") };
        store.change(ChangeDraft { time, ..common::change(Some("acme"), retain) }).await
    };
    // Months that nobody has prepared, in a group that fails at its end.
    let fails = "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$; \
                 CREATE TRIGGER fails BEFORE INSERT ON heads FOR EACH ROW EXECUTE FUNCTION fails()";
    server.run(&url, fails);
    let refused = in_days(100).await.unwrap_err();
    assert!(refused.to_string().contains("not now"), "{refused}");
    server.run(&url, "DROP TRIGGER fails ON heads; DROP FUNCTION fails()");
    // The month after is within what that group had made.
    in_days(125).await.unwrap();
    store.close().await;
    assert_eq!(faults(&database).await, Vec::<String>::new());
}

/// For every column of every table: a random row, a random bit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_flipped_in_any_column_is_found_and_named() {
    let Some((database, server, url)) = filled().await else { return };
    let sql = "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
               AND c.relname <> '_sqlx_migrations' AND a.attname <> 'one' ORDER BY 1, a.attnum";
    let columns = server.run(&url, sql);
    let mut flips = 0;
    for column in columns.lines() {
        let [table, column, kind] = column.split('|').collect::<Vec<_>>()[..] else { panic!("{column}") };
        let flipped = match kind {
            "bytea" => format!(
                "set_bit({column}, 8 * (length({column}) / 2), 1 - get_bit({column}, 8 * (length({column}) / 2)))"
            ),
            "text" => format!("overlay({column} placing chr(ascii(right({column}, 1)) # 1) from length({column}))"),
            "double precision" => format!("-{column}"),
            _ => format!("{column} # (1::bigint << (random() * 20)::int)"),
        };
        let chosen = format!(
            "SELECT tableoid::regclass, ctid, quote_nullable({column}::text) FROM {table} \
             WHERE {column} IS NOT NULL AND {column}::text NOT IN ('', '\\x') ORDER BY random() LIMIT 1"
        );
        let chosen = server.run(&url, &chosen);
        // Nothing to flip in what is empty everywhere.
        if chosen.is_empty() {
            continue;
        }
        let [part, row, old] = chosen.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("{table}.{column}: {chosen}")
        };
        let set = |part: &str, row: &str, value: &str| {
            format!(
                "UPDATE {table} SET {column} = {value} WHERE tableoid = '{part}'::regclass AND ctid = '{row}' \
                 RETURNING tableoid::regclass, ctid"
            )
        };
        // A constraint may forbid it: then it can't happen this way.
        let Some(moved) = server.may_intrude(&url, table, &set(part, row, &flipped)) else { continue };
        let faults = faults(&database).await;
        assert!(!faults.is_empty(), "{table}.{column}: {old}");
        let (part, row) = moved.split_once('|').unwrap();
        server.intrude(&url, table, &set(part, row.trim(), &format!("{old}::{kind}")));
        flips += 1;
    }
    println!("{flips} flips");
    assert!(flips > 80, "{flips} flips");
    assert_eq!(faults(&database).await, [""; 0]);
}
