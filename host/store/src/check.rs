//! Comparing rows with what binds them. Pure: it doesn't matter which database they were read from.
//!
//! The entry's bytes are bound by the chain; everything else is compared with them: the entry's other columns and its
//! facts, the payload with the commitments, a decision's columns with facts and record, its effects with the record.

mod decision;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Mutex;

use assize_ledger::{
    AdministrativeFacts, Commitment, CommonFacts, DecisionFacts, Digest, EntryKind, EntryRef, Fault, Faults, Salt,
    StoredEntry, Targets,
};

use crate::packed;
use crate::record::{Cell, ChangeRecord};

pub(crate) const ENTRY: [&str; 7] = ["seq", "hash", "kind", "subject", "tenant", "time", "bytes"];
pub(crate) const SEALED: [&str; 6] = ["seq", "tenant", "input_salt", "input", "record_salt", "record"];
pub(crate) const SUBJECT: [&str; 3] = ["seq", "tenant", "subject"];
pub(crate) const EFFECT: [&str; 7] = ["seq", "n", "tenant", "binding", "kind", "body", "state"];
pub(crate) use decision::COLUMNS as DECISION;

/// An entry with the rows that belong to it; cells are in the order of the columns above.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) entry: Vec<Cell>,
    pub(crate) sealed: Option<Vec<Cell>>,
    pub(crate) decision: Option<Vec<Cell>>,
    pub(crate) effects: Vec<Vec<Cell>>,
    /// Whom it is about.
    pub(crate) subject: Option<Vec<Cell>>,
    /// The entry that erased its payload, if one did.
    pub(crate) erased: Option<u64>,
}

/// What the entries say that must be found elsewhere; filled from several threads.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Entries that there were when the check began.
    pub(crate) size: u64,
    /// Which entry erased the payload of which.
    pub(crate) erased: Mutex<BTreeMap<u64, u64>>,
    /// What erasures name, by their entry.
    pub(crate) erasures: Mutex<BTreeMap<u64, Targets>>,
    /// The snapshots that decisions name, each with one of them.
    pub(crate) snapshots: Mutex<HashSet<Digest>>,
    /// The rows that changes added, by entry.
    pub(crate) changes: Mutex<BTreeMap<u64, ChangeSeen>>,
    /// What introduces the log's keys, by entry: its subject and its statement.
    pub(crate) statements: Mutex<BTreeMap<u64, (String, String)>>,
    /// Decisions and payloads.
    pub(crate) counts: Mutex<Counts>,
}

/// A change as its entry and its record tell it.
#[derive(Debug)]
pub(crate) struct ChangeSeen {
    pub(crate) record: ChangeRecord,
    pub(crate) at: i64,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) decisions: u64,
    pub(crate) payloads: u64,
    pub(crate) erased: u64,
}

/// What a cell should hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want<'a> {
    /// Nothing to compare with.
    Any,
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl Want<'_> {
    pub(crate) fn holds(&self, cell: &Cell) -> bool {
        match (self, cell) {
            (Self::Any, _) | (Self::Null, Cell::Null) => true,
            (Self::Int(want), Cell::Int(found)) => want == found,
            (Self::Real(want), Cell::Real(found)) => want.to_bits() == found.to_bits(),
            (Self::Text(want), Cell::Text(found)) => want == found,
            (Self::Blob(want), Cell::Blob(found)) => want == found,
            _ => false,
        }
    }
}

impl<'a> Want<'a> {
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl fmt::Display for Want<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = match *self {
            Self::Any => return f.write_str("anything"),
            Self::Null => Cell::Null,
            Self::Int(number) => Cell::Int(number),
            Self::Real(number) => Cell::Real(number),
            Self::Text(text) => Cell::Text(text.to_owned()),
            Self::Blob(bytes) => Cell::Blob(bytes.to_vec()),
        };
        cell.fmt(f)
    }
}

