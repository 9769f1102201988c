//! Reading rows as they are, whatever has become of them.

use assize_ledger::{Digest, EntryRef, Fault, Faults};
use sqlx::AssertSqlSafe;

use crate::check::{DECISION, EFFECT, ENTRY, Row, SEALED, SUBJECT};
use crate::db::{self, int, query, query_scalar};
use crate::read::Reader;
use crate::record::Cell;

/// Entries in a batch: with payloads of some KB, a few MB.
const BATCH: u64 = 2_048;

/// Entries that follow each other, with their rows.
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    /// Heads by size, of the sizes that these entries make.
    pub(super) heads: Vec<(u64, Vec<Cell>)>,
    /// Checkpoints by size, of the sizes that these entries make.
    pub(super) checkpoints: Vec<(u64, Vec<Cell>)>,
    /// What couldn't be read, and rows without an entry.
    pub(super) faults: Faults,
    /// Where the next batch begins.
    pub(super) next: u64,
    /// What the entry there names as the one before it.
    pub(super) after: Option<Digest>,
}

impl Reader {
    /// The entries from `from` on, before `end`, with what belongs to them; none if there are no more.
    pub(super) async fn batch(&self, from: u64, end: u64, whole: bool) -> Option<Batch> {
        let mut faults = Faults::default();
        let entries = self.entries_of(from, end, &mut faults).await;
        // After a hole there may be nothing more; what is left of other tables is looked at after the last batch.
        let next = entries.last().map_or(end, |(seq, _)| seq.saturating_add(1));
        let range = || from..next;
        let (mut seals, mut decided, mut planned) = (Faults::default(), Faults::default(), Faults::default());
        let (mut named, mut gone) = (Faults::default(), Faults::default());
        // On a connection each, so that one is read while another waits.
        let (sealed, decisions, effects, subjects) = tokio::join!(
            self.rows_of("sealed", &SEALED, range(), &mut seals),
            self.rows_of("decisions", &DECISION, range(), &mut decided),
            self.rows_of("effects", &EFFECT, range(), &mut planned),
            self.rows_of("data_subjects", &SUBJECT, range(), &mut named),
        );
        // After the others: what they found missing because of an erasure meanwhile is told here.
        let erased = self.rows_of("erased", &["target", "seq"], range(), &mut gone).await;
        for unreadable in [&mut seals, &mut decided, &mut planned, &mut named, &mut gone] {
            faults.append(unreadable);
        }
        let mut sealed = sealed.into_iter().peekable();
        let mut decisions = decisions.into_iter().peekable();
        let mut effects = effects.into_iter().peekable();
        let mut subjects = subjects.into_iter().peekable();
        let mut erased = erased.into_iter().peekable();
        let mut rows = Vec::with_capacity(entries.len());
        for (seq, entry) in entries {
            let mut row = Row { seq, entry, ..Row::default() };
            row.sealed = take(&mut sealed, seq, "payload", &mut faults).pop();
            row.decision = take(&mut decisions, seq, "decision", &mut faults).pop();
            row.effects = take(&mut effects, seq, "effect", &mut faults);
            row.subject = take(&mut subjects, seq, "data subject", &mut faults).pop();
            row.erased = take(&mut erased, seq, "erasure", &mut faults).pop().map(|cells| match cells.get(1) {
                Some(Cell::Int(by)) => u64::try_from(*by).unwrap_or(u64::MAX),
                _ => u64::MAX,
            });
            rows.push(row);
        }
        let (mut heads, mut checkpoints) = (Vec::new(), Vec::new());
        if whole {
            let sizes = || from + 1..next.saturating_add(1);
            heads = self.rows_of("heads", &["size", "root", "hash", "time"], sizes(), &mut faults).await;
            checkpoints = self.rows_of("checkpoints", &["size", "note"], sizes(), &mut faults).await;
        }
        let empty = rows.is_empty() && faults.is_empty();
        let after = if empty { None } else { self.previous_of(next).await };
        (!empty).then_some(Batch { rows, heads, checkpoints, faults, next, after })
    }

