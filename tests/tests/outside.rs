//! Evidence from outside: a real authority that stamps times, a real witness, anchors; and each of them failing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use assize_ledger::{AddCheckpoint, Algorithm, Checkpoint, Digest, Note, SignerKey};
use assize_tests::{Authority, Client, Mood, Server, Setup, Witness, assize, python, workspace};
use serde_json::Value;

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn entries(client: &Client, kind: &str) -> Vec<Value> {
    let all = client.get("/v1/ledger/entries?limit=1000").expect(200);
    let all = all["entries"].as_array().unwrap().clone();
    all.into_iter().filter(|entry| entry["kind"] == kind).collect()
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = String::from_utf8(server.anonymous().get("/metrics").body).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[test]
fn checkpoints_are_stamped_recorded_and_believed_by_whoever_trusts_the_authority() {
    let authority = Authority::start();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority.roots_pem()).unwrap();
    let roots = roots.to_str().unwrap();
    let anchor = folder.path().join("anchor");
    let setup = Setup::bare().argument("--tsa").argument(authority.url()).argument("--tsa-roots").argument(roots);
    let setup = setup.argument("--outside-seconds").argument("1").argument("--anchor").argument(&anchor);
    let mut server = Server::start(setup);
    server.tenant().register("bot");
    until("two stamps", || entries(server.admin(), "checkpoint.stamped").len() >= 2);
    let stamped = entries(server.admin(), "checkpoint.stamped");
    assert_eq!(stamped[0]["subject"], authority.url());
    let size: u64 = stamped[1]["facts"]["details"]["size"].as_str().unwrap().parse().unwrap();
    assert!(stamped[1]["seq"].as_u64().unwrap() >= size, "an entry after the checkpoint records the stamp");
    until("an anchor", || fs::read_to_string(&anchor).is_ok_and(|text| text.matches("assize.dev/log").count() >= 2));
    // Each kept note is a checkpoint that the log still extends.
    let kept = fs::read_to_string(&anchor).unwrap();
    let first = kept.split_inclusive("\n\n").take(2).collect::<String>();
    let note = folder.path().join("kept");
    fs::write(&note, first.trim_end_matches('\n').to_owned() + "\n").unwrap();

    // The authority fails in every way: nothing is recorded, it is said aloud, and tried again.
    for mood in [
        Mood::Fails,
        Mood::Babbles,
        Mood::Rejects,
        Mood::StampsAnotherHash,
        Mood::StampsAnotherNonce,
        Mood::Expired,
        Mood::Foreign,
    ] {
        authority.behave(mood);
        let failures = metric(&server, "assize_outside_failures_total");
        until(&format!("{mood:?}"), || metric(&server, "assize_outside_failures_total") > failures);
        let before = entries(server.admin(), "checkpoint.stamped").len();
        let failures = metric(&server, "assize_outside_failures_total");
        until(&format!("{mood:?} again"), || metric(&server, "assize_outside_failures_total") > failures);
        assert_eq!(entries(server.admin(), "checkpoint.stamped").len(), before, "{mood:?}");
    }
    assert!(server.said().contains("no evidence from outside"), "{}", server.said());
    authority.behave(Mood::Stamps);
    let before = entries(server.admin(), "checkpoint.stamped").len();
    until("a stamp after all that", || entries(server.admin(), "checkpoint.stamped").len() > before);

    let export = folder.path().join("export");
    let export = export.to_str().unwrap();
    let (base, key) = (server.admin().base().to_owned(), server.admin().key().to_owned());
    assize(&["export", "--out", export, "--server", &base, "--key", &key]).expect(0);
    let data = server.data().to_owned();
    let data = data.to_str().unwrap();
    assert_eq!(server.stop(), 0);
    let verify = ["ledger", "verify", "--data", data, "--json"];
    let believed =
        assize(&[&verify[..], &["--tsa-roots", roots, "--expect-checkpoint", note.to_str().unwrap()]].concat());
    let report = believed.expect(0).json();
    assert!(report["stamps"].as_u64().unwrap() >= 3 && report["outside"][0]["size"].as_u64().unwrap() > size);
    assert!(report["notes"].to_string().contains("can have changed unnoticed since"), "{report}");
    let report = assize(&verify).expect(0).json();
    assert!(report["stamps"] == 0 && report["notes"].to_string().contains("no root certificates"), "{report}");
    let offline = ["ledger", "verify", "--export", export, "--json", "--server", "http://127.0.0.1:9"];
    let report = assize(&[&offline[..], &["--tsa-roots", roots]].concat()).expect(0).json();
    assert!(
        report["tokens"].as_u64().unwrap() >= 3 && report["outside"][0]["size"].as_u64().unwrap() > size,
        "{report}"
    );
    // The second implementation, by the same roots, reads the same times.
    if let Some(python) = python() {
        let script = workspace().join("tests/verifier/assize_verify.py");
        let second = Command::new(python).arg(script).args([export, "--json", "--tsa-roots", roots]).output().unwrap();
        assert_eq!(second.status.code(), Some(0), "{second:?}");
        let second: Value = serde_json::from_slice(&second.stdout).unwrap();
        let stamped = second["stamped"].as_array().unwrap();
        assert_eq!(stamped.len() as u64, report["tokens"].as_u64().unwrap());
        assert!(stamped.iter().any(|stamp| stamp["time"] == report["outside"][0]["time"]), "{second}");
    }
    // A stranger's root is no reason to believe.
    let other = Authority::start();
    fs::write(folder.path().join("other.pem"), other.roots_pem()).unwrap();
    let other = folder.path().join("other.pem");
    let report = assize(&[&offline[..], &["--tsa-roots", other.to_str().unwrap()]].concat()).expect(1).json();
    assert!(report["faults"]["count"].as_u64().unwrap() >= 3, "{report}");
}

