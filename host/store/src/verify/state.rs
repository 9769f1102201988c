//! What isn't in the order of the ledger: the file itself, content by its hash, and what is in force.

use std::collections::HashSet;
use std::ops::Range;

use assize_ledger::{Digest, Fault, Report};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::check::Seen;
use crate::db::{Pool, Row, int, query, query_scalar};
use crate::read::Reader;
use crate::record::{Cell, SHAPES, Shape};
use crate::{postgres, sqlite};

impl Reader {
    /// Whether the database is as this version makes it.
    pub(super) async fn check_database(&self, report: &mut Report) {
        let migrations = match &self.pool {
            Pool::Sqlite(_) => {
                sqlite::schema::check(&self.pool, report).await;
                &sqlite::open::MIGRATIONS
            }
            Pool::Postgres(_) => {
                postgres::schema::check(&self.pool, report).await;
                &postgres::open::MIGRATIONS
            }
        };
        let applied = query("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version");
        let applied = applied.fetch_all(&self.pool).await;
        let applied: Vec<Vec<Cell>> = applied.into_iter().flatten().map(Row::into_cells).collect();
        for (n, migration) in migrations.iter().enumerate() {
            let expected = [Cell::Int(migration.version), Cell::Blob(migration.checksum.to_vec()), Cell::Int(1)];
            if applied.get(n).map(Vec::as_slice) != Some(&expected) {
                let found = applied.get(n).into_iter().flatten().map(Cell::to_string).collect::<Vec<_>>().join(", ");
                let expected = expected.map(|cell| cell.to_string()).join(", ");
                let name = format_args!("migration {}", migration.version);
                report.faults.push(Fault::new(None, name, "version, checksum, success", found, expected));
            }
        }
    }

    /// Everything that is told by entries but kept elsewhere.
    pub(super) async fn check_state(&self, seen: &Seen, range: Range<u64>, whole: bool, report: &mut Report) {
        self.check_changes(seen, &range, report).await;
        if whole {
            self.check_content(seen, report).await;
            self.check_strays(report).await;
        }
    }

    /// Every row of what is in force is as its entry's record tells, and every such record has its row.
    async fn check_changes(&self, seen: &Seen, range: &Range<u64>, report: &mut Report) {
        let Ok(changes) = seen.changes.lock().map(|mut changes| std::mem::take(&mut *changes)) else { return };
        let mut missing: HashSet<u64> = changes.keys().copied().collect();
        for Shape { table, columns, .. } in SHAPES {
            let sql =
                format!("SELECT seq, at, {} FROM {table} WHERE seq >= ? AND seq < ? ORDER BY seq", columns.join(", "));
            let query = query(AssertSqlSafe(sql)).bind(int(range.start)).bind(int(range.end));
            let rows = match query.fetch_all(&self.pool).await {
                Ok(rows) => rows,
                Err(error) => {
                    report.faults.push(Fault::new(None, format_args!("table {table}"), "rows", error, "readable rows"));
                    continue;
                }
            };
            for row in rows {
                report.components += 1;
                let cells = row.into_cells();
                let mut cells = cells.iter();
                let (seq, at) = (cells.next(), cells.next());
                let seq =
                    if let Some(Cell::Int(seq)) = seq { u64::try_from(*seq).unwrap_or(u64::MAX) } else { u64::MAX };
                let name = format!("row of {table} for entry {seq}");
                let Some(change) = changes.get(&seq).filter(|change| change.record.table == table) else {
                    report.faults.push(Fault::new(seq, &name, "seq", "a row", "none: the entry tells of no such row"));
                    continue;
                };
                if !missing.remove(&seq) {
                    report.faults.push(Fault::new(seq, &name, "seq", "a second row", "one"));
                }
                if at != Some(&Cell::Int(change.at)) {
                    let found = at.cloned().unwrap_or(Cell::Null);
                    report.faults.push(Fault::new(seq, &name, "at", found, change.at));
                }
                for (column, cell) in columns.iter().zip(cells) {
                    let expected = change.record.row.get(*column).unwrap_or(&Value::Null);
                    if cell.to_json() != *expected || matches!(cell, Cell::Broken(_)) {
                        report.faults.push(Fault::new(seq, &name, column, cell, expected));
                    }
                }
            }
        }
        let mut missing: Vec<u64> = missing.into_iter().collect();
        missing.sort_unstable();
        for seq in missing {
            let table = changes.get(&seq).map_or("", |change| change.record.table.as_str());
            let name = format_args!("row of {table} for entry {seq}");
            report.faults.push(Fault::new(seq, name, "seq", "no row", format_args!("a row with seq {seq}")));
        }
    }

    /// Content hashes to its key, and what is named is there.
    async fn check_content(&self, seen: &Seen, report: &mut Report) {
        let snapshots = self.hashed("snapshot", "hash, bytes", "snapshots", report);
        let snapshots = snapshots.await;
        let named = seen.snapshots.lock().map(|named| named.clone()).unwrap_or_default();
        for hash in named.difference(&snapshots) {
            report.faults.push(Fault::new(None, format_args!("snapshot sha256:{hash}"), "hash", "no row", "a row"));
        }
        // Packages first: what is published meanwhile adds its component too.
        let packages: Result<Vec<Vec<u8>>, _> =
            query_scalar("SELECT DISTINCT digest FROM packages").fetch_all(&self.pool).await;
        let components = self.hashed("component", "digest, bytes, size", "components", report).await;
        for digest in packages.iter().flatten().filter_map(|digest| Digest::try_from(digest.as_slice()).ok()) {
            if !components.contains(&digest) {
                report.faults.push(Fault::new(
                    None,
                    format_args!("component sha256:{digest}"),
                    "digest",
                    "no row",
                    "a row",
                ));
            }
        }
    }