/// Compares a row's cells with what they should hold, column by column.
pub(crate) fn compare(
    faults: &mut Faults,
    seq: Option<u64>,
    record: &dyn fmt::Display,
    columns: &[&str],
    cells: &[Cell],
    wants: &[Want<'_>],
) {
    for ((column, cell), want) in columns.iter().zip(cells).zip(wants) {
        if !want.holds(cell) {
            faults.push(Fault::new(seq, record, column, cell, want));
        }
    }
}

impl StoredEntry for Row {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn bytes(&self) -> &[u8] {
        blob(&self.entry, 6)
    }

    fn hash(&self) -> &[u8] {
        blob(&self.entry, 1)
    }
}

fn blob(cells: &[Cell], at: usize) -> &[u8] {
    match cells.get(at) {
        Some(Cell::Blob(bytes) | Cell::Broken(bytes)) => bytes,
        _ => &[],
    }
}

/// Compares all that belongs to an entry with its bytes.
pub(crate) fn row(row: &Row, entry: &EntryRef<'_>, seen: &Seen, faults: &mut Faults) {
    let seq = row.seq;
    let kind = EntryKind::from(entry.kind);
    let decision = kind == EntryKind::Decision;
    let facts = if decision {
        serde_json::from_slice(entry.facts).map(|facts: DecisionFacts| (Some(facts.tenant.clone()), Some(facts)))
    } else {
        serde_json::from_slice(entry.facts).map(|facts: CommonFacts| (facts.tenant, None))
    };
    let (tenant, facts) = facts.unwrap_or_else(|error| {
        faults.push(Fault::new(seq, format_args!("entry {seq}"), "facts", error, format_args!("facts of a {kind}")));
        (None, None)
    });
    let tenant = tenant.as_deref().unwrap_or_default();
    let time = i64::try_from(entry.time.as_millis()).unwrap_or(i64::MAX);
    let wants = [
        Want::Any,
        Want::Any,
        Want::Text(entry.kind),
        Want::Text(entry.subject),
        Want::Text(tenant),
        Want::Int(time),
        Want::Any,
    ];
    compare(faults, Some(seq), &format_args!("entry {seq}"), &ENTRY, &row.entry, &wants);

    if let Some(by) = row.erased {
        if let Ok(mut erased) = seen.erased.lock() {
            erased.insert(seq, by);
        }
        if by >= seen.size {
            // Erased while the check runs: its rows were read before and after. That there is such an erasure is looked up.
            return;
        }
    }
    let sealed = row.sealed.as_deref().map(|cells| unpacked(seq, cells, faults));
    let payloads = payload(row, sealed.as_deref(), entry, tenant, faults);
    let record = sealed.as_deref().map(|sealed| blob(sealed, 5));
    let record = record.filter(|_| entry.record.is_some() && row.erased.is_none());
    match (kind, &row.decision) {
        (EntryKind::Decision, Some(cells)) => {
            if let Some(facts) = &facts {
                decision::check(row, cells, entry, facts, record, faults);
                if let Ok(mut snapshots) = seen.snapshots.lock() {
                    snapshots.insert(facts.snapshot);
                }
            }
        }
        (EntryKind::Decision, None) => {
            let record = format_args!("decision {}", entry.subject);
            faults.push(Fault::new(seq, record, "seq", "no row", format_args!("a row with seq {seq}")));
        }
        (kind, row) => {
            if row.is_some() {
                let record = format_args!("decision of entry {seq}");
                faults.push(Fault::new(seq, record, "seq", "a row", format_args!("none for an entry of kind {kind}")));
            }
            details(seq, entry, seen, faults);
            if let Some(record) = record {
                change(seq, entry, tenant, time, record, seen, faults);
            }
        }
    }
    if !decision && (row.erased.is_some() || row.subject.is_some()) {
        let record = format_args!("payload {seq}");
        faults.push(Fault::new(seq, record, "erased, data_subject", "a row", "none: the entry is no decision's"));
    }
    if !decision && !row.effects.is_empty() {
        let found = format_args!("{} rows", row.effects.len());
        faults.push(Fault::new(seq, format_args!("effects of entry {seq}"), "seq", found, "none"));
    }
    if let Ok(mut counts) = seen.counts.lock() {
        counts.payloads += payloads;
        counts.decisions += u64::from(row.decision.is_some());
        counts.erased += u64::from(row.erased.is_some());
    }
}

/// Keeps what the facts of some kinds say about other entries.
pub(crate) fn details(seq: u64, entry: &EntryRef<'_>, seen: &Seen, faults: &mut Faults) {
    let detail = |name: &str| {
        let facts = serde_json::from_slice::<AdministrativeFacts>(entry.facts).unwrap_or_default();
        facts.details.get(name).cloned().unwrap_or_default()
    };
    match EntryKind::from(entry.kind) {
        EntryKind::LogKey => {
            if let Ok(mut statements) = seen.statements.lock() {
                statements.insert(seq, (entry.subject.to_owned(), detail("statement")));
            }
        }
        EntryKind::PayloadErased => match (Targets::parse(&detail("targets")), seen.erasures.lock()) {
            (Some(targets), Ok(mut erasures)) => drop(erasures.insert(seq, targets)),
            (None, _) => {
                let name = format_args!("entry {seq}");
                faults.push(Fault::new(seq, name, "facts.details.targets", detail("targets"), "numbers and ranges"));
            }
            (_, Err(_)) => {}
        },
        _ => {}
    }
}

/// The cells of a payload as they were before they were packed.
fn unpacked<'c>(seq: u64, cells: &'c [Cell], faults: &mut Faults) -> Cow<'c, [Cell]> {
    let mut cells = Cow::Borrowed(cells);
    for at in [3, 5] {
        let Some(Cell::Blob(column)) = cells.get(at) else { continue };
        match packed::unpack(column) {
            Ok(None) => {}
            Ok(Some(payload)) => {
                if let Some(cell) = cells.to_mut().get_mut(at) {
                    *cell = Cell::Blob(payload);
                }
            }
            Err(error) => {
                let name = SEALED.get(at).copied().unwrap_or_default();
                faults.push(Fault::new(seq, format_args!("payload {seq}"), name, error, "as it was packed"));
            }
        }
    }
    cells
}