#[test]
fn a_witness_signs_each_checkpoint_and_never_two_histories() {
    let folder = tempfile::tempdir().unwrap();
    // The log's key is known before the log begins, as it is where it is given in a file.
    let key = SignerKey::generate("assize.dev/log", Algorithm::Ed25519).unwrap();
    let file = folder.path().join("log.key");
    fs::write(&file, key.to_secret()).unwrap();
    let seen = folder.path().join("witness");
    let witness = Witness::start(&seen, &[&key.public().to_string()]);
    let setup = Setup::bare().argument("--log-key").argument(&file).argument("--checkpoint-seconds").argument("1");
    let mut server =
        Server::start(setup.argument("--witness").argument(format!("{}#{}", witness.url(), witness.key())));
    let cosigned = |server: &Server| {
        let note = Note::parse(&server.anonymous().get("/v1/ledger/checkpoint").body).unwrap();
        let time = note.verify(&witness.key().parse().unwrap()).ok().flatten();
        time.map(|_| Checkpoint::parse(note.text()).unwrap().size)
    };
    until("a first signature", || cosigned(&server).is_some());
    let first = cosigned(&server).unwrap();
    server.tenant().register("bot");
    until("a second signature", || cosigned(&server).is_some_and(|size| size > first));
    let size = cosigned(&server).unwrap();
    let data = server.data().to_owned();
    assert_eq!(server.stop(), 0);
    let verify = ["ledger", "verify", "--data", data.to_str().unwrap(), "--json", "--witness-key", witness.key()];
    let report = assize(&verify).expect(0).json();
    assert!(report["cosignatures"].as_u64().unwrap() >= 2 && report["outside"][0]["size"].as_u64().unwrap() >= size);

    // Somebody with the log's key shows it another history: the witness keeps to the one it saw, after a restart, too.
    let state: Value = serde_json::from_slice(&fs::read(seen.join("seen.json")).unwrap()).unwrap();
    let old = state["assize.dev/log"]["size"].as_u64().unwrap();
    let forged = |old, size| {
        let note = Checkpoint::new("assize.dev/log", size, Digest::of(b"another history")).sign(&key).unwrap();
        AddCheckpoint { old, proof: Vec::new(), note }.to_body()
    };
    assert_eq!(witness.post(&forged(old, old)), (409, format!("{old}\n")));
    drop(witness);
    let witness = Witness::start(&seen, &[&key.public().to_string()]);
    assert_eq!(witness.post(&forged(old, old)), (409, format!("{old}\n")));
    assert_eq!(witness.post(&forged(0, old + 5)), (409, format!("{old}\n")));
    assert_eq!(witness.post(&forged(old, old + 5)).0, 422);
    assert_eq!(witness.post(&forged(old + 1, old)).0, 400);
    assert_eq!(witness.post("garbage").0, 400);
    let stranger = SignerKey::generate("assize.dev/log", Algorithm::Ed25519).unwrap();
    let note = Checkpoint::new("assize.dev/log", old, Digest::ZERO).sign(&stranger).unwrap();
    assert_eq!(witness.post(&AddCheckpoint { old, proof: vec![], note }.to_body()).0, 403);
    let elsewhere = SignerKey::generate("example.org/other", Algorithm::Ed25519).unwrap();
    let note = Checkpoint::new("example.org/other", 1, Digest::ZERO).sign(&elsewhere).unwrap();
    assert_eq!(witness.post(&AddCheckpoint { old: 0, proof: vec![], note }.to_body()).0, 404);
}