    /// What an entry names as the one before it, if it is there and can be read: its own batch tells if it can't.
    async fn previous_of(&self, seq: u64) -> Option<Digest> {
        let read = query_scalar::<Vec<u8>>("SELECT bytes FROM entries WHERE seq = ?").bind(int(seq));
        let bytes = read.fetch_optional(&self.pool).await.ok()??;
        EntryRef::decode(&bytes).ok().map(|entry| entry.previous)
    }

    /// Entries by place, not by range: a place far off costs no more than one nearby.
    async fn entries_of(&self, from: u64, end: u64, faults: &mut Faults) -> Vec<(u64, Vec<Cell>)> {
        let sql = format!("SELECT {} FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?", ENTRY.join(", "));
        let query = query(AssertSqlSafe(sql)).bind(int(from)).bind(int(end)).bind(int(BATCH));
        match query.fetch_all(&self.pool).await {
            Ok(rows) => rows.into_iter().filter_map(place).collect(),
            Err(_) => self.one_by_one("entries", &ENTRY, from..end.min(from + BATCH), faults).await,
        }
    }

    /// The rows of a table whose first column lies in a range.
    async fn rows_of(
        &self,
        table: &str,
        columns: &[&str],
        range: std::ops::Range<u64>,
        faults: &mut Faults,
    ) -> Vec<(u64, Vec<Cell>)> {
        let (columns_sql, key) = (columns.join(", "), columns.first().copied().unwrap_or_default());
        let order = if table == "effects" { "seq, n" } else { key };
        let sql = format!("SELECT {columns_sql} FROM {table} WHERE {key} >= ? AND {key} < ? ORDER BY {order}");
        let query = query(AssertSqlSafe(sql)).bind(int(range.start)).bind(int(range.end));
        match query.fetch_all(&self.pool).await {
            Ok(rows) => rows.into_iter().filter_map(place).collect(),
            Err(_) => self.one_by_one(table, columns, range, faults).await,
        }
    }

    /// After a failed read: which rows can be read, and a fault for each that can't.
    async fn one_by_one(
        &self,
        table: &str,
        columns: &[&str],
        range: std::ops::Range<u64>,
        faults: &mut Faults,
    ) -> Vec<(u64, Vec<Cell>)> {
        let key = columns.first().copied().unwrap_or_default();
        let sql = format!("SELECT {} FROM {table} WHERE {key} = ?", columns.join(", "));
        let mut found = Vec::new();
        for seq in range.clone().take(usize::try_from(2 * BATCH).unwrap_or(usize::MAX)) {
            let query = query(AssertSqlSafe(sql.clone())).bind(int(seq));
            match query.fetch_all(&self.pool).await {
                Ok(rows) => found.extend(rows.into_iter().filter_map(place)),
                Err(error) => {
                    let record = format_args!("row {seq} of {table}");
                    faults.push(Fault::new(seq, record, key, error, "a readable row"));
                }
            }
        }
        found
    }
}

/// Takes the rows of one entry; rows before it have none.
fn take(
    rows: &mut std::iter::Peekable<impl Iterator<Item = (u64, Vec<Cell>)>>,
    seq: u64,
    what: &str,
    faults: &mut Faults,
) -> Vec<Vec<Cell>> {
    let mut taken = Vec::new();
    while let Some((at, cells)) = rows.next_if(|(at, _)| *at <= seq) {
        if at == seq {
            taken.push(cells);
        } else {
            let record = format_args!("{what} of entry {at}");
            faults.push(Fault::new(at, record, "seq", "a row", "none: there is no such entry"));
        }
    }
    taken
}

/// A row's place, which is its first column, and all of its cells.
fn place(row: db::Row) -> Option<(u64, Vec<Cell>)> {
    let cells = row.into_cells();
    match cells.first() {
        // Places are integers by the table's type; negative ones are looked for apart.
        Some(Cell::Int(place)) => Some((u64::try_from(*place).ok()?, cells)),
        _ => None,
    }
}
