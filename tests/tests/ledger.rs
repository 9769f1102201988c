//! What was recorded can't be changed unnoticed: `assize ledger verify` finds and names whatever isn't as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assize_tests::{Cell, Database, Dice, Output, Server, Shared, Table, agent, answer, assize, policy, rounds, rule, ruling};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

static GUESTS: Shared = Shared::new(Server::with_guests);

fn verify(data: &Path, more: &[&str]) -> Output {
    assize(&[&["ledger", "verify", "--json", "--data", data.to_str().unwrap()], more].concat())
}

/// Does a bit of everything that leaves a row, and enough of it to fill a tile of the tree.
fn furnish(server: &Server) {
    let tenant = server.tenant();
    tenant.register("bot");
    tenant.register("second-bot");
    let mut alert = json!({ "name": "tell-us", "plugin": "assize/alert", "on": ["allow", "warn", "review", "block"] });
    alert["settings"] = json!({ "min_verdict": "allow" });
    tenant.set_policy("tenant", &policy(&[alert.clone()]));
    tenant.set_policy("system:bot", &policy(&[]));
    tenant.set_policy("system:bot", &json!({ "title": "second version" }));
    let revoked = tenant.post("/v1/keys", &json!({ "role": "app", "label": "x" })).expect(201);
    tenant.delete(&format!("/v1/keys/{}", revoked["id"].as_str().unwrap()));
    let stop = json!({ "operational_status": "emergency_stop", "reason": "a test", "operator_id": "ana" });
    tenant.put("/v1/systems/second-bot/emergency-stop", &stop).expect(200);
    tenant.decide(Some("second-bot"), "production", "Hello");
    let resume = json!({ "reason": "the test is over", "operator_id": "ana" });
    tenant.post("/v1/systems/second-bot/resume", &resume).expect(200);
    server.admin().post("/v1/plugins/eu/ai-act-prohibited/1.0.0/yank", &json!({ "reason": "a test" })).expect(200);
    for n in 0..280 {
        let system = (n % 3 == 0).then_some("bot");
        let payload = json!({ "prompt": format!("Hello {n}") });
        let case = json!({ "environment": "production", "kind": "prompt", "payload": payload, "system": system });
        let key = format!("key-{n}");
        let headers = [("idempotency-key", key.as_str())];
        let headers = if n % 2 == 0 { &headers[..] } else { &[] };
        tenant.post_with("/v1/decisions", headers, case.to_string().as_bytes()).expect(201);
    }
}

/// The data of a server that has ended, made once.
static FURNISHED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let mut server = Server::bundled();
    furnish(&server);
    assert_eq!(server.stop(), 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assize.db");
    fs::copy(server.data().join("assize.db"), &file).unwrap();
    (folder, file)
});

/// A copy of that data, to be altered.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assize.db");
    fs::copy(&FURNISHED.1, &file).unwrap();
    (folder, file)
}

#[test]
fn an_untouched_ledger_verifies_beside_a_running_server_and_without_one() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.0)), rule("rule", &ruling("warn", "HM"))]));
    for _ in 0..20 {
        tenant.decide(None, "production", "Hello");
    }
    let entries = server.admin().entries();
    let beside = verify(server.data(), &[]).expect(0).json();
    assert_eq!(beside["faults"]["count"], 0, "{beside}");
    assert_eq!((&beside["entries"], &beside["decisions"]), (&json!(entries), &json!(20)));
    assert!(beside["payloads"].as_u64().unwrap() >= 40, "an input and a record for each decision: {beside}");
    assert_eq!(beside["root"].as_str().unwrap().len(), 64);
    let over_http = server.admin().get("/v1/ledger/verify").expect(200);
    assert_eq!((&over_http["root"], &over_http["entries"]), (&beside["root"], &beside["entries"]));

    // While it is written to.
    std::thread::scope(|scope| {
        let load = scope.spawn(|| (0..100).for_each(|_| drop(tenant.decide(None, "production", "Hello"))));
        while !load.is_finished() {
            assert_eq!(verify(server.data(), &[]).expect(0).json()["faults"]["count"], 0);
        }
    });
    assert_eq!(server.stop(), 0);
    let without = verify(server.data(), &[]).expect(0).json();
    assert_eq!(without["entries"], entries + 100);

    let said = assize(&["ledger", "verify", "--data", server.data().to_str().unwrap()]).expect(0).stdout;
    assert!(said.contains("verified") && said.contains(without["root"].as_str().unwrap()), "{said}");
}

