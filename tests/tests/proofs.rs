//! Signed checkpoints, proofs and receipts: the log shows to strangers that it is one, and the same as before.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use assize_ledger::proof::{verify_consistency, verify_inclusion};
use assize_ledger::{Algorithm, Checkpoint, Digest, Note, Receipt, SignerKey, VerifierKey};
use assize_tests::{Client, Server, Setup, Shared, assize};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::bundled);

fn checkpoint(client: &Client) -> Note {
    let answer = client.get("/v1/ledger/checkpoint");
    assert_eq!(answer.status, 200);
    Note::parse(&answer.body).unwrap()
}

fn newest_key(client: &Client) -> VerifierKey {
    let keys = client.get("/v1/ledger/keys").expect(200);
    keys["keys"].as_array().unwrap().last().unwrap()["key"].as_str().unwrap().parse().unwrap()
}

fn hashes(value: &Value) -> Vec<Digest> {
    value.as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap()).collect()
}

fn digest(value: &Value) -> Digest {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_decision_comes_with_its_receipt_where_it_is_asked_for() {
    let server = SERVER.get();
    let tenant = &server.tenant();
    let case = json!({ "environment": "production", "kind": "prompt", "payload": { "prompt": "Hello" } }).to_string();
    let plain = tenant.post_with("/v1/decisions", &[], case.as_bytes()).expect(201);
    assert_eq!(plain.get("receipt"), None);
    let headers = [("prefer", "respond-async, receipt"), ("idempotency-key", "with-receipt")];
    let decision = tenant.post_with("/v1/decisions", &headers, case.as_bytes()).expect(201);
    let receipt: Receipt = serde_json::from_value(decision["receipt"].clone()).unwrap();
    let key = newest_key(tenant);
    let held = receipt.verify(&key).unwrap();
    assert_eq!(held.entry.subject, decision["id"].as_str().unwrap());
    assert_eq!(held.entry.seq, decision["ledger"]["seq"].as_u64().unwrap());
    assert_eq!(receipt.entry_hash, digest(&decision["ledger"]["entry_hash"]));
    let again = tenant.post_with("/v1/decisions", &headers, case.as_bytes()).expect(200);
    assert!(again["receipt"].is_object());

    let path = format!("/v1/decisions/{}/receipt", plain["id"].as_str().unwrap());
    let later: Receipt = serde_json::from_value(tenant.get(&path).expect(200)).unwrap();
    later.verify(&key).unwrap();
    server.admin().get(&path).expect(200);
    let other = server.tenant();
    other.get(&path).expect(404);
    other.get("/v1/decisions/no-such-decision/receipt").expect(404);

    // The same by the command line, which needs the server for nothing but the receipt.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    let file = file.to_str().unwrap();
    let id = plain["id"].as_str().unwrap();
    assize(&["ledger", "receipt", id, "--out", file, "--server", tenant.base(), "--key", tenant.key()]).expect(0);
    let offline =
        ["ledger", "verify", "--receipt", file, "--log-key", &key.to_string(), "--server", "http://127.0.0.1:9"];
    let said = assize(&offline).expect(0).stdout;
    assert!(said.contains("verified: the entry is in the log") && said.contains(id), "{said}");
    let altered = fs::read_to_string(file).unwrap().replacen("index ", "index 1", 1);
    fs::write(file, altered).unwrap();
    assert!(assize(&offline).expect(1).stdout.contains("NOT VERIFIED: proof index: found"));
}

#[test]
fn every_checkpoint_extends_the_one_before() {
    let server = SERVER.get();
    let (tenant, nobody) = (server.tenant(), server.anonymous());
    let key = newest_key(&nobody);
    let (first, _) = Checkpoint::open(&checkpoint(&nobody), &key).unwrap();
    for n in 0..300 {
        tenant.decide(None, "production", &format!("Hello {n}"));
    }
    let seq = tenant.decide(None, "production", "the last one")["ledger"]["seq"].as_u64().unwrap();
    let inclusion = nobody.get(&format!("/v1/ledger/proof/inclusion?seq={seq}")).expect(200);
    let (second, _) = Checkpoint::open(&checkpoint(&nobody), &key).unwrap();
    assert!(second.size > seq && second.size >= first.size + 300, "{first:?} {second:?}");
    assert_eq!(second.origin, "assize.dev/log");
    let (leaf, proof) = (digest(&inclusion["leaf_hash"]), hashes(&inclusion["proof"]));
    let size = inclusion["size"].as_u64().unwrap();
    verify_inclusion(&leaf, seq, size, &proof, &digest(&inclusion["root"])).unwrap();
    let path = format!("/v1/ledger/proof/consistency?old={}&new={}", first.size, second.size);
    let consistency = nobody.get(&path).expect(200);
    verify_consistency(first.size, second.size, &hashes(&consistency["proof"]), &first.root, &second.root).unwrap();

    // As monitors of other logs read it.
    assert_eq!(nobody.get("/log/checkpoint").body, nobody.get("/v1/ledger/checkpoint").body);
    let tile = nobody.get("/log/tile/0/000");
    assert_eq!((tile.status, tile.body.len()), (200, 256 * 32));
    let above = nobody.get("/log/tile/1/000.p/1");
    assert_eq!((above.status, above.body.len()), (200, 32));
    let partial = nobody.get("/log/tile/0/001.p/7");
    let seventh: [u8; 32] = partial.body[6 * 32..].try_into().unwrap();
    let proof = nobody.get(&format!("/v1/ledger/proof/inclusion?seq={}", 256 + 6)).expect(200);
    assert_eq!(Digest::from_bytes(seventh), digest(&proof["leaf_hash"]));
    for missing in [
        "/log/tile/x/000",
        "/log/tile/300/000",
        "/log/tile/0/x018/x446/x744/x073/x709/x551/615",
        "/log/tile/0/900",
        "/log/tile/9/000",
        "/log/tile/0/000.p/256",
        "/log/tile/0/x",
    ] {
        assert_eq!(nobody.get(missing).status, 404, "{missing}");
    }
    assert_eq!(nobody.get("/log/tile/entries/000").status, 401);
    assert_eq!(tenant.get("/log/tile/entries/000").status, 403);
    let bundle = server.admin().get("/log/tile/entries/000.p/2").body;
    let length = usize::from(u16::from_be_bytes([bundle[0], bundle[1]]));
    assert_eq!(&bundle[2..10], b"ASSIZE\0E");
    assert_eq!(&bundle[length + 4..length + 12], b"ASSIZE\0E");
}

#[test]
fn what_can_not_be_proved_is_refused_with_both_values() {
    let server = SERVER.get();
    let nobody = server.anonymous();
    for (path, said) in [
        ("inclusion?seq=9000000&size=9000001", "found 9000001, expected 1 to "),
        ("inclusion?seq=5&size=5", "index: found 5, expected less than the size 5"),
        ("consistency?old=6&new=5", "found 6, expected 1 to 5"),
        ("consistency?old=0&new=5", "found 0"),
    ] {
        let problem = nobody.get(&format!("/v1/ledger/proof/{path}")).expect(422).to_string();
        assert!(problem.contains(said), "{path}: {problem}");
    }
}

#[test]
fn the_log_key_is_made_once_and_rotated_by_both_keys() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare().data(folder.path());
    let mut server = Server::start(setup.clone());
    let first = newest_key(server.admin());
    let kept = checkpoint(server.admin());
    let file = folder.path().join("log.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let admin = server.admin();
    let auditor = server.tenant().role("auditor");
    let body = json!({ "reason": "yearly" });
    auditor.post("/v1/ledger/keys/rotate", &body).expect(403);
    admin.post("/v1/ledger/keys/rotate", &json!({ "reason": " " })).expect(422);
    let rotated = ["ledger", "rotate-key", "--reason", "yearly", "--server", admin.base(), "--key", admin.key()];
    assize(&rotated).expect(0);
    let second = newest_key(admin);
    assert_ne!(first, second);
    let seq = admin.get("/v1/ledger/keys").expect(200)["keys"][1]["seq"].as_u64().unwrap();
    admin.get(&format!("/v1/ledger/proof/inclusion?seq={seq}")).expect(200);
    checkpoint(admin).verify(&second).unwrap();
    assert!(checkpoint(admin).verify(&first).is_err());
    assert!(folder.path().join(format!("log.key.{}", first.id())).is_file());
    assert_eq!(server.stop(), 0);

    let data = folder.path().to_str().unwrap();
    let expected = folder.path().join("kept");
    fs::write(&expected, kept.to_string()).unwrap();
    let expected = expected.to_str().unwrap();
    let verify = ["ledger", "verify", "--data", data, "--expect-checkpoint", expected];
    let report = assize(&[&verify[..], &["--json", "--log-key", &first.to_string()]].concat()).expect(0).json();
    assert_eq!(report["keys"], json!([first.to_string(), second.to_string()]));
    assert!(report["checkpoints"].as_u64().unwrap() >= 2);
    let stranger = "example.org/x+f8a1a2a5+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert!(assize(&[&verify[..], &["--log-key", stranger]].concat()).code == 2, "the key's id is wrong");

    // It goes on with the new key, and not without it.
    let mut server = Server::start(setup.clone());
    assert_eq!(newest_key(server.admin()), second);
    let (base, key) = (server.admin().base().to_owned(), server.admin().key().to_owned());
    let remote = ["ledger", "verify", "--expect-checkpoint", expected, "--server", &base, "--key", &key];
    assert!(assize(&remote).expect(0).stdout.contains("begins with the expected one"));
    // Whichever of its keys is known from elsewhere: each checkpoint is signed by the key of its time.
    for known in [&first, &second] {
        assize(&[&remote[..], &["--log-key", &known.to_string()]].concat()).expect(0);
    }
    assert_eq!(server.stop(), 0);
    // Nor by a key of another name, or of a witness.
    for (name, algorithm) in [("example.org/other", Algorithm::Ed25519), ("assize.dev/log", Algorithm::Cosignature)] {
        let foreign = folder.path().join("foreign");
        fs::write(&foreign, SignerKey::generate(name, algorithm).unwrap().to_secret()).unwrap();
        let (code, said) = Setup::bare().argument("--log-key").argument(&foreign).refused();
        assert!(code == 1 && said.contains("can't sign the log assize.dev/log"), "{said}");
    }
    fs::rename(&file, folder.path().join("elsewhere")).unwrap();
    let (code, said) = setup.refused();
    assert!(code == 1 && said.contains(&second.to_string()) && said.contains("holds no key"), "{said}");
    let elsewhere = Setup::bare().data(folder.path()).argument("--log-key").argument(folder.path().join("elsewhere"));
    drop(Server::start(elsewhere));
}

#[test]
fn a_key_that_was_replaced_signs_no_more_receipts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Setup::bare().data(folder.path()));
    let (admin, tenant) = (server.admin(), server.tenant());
    let decided = |prompt: &str| -> Receipt {
        let decision = tenant.decide(None, "production", prompt);
        let path = format!("/v1/decisions/{}/receipt", decision["id"].as_str().unwrap());
        serde_json::from_value(tenant.get(&path).expect(200)).unwrap()
    };
    let before = decided("before");
    let first = newest_key(admin);
    admin.post("/v1/ledger/keys/rotate", &json!({ "reason": "stolen" })).expect(201);
    let after = decided("after");
    let second = newest_key(admin);
    let since = admin.get("/v1/ledger/keys").expect(200)["keys"][1]["seq"].as_u64().unwrap();
    let stolen = fs::read_to_string(folder.path().join(format!("log.key.{}", first.id()))).unwrap();
    let stolen: SignerKey = stolen.parse().unwrap();
    let forged = |receipt: &Receipt| {
        let head = receipt.proof.split_once("\n\n").unwrap().0;
        let signed = Checkpoint::parse(receipt.note().unwrap().text()).unwrap().sign(&stolen).unwrap();
        Receipt { proof: format!("{head}\n\n{signed}"), ..receipt.clone() }
    };
    let file = folder.path().join("receipt.json");
    let verify = |receipt: &Receipt, more: &[&str]| {
        fs::write(&file, serde_json::to_vec(receipt).unwrap()).unwrap();
        let asked = ["ledger", "verify", "--receipt", file.to_str().unwrap(), "--server", admin.base()];
        assize(&[&asked[..], more].concat())
    };

    assert!(verify(&before, &[]).expect(0).stdout.contains(&first.to_string()));
    let said = verify(&after, &[]).expect(0).stdout;
    assert!(said.contains(&format!("{second} (since entry {since}, as the server tells it)")), "{said}");
    assert!(said.contains("is the server's own word"), "{said}");
    // What it signed when it was the log's key still holds; it can sign that again.
    verify(&forged(&before), &[]).expect(0);
    let said = verify(&forged(&after), &[]).expect(1).stdout;
    assert!(said.contains("NOT VERIFIED: checkpoint: no signature of assize.dev/log"), "{said}");
    assert!(said.contains(&format!("{second} (since entry {since}")), "{said}");
    let said = verify(&forged(&after), &["--json"]).expect(1).json();
    assert!(said["fault"].as_str().unwrap().contains(&first.id().to_string()), "{said}");

    // Whoever gives the key has to know until when it was the log's: that is said, since nothing in the receipt tells.
    let given = ["--log-key", &first.to_string()];
    let said = verify(&forged(&after), &given).expect(0).stdout;
    assert!(said.contains("isn't shown by a receipt"), "{said}");
    let said = verify(&before, &[&given[..], &["--json"]].concat()).expect(0).json();
    assert!(said["notes"][0].as_str().unwrap().contains("isn't shown by a receipt"), "{said}");
    // A checkpoint of the server's is opened by the key of its time, too.
    let kept = folder.path().join("kept");
    let keep = |receipt: &Receipt| fs::write(&kept, receipt.note().unwrap().to_string()).unwrap();
    let extends =
        ["ledger", "verify", "--expect-checkpoint", kept.to_str().unwrap(), "--server", admin.base(), "--key"];
    let extends = [&extends[..], &[admin.key()]].concat();
    keep(&before);
    assize(&extends).expect(0);
    keep(&forged(&after));
    let said = assize(&extends).expect(1).stderr;
    assert!(said.contains("the expected checkpoint: no signature of assize.dev/log"), "{said}");
}

