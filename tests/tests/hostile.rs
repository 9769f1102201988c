//! Guests that misbehave in every way: the decision falls to its failure policy, its record says what happened, and the
//! server goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use assize_tests::{Client, Server, Shared, agent, answer, guest, policy, rule, ruling, table_grower};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

/// What a deed of any world comes to.
const OF_ANY_WORLD: &[(&str, &[&str])] = &[
    ("loop", &["out_of_fuel"]),
    ("fill", &["out_of_fuel"]),
    ("recurse", &["trapped"]),
    // Each byte touched is a unit of fuel: which limit it meets first is the limits' business.
    ("allocate", &["out_of_memory", "out_of_fuel"]),
    ("trap", &["trapped"]),
    ("panic", &["trapped"]),
    ("fail-settings", &["failed"]),
    ("fail-case", &["failed"]),
    ("fail", &["failed"]),
    // The host refuses pages, or drops lines, and that is all: these guests then answer.
    ("grow-memory", &["ok", "out_of_fuel"]),
    ("flood-log", &["ok", "out_of_fuel"]),
];

/// What a deed that only an assessment can hold comes to.
const OF_AN_AGENT: &[(&str, &[&str])] = &[
    ("nan", &["bad_output"]),
    ("infinite", &["bad_output"]),
    ("minus-infinite", &["bad_output"]),
    ("score-too-high", &["bad_output"]),
    ("score-negative", &["bad_output"]),
    ("confidence-too-high", &["bad_output"]),
    ("confidence-nan", &["bad_output"]),
    ("contribution-nan", &["bad_output"]),
    ("flood-findings", &["bad_output", "out_of_memory", "out_of_fuel"]),
    ("flood-attributes", &["bad_output", "out_of_memory", "out_of_fuel"]),
    ("deep-attributes", &["bad_output"]),
    ("bad-attributes", &["bad_output"]),
    ("duplicate-keys", &["bad_output"]),
    ("big-integer", &["bad_output"]),
    ("bad-pointer", &["bad_output"]),
];

/// What a deed that only a ruling can hold comes to.
const OF_A_RULE: &[(&str, &[&str])] = &[
    ("flood-findings", &["bad_output", "out_of_memory", "out_of_fuel"]),
    ("huge-code", &["bad_output", "out_of_memory", "out_of_fuel"]),
    ("contribution-infinite", &["bad_output"]),
];

/// Judges a case by a guest that does this, beside two that are well-behaved.
fn judged(tenant: &Client, system: &str, mut guest: Value, on_failure: Option<&str>) -> Value {
    tenant.register(system);
    if let Some(on_failure) = on_failure {
        guest["on_failure"] = on_failure.into();
    }
    let calm = [agent("calm", &answer(0.5)), guest, rule("calm-rule", &ruling("allow", "FINE"))];
    tenant.set_policy(&format!("system:{system}"), &policy(&calm));
    tenant.decide(Some(system), "production", "Hello")
}

fn contained(tenant: &Client, bind: fn(&str, &Value) -> Value, deeds: &[(&str, &[&str])]) {
    for (deed, expected) in deeds {
        let settings = json!({ "do": deed });
        for on_failure in [None, Some("block")] {
            let system = format!("{deed}-{}", on_failure.unwrap_or("default"));
            let decision = judged(tenant, &system, bind("guest", &settings), on_failure);
            let plugins = decision["plugins"].as_array().unwrap();
            let run = plugins.iter().find(|plugin| plugin["binding"] == "guest").unwrap();
            let status = run["status"].as_str().unwrap();
            assert!(expected.contains(&status), "{deed}: {status}, expected {expected:?}: {run}");
            if status == "ok" {
                assert_eq!(decision["verdict"], "allow", "{deed}: {decision}");
            } else {
                assert_eq!(decision["verdict"], on_failure.unwrap_or("review"), "{deed}: {decision}");
                assert_eq!(decision["reason"], "PLUGIN_FAILURE", "{deed}");
                assert!(run["error"].as_str().is_some_and(|error| !error.is_empty()), "{deed}: {run}");
                assert!(run["output_hash"].is_null(), "{deed}: {run}");
            }
            assert!(run["fuel"].as_u64().unwrap() <= 20_000_000, "{deed}: {run}");
            assert!(run["peak_memory"].as_u64().unwrap() <= 33_554_432, "{deed}: {run}");
            for calm in plugins.iter().filter(|plugin| plugin["binding"] != "guest") {
                assert_eq!(calm["status"], "ok", "{deed}: its neighbour suffered: {calm}");
            }
            // Even what went wrong can be tried again, and goes wrong in the same way.
            let replay = tenant.replay(decision["id"].as_str().unwrap());
            assert_eq!(replay["identical"], true, "{deed}: {replay}");
        }
    }
}

#[test]
fn a_hostile_agent_is_contained() {
    let server = SERVER.get();
    let tenant = server.tenant();
    contained(&tenant, agent, OF_ANY_WORLD);
}

#[test]
fn an_agents_impossible_answer_is_none() {
    let server = SERVER.get();
    let tenant = server.tenant();
    contained(&tenant, agent, OF_AN_AGENT);
}