#[test]
fn a_range_is_verified_by_itself_and_says_what_it_took_for_granted() {
    let data = FURNISHED.0.path();
    let report = verify(data, &["--from", "100", "--to", "199"]).expect(0).json();
    assert_eq!((&report["from"], &report["entries"]), (&json!(100), &json!(100)));
    assert!(report["notes"].to_string().contains("99"), "{report}");
    assert!(report["root"].is_null());
    let beyond = verify(data, &["--to", "1000000"]).expect(1);
    assert!(beyond.stderr.contains("to"), "{}", beyond.stderr);
    verify(data, &["--from", "9", "--to", "5"]).expect(1);
}

#[test]
fn a_tail_that_was_cut_off_shows_against_an_earlier_report() {
    let before = verify(FURNISHED.0.path(), &[]).expect(0).json();
    let (size, root) = (before["entries"].to_string(), before["root"].as_str().unwrap());
    let expected = ["--expected-size", size.as_str(), "--expected-root", root];
    verify(FURNISHED.0.path(), &expected).expect(0);
    let (folder, file) = copy();
    let mut database = Database::open(&file);
    let last = before["entries"].as_u64().unwrap() - 1;
    for table in ["entries", "sealed", "decisions", "effects"] {
        database.execute(&format!("DELETE FROM {table} WHERE seq = {last}"));
    }
    database.execute(&format!("DELETE FROM heads WHERE size > {last}"));
    drop(database);
    let report = verify(folder.path(), &expected).expect(1).json();
    assert!(report["faults"]["first"].to_string().contains(&format!("head {size}")), "{report}");
    // Without the earlier report nobody can tell, and the report says so.
    let alone = verify(folder.path(), &[]).json();
    assert!(alone["notes"].to_string().contains("cut off"), "{alone}");
}

/// What a verifier written from the description of the format alone finds: the hash of each entry and the root.
fn recomputed(file: &Path) -> (Vec<[u8; 32]>, [u8; 32]) {
    let mut database = Database::open(file);
    let table = database.table("entries");
    let (seq, hash, bytes) = (table.column("seq"), table.column("hash"), table.column("bytes"));
    let mut hashes: Vec<[u8; 32]> = Vec::new();
    for (n, row) in database.all(&table).unwrap().into_iter().enumerate() {
        let (Cell::Blob(stored), Cell::Blob(entry)) = (&row[hash], &row[bytes]) else { panic!("{row:?}") };
        assert_eq!(row[seq], Cell::Integer(i64::try_from(n).unwrap()), "a gap");
        assert_eq!(&entry[..10], b"ASSIZE\0E\0\x01");
        let origin = usize::from(u16::from_be_bytes([entry[10], entry[11]]));
        let rest = &entry[12 + origin..];
        assert_eq!(u64::from_be_bytes(rest[..8].try_into().unwrap()), u64::try_from(n).unwrap());
        let previous: [u8; 32] = rest[8..40].try_into().unwrap();
        assert_eq!(previous, hashes.last().copied().unwrap_or_default(), "entry {n} follows another");
        let found: [u8; 32] = Sha256::new().chain_update([0]).chain_update(entry).finalize().into();
        assert_eq!(found[..], stored[..], "entry {n}");
        hashes.push(found);
    }
    let root = tree(&hashes);
    (hashes, root)
}

/// RFC 6962, section 2.1, as it is written there.
fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = (tree(&leaves[..split]), tree(&leaves[split..]));
            Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
        }
    }
}

#[test]
fn an_independent_verifier_comes_to_the_same_root() {
    let report = verify(FURNISHED.0.path(), &[]).expect(0).json();
    let (_folder, file) = copy();
    let (hashes, root) = recomputed(&file);
    assert_eq!(report["entries"], hashes.len());
    assert_eq!(report["last"], hex::encode(hashes.last().unwrap()));
    assert_eq!(report["root"], hex::encode(root));
    // And so does every head that was stored on the way.
    let mut database = Database::open(&file);
    let table = database.table("heads");
    let (size, stored) = (table.column("size"), table.column("root"));
    let heads = database.all(&table).unwrap();
    assert!(heads.len() > 100);
    for head in heads {
        let (Cell::Integer(size), Cell::Blob(stored)) = (&head[size], &head[stored]) else { panic!("{head:?}") };
        assert_eq!(tree(&hashes[..usize::try_from(*size).unwrap()])[..], stored[..], "head {size}");
    }
}