#[test]
fn a_witness_has_its_directory_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let key = SignerKey::generate("assize.dev/log", Algorithm::Ed25519).unwrap();
    let key = key.public().to_string();
    let first = Witness::start(folder.path(), &[&key]);
    let data = folder.path().to_str().unwrap();
    let another =
        ["witness", "--listen", "127.0.0.1:0", "--name", "example.org/witness", "--data", data, "--log", &key];
    let said = assize(&another).expect(1).stderr;
    assert!(said.contains("another witness runs there"), "{said}");
    drop(first);
    drop(Witness::start(folder.path(), &[&key]));
}

#[test]
fn a_witness_that_answers_garbage_or_hangs_holds_nothing_up() {
    for answer in [Some("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ngarbage"), None] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, heard) = mpsc::channel();
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = stream;
                drop(stream.read(&mut [0; 4096]));
                if let Some(answer) = answer {
                    drop(stream.write_all(answer.as_bytes()));
                } else {
                    kept.push(stream);
                }
                if asked.send(()).is_err() {
                    break;
                }
            }
        });
        let key = SignerKey::generate("example.org/witness", Algorithm::Cosignature).unwrap();
        let witness = format!("{url}#{}", key.public());
        let mut server = Server::start(Setup::bare().argument("--witness").argument(witness));
        heard.recv_timeout(PATIENCE).unwrap();
        server.tenant().register("bot");
        let note = server.anonymous().get("/v1/ledger/checkpoint").body;
        assert_eq!(Note::parse(&note).unwrap().signatures().len(), 1);
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn what_makes_no_sense_is_refused_at_start() {
    for (arguments, said) in [
        (&["--tsa", "http://127.0.0.1:9"][..], "--tsa-roots"),
        (&["--witness", "http://127.0.0.1:9"], "its address, a #, and its key"),
        (&["--witness", "http://127.0.0.1:9#key"], "not a key"),
        (&["--anchor", "ftp://example.org"], "http:// or https://"),
        (&["--tsa", "https://me:secret@example.org", "--tsa-roots", "/nowhere"], "leave them out"),
        (&["--tsa", "http://127.0.0.1:9", "--tsa-roots", "/nowhere"], "/nowhere can't be read"),
    ] {
        let setup = arguments.iter().fold(Setup::bare(), Setup::argument);
        let (code, output) = setup.refused();
        assert!(code != 0 && output.contains(said), "{arguments:?}: {output}");
    }
}
