//! Interrupted, a simulation goes on; whatever happens to it, history stays as it is.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use assize_tests::{Client, Database, Server, agent, answer, assize, policy, rounds, rule, ruling};
use serde_json::{Value, json};

use crate::{PATIENCE, many_cases, report, simulate};

#[test]
fn killed_in_the_middle_it_goes_on_and_ends_with_the_same_report() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy(
        "tenant",
        // One that takes its time on any machine, so that there is a middle to be killed in.
        &policy(&[
            agent("agent", &answer(4.0)),
            agent("slow", &json!({ "do": "flood-log" })),
            rule("rule", &json!({ "do": "review-from", "score": 5.0 })),
        ]),
    );
    let body = json!({ "cases": many_cases(rounds(1_500, 1_000) as usize), "specification": { "changes": { "weights": { "agent": 0.5 } } } });
    let raw = serde_json::to_vec(&body).unwrap();
    let post = |client: &Client| {
        let headers = [("content-type", "application/json")];
        client.post_with("/v1/simulations", &headers, &raw).expect(202)["id"].as_str().unwrap().to_owned()
    };
    let id = post(&tenant);
    let begun = Instant::now();
    let mut kills = 0;
    while kills < 3 {
        // As soon as something was kept, or it is over.
        let state = server.data().join("simulations").join(&id).join("state.json");
        let folder = state.parent().unwrap().to_owned();
        let before = fs::metadata(&state).and_then(|state| state.modified()).ok();
        loop {
            assert!(begun.elapsed() < PATIENCE);
            let now = fs::metadata(&state).and_then(|state| state.modified()).ok();
            if now > before || !folder.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        if !folder.exists() {
            break;
        }
        server.kill();
        server.start_again();
        kills += 1;
    }
    let again = server.again(&tenant);
    let interrupted = report(&again, &id);
    let undisturbed = report(&again, &post(&again));
    println!("killed {kills} times");
    assert!(kills > 0, "it was over before anything was kept");
    assert_eq!(interrupted, undisturbed);
    assert_eq!(interrupted["complete"], true);
    assert_eq!(interrupted["tally"]["judged"], body["cases"].as_array().unwrap().len());
    assert!(!server.data().join("simulations").join(&id).exists(), "nothing is left of it beside its entry");
}

#[test]
fn a_state_of_the_command_line_goes_on_too() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    for n in 0..300 {
        tenant.decide(None, "production", &n.to_string());
    }
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let data = server.data().to_str().unwrap();
    let call = |more: &[&str]| {
        let mut all =
            vec!["simulate", "--data", data, "--state", state.to_str().unwrap(), "--json", "--without", "rule"];
        all.extend(more);
        assize(&all)
    };
    let whole = call(&[]).expect(0).json();
    assert_eq!(whole["tally"]["judged"], 300);
    assert_eq!(whole["tally"]["flips"], 300);
    // As if it had been stopped after some of them.
    let kept: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    let part = assize(&["simulate", "--data", data, "--json", "--without", "rule"]).expect(0).json();
    assert_eq!(part, whole);
    assert_eq!(kept["state"]["done"], true);
    assert_eq!(call(&[]).expect(0).json(), whole);
    let other = call(&["--system", "bot"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.contains("is of another simulation"), "{}", other.stderr);
    fs::write(&state, "{}").unwrap();
    assert!(call(&[]).expect(1).stderr.contains("no state of a simulation"));
}

/// Everything but what says that there was a simulation is as it was.
#[test]
fn history_is_as_it_was() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    for n in 0..50 {
        tenant.decide(None, "production", &n.to_string());
    }
    server.stop();
    let dump = |server: &Server| {
        let mut database = Database::open(&server.data().join("assize.db"));
        let tables = database.tables();
        let mut dump = String::new();
        for table in tables
            .iter()
            .filter(|table| !["nodes", "heads", "checkpoints", "simulations"].contains(&table.name.as_str()))
        {
            for row in database.all(table).unwrap() {
                writeln!(dump, "{} {row:?}", table.name).unwrap();
            }
        }
        dump
    };
    let before = dump(&server);
    server.start_again();
    let again = server.again(&tenant);
    for without in [json!(["rule"]), json!(["other"])] {
        simulate(&again, &json!({ "specification": { "changes": { "without": without } } }));
    }
    server.stop();
    let after = dump(&server);
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let added: Vec<&&str> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(before.iter().all(|line| after.contains(line)), "nothing is gone");
    // Two entries, and what they bind.
    assert_eq!(added.len(), 4, "{added:#?}");
    assert!(added.iter().all(|line| line.starts_with("entries ") || line.starts_with("sealed ")), "{added:#?}");
    assize(&["ledger", "verify", "--data", server.data().to_str().unwrap()]).expect(0);
}
