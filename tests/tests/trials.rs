//! Trying a binding beside those that count: in shadow, in a share of the cases, then live or gone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use assize_tests::{Client, Server, Shared, agent, answer, assize, bundled, law, policy, rule, ruling};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

static GUESTS: Shared = Shared::new(|| {
    let server = Server::with_guests();
    server.admin().publish_and_activate(&bundled("assize-alert-1.0.0"));
    server
});

/// The binding, on trial.
fn on_trial(mut binding: Value, mode: Value, instead_of: Option<&str>) -> Value {
    binding["mode"] = mode;
    if let Some(name) = instead_of {
        binding["instead_of"] = name.into();
    }
    binding
}

fn shadow(binding: Value, instead_of: Option<&str>) -> Value {
    on_trial(binding, "shadow".into(), instead_of)
}

fn canary(binding: Value, share: u64, instead_of: Option<&str>) -> Value {
    on_trial(binding, json!({ "canary": share }), instead_of)
}

fn id(decision: &Value) -> &str {
    decision["id"].as_str().unwrap()
}

/// Asks for a decision on any case: the guests say what their settings tell them to.
fn decide(client: &Client, system: Option<&str>) -> Value {
    client.decide(system, "production", "Hello")
}

fn run<'a>(decision: &'a Value, binding: &str) -> &'a Value {
    decision["plugins"].as_array().unwrap().iter().find(|run| run["binding"] == binding).unwrap()
}

/// 0 to 99, as the documentation says.
fn drawn(layer: &str, place: &str, id: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(format!("assize canary 1\n{layer}\n{place}\n{id}")).into();
    u64::from_be_bytes(hash[..8].try_into().unwrap()) % 100
}

fn end(client: &Client, scope: &str, binding: &str, step: &str, body: &Value) -> assize_tests::Answer {
    client.post(&format!("/v1/policies/{scope}/trials/{binding}/{step}"), body)
}

/// The newest entry of the tenant.
fn newest_entry(client: &Client) -> Value {
    let page = client.get("/v1/ledger/entries?limit=1000").expect(200);
    page["entries"].as_array().unwrap().last().unwrap().clone()
}

#[test]
fn a_shadow_is_recorded_and_changes_nothing() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let mut action = json!({ "name": "alert", "plugin": "assize/alert", "on": ["allow", "warn", "review", "block"],
        "settings": { "min_verdict": "allow" } });
    let live = vec![agent("agent", &answer(1.0)), rule("rule", &ruling("warn", "HM"))];
    tenant.set_policy("tenant", &policy(&live));
    let before = decide(&tenant, None);
    action["name"] = "alert-2".into();
    let candidates = vec![
        shadow(agent("agent-2", &answer(9.5)), Some("agent")),
        shadow(rule("rule-2", &ruling("block", "NO")), Some("rule")),
        shadow(rule("rule-3", &json!({ "do": "trap" })), None),
        shadow(action, None),
    ];
    tenant.set_policy("tenant", &policy(&[live, candidates].concat()));
    let after = decide(&tenant, None);
    for member in ["verdict", "reason", "risk", "findings", "thresholds", "effects"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    assert_eq!(after["effects"], json!([]));
    for name in ["agent-2", "rule-2", "rule-3", "alert-2"] {
        assert_eq!(run(&after, name)["counted"], false, "{after}");
    }
    assert!(run(&after, "rule").get("counted").is_none(), "a live run says nothing of it");
    assert_eq!(run(&after, "rule-3")["status"], "trapped");
    let stored = tenant.decision(id(&after));
    assert_eq!(stored["effects"], json!([]), "nothing is planned for real");
    let of_alert =
        &stored["record"]["plugins"].as_array().unwrap().iter().find(|run| run["binding"] == "alert-2").unwrap();
    assert_eq!(of_alert["output"][0]["kind"], "alert", "what it planned is on record: {of_alert}");
    assert_eq!(tenant.replay(id(&after))["identical"], true);
    let entry = newest_entry(&tenant);
    let facts: Vec<&Value> =
        entry["facts"]["plugins"].as_array().unwrap().iter().map(|fact| &fact["counted"]).collect();
    assert_eq!(facts.iter().filter(|counted| ***counted == json!(false)).count(), 4, "{entry}");
    let metrics = String::from_utf8(server.anonymous().get("/metrics").body).unwrap();
    assert!(
        metrics.contains("assize_trial_calls_total{package=\"tenant\",status=\"trapped\",counted=\"no\"}"),
        "{metrics}"
    );
}

