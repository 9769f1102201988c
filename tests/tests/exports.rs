//! A part of the ledger leaves the house in one file, and is checked by a stranger: by our verifier, and by one in another
//! language that was written from the format's description alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assize_ledger::{Checkpoint, Digest, ExportCheck, Note, SignerKey, verify_export};
use assize_tests::{Client, Database, Dice, Output, Server, Setup, assize, python, rounds, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

fn export(client: &Client, folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let file = folder.join(name);
    let out = file.to_str().unwrap();
    assize(&[&["export", "--out", out, "--server", client.base(), "--key", client.key()], more].concat()).expect(0);
    file
}

fn verify(file: &Path, more: &[&str]) -> Output {
    // No server is there to be asked.
    let common = ["ledger", "verify", "--export", file.to_str().unwrap(), "--server", "http://127.0.0.1:9", "--json"];
    assize(&[&common[..], more].concat())
}

/// Whether the second implementation finds the file sound, and what it says.
fn independent(python: &str, file: &Path, raw: bool, more: &[&str]) -> (bool, Value) {
    let script = workspace().join("tests/verifier/assize_verify.py");
    let raw = if raw { &["--raw"][..] } else { &[] };
    let tried = Command::new(python).arg(script).arg(file).arg("--json").args(raw).args(more).output().unwrap();
    let code = tried.status.code();
    let said = String::from_utf8_lossy(&tried.stdout);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {said}{}", String::from_utf8_lossy(&tried.stderr));
    let report = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    (code == Some(0), report)
}

/// A server with decisions of two tenants, one erased, and a key that was changed.
fn furnished() -> (Server, Client, Client) {
    let server = Server::start(Setup::bundled().argument("--checkpoint-entries").argument("50"));
    let (one, other) = (server.tenant(), server.tenant());
    for n in 0..90 {
        let case = json!({
            "environment": "production", "kind": "prompt", "payload": { "prompt": format!("Hello {n}") },
            "data_subject": (n % 9 == 0).then(|| format!("person-{}", n % 2)),
        });
        let tenant = if n % 3 == 0 { &other } else { &one };
        tenant.post_with("/v1/decisions", &[], case.to_string().as_bytes()).expect(201);
        if n == 45 {
            server.admin().post("/v1/ledger/keys/rotate", &json!({ "reason": "a test" })).expect(201);
        }
    }
    (server, one, other)
}

#[test]
fn an_export_is_checked_without_us_by_two_verifiers() {
    let (server, one, other) = furnished();
    let folder = tempfile::tempdir().unwrap();
    let admin = server.admin();
    let erased = other.post("/v1/erasures", &json!({ "data_subject": "person-1", "basis": "GDPR Art. 17(1)(b)" }));
    assert_eq!(erased.expect(201)["erased"], 5);
    let auditor = one.role("auditor");
    let files: Vec<(PathBuf, u64)> = vec![
        (export(admin, folder.path(), "all", &[]), 0),
        (export(admin, folder.path(), "part", &["--from", "30", "--to", "80"]), 30),
        (export(admin, folder.path(), "bare", &["--from", "2020-01-01", "--without-payloads"]), 0),
        (export(&auditor, folder.path(), "tenant", &["--from", "5"]), 5),
    ];
    let keys = admin.get("/v1/ledger/keys").expect(200);
    let key = keys["keys"][0]["key"].as_str().unwrap();
    for (file, from) in &files {
        let report = verify(file, &["--log-key", key]).expect(0).json();
        assert_eq!(report["header"]["from"], *from);
        let Some(python) = python() else { continue };
        let (sound, second) = independent(python, file, false, &["--log-key", key]);
        assert!(sound, "{second}");
        for (ours, theirs) in [
            ("entries", "entries"),
            ("foreign", "foreign"),
            ("payloads", "payloads"),
            ("erased", "erased"),
            ("checkpoints", "checkpoints"),
            ("root", "root"),
        ] {
            assert_eq!(report[ours], second[theirs], "{}: {ours}", file.display());
        }
    }
    let all = verify(&files[0].0, &[]).expect(0).json();
    assert!(all["erased"].as_u64().unwrap() == 10 && all["keys"].as_array().unwrap().len() == 2);
    let tenant = verify(&files[3].0, &[]).expect(0).json();
    assert_eq!(tenant["header"]["tenant"], one.tenant());
    assert!(tenant["foreign"].as_u64().unwrap() > 40);
    let text = zstd_decoded(&fs::read(&files[3].0).unwrap());
    assert!(!String::from_utf8_lossy(&text).contains(other.tenant()), "another tenant's name is in the file");

    // The same part under the same checkpoint is the same file; and an export is an entry.
    let again = export(admin, folder.path(), "again", &["--from", "30", "--to", "80"]);
    let (first, second) = (verify(&files[1].0, &[]).expect(0).json(), verify(&again, &[]).expect(0).json());
    assert!(second["header"]["size"].as_u64() >= first["header"]["size"].as_u64());
    let entries = admin.get("/v1/ledger/entries?from=90&limit=1000").expect(200).to_string();
    assert_eq!(entries.matches("ledger.exported").count(), 5);

    // For tools that read nothing but lines.
    let lines = export(admin, folder.path(), "lines", &["--jsonl", "--from", "30"]);
    let lines: Vec<Value> =
        fs::read_to_string(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 50, "{} lines", lines.len());
    for field in [
        "timestamp",
        "event_type",
        "system_id",
        "tenant_id",
        "task_hash",
        "decision",
        "risk_score",
        "detected_threats",
        "policy_hash",
        "signature",
    ] {
        assert!(lines.iter().all(|line| line.get(field).is_some()), "{field}");
    }
    let decided = one.get("/v1/decisions?limit=1").expect(200)["decisions"][0].clone();
    let line = lines.iter().find(|line| line["event_id"] == decided["id"]).unwrap();
    assert_eq!((&line["decision"], &line["entry_hash"]), (&decided["verdict"], &decided["ledger"]["entry_hash"]));

    // What is kept elsewhere is compared.
    let kept = folder.path().join("kept");
    fs::write(&kept, admin.get("/v1/ledger/checkpoint").body).unwrap();
    let newest = export(admin, folder.path(), "newest", &[]);
    verify(&newest, &["--expect-checkpoint", kept.to_str().unwrap()]).expect(0);
    let said = verify(&files[1].0, &["--expect-checkpoint", kept.to_str().unwrap()]).expect(1).stdout;
    assert!(said.contains("expected checkpoint"), "{said}");
}

fn zstd_decoded(bytes: &[u8]) -> Vec<u8> {
    zstd::decode_all(bytes).unwrap()
}

#[test]
fn both_verifiers_refuse_the_same_files() {
    let (server, ..) = furnished();
    let folder = tempfile::tempdir().unwrap();
    let whole = export(server.admin(), folder.path(), "whole", &["--from", "40", "--to", "60"]);
    let content = zstd_decoded(&fs::read(&whole).unwrap());
    let mut dice = Dice::new();
    let broken = folder.path().join("broken");
    let (mut ours, mut theirs) = (0, 0);
    for n in 0..rounds(10_000, 200) {
        let mut altered = content.clone();
        let at = dice.below(altered.len());
        altered[at] ^= 1 << dice.below(8);
        let packed = zstd::encode_all(altered.as_slice(), 1).unwrap();
        let report = verify_export(packed.as_slice(), &ExportCheck::default(), |_, _| ());
        assert!(!report.is_sound(), "byte {at}");
        ours += 1;
        // A process each: as many as there is patience for.
        if let Some(python) = python().filter(|_| n < 60) {
            fs::write(&broken, &altered).unwrap();
            let (sound, said) = independent(python, &broken, true, &[]);
            assert!(!sound, "byte {at}: {said}");
            theirs += 1;
        }
    }
    println!("flipped bits found: {ours} by ours, {theirs} of the first by the second implementation");
    let bytes = fs::read(&whole).unwrap();
    for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&broken, &bytes[..length]).unwrap();
        verify(&broken, &[]).expect(1);
        if let Some(python) = python() {
            assert!(!independent(python, &broken, false, &[]).0, "cut at {length}");
        }
    }
}