/// The cell with one bit flipped.
fn flipped(cell: &Cell, dice: &mut Dice) -> Cell {
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

/// How a fault names a row of a table: one of these must stand in its `record`.
fn names(table: &Table, row: &[Cell]) -> Vec<String> {
    let text = |name: &str| match &row[table.column(name)] {
        Cell::Integer(number) => number.to_string(),
        Cell::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cell::Blob(bytes) => hex::encode(bytes),
        other => panic!("{other:?}"),
    };
    let columns: &[&str] = match table.name.as_str() {
        "entries" | "sealed" | "effects" => &["seq"],
        "decisions" => &["seq", "id"],
        "snapshots" => &["hash"],
        "components" => &["digest"],
        "heads" => &["size"],
        "tiles" => return vec![format!("{}/{}", text("level"), text("idx"))],
        "packages" => &["name", "seq"],
        "activations" => &["package", "seq"],
        "policies" => &["scope", "seq"],
        _ => &["id", "seq"],
    };
    columns.iter().map(|column| text(column)).collect()
}

/// The output must name the row as it was or as it is now.
fn assert_named(output: &Output, table: &Table, rows: &[&[Cell]], what: &str) {
    assert_eq!(output.code, 1, "{what}: {}{}", output.stdout, output.stderr);
    let report = output.json();
    let faults = faults(&report);
    assert!(!faults.is_empty(), "{what}: {report}");
    let names: Vec<String> = rows.iter().flat_map(|row| names(table, row)).collect();
    let named = faults.iter().any(|fault| {
        let record = fault["record"].as_str().unwrap();
        let seq = fault["seq"].to_string();
        names.iter().any(|name| record.contains(name) || seq == *name)
    });
    assert!(named, "{what}: none of {names:?} is named by {faults:?}");
}

#[test]
fn any_bit_flipped_in_any_column_of_any_table_is_found_and_named() {
    let mut dice = Dice::new();
    let (_folder, file) = copy();
    let tables = Database::open(&file).tables();
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
    let tables = Database::open(&file).tables();
    // That a head is gone can't be told from one that was never stored: each is written for others to compare with.
    for table in tables.iter().filter(|table| table.name != "heads") {
        for _ in 0..rounds(4, 1) {
            let (folder, file) = copy();
            let mut database = Database::open(&file);
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
    let seq = "(SELECT max(seq) FROM decisions)";
    database.execute(&format!("UPDATE decisions SET verdict = 'block', reason = 'FORGED' WHERE seq = {seq}"));
    database.execute(&format!(
        "UPDATE sealed SET record = CAST(replace(CAST(record AS TEXT), '\"reason\":\"', '\"reason\":\"FORGED') AS BLOB) \
         WHERE seq = {seq}"
    ));
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
    let at = entry.windows(5).position(|window| window == b"allow" || window == b"block" || window == b"revie").unwrap();
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

#[test]
fn entries_are_read_in_order_and_each_names_the_one_before() {
    let server = GUESTS.get();
    let (mut from, mut previous, mut seen) = (0, "0".repeat(64), 0);
    loop {
        let page = server.admin().get(&format!("/v1/ledger/entries?from={from}&limit=7")).expect(200);
        for entry in page["entries"].as_array().unwrap() {
            assert_eq!(entry["seq"], seen);
            assert_eq!(entry["previous"], previous.as_str());
            previous = entry["hash"].as_str().unwrap().to_owned();
            seen += 1;
        }
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    assert!(seen >= 5, "{seen} entries");
    let first = server.admin().get("/v1/ledger/entries?limit=1").expect(200);
    assert_eq!(first["entries"][0]["kind"], "log.opened");

    let shown = assize(&["ledger", "show", "--json", "--data", server.data().to_str().unwrap(), "--limit", "3"]);
    let shown = shown.expect(0).json();
    assert_eq!(shown["entries"][0], first["entries"][0]);
    assert_eq!(shown["next"], 3);
}

#[test]
fn an_entry_is_free_of_what_a_person_said() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let finding = json!({ "code": "TOLD", "severity": "low", "message": "quotes Ana Souza", "contribution": 0 });
    let told = json!({ "do": "answer", "score": 1.0, "findings": [finding] });
    tenant.set_policy("tenant", &policy(&[agent("agent", &told)]));
    let decision = tenant.decide(None, "production", "My name is Ana Souza, +55 11 99999-0000");
    assert!(decision["findings"].to_string().contains("Ana Souza"));
    let entries = tenant.get("/v1/ledger/entries?limit=1000").expect(200).to_string();
    assert!(entries.contains(decision["id"].as_str().unwrap()));
    for private in ["Ana", "99999"] {
        assert!(!entries.contains(private), "{private} stands in the ledger");
    }
}