#[test]
fn metrics_name_what_the_host_binds_and_not_what_a_tenant_does() {
    // Of its own: it has a global policy, which would judge the cases of all others.
    let server = Server::with_guests();
    let tenant = server.tenant();
    tenant.publish_and_activate(&law("1.0.0", ""));
    let own = |name| {
        let mut binding = rule(name, &json!({ "do": "trap" }));
        binding["plugin"] = "acme/law".into();
        binding
    };
    tenant.set_policy("tenant", &policy(&[own("own"), shadow(own("tried"), None)]));
    server.admin().set_policy("global", &policy(&[agent("of-the-host", &json!({ "do": "trap" }))]));
    decide(&tenant, None);
    let metrics = String::from_utf8(server.anonymous().get("/metrics").body).unwrap();
    for line in [
        "assize_plugin_failures_total{package=\"test/hostile\",status=\"trapped\"} 1",
        "assize_plugin_failures_total{package=\"tenant\",status=\"trapped\"} 1",
        "assize_trial_calls_total{package=\"tenant\",status=\"trapped\",counted=\"no\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("acme"), "{metrics}");
}

#[test]
fn shadows_alone_judge_nothing() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[shadow(rule("rule", &ruling("allow", "FINE")), None)]));
    assert_eq!(decide(&tenant, None)["reason"], "NO_POLICY_IN_FORCE");
}

#[test]
fn a_canary_counts_in_its_share_and_replays_the_same_after_a_restart() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let layer = format!("tenant:{}", tenant.tenant());
    let bindings = [rule("v1", &ruling("warn", "OLD")), canary(rule("v2", &ruling("block", "NEW")), 50, Some("v1"))];
    tenant.set_policy("tenant", &policy(&bindings));
    let made: Vec<Value> = (0..120).map(|_| decide(&tenant, None)).collect();
    let mut inside = 0;
    for decision in &made {
        let counts = drawn(&layer, "v1", id(decision)) < 50;
        inside += u32::from(counts);
        let (verdict, reason) = if counts { ("block", "NEW") } else { ("warn", "OLD") };
        assert_eq!((&decision["verdict"], &decision["reason"]), (&json!(verdict), &json!(reason)), "{decision}");
        assert_eq!(run(decision, "v2")["counted"], counts);
        let of_v1 = run(decision, "v1").get("counted");
        assert_eq!(of_v1, counts.then_some(&json!(false)));
    }
    // 120 fair coins: outside of this once in ten thousand million runs.
    assert!((25..=95).contains(&inside), "{inside} of 120");
    let all_replay = |client: &Client| {
        for decision in &made {
            let replay = client.replay(id(decision));
            assert_eq!(replay["identical"], true, "{replay}");
        }
    };
    all_replay(&tenant);
    server.restart();
    let tenant = server.again(&tenant);
    all_replay(&tenant);
    let report = tenant.get("/v1/policies/tenant/trials").expect(200);
    assert_eq!(report["trials"][0]["counted"], inside, "{report}");
    let promoted =
        end(&tenant, "tenant", "v2", "promote", &json!({ "reason": "half of the cases went well" })).expect(200);
    assert_eq!(promoted["version"], 2);
    // Judged under the policy of then, whatever is in force.
    all_replay(&tenant);
    assert_eq!(server.stop(), 0);
    let data = server.data().to_str().unwrap();
    for decision in made.iter().step_by(20) {
        assize(&["replay", id(decision), "--data", data]).expect(0);
    }
    assize(&["ledger", "verify", "--data", data]).expect(0);
}

/// What one binding said, by a decision's record alone.
fn said(record: &Value, binding: &str) -> String {
    let Some(run) = record["plugins"].as_array().unwrap().iter().find(|run| run["binding"] == binding) else {
        return "not_applicable".to_owned();
    };
    match run["status"].as_str().unwrap() {
        "ok" => run["output"]["verdict"].as_str().unwrap_or("scored").to_owned(),
        _ => "failed".to_owned(),
    }
}