/// The items of an export's content, from the kind of each to its end.
fn items(content: &[u8]) -> Vec<Vec<u8>> {
    let (mut items, mut rest) = (Vec::new(), &content[10..]);
    while !rest.is_empty() {
        let length = u64::from_be_bytes(rest[1..9].try_into().unwrap());
        let (item, others) = rest.split_at(9 + usize::try_from(length).unwrap());
        items.push(item.to_vec());
        rest = others;
    }
    items
}

/// A content of these items, whose manifest is the log's own for them.
fn signed(items: &[Vec<u8>], key: &SignerKey) -> Vec<u8> {
    let (manifest, items) = items.split_last().unwrap();
    let mut content = [&b"ASSIZE\0X\0\x01"[..], items.concat().as_slice()].concat();
    let text = Note::parse(&manifest[9..]).unwrap().text().to_owned();
    let head = text.split_once("sha256 ").unwrap().0;
    let mut note = Note::new(format!("{head}sha256 {}\n", Digest::of(&content))).unwrap();
    note.sign(key);
    let note = note.to_string().into_bytes();
    content.push(0x0f);
    content.extend_from_slice(&u64::try_from(note.len()).unwrap().to_be_bytes());
    content.extend_from_slice(&note);
    content
}

#[test]
fn both_verifiers_refuse_another_order_of_items_though_the_log_signs_it() {
    const PEAKS: u8 = 0x03;
    const PAYLOAD: u8 = 0x06;
    const CHECKPOINT: u8 = 0x08;
    let (server, one, _) = furnished();
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, from: u64| {
        let from = from.to_string();
        let file = fs::read(export(server.admin(), folder.path(), name, &["--from", &from])).unwrap();
        items(&zstd_decoded(&file))
    };
    // A checkpoint of all that there is, and of what the export itself adds; then some more.
    let early = written("early", 0);
    let covers = early.iter().rfind(|item| item[0] == CHECKPOINT).unwrap().clone();
    let size = Checkpoint::parse(Note::parse(&covers[9..]).unwrap().text()).unwrap().size;
    one.decide(None, "production", "one more");
    let (before, after) = (written("before", size - 5), written("after", size));
    let key: SignerKey = fs::read_to_string(server.data().join("log.key")).unwrap().parse().unwrap();

    let mut orders = vec![("as it was", before.clone(), true), ("from there", after.clone(), true)];
    let payload = before.windows(2).position(|two| (two[0][0], two[1][0]) == (PAYLOAD, CHECKPOINT)).unwrap();
    let mut swapped = before.clone();
    swapped.swap(payload, payload + 1);
    orders.push(("a payload after its entry's checkpoint", swapped, false));
    let mut twice = before;
    twice.insert(payload + 1, twice[payload + 1].clone());
    orders.push(("a checkpoint twice", twice, false));
    let peaks = after.iter().position(|item| item[0] == PEAKS).unwrap();
    let mut first = after;
    first.insert(peaks + 1, covers);
    orders.push(("a checkpoint before the first entry", first, false));
    for (what, items, holds) in orders {
        let content = signed(&items, &key);
        let packed = zstd::encode_all(content.as_slice(), 1).unwrap();
        let report = verify_export(packed.as_slice(), &ExportCheck::default(), |_, _| ());
        assert_eq!(report.is_sound(), holds, "{what}: {:#?}", report.faults);
        if let Some(python) = python() {
            let file = folder.path().join("reordered");
            fs::write(&file, &content).unwrap();
            let (sound, said) = independent(python, &file, true, &[]);
            assert_eq!(sound, holds, "{what}: {said}");
        }
    }
}