    /// Hashes the content of a table, one row at a time; the keys whose content is right.
    async fn hashed(&self, what: &str, columns: &str, table: &str, report: &mut Report) -> HashSet<Digest> {
        let mut right = HashSet::new();
        // By the place of the row and not by its key: what was altered may not be found by that any more.
        let (place, at) = match &self.pool {
            Pool::Sqlite(_) => ("CAST(rowid AS TEXT)", "rowid = CAST(? AS INTEGER)"),
            Pool::Postgres(_) => ("CAST(ctid AS TEXT)", "ctid = CAST(? AS TID)"),
        };
        let places: Vec<String> =
            match query_scalar(AssertSqlSafe(format!("SELECT {place} FROM {table}"))).fetch_all(&self.pool).await {
                Ok(places) => places,
                Err(error) => {
                    report.faults.push(Fault::new(None, format_args!("table {table}"), "rows", error, "readable rows"));
                    return right;
                }
            };
        for place in places {
            report.components += 1;
            let one = AssertSqlSafe(format!("SELECT {columns} FROM {table} WHERE {at}"));
            let row = match query(one).bind(&place).fetch_one(&self.pool).await {
                Ok(row) => row,
                Err(error) => {
                    let name = format_args!("{what} in row {place}");
                    report.faults.push(Fault::new(None, name, "bytes", error, "a readable row"));
                    continue;
                }
            };
            let cells = row.into_cells();
            let bytes = if let Some(Cell::Blob(bytes)) = cells.get(1) { bytes.as_slice() } else { &[] };
            let digest = Digest::of(bytes);
            let key = cells.first().cloned().unwrap_or(Cell::Null);
            let name = format_args!("{what} sha256:{key}");
            if key == Cell::Blob(digest.as_bytes().to_vec()) {
                right.insert(digest);
            } else {
                let field = if what == "snapshot" { "bytes or hash" } else { "bytes or digest" };
                report.faults.push(Fault::new(None, name, field, format_args!("bytes that hash to {digest}"), &key));
            }
            if let Some(size) = cells.get(2)
                && *size != Cell::Int(int(bytes.len() as u64))
            {
                report.faults.push(Fault::new(None, name, "size", size, bytes.len()));
            }
        }
        right
    }

    /// Rows where no entry is: before the first, or after the last.
    async fn check_strays(&self, report: &mut Report) {
        let last = "(SELECT max(seq) FROM entries)";
        let mut queries = vec![
            ("entries", "seq", "SELECT seq FROM entries WHERE seq < 0".to_owned()),
            ("heads", "size", format!("SELECT size FROM heads WHERE size < 1 OR size > {last} + 1")),
            ("erased", "target", format!("SELECT target FROM erased WHERE target < 0 OR target > {last}")),
            (
                "cosignatures",
                "size",
                "SELECT size FROM cosignatures WHERE size NOT IN (SELECT size FROM checkpoints)".to_owned(),
            ),
            ("checkpoints", "size", format!("SELECT size FROM checkpoints WHERE size < 1 OR size > {last} + 1")),
            (
                "nodes",
                "level, idx",
                "SELECT idx FROM nodes WHERE NOT EXISTS \
                 (SELECT 1 FROM tiles WHERE tiles.level = nodes.level - 1 AND tiles.idx = nodes.idx)"
                    .to_owned(),
            ),
            (
                "tiles",
                "level, idx",
                "SELECT idx FROM tiles WHERE level < 0 OR level > 6 OR idx < 0 \
                 OR idx >= (SELECT max(size) FROM heads) >> (8 * (level + 1))"
                    .to_owned(),
            ),
        ];
        let tables = ["sealed", "decisions", "effects", "data_subjects", "erased"]
            .into_iter()
            .chain(SHAPES.iter().map(|shape| shape.table));
        queries.extend(
            tables.map(|table| (table, "seq", format!("SELECT seq FROM {table} WHERE seq < 0 OR seq > {last}"))),
        );
        for (table, field, sql) in queries {
            match query(AssertSqlSafe(sql)).fetch_all(&self.pool).await {
                Ok(rows) => {
                    for place in rows.iter().filter_map(|row| row.try_get::<i64>(0).ok()) {
                        let name = format_args!("row {place} of {table}");
                        report.faults.push(Fault::new(None, name, field, place, "a place in the ledger"));
                    }
                }
                Err(error) => {
                    report.faults.push(Fault::new(None, format_args!("table {table}"), "rows", error, "readable rows"));
                }
            }
        }
        let newest = format!("SELECT (SELECT max(size) FROM heads), {last} + 1");
        if let Ok(row) = query(AssertSqlSafe(newest)).fetch_one(&self.pool).await
            && let (Ok(head), Ok(size)) = (row.try_get::<Option<i64>>(0), row.try_get::<Option<i64>>(1))
            && head != size
        {
            let (head, size) = (head.unwrap_or(0), size.unwrap_or(0));
            report.faults.push(Fault::new(None, format_args!("head {head}"), "size", head, size));
        }
    }
}