#[test]
fn the_report_says_what_an_independent_count_says() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.register("bot");
    // Before the trial: none of these may be counted.
    tenant.set_policy("tenant", &policy(&[rule("v1", &ruling("warn", "OLD"))]));
    (0..5).for_each(|_| drop(decide(&tenant, None)));
    // The system's own agents make the score that the rules look at.
    let of_score = |name: &str, score: f64| rule(name, &json!({ "do": "review-from", "score": score }));
    let bindings = [
        of_score("v1", 5.0),
        canary(of_score("v2", 3.0), 30, Some("v1")),
        shadow(rule("broken", &json!({ "do": "fail" })), Some("v1")),
        shadow(rule("new", &ruling("block", "NO")), None),
        agent("scorer", &answer(1.0)),
        shadow(agent("scorer-2", &answer(2.5)), Some("scorer")),
    ];
    tenant.set_policy("tenant", &policy(&bindings));
    let mut made: Vec<Value> = Vec::new();
    for (score, times) in [(1.0, 7), (4.0, 25), (8.0, 9)] {
        tenant.set_policy("system:bot", &policy(&[agent("own", &answer(score))]));
        made.extend((0..times).map(|_| decide(&tenant, Some("bot"))));
    }
    let records: Vec<Value> = made.iter().map(|decision| tenant.decision(id(decision))["record"].clone()).collect();

    let report = tenant.get("/v1/policies/tenant/trials").expect(200);
    assert_eq!(
        (&report["looked_at"], &report["of"], &report["version"]),
        (&json!(41), &json!(41), &json!(2)),
        "{report}"
    );
    let trials = report["trials"].as_array().unwrap();
    let names: Vec<&str> = trials.iter().map(|trial| trial["binding"].as_str().unwrap()).collect();
    assert_eq!(names, ["v2", "broken", "new", "scorer-2"]);
    for trial in &trials[..2] {
        let name = trial["binding"].as_str().unwrap();
        let mut pairs: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
        let mut agreed = 0;
        for record in &records {
            let (was, would_be) = (said(record, "v1"), said(record, name));
            if was == would_be {
                agreed += 1;
            } else {
                let id = record["identity"]["id"].as_str().unwrap();
                pairs.entry((was, would_be)).or_default().insert(0, id);
            }
        }
        assert_eq!((&trial["cases"], &trial["agreed"]), (&json!(41), &json!(agreed)), "{trial}");
        let flips = trial["flips"].as_array().unwrap();
        assert_eq!(flips.len(), pairs.len(), "{trial}");
        for flip in flips {
            let key = (flip["was"].as_str().unwrap().to_owned(), flip["would_be"].as_str().unwrap().to_owned());
            let ids = &pairs[&key];
            assert_eq!(flip["cases"], ids.len(), "{flip}");
            assert_eq!(flip["decisions"], json!(ids[..ids.len().min(20)]), "the newest twenty: {flip}");
        }
        let counted = records.iter().filter(|record| run(record, name)["counted"] == true).count();
        assert_eq!(trial["counted"], counted);
        let mut durations: Vec<u64> =
            records.iter().map(|record| run(record, name)["duration_us"].as_u64().unwrap()).collect();
        durations.sort_unstable();
        // Nearest rank of 41: the 21st and the 39th.
        assert_eq!(trial["candidate"]["p50_us"], durations[20]);
        assert_eq!(trial["candidate"]["p95_us"], durations[38]);
        assert_eq!(trial["incumbent"]["asked"], 41);
    }
    assert_eq!(trials[0]["flips"][0]["cases"], 25, "a score of 4 is what the two see differently");
    assert_eq!(trials[1]["candidate"]["failures"], json!({ "failed": 41 }));
    assert_eq!(trials[2]["instead_of"], Value::Null);
    assert_eq!(trials[2]["flips"][0]["was"], "absent");
    let scores = &trials[3]["scores"];
    assert_eq!((&scores["cases"], &scores["mean"], &scores["max"]), (&json!(41), &json!(1.5), &json!(1.5)), "{scores}");

    // The newest ten, and those since a moment.
    let newest = tenant.get("/v1/policies/tenant/trials?limit=10").expect(200);
    assert_eq!((&newest["looked_at"], &newest["of"]), (&json!(10), &json!(41)));
    assert_eq!(newest["trials"][0]["cases"], 10);
    let later = tenant.get("/v1/policies/tenant/trials?since=2100-01-01").expect(200);
    assert_eq!(later["looked_at"], 0);
    // Somebody else sees nothing of it.
    server.tenant().get("/v1/policies/tenant/trials").problem(404);

    // Another share is the same trial; other settings are another.
    let mut changed = bindings.to_vec();
    changed[1]["mode"] = json!({ "canary": 60 });
    tenant.set_policy("tenant", &policy(&changed));
    let trials = |client: &Client| client.get("/v1/policies/tenant/trials").expect(200)["trials"].clone();
    assert_eq!((&trials(&tenant)[0]["since"]["version"], &trials(&tenant)[0]["cases"]), (&json!(2), &json!(41)));
    changed[1]["settings"]["score"] = json!(2.0);
    tenant.set_policy("tenant", &policy(&changed));
    let now = trials(&tenant);
    assert_eq!((&now[0]["since"]["version"], &now[0]["cases"]), (&json!(4), &json!(0)));
    assert_eq!(now[1]["since"]["version"], 2);

    let output = assize(&["policy", "trials", "tenant", "--server", server.base(), "--key", tenant.key()]).expect(0);
    assert!(output.stdout.contains("canary 60 %") && output.stdout.contains("absent → block"), "{}", output.stdout);
}

