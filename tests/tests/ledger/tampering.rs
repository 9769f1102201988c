//! Altered, deleted and forged: by a bit, by a row, by somebody who knows the format.

use std::fs;
use std::path::Path;

use assize_tests::{Cell, Database, Dice, Output, Table, assize, rounds};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{copy, verify};

/// The cell with one bit flipped.
pub(crate) fn flipped(cell: &Cell, dice: &mut Dice) -> Cell {
    let mut flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if bytes.is_empty() {
            bytes.push(b'x');
        } else {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        bytes
    };
    match cell {
        Cell::Null => Cell::Null,
        Cell::Integer(number) => Cell::Integer(i64::from_be_bytes(flip(&number.to_be_bytes()).try_into().unwrap())),
        Cell::Real(bits) => Cell::Real(u64::from_be_bytes(flip(&bits.to_be_bytes()).try_into().unwrap())),
        Cell::Text(bytes) => Cell::Text(flip(bytes)),
        Cell::Blob(bytes) => Cell::Blob(flip(bytes)),
    }
}

/// The faults of a report, as text.
fn faults(report: &Value) -> Vec<&Value> {
    let faults: Vec<&Value> = report["faults"]["first"].as_array().unwrap().iter().collect();
    for fault in &faults {
        for member in ["record", "field", "found", "expected"] {
            assert!(fault[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {fault}");
        }
    }
    faults
}

/// How a fault names a row of a table, whose columns are told by `text`: one of these must stand in its `record`.
pub(crate) fn names(table: &str, text: impl Fn(&str) -> String) -> Vec<String> {
    let columns: &[&str] = match table {
        "entries" | "sealed" | "effects" | "data_subjects" => &["seq"],
        "decisions" => &["seq", "id"],
        "snapshots" => &["hash"],
        "components" => &["digest"],
        "heads" | "checkpoints" | "cosignatures" => &["size"],
        "log_keys" | "publisher_keys" | "publisher_key_revocations" => &["key", "seq"],
        "erased" => &["target"],
        "retentions" => &["tenant", "seq"],
        "tiles" | "nodes" => return vec![format!("{}/{}", text("level"), text("idx"))],
        "packages" => &["name", "seq"],
        "stamps" => &["authority", "seq"],
        "activations" | "roll_backs" | "signatures" => &["package", "seq"],
        "namespaces" => &["namespace", "seq"],
        "policies" => &["scope", "seq"],
        _ => &["id", "seq"],
    };
    columns.iter().map(|column| text(column)).collect()
}

/// A column of a row, as a fault writes it.
pub(crate) fn text(table: &Table, row: &[Cell], name: &str) -> String {
    match &row[table.column(name)] {
        Cell::Integer(number) => number.to_string(),
        Cell::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cell::Blob(bytes) => hex::encode(bytes),
        other => panic!("{other:?}"),
    }
}

/// The output must name the row as it was or as it is now.
fn assert_named(output: &Output, table: &Table, rows: &[&[Cell]], what: &str) {
    assert_eq!(output.code, 1, "{what}: {}{}", output.stdout, output.stderr);
    let report = output.json();
    let faults = faults(&report);
    assert!(!faults.is_empty(), "{what}: {report}");
    let names: Vec<String> = rows.iter().flat_map(|row| names(&table.name, |name| text(table, row, name))).collect();
    let found = faults.iter().any(|fault| {
        let record = fault["record"].as_str().unwrap();
        let seq = fault["seq"].to_string();
        names.iter().any(|name| record.contains(name) || seq == *name)
    });
    assert!(found, "{what}: none of {names:?} is named by {faults:?}");
}

/// All tables but those that need somebody outside to be filled: the store's own tests alter them.
fn tables(database: &mut Database) -> Vec<Table> {
    let mut tables = database.tables();
    tables.retain(|table| !["stamps", "cosignatures"].contains(&table.name.as_str()));
    tables
}

#[test]
fn any_bit_flipped_in_any_column_of_any_table_is_found_and_named() {
    let mut dice = Dice::new();
    let (_folder, file) = copy();
    let tables = tables(&mut Database::open(&file));
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert!(names.len() >= 14, "{names:?}");
    // Each column at least once, whatever the dice say; then at random.
    let each = tables.iter().flat_map(|table| (0..table.columns.len()).map(move |column| (table, column)));
    let mut targets: Vec<(&Table, usize)> = each.collect();
    for _ in 0..rounds(200, 0) {
        let table = dice.one_of(&tables);
        targets.push((table, dice.below(table.columns.len())));
    }
    let mut flips = 0;
    for (table, column) in targets {
        let (folder, file) = copy();
        let mut database = Database::open(&file);
        let rows = database.count(table);
        assert!(rows > 0, "{} is empty: the test's data lacks something", table.name);
        // A row that has a value there; a constraint may object to some changes, then to another.
        let mut tries = (0..50).filter_map(|_| {
            let n = dice.below(rows);
            let row = database.nth(table, n);
            let altered = flipped(&row[column], &mut dice);
            let changed = altered != row[column] && database.replace(table, &row, column, &altered).is_ok();
            // What SQLite normalises away (−0.0, say) is no change.
            let is_there = changed && database.all(table).is_ok_and(|all| !all.contains(&row));
            is_there.then_some((row, altered))
        });
        let Some((row, altered)) = tries.next() else {
            println!("nothing to flip in {}.{}", table.name, table.columns[column]);
            continue;
        };
        drop(tries);
        drop(database);
        let what = format!("{}.{}: {:?} became {altered:?}", table.name, table.columns[column], row[column]);
        let mut now = row.clone();
        now[column] = altered;
        assert_named(&verify(folder.path(), &[]), table, &[&row, &now], &what);
        flips += 1;
    }
    assert!(flips >= 60, "only {flips} flips were tried");
}

#[test]
fn a_row_that_is_gone_is_missed() {
    let mut dice = Dice::new();
    let (_folder, file) = copy();
    let tables = tables(&mut Database::open(&file));
    // That a head or a checkpoint is gone can't be told from one that was never made: each is written for others to
    // compare with.
    for table in tables.iter().filter(|table| !["heads", "checkpoints"].contains(&table.name.as_str())) {
        for _ in 0..rounds(4, 1) {
            let (folder, file) = copy();
            let mut database = Database::open(&file);
            // One that no decision was judged by: the host asks the store to keep what is in force, used or not.
            database.execute("DELETE FROM snapshots WHERE hash NOT IN (SELECT snapshot FROM decisions)");
            let n = dice.below(database.count(table));
            let row = database.nth(table, n);
            assert_eq!(database.delete(table, &row), 1);
            drop(database);
            assert_named(&verify(folder.path(), &[]), table, &[&row], &format!("{}: {row:?} deleted", table.name));
        }
    }
}

#[test]
fn a_row_that_was_slipped_in_is_found() {
    let columns = |table: &str, seq: &str| {
        let (_folder, file) = copy();
        let names = Database::open(&file).table(table).columns;
        let chosen = names.iter().map(|name| if name == "seq" { seq } else { name.as_str() }).collect::<Vec<_>>();
        chosen.join(", ")
    };
    let again = |table: &str, from: &str| {
        format!("INSERT INTO {table} SELECT {} FROM {table} {from} LIMIT 1", columns(table, "seq + 100000"))
    };
    let forged = [
        again("entries", ""),
        again("sealed", ""),
        again("activations", ""),
        "INSERT INTO effects SELECT seq, n + 100, tenant, binding, kind, body, state FROM effects LIMIT 1".to_owned(),
        "INSERT INTO effects SELECT 0, 0, tenant, binding, kind, body, state FROM effects LIMIT 1".to_owned(),
        "INSERT INTO keys SELECT id || 'x', randomblob(32), 'admin', tenant, label, at, seq FROM keys LIMIT 1".to_owned(),
        "INSERT INTO packages SELECT tenant, name, '9.9.9', digest, kind, contract, manifest, at, seq FROM packages LIMIT 1"
            .to_owned(),
        "INSERT INTO policies SELECT tenant, scope, version + 9, hash, bytes, at, seq FROM policies LIMIT 1".to_owned(),
        "INSERT INTO systems SELECT tenant, id, version + 9, bytes, at, seq FROM systems LIMIT 1".to_owned(),
        "INSERT INTO decisions SELECT 0, 'x', tenant, system, environment, kind, verdict, reason, risk_score, confidence, \
         occurred_at, rules_as_of, received_at, decided_at, snapshot, kill_switch, NULL, NULL FROM decisions LIMIT 1"
            .to_owned(),
        "INSERT INTO key_revocations SELECT id, tenant, at, seq FROM keys WHERE id NOT IN \
         (SELECT id FROM key_revocations) LIMIT 1"
            .to_owned(),
    ];
    for statement in forged {
        let (folder, file) = copy();
        assert_eq!(Database::open(&file).execute(&statement), 1, "{statement}");
        let output = verify(folder.path(), &[]);
        assert_eq!(output.code, 1, "{statement}: {}{}", output.stdout, output.stderr);
        assert!(!faults(&output.json()).is_empty(), "{statement}");
    }
}

#[test]
fn a_forger_who_recomputes_the_columns_is_still_found() {
    // The verdict in every place but the entry's bytes.
    let (folder, file) = copy();
    let mut database = Database::open(&file);
    let seq: u64 = database.texts("SELECT CAST(max(seq) AS TEXT) FROM decisions")[0][0].parse().unwrap();
    database.execute(&format!("UPDATE decisions SET verdict = 'block', reason = 'FORGED' WHERE seq = {seq}"));
    database.forge_record(seq, r#""reason":""#, r#""reason":"FORGED"#);
    drop(database);
    let report = verify(folder.path(), &[]).expect(1).json();
    let fields: Vec<&str> = faults(&report).iter().map(|fault| fault["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"verdict") && fields.iter().any(|field| field.contains("record")), "{fields:?}");

    // An entry with its own hash recomputed: the next one still names the old.
    let (folder, file) = copy();
    let mut database = Database::open(&file);
    let table = database.table("entries");
    let (hash, bytes) = (table.column("hash"), table.column("bytes"));
    let row = database.nth(&table, 120);
    let Cell::Blob(mut entry) = row[bytes].clone() else { panic!("{row:?}") };
    let at =
        entry.windows(5).position(|window| window == b"allow" || window == b"block" || window == b"revie").unwrap();
    entry[at..at + 5].copy_from_slice(b"other");
    let forged: [u8; 32] = Sha256::new().chain_update([0]).chain_update(&entry).finalize().into();
    database.replace(&table, &row, bytes, &Cell::Blob(entry)).unwrap();
    database.replace(&table, &row, hash, &Cell::Blob(forged.to_vec())).unwrap();
    drop(database);
    let report = verify(folder.path(), &[]).expect(1).json();
    let faults = faults(&report);
    let named = |record: &str, field: &str| {
        faults.iter().any(|fault| fault["record"] == record && fault["field"].as_str().unwrap().contains(field))
    };
    assert!(named("entry 121", "previous"), "{faults:?}");
}

#[test]
fn any_bit_flipped_in_the_file_is_found_or_changes_nothing() {
    let mut dice = Dice::new();
    let all = |file: &Path| -> Option<Vec<_>> {
        let mut database = Database::open(file);
        let tables = database.tables();
        tables.iter().map(|table| database.all(table).ok()).collect()
    };
    let (_folder, file) = copy();
    let original = all(&file).unwrap();
    let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    let mut found = 0;
    for _ in 0..rounds(120, 15) {
        let (folder, file) = copy();
        let mut bytes = fs::read(&file).unwrap();
        let (at, bit) = (dice.below(length), dice.below(8));
        bytes[at] ^= 1 << bit;
        fs::write(&file, &bytes).unwrap();
        let output = verify(folder.path(), &[]);
        match output.code {
            0 => assert_eq!(all(&file).as_ref(), Some(&original), "bit {bit} of byte {at} changed a row unnoticed"),
            1 => found += 1,
            _ => panic!("bit {bit} of byte {at}: {output:?}"),
        }
    }
    assert!(found > 0);
}

#[test]
fn a_bit_flipped_in_a_component_is_named_with_its_digest() {
    let (folder, file) = copy();
    let mut database = Database::open(&file);
    let table = database.table("components");
    let row = database.nth(&table, 0);
    let (digest, bytes) = (table.column("digest"), table.column("bytes"));
    let (Cell::Blob(digest), Cell::Blob(mut code)) = (row[digest].clone(), row[bytes].clone()) else { panic!() };
    let middle = code.len() / 2;
    code[middle] ^= 1;
    database.replace(&table, &row, bytes, &Cell::Blob(code)).unwrap();
    drop(database);
    let said = assize(&["ledger", "verify", "--data", folder.path().to_str().unwrap()]).expect(1).stdout;
    let fault = said.lines().find(|line| line.contains("FAULT")).unwrap();
    assert!(fault.contains("component") && fault.contains(&hex::encode(digest)), "{said}");
}