#[test]
fn a_database_that_was_put_back_is_not_signed_again() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare().data(folder.path());
    let mut server = Server::start(setup.clone());
    assert_eq!(server.stop(), 0);
    let database = folder.path().join("assize.db");
    let backup = fs::read(&database).unwrap();
    let mut server = Server::start(setup.clone());
    server.tenant().register("bot");
    server.admin().get("/v1/ledger/checkpoint");
    assert_eq!(server.stop(), 0);
    fs::write(&database, &backup).unwrap();
    let (code, said) = setup.refused();
    assert!(code == 1 && said.contains("contradicts what was signed before"), "{said}");
    let said = assize(&["ledger", "verify", "--data", folder.path().to_str().unwrap()]).expect(1).stdout;
    assert!(said.contains("expected") && said.contains("beside the database"), "{said}");
    // Knowingly, it can go on; the checkpoint kept elsewhere tells.
    let kept = folder.path().join("kept");
    fs::rename(folder.path().join("checkpoint"), &kept).unwrap();
    let mut server = Server::start(setup.clone());
    server.tenant().register("another-bot");
    for n in 0..3 {
        server.tenant().register(&format!("bot-{n}"));
    }
    assert_eq!(server.stop(), 0);
    let data = folder.path().to_str().unwrap();
    assize(&["ledger", "verify", "--data", data]).expect(0);
    let said = assize(&["ledger", "verify", "--data", data, "--expect-checkpoint", kept.to_str().unwrap()]).expect(1);
    assert!(said.stdout.contains("root: found"), "{}", said.stdout);
}