#[test]
fn what_is_erased_cannot_be_read_anywhere_and_its_receipt_holds() {
    let (server, one, other) = furnished();
    let decision = other.post(
        "/v1/decisions",
        &json!({
            "environment": "production", "kind": "prompt", "payload": { "prompt": "My number is 0190 5551234" },
            "data_subject": "ana",
        }),
    );
    let decision = decision.expect(201);
    let id = decision["id"].as_str().unwrap().to_owned();
    let seq = decision["ledger"]["seq"].as_u64().unwrap();
    // What lies on the disk may be packed.
    let mut database = Database::beside(&server.data().join("assize.db"));
    let packed = ["input", "record"].map(|column| database.packed(seq, column));
    drop(database);
    let path = format!("/v1/decisions/{id}");
    let body = |basis: &str| json!({ "decisions": [id], "basis": basis, "reason": "she asked" });
    other.role("auditor").post("/v1/erasures", &body("GDPR Art. 17")).expect(403);
    one.post("/v1/erasures", &body("GDPR Art. 17")).expect(404);
    other.post("/v1/erasures", &body(" ")).problem_naming(422, &["basis"]);
    other.post("/v1/erasures", &json!({ "basis": "x" })).problem_naming(422, &["decisions"]);
    let hold = |payloads: &str| other.put("/v1/retention", &json!({ "payloads": payloads }));
    hold("legal_hold").expect(200);
    other.post("/v1/erasures", &body("GDPR Art. 17")).problem_naming(409, &["legal hold"]);
    hold("30d").expect(200);
    hold("3 weeks").problem_naming(422, &["payloads", "30d"]);
    assert_eq!(other.get("/v1/retention").expect(200)["payloads"], "30d");
    let receipt = other.get(&format!("{path}/receipt")).expect(200);

    let said = assize(&[
        "erase",
        "--data-subject",
        "ana",
        "--basis",
        "GDPR Art. 17(1)(b)",
        "--server",
        other.base(),
        "--key",
        other.key(),
    ]);
    assert!(said.expect(0).stdout.contains("erased what 1 decisions bind"));
    other.get(&path).problem_naming(410, &["erased"]);
    assert!(other.get(&format!("{path}/receipt")).expect(200)["entry"] == receipt["entry"]);
    assert_eq!(other.post("/v1/erasures", &body("again")).expect(200)["erased"], 0);
    other.post(&format!("{path}/replay"), &json!({})).expect(409);
    let listed = other.get("/v1/decisions?limit=1").expect(200);
    assert_eq!(listed["decisions"][0]["id"], id.as_str());
    let mut server = server;
    let data = server.data().to_owned();
    assert_eq!(server.stop(), 0);
    for file in fs::read_dir(&data).unwrap() {
        let file = fs::read(file.unwrap().path()).unwrap();
        for gone in [b"0190 5551234".as_slice(), &packed[0], &packed[1][..64]] {
            assert!(!file.windows(gone.len()).any(|window| window == gone), "what was erased is still on disk");
        }
    }
    let report = assize(&["ledger", "verify", "--json", "--data", data.to_str().unwrap()]).expect(0).json();
    assert_eq!(report["erased"], 1);
}

