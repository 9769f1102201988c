//! Killed at any moment under load: what was acknowledged is there, what is there is whole.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use assize_tests::{Client, Dice, Server, Setup, agent, answer, assize, packages, policy, rounds, rule, ruling};
use serde_json::{Value, json};

const CLIENTS: usize = 6;

/// Everything that was sent in one round: by idempotency key, the decision that was acknowledged, if any was.
type Sent = HashMap<String, Option<Value>>;

/// Loads the server from several threads until `acknowledged` requests were answered, then calls `kill`.
fn load(client: &Client, round: u32, acknowledged: u64, kill: impl FnOnce() + Send) -> Sent {
    let (sent, count) = (Mutex::new(Sent::new()), AtomicU64::new(0));
    let kill = Mutex::new(Some(kill));
    thread::scope(|scope| {
        for n in 0..CLIENTS {
            let (sent, count, kill) = (&sent, &count, &kill);
            scope.spawn(move || {
                for request in 0.. {
                    let key = format!("{round}-{n}-{request}");
                    let answer = client.ask(&key);
                    let gone = answer.is_none();
                    sent.lock().unwrap().insert(key, answer);
                    if gone {
                        return;
                    }
                    // The others have requests under way at this moment: some sent, some judged, some half written.
                    if count.fetch_add(1, Ordering::SeqCst) + 1 == acknowledged {
                        let kill = kill.lock().unwrap().take().unwrap();
                        kill();
                    }
                }
            });
        }
    });
    sent.into_inner().unwrap()
}

#[test]
fn killed_under_load_no_acknowledged_decision_is_lost() {
    let mut dice = Dice::new();
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.5)), rule("rule", &ruling("warn", "HM"))]));
    let (mut acknowledged, mut recovered) = (Sent::new(), 0_u32);
    let kills = rounds(50, 3);
    for round in 0..kills {
        let client = server.again(&tenant);
        let target = 1 + u64::try_from(dice.below(120)).unwrap();
        let server_to_kill = Mutex::new(&mut server);
        let sent = load(&client, round, target, || server_to_kill.lock().unwrap().kill());
        server.start_again();

        let client = server.again(&tenant);
        let report =
            assize(&["ledger", "verify", "--json", "--data", server.data().to_str().unwrap()]).expect(0).json();
        assert_eq!(report["faults"]["count"], 0, "{report}");
        for (key, answer) in &sent {
            if let Some(answer) = answer {
                let stored = client.decision(answer["id"].as_str().unwrap());
                for member in ["id", "ledger", "verdict", "times", "plugins"] {
                    assert_eq!(stored[member], answer[member], "round {round}: {member} of {key}");
                }
            } else {
                // Sent again, as a client would: it becomes one decision, whether or not it was one already.
                let again = client.ask(key).unwrap();
                recovered += 1;
                assert_eq!(client.ask(key).unwrap()["id"], again["id"]);
            }
        }
        acknowledged.extend(sent);
    }
    println!("{kills} kills, {} requests, {recovered} sent again", acknowledged.len());

    // Not one too many either: as many decisions as different requests, each once.
    let client = server.again(&tenant);
    let (mut ids, mut cursor) = (HashSet::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/decisions?limit=1000{cursor}")).expect(200);
        for decision in page["decisions"].as_array().unwrap() {
            assert!(ids.insert(decision["id"].as_str().unwrap().to_owned()));
        }
        if page["next_cursor"].is_null() {
            break;
        }
        cursor = format!("&cursor={}", page["next_cursor"]);
    }
    assert_eq!(ids.len(), acknowledged.len());
    for answer in acknowledged.values().flatten() {
        assert!(ids.contains(answer["id"].as_str().unwrap()));
    }
    let sample = ids.iter().next().unwrap();
    assert_eq!(client.replay(sample)["identical"], true);
}

#[test]
fn killed_while_it_begins_it_begins_again() {
    let mut dice = Dice::new();
    let plugins = packages("plugins").len();
    for _ in 0..rounds(5, 1) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        // After so many bytes were written: between two packages, within one, or before the first.
        let enough = dice.below(3 << 20);
        Setup::bundled().data(&data).killed_when(|| written(&data) >= enough);
        let server = Server::start(Setup::bundled().data(&data));
        let published = server.admin().get("/v1/plugins").expect(200);
        let published = published["plugins"].as_array().unwrap();
        assert_eq!(published.len(), plugins, "killed after {enough} bytes");
        assert!(published.iter().all(|plugin| plugin["state"] == "active"), "{published:?}");
        assert_eq!(server.admin().decide(None, "production", "Hello")["verdict"], "allow");
        let report = assize(&["ledger", "verify", "--json", "--data", data.to_str().unwrap()]).expect(0).json();
        assert_eq!(report["faults"]["count"], 0, "{report}");
    }
}

/// Bytes of all files in a folder.
fn written(folder: &Path) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| usize::try_from(file.metadata().ok()?.len()).ok());
    sizes.sum()
}

#[test]
fn told_to_end_it_answers_what_is_under_way() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("slow", &json!({ "do": "loop" }))]));
    let server_to_stop = Mutex::new(&mut server);
    let sent = load(&tenant, 0, 10, || assert_eq!(server_to_stop.lock().unwrap().stop(), 0));
    server.start_again();
    let client = server.again(&tenant);
    for answer in sent.values().flatten() {
        assert_eq!(client.decision(answer["id"].as_str().unwrap())["ledger"], answer["ledger"]);
    }
}