#[test]
fn promoting_and_rolling_back_are_entries_and_take_effect() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let old = rule("v1", &ruling("warn", "OLD"));
    let new = shadow(rule("v2", &ruling("block", "NEW")), Some("v1"));
    let worse = shadow(rule("v3", &ruling("allow", "LAX")), Some("v1"));
    tenant.set_policy("tenant", &policy(&[old, new, worse]));
    assert_eq!(decide(&tenant, None)["reason"], "OLD");

    let why = json!({ "reason": "it lets too much through", "operator_id": "ana" });
    let back = end(&tenant, "tenant", "v3", "roll-back", &why).expect(200);
    assert_eq!((&back["version"], back["policy"]["bindings"].as_array().unwrap().len()), (&json!(2), 2));
    let entry = newest_entry(&tenant);
    assert_eq!(entry["facts"]["details"]["rolled_back"], "v3", "{entry}");
    assert_eq!(entry["facts"]["details"]["version"], "2");
    assert!(!entry.to_string().contains("too much"), "what may name a person stays in the record: {entry}");

    // What was looked at must still be so.
    let stale = json!({ "reason": "it does well", "version": 1 });
    end(&tenant, "tenant", "v2", "promote", &stale).problem_naming(409, &["version 2"]);
    let why = json!({ "reason": "it does well", "version": 2 });
    let promoted = end(&tenant, "tenant", "v2", "promote", &why).expect(200);
    let bindings = promoted["policy"]["bindings"].as_array().unwrap();
    assert_eq!(bindings.len(), 1);
    assert_eq!(bindings[0]["name"], "v2");
    assert!(bindings[0].get("mode").is_none() && bindings[0].get("instead_of").is_none());
    assert_eq!(newest_entry(&tenant)["facts"]["details"]["promoted"], "v2");
    let decision = decide(&tenant, None);
    assert_eq!((&decision["verdict"], &decision["reason"]), (&json!("block"), &json!("NEW")));
    assert!(run(&decision, "v2").get("counted").is_none());
    assert_eq!(tenant.get("/v1/policies/tenant/trials").expect(200)["trials"], json!([]));

    // There is nothing more to end, and nobody else may.
    end(&tenant, "tenant", "v2", "promote", &json!({ "reason": "again" })).problem_naming(409, &["live"]);
    end(&tenant, "tenant", "v3", "roll-back", &json!({ "reason": "again" })).problem_naming(404, &["v3"]);
    end(&tenant, "tenant", "v2", "promote", &json!({ "reason": " " })).problem_naming(422, &["reason"]);
    end(&tenant, "global", "v2", "promote", &json!({ "reason": "mine" })).problem(403);
    for role in ["auditor", "app"] {
        end(&tenant.role(role), "tenant", "v2", "promote", &json!({ "reason": "x" })).problem(403);
    }
    tenant.role("app").get("/v1/policies/tenant/trials").problem(403);
    assert_eq!(tenant.role("auditor").get("/v1/policies/tenant/trials").status, 200);
    let report = server.admin().get("/v1/ledger/verify").expect(200);
    assert_eq!(report["faults"]["count"], 0, "{report}");
}