#[test]
fn an_export_that_makes_no_sense_is_refused() {
    let (server, one, _) = furnished();
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("file");
    let out = out.to_str().unwrap();
    let asked = |client: &Client, more: &[&str]| {
        assize(&[&["export", "--out", out, "--server", client.base(), "--key", client.key()], more].concat())
    };
    for (more, said) in [
        (&["--from", "9000"][..], "no entries from there"),
        (&["--to", "9000"], "the ledger has"),
        (&["--from", "2099-01-01"], "no entries from there"),
        (&["--from", "yesterday"], "use an entry's number"),
    ] {
        let refused = asked(server.admin(), more).expect(1).stderr;
        assert!(refused.contains(said), "{refused}");
        assert!(!Path::new(out).exists());
    }
    assert!(asked(&one.role("app"), &[]).expect(1).stderr.contains("403"));
    fs::write(out, "mine").unwrap();
    assert!(asked(server.admin(), &[]).expect(2).stderr.contains("is there already"));
    assert_eq!(fs::read_to_string(out).unwrap(), "mine");
    let said = verify(Path::new(out), &[]).expect(1).stdout;
    assert!(said.contains("zstd") || said.contains("file can't be read"), "{said}");
}

#[test]
fn many_decisions_are_erased_by_several_entries() {
    let server = Server::start(Setup::bare());
    let tenant = server.tenant();
    let ids: Vec<String> = (0..205)
        .map(|n| tenant.decide(None, "production", &format!("case {n}"))["id"].as_str().unwrap().to_owned())
        .collect();
    let before = tenant.entries();
    let body = json!({ "decisions": ids, "basis": "GDPR Art. 17" });
    let erased = tenant.post("/v1/erasures", &body).expect(201);
    assert_eq!(erased["erased"], 205, "{erased}");
    // An entry for two hundred at most; the answer names the last.
    assert_eq!(tenant.entries(), before + 2);
    let newest = tenant.get("/v1/ledger/entries?limit=1000&from=206").expect(200);
    let newest = newest["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&newest["kind"], &newest["seq"]), (&json!("payload.erased"), &erased["ledger"]["seq"]));
    assert_eq!(tenant.post("/v1/erasures", &body).expect(200)["erased"], 0);
    let verified = server.admin().get("/v1/ledger/verify").expect(200);
    assert_eq!((&verified["faults"]["count"], &verified["erased"]), (&json!(0), &json!(205)));
}