/// Compares input and record with their commitments; says how many were compared.
fn payload(row: &Row, sealed: Option<&[Cell]>, entry: &EntryRef<'_>, tenant: &str, faults: &mut Faults) -> u64 {
    let seq = row.seq;
    let record = format_args!("payload {seq}");
    let Some(sealed) = sealed else {
        faults.push(Fault::new(seq, record, "seq", "no row", format_args!("a row with seq {seq}")));
        return 0;
    };
    compare(faults, Some(seq), &record, &SEALED, sealed, &[Want::Any, Want::Text(tenant)]);
    if row.erased.is_some() {
        let nothing = [Want::Any, Want::Any, Want::Null, Want::Null, Want::Null, Want::Null];
        compare(faults, Some(seq), &record, &SEALED, sealed, &nothing);
        return 0;
    }
    let mut compared = 0;
    for (commitment, salt_at, at) in [(entry.input, 2, 3), (entry.record, 4, 5)] {
        let names = (SEALED.get(salt_at).copied().unwrap_or_default(), SEALED.get(at).copied().unwrap_or_default());
        let (salt, bytes) = (sealed.get(salt_at), sealed.get(at));
        let Some(commitment) = commitment else {
            for (name, cell) in [(names.0, salt), (names.1, bytes)] {
                if let Some(cell) = cell.filter(|cell| **cell != Cell::Null) {
                    faults.push(Fault::new(seq, record, name, cell, "nothing: the entry binds none"));
                }
            }
            continue;
        };
        compared += 1;
        match (salt, bytes) {
            (Some(Cell::Blob(salt)), Some(Cell::Blob(bytes))) => {
                let Ok(salt) = <[u8; 32]>::try_from(salt.as_slice()) else {
                    faults.push(Fault::new(seq, record, names.0, format_args!("{} bytes", salt.len()), "32 bytes"));
                    continue;
                };
                let found = Commitment::to(&Salt::from_bytes(salt), bytes);
                if found != commitment {
                    // Either may have been altered: a commitment can't tell which.
                    let field = format_args!("{} or {}", names.1, names.0);
                    let found = format_args!("commitment {found}");
                    faults.push(Fault::new(seq, record, field, found, format_args!("{commitment} (in the entry)")));
                }
            }
            (salt, bytes) => {
                for (name, cell) in [(names.0, salt), (names.1, bytes)] {
                    if !matches!(cell, Some(Cell::Blob(_))) {
                        let found = cell.cloned().unwrap_or(Cell::Null);
                        faults.push(Fault::new(seq, record, name, found, "the bytes that the entry binds"));
                    }
                }
            }
        }
    }
    compared
}

/// Compares the facts of a change with its record, and keeps the row that it tells of.
fn change(seq: u64, entry: &EntryRef<'_>, tenant: &str, at: i64, record: &[u8], seen: &Seen, faults: &mut Faults) {
    let name = format_args!("payload {seq}");
    let record: ChangeRecord = match serde_json::from_slice(record) {
        Ok(record) => record,
        Err(error) => {
            // When the bytes were altered, the commitment says so already; else a later version wrote another form.
            if !matches!(EntryKind::from(entry.kind), EntryKind::Other(_)) {
                faults.push(Fault::new(seq, name, "record", error, "the record of a change"));
            }
            return;
        }
    };
    let Some(_) = record.shape() else { return };
    let facts = serde_json::from_slice::<AdministrativeFacts>(entry.facts).unwrap_or_default();
    let owner = record.row.get("tenant").and_then(|tenant| tenant.as_str()).unwrap_or_default();
    let subject = record.subject().unwrap_or_default();
    faults.compare((Some(seq), &name), "record.row.tenant", &owner, &tenant);
    faults.compare((Some(seq), &name), "record.subject", &subject.as_str(), &entry.subject);
    let text = |digest: Option<Digest>| digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
    faults.compare((Some(seq), &name), "record.digest", &text(record.digest()), &text(facts.subject_digest));
    if let Ok(mut changes) = seen.changes.lock() {
        changes.insert(seq, ChangeSeen { record, at });
    }
}