#[test]
fn a_log_has_the_name_that_its_operator_gave_it() {
    let folder = tempfile::tempdir().unwrap();
    let named = Setup::bare().data(folder.path()).argument("--origin").argument("example.org/decisions");
    let mut server = Server::start(named);
    let (signed, _) = Checkpoint::open(&checkpoint(server.admin()), &newest_key(server.admin())).unwrap();
    assert_eq!(signed.origin, "example.org/decisions");
    assert_eq!(server.stop(), 0);
    // Without a name, it is the one that it has; with another, it isn't opened.
    drop(Server::start(Setup::bare().data(folder.path())));
    let other = Setup::bare().data(folder.path()).argument("--origin").argument("example.org/other");
    let (code, said) = other.refused();
    assert!(code == 1 && said.contains("\"example.org/decisions\", not \"example.org/other\""), "{said}");
    let (code, _) = Setup::bare().argument("--origin").argument("a b").refused();
    assert_eq!(code, 2);
}

#[test]
fn a_log_that_was_written_anew_with_the_real_key_is_not_the_one_that_others_saw() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare().data(folder.path());
    let mut server = Server::start(setup.clone());
    let tenant = server.tenant();
    tenant.register("bot");
    for n in 0..5 {
        tenant.decide(Some("bot"), "production", &format!("Hello {n}"));
    }
    let decision = tenant.decide(Some("bot"), "production", "the one that somebody regrets");
    let id = decision["id"].as_str().unwrap();
    let receipt = folder.path().join("receipt.json");
    fs::write(&receipt, tenant.get(&format!("/v1/decisions/{id}/receipt")).body).unwrap();
    let anchored = folder.path().join("anchored");
    fs::write(&anchored, server.anonymous().get("/v1/ledger/checkpoint").body).unwrap();
    let key = newest_key(server.admin()).to_string();
    assert_eq!(server.stop(), 0);
    // Everything but the key begins again, longer than it was.
    for file in ["assize.db", "checkpoint"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    let mut server = Server::start(setup);
    let tenant = server.tenant();
    for n in 0..20 {
        tenant.decide(None, "production", &format!("Nothing happened {n}"));
    }
    assert_eq!(newest_key(server.admin()).to_string(), key);
    let remote = ["ledger", "verify", "--expect-checkpoint", anchored.to_str().unwrap()];
    let (base, admin) = (server.admin().base().to_owned(), server.admin().key().to_owned());
    let said = assize(&[&remote[..], &["--server", &base, "--key", &admin]].concat()).expect(1).stderr;
    assert!(said.contains("it was forked"), "{said}");
    assert_eq!(server.stop(), 0);
    let data = folder.path().to_str().unwrap();
    let verify = ["ledger", "verify", "--data", data, "--log-key", &key];
    // By itself, it is flawless: that is why others must know.
    assert!(assize(&verify).expect(0).stdout.contains("nobody outside has confirmed this log"));
    let said = assize(&[&verify[..], &["--expect-checkpoint", anchored.to_str().unwrap()]].concat()).expect(1).stdout;
    assert!(said.contains("root: found"), "{said}");
    // Whoever has the receipt has the proof.
    let offline = ["ledger", "verify", "--receipt", receipt.to_str().unwrap(), "--log-key", &key];
    assize(&offline).expect(0);
}