#[test]
fn a_hostile_rule_is_contained() {
    let server = SERVER.get();
    let tenant = server.tenant();
    contained(&tenant, rule, OF_ANY_WORLD);
    contained(&tenant, rule, OF_A_RULE);
}

#[test]
fn growing_tables_and_asking_for_the_time_are_contained_too_and_replay() {
    let server = SERVER.get();
    let tenant = server.tenant();
    for package in [table_grower(), guest("clock")] {
        server.admin().publish_and_activate(&package);
    }
    let mut layer = policy(&[]);
    layer["bindings"] = json!([
        { "name": "tables", "plugin": "test/tables" },
        { "name": "clock", "plugin": "test/clock" },
    ]);
    tenant.set_policy("tenant", &layer);
    let decision = tenant.decide(None, "production", "Hello");
    for plugin in decision["plugins"].as_array().unwrap() {
        assert_eq!(plugin["status"], "ok", "{plugin}");
    }
    let replay = tenant.replay(decision["id"].as_str().unwrap());
    assert_eq!(replay["identical"], true, "{replay}");
}

#[test]
fn a_flood_of_log_is_cut_and_the_cut_is_on_record() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let mut guest = agent("guest", &json!({ "do": "flood-log" }));
    guest["weight"] = 0.into();
    let id = judged(&tenant, "flooded", guest, None)["id"].as_str().unwrap().to_owned();
    let decision = tenant.decision(&id);
    let runs = decision["record"]["plugins"].as_array().unwrap();
    let run = runs.iter().find(|run| run["binding"] == "guest").unwrap();
    assert_eq!(run["log_dropped"], true, "{run}");
    assert!(run["log"].to_string().len() < 64 << 10, "{} bytes of log were kept", run["log"].to_string().len());
}

#[test]
fn a_stricter_failure_policy_of_any_layer_holds() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let mut layer = policy(&[]);
    layer["on_failure"] = "block".into();
    tenant.set_policy("tenant", &layer);
    let decision = judged(&tenant, "bot", agent("guest", &json!({ "do": "trap" })), Some("review"));
    assert_eq!(decision["verdict"], "block", "{decision}");
}

#[test]
fn a_neighbour_gets_its_answers_while_hostile_guests_run() {
    let server = SERVER.get();
    let (hostile, neighbour) = (server.tenant(), server.tenant());
    let deeds = ["loop", "fill", "allocate", "recurse", "flood-findings", "flood-attributes"];
    let bindings: Vec<Value> = deeds.iter().map(|deed| agent(deed, &json!({ "do": deed }))).collect();
    hostile.set_policy("tenant", &policy(&bindings));
    neighbour.set_policy("tenant", &policy(&[agent("calm", &answer(0.5)), rule("rule", &ruling("warn", "HM"))]));
    let (done, judged) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let decision = hostile.decide(None, "production", "Hello");
                    assert_eq!(decision["verdict"], "review");
                    judged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Until the hostile ones have been judged a few times, too: the neighbours ran side by side.
        let mut answered = 0;
        while answered < 100 || judged.load(Ordering::Relaxed) < 8 {
            let decision = neighbour.decide(None, "production", "Hello");
            let plugins = decision["plugins"].as_array().unwrap();
            if decision["verdict"] != "warn" || plugins.iter().any(|plugin| plugin["status"] != "ok") {
                done.store(true, Ordering::Relaxed);
                panic!("{decision}");
            }
            answered += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
    let report = server.admin().get("/v1/ledger/verify").expect(200);
    assert_eq!(report["faults"]["count"], 0, "{report}");
}

#[test]
fn who_abstains_is_on_record_and_weighs_nothing() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let silent = json!({ "do": "abstain" });
    let bindings = [agent("agent", &answer(4.0)), agent("silent", &silent), rule("rule", &silent)];
    tenant.set_policy("tenant", &policy(&bindings));
    let decision = tenant.decide(None, "production", "Hello");
    // With a zero of the silent one it would be 2.
    assert_eq!(decision["risk"]["score"], 4.0, "{decision}");
    let plugins = decision["plugins"].as_array().unwrap();
    let run = plugins.iter().find(|run| run["binding"] == "silent").unwrap();
    assert_eq!(run["status"], "abstained", "{run}");
    let id = decision["id"].as_str().unwrap();
    let recorded = &tenant.decision(id)["record"]["plugins"][1];
    assert_eq!((&recorded["contract"], &recorded["error"]), (&json!("1.1.0"), &json!("as told")), "{recorded}");
    assert_eq!(tenant.replay(id)["identical"], true);
    let explained = tenant.get(&format!("/v1/decisions/{id}/explanation")).expect(200);
    assert_eq!(explained["failures"], json!([]), "{explained}");
    let told = explained["not_applied"].to_string();
    assert!(told.contains("was asked and abstained: as told"), "{told}");
    // Settings aren't judged by abstaining, and where all abstain nothing is found.
    tenant.set_policy("tenant", &policy(&[agent("silent", &silent)]));
    let decision = tenant.decide(None, "production", "Hello");
    assert_eq!((&decision["verdict"], &decision["risk"]["score"]), (&json!("allow"), &json!(0.0)), "{decision}");
}