#[test]
fn the_command_line_ends_trials() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let candidates = [
        rule("v1", &ruling("warn", "OLD")),
        shadow(rule("v2", &ruling("block", "NEW")), Some("v1")),
        shadow(rule("v3", &ruling("allow", "LAX")), Some("v1")),
    ];
    tenant.set_policy("tenant", &policy(&candidates));
    let connection = ["--server", server.base(), "--key", tenant.key()];
    let command = |arguments: &[&str]| assize(&[&["policy"], arguments, &connection].concat());
    let gone = command(&["roll-back", "tenant", "v3", "--reason", "too lax", "--operator", "ana"]).expect(0);
    assert!(gone.stdout.starts_with("v3 is gone: tenant is at version 2"), "{}", gone.stdout);
    let live = command(&["promote", "tenant", "v2", "--reason", "it does well", "--version", "2"]).expect(0);
    assert!(live.stdout.starts_with("v2 is live: tenant is at version 3"), "{}", live.stdout);
    assert_eq!(decide(&tenant, None)["reason"], "NEW");
    let nothing = command(&["trials", "tenant"]).expect(0);
    assert!(nothing.stdout.contains("Nothing is on trial"), "{}", nothing.stdout);
    command(&["promote", "tenant", "v2", "--reason", "again"]).expect(1);
    command(&["promote", "tenant", "v2", "--reason", ""]).expect(2);
}

#[test]
fn a_way_back_is_open_when_another_version_was_withdrawn() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    let bindings = [agent("agent", &answer(0.0)), shadow(rule("v2", &json!({ "do": "trap" })), None)];
    tenant.set_policy("tenant", &policy(&bindings));
    server.admin().post("/v1/plugins/test/hostile/1.0.0/deactivate", &json!({ "reason": "test" })).expect(200);
    tenant.put("/v1/policies/tenant", &policy(&bindings)).problem_naming(422, &["activate"]);
    end(&tenant, "tenant", "v2", "roll-back", &json!({ "reason": "it traps" })).expect(200);
}

#[test]
fn a_policy_with_a_trial_that_makes_no_sense_is_refused_with_the_remedy() {
    // Of its own: it has a global policy, which would judge the cases of all others.
    let server = Server::with_guests();
    let tenant = server.tenant();
    server.admin().set_policy("global", &policy(&[rule("of-the-host", &ruling("block", "NO"))]));
    let base = [rule("v1", &ruling("warn", "OLD")), agent("agent", &answer(0.0))];
    let refused = |binding: Value, words: &[&str]| {
        let bindings = [base.to_vec(), vec![binding]].concat();
        tenant.put("/v1/policies/tenant", &policy(&bindings)).problem_naming(422, words);
    };
    let v2 = || rule("v2", &ruling("block", "NEW"));
    refused(canary(v2(), 0, None), &["bindings[2].mode.canary 0", "1 to 99"]);
    refused(canary(v2(), 300, None), &["bindings[2].mode.canary 300", "1 to 99"]);
    refused(shadow(v2(), Some("v2")), &["bindings[2].instead_of", "itself"]);
    // A binding of a higher layer can't be put on trial from below.
    refused(canary(v2(), 99, Some("of-the-host")), &["bindings[2].instead_of", "of-the-host", "no such binding"]);
    refused(shadow(v2(), Some("agent")), &["bindings[2].instead_of", "risk-agent", "same kind"]);
    refused(on_trial(v2(), "live".into(), Some("v1")), &["bindings[2].instead_of", "live"]);
    let unknown = [base.to_vec(), vec![on_trial(v2(), "dark".into(), None)]].concat();
    tenant.put("/v1/policies/tenant", &policy(&unknown)).problem_naming(400, &["dark", "shadow"]);
    // What the host bound still counts, whatever the tenant tries.
    tenant.set_policy("tenant", &policy(&[shadow(rule("of-the-host", &ruling("allow", "FINE")), None)]));
    assert_eq!(decide(&tenant, None)["reason"], "NO");
}
