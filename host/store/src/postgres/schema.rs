//! Whether the database still guards its rows, and says the same in what only it has.

use assize_ledger::{Fault, Report};

use crate::db::{Pool, Row, query};

/// Tables of ours, and the months of some, each with a trigger that is missing or doesn't always fire.
const UNGUARDED: &str = "SELECT c.relname, wanted.name FROM pg_class c \
    CROSS JOIN (VALUES ('keep_rows'), ('keep_table')) AS wanted (name) \
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> '_sqlx_migrations' \
    AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = wanted.name AND t.tgenabled = 'A') \
    ORDER BY 1, 2";
/// Rows in another month's partition than their entry, or with another time.
const MISPLACED: &str = "SELECT 'payload ' || s.seq, s.time, e.time FROM sealed s JOIN entries e ON e.seq = s.seq \
    WHERE s.time <> e.time \
    UNION ALL SELECT 'effect of entry ' || f.seq, f.time, e.time FROM effects f JOIN entries e ON e.seq = f.seq \
    WHERE f.time <> e.time ORDER BY 1 LIMIT 100";
/// What the head should say, and what it says.
const HEAD: &str = "SELECT h.size, n.size, encode(h.hash, 'hex'), encode(n.hash, 'hex'), h.halt_epoch, \
    (SELECT count(*) FROM entries WHERE kind = 'system.emergency_stop') \
    FROM head h LEFT JOIN LATERAL (SELECT size, hash FROM heads WHERE size = h.size) n ON true";

pub(crate) async fn check(pool: &Pool, report: &mut Report) {
    let rows = read(pool, UNGUARDED, "triggers", report).await;
    for row in rows {
        if let (Ok(table), Ok(trigger)) = (row.try_get::<String>(0), row.try_get::<String>(1)) {
            let name = format_args!("table {table}");
            report.faults.push(Fault::new(None, name, format_args!("trigger {trigger}"), "none", "enabled always"));
        }
    }
    let rows = read(pool, MISPLACED, "time", report).await;
    for row in rows {
        if let (Ok(name), Ok(found), Ok(expected)) =
            (row.try_get::<String>(0), row.try_get::<i64>(1), row.try_get::<i64>(2))
        {
            report.faults.push(Fault::new(None, name, "time", found, expected));
        }
    }
    let rows = read(pool, HEAD, "head", report).await;
    if rows.is_empty() {
        report.faults.push(Fault::new(None, "the head", "size", "no row", "a row"));
    }
    for cells in rows.into_iter().map(Row::into_cells) {
        for (pair, field) in cells.chunks_exact(2).zip(["size", "hash", "halt_epoch"]) {
            if let [found, expected] = pair
                && found != expected
            {
                report.faults.push(Fault::new(None, "the head", field, found, expected));
            }
        }
    }
}

async fn read(pool: &Pool, sql: &'static str, field: &str, report: &mut Report) -> Vec<Row> {
    match query(sql).fetch_all(pool).await {
        Ok(rows) => rows,
        Err(error) => {
            report.faults.push(Fault::new(None, "database", field, error, "readable rows"));
            Vec::new()
        }
    }
}
