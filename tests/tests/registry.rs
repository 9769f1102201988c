//! The life of a version: published once and for ever, activated, chosen by range and date, yanked, still replayed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use assize_tests::{Client, Server, Shared, law, policy, ruling, with_section};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

static SERVER: Shared = Shared::new(Server::with_guests);

/// A policy that binds `acme/law` in this range.
fn bound(range: &str) -> Value {
    policy(&[json!({ "name": "law", "plugin": "acme/law", "version": range, "settings": ruling("warn", "LAW") })])
}

/// The version that judges a case of this day.
fn version_on(tenant: &Client, day: &str) -> Value {
    let case = json!({ "environment": "staging", "kind": "prompt", "payload": {}, "occurred_at": day });
    let decision = tenant.post("/v1/decisions", &case).expect(201);
    match decision["plugins"].as_array().unwrap().as_slice() {
        [] => decision["skipped"][0]["reason"].clone(),
        [run] => run["version"].clone(),
        more => panic!("{more:?}"),
    }
}

fn step(tenant: &Client, version: &str, verb: &str) -> Value {
    let mut why = json!({ "reason": "test" });
    if verb == "activate" {
        why["allow_overlap"] = true.into();
    }
    tenant.post(&format!("/v1/plugins/acme/law/{version}/{verb}"), &why).expect(200)
}

fn kinds(tenant: &Client) -> Vec<String> {
    let entries = tenant.get("/v1/ledger/entries?limit=1000").expect(200);
    let own = entries["entries"].as_array().unwrap().iter().filter(|entry| entry["tenant"] == tenant.tenant());
    own.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn publishing_tells_what_was_published_and_is_an_entry() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let package = law("1.0.0", "");
    let published = tenant.publish(&package).expect(201);
    assert_eq!((&published["name"], &published["version"]), (&json!("acme/law"), &json!("1.0.0")));
    assert_eq!(published["digest"], hex::encode(Sha256::digest(&package)));
    assert_eq!((&published["kind"], &published["contract"]), (&json!("compliance-rule"), &json!("1.1.0")));
    assert_eq!(published["state"], "draft");
    let shown = tenant.get("/v1/plugins/acme/law/1.0.0").expect(200);
    assert_eq!((&shown["digest"], &shown["state"]), (&published["digest"], &json!("draft")));
    let path = format!("/v1/plugins/by-digest/{}", published["digest"].as_str().unwrap());
    assert_eq!(tenant.get(&path).expect(200)["name"], "acme/law");
    assert_eq!(tenant.get(&format!("{path}/component")).body, package);

    step(&tenant, "1.0.0", "activate");
    step(&tenant, "1.0.0", "yank");
    let made: Vec<String> = kinds(&tenant).into_iter().filter(|kind| kind.starts_with("plugin.")).collect();
    assert_eq!(made, ["plugin.published", "plugin.activated", "plugin.yanked"]);
}

#[test]
fn the_same_bytes_again_change_nothing_and_other_bytes_are_refused() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let package = law("1.0.0", "");
    let first = tenant.publish(&package).expect(201);
    let entries = tenant.entries();
    assert_eq!(tenant.publish(&package).expect(200)["digest"], first["digest"]);
    let other = with_section(&package, "note", b"");
    tenant.publish(&other).problem_naming(409, &["acme/law", "1.0.0"]);
    assert_eq!(tenant.entries(), entries, "no entry for either");
    server.restart();
    let tenant = server.again(&tenant);
    tenant.publish(&package).expect(200);
    tenant.publish(&other).problem(409);
    step(&tenant, "1.0.0", "yank");
    tenant.publish(&other).problem(409);
}

#[test]
fn of_the_versions_in_force_that_match_the_highest_judges() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let periods = [
        ("1.0.0", "[effective]\nfrom = 2020-01-01\nto = 2022-01-01\n"),
        ("1.2.0", "[effective]\nfrom = 2021-01-01\nto = 2024-01-01\n"),
        ("1.10.0", "[effective]\nfrom = 2023-01-01\n"),
        ("2.0.0", "[effective]\nfrom = 2024-06-01\n"),
        ("3.0.0-draft.1", "[effective]\nfrom = 2020-01-01\n"),
    ];
    for (version, effective) in periods {
        tenant.publish_and_activate(&law(version, effective));
    }
    let chosen = |range: &str, days: &[&str]| -> Vec<Value> {
        tenant.set_policy("tenant", &bound(range));
        days.iter().map(|day| version_on(&tenant, day)).collect()
    };
    let days = ["2019-06-01", "2020-06-01", "2021-06-01", "2022-06-01", "2023-06-01", "2024-07-01"];
    assert_eq!(chosen("*", &days), ["not_in_force", "1.0.0", "1.2.0", "1.2.0", "1.10.0", "2.0.0"]);
    assert_eq!(chosen("^1", &days), ["not_in_force", "1.0.0", "1.2.0", "1.2.0", "1.10.0", "1.10.0"]);
    assert_eq!(chosen("~1.2", &days), ["not_in_force", "not_in_force", "1.2.0", "1.2.0", "1.2.0", "not_in_force"]);
    assert_eq!(chosen(">=2", &days[4..]), ["not_in_force", "2.0.0"]);
    assert_eq!(chosen("3.0.0-draft.1", &days[..2]), ["not_in_force", "3.0.0-draft.1"]);
    // A period begins with its first moment and ends before its last.
    let edges = ["2021-12-31T23:59:59.999Z", "2022-01-01T00:00:00Z"];
    assert_eq!(chosen("~1.0", &edges), ["1.0.0", "not_in_force"]);
}

#[test]
fn only_an_active_version_judges() {
    let server = SERVER.get();
    let tenant = server.tenant();
    tenant.publish_and_activate(&law("1.0.0", ""));
    tenant.set_policy("tenant", &bound("*"));
    tenant.publish(&law("1.1.0", "")).expect(201);
    assert_eq!(version_on(&tenant, "2025-01-01"), "1.0.0", "published isn't active");
    assert_eq!(step(&tenant, "1.1.0", "activate")["state"], "active");
    assert_eq!(version_on(&tenant, "2025-01-01"), "1.1.0");
    let listed = tenant.get("/v1/plugins/acme/law").expect(200).to_string();
    assert!(listed.contains("1.0.0") && listed.contains("1.1.0"), "{listed}");
    tenant.post("/v1/plugins/acme/law/9.9.9/activate", &json!({})).problem(404);
}

#[test]
fn a_yanked_version_still_replays_and_judges_no_more() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.publish_and_activate(&law("1.0.0", ""));
    tenant.publish_and_activate(&law("1.1.0", ""));
    tenant.set_policy("tenant", &bound("^1"));
    let decision = tenant.decide(None, "staging", "Hello");
    assert_eq!(decision["plugins"][0]["version"], "1.1.0");
    let id = decision["id"].as_str().unwrap();

    assert_eq!(step(&tenant, "1.1.0", "yank")["state"], "yanked");
    assert_eq!(tenant.get("/v1/plugins/acme/law/1.1.0").expect(200)["state"], "yanked");
    assert_eq!(version_on(&tenant, "2025-01-01"), "1.0.0");
    step(&tenant, "1.0.0", "yank");
    let failed = tenant.decide(None, "staging", "Hello");
    assert_eq!((&failed["verdict"], &failed["reason"]), (&json!("review"), &json!("PLUGIN_FAILURE")));
    assert_eq!(failed["plugins"][0]["status"], "missing");
    tenant.put("/v1/policies/tenant", &bound("^1")).problem_naming(422, &["bindings[0]", "acme/law"]);

    let assert_replays = |tenant: &Client| {
        let replay = tenant.replay(id);
        assert_eq!(replay["identical"], true, "{replay}");
        assert_eq!(replay["outputs"][0]["version"], "1.1.0");
        assert_eq!(replay["outputs"][0]["recorded"], replay["outputs"][0]["replayed"]);
        assert_eq!(tenant.replay(failed["id"].as_str().unwrap())["identical"], true);
    };
    assert_replays(&tenant);
    server.restart();
    let tenant = server.again(&tenant);
    assert_replays(&tenant);
    assert_eq!(tenant.get("/v1/plugins/acme/law/1.1.0").expect(200)["state"], "yanked");
    let digest = decision["plugins"][0]["digest"].as_str().unwrap();
    assert_eq!(tenant.get(&format!("/v1/plugins/by-digest/{digest}/component")).body, law("1.1.0", ""));
}

#[test]
fn yanking_needs_a_reason_and_the_right_role() {
    let server = SERVER.get();
    let tenant = server.tenant();
    tenant.publish(&law("1.0.0", "")).expect(201);
    let path = "/v1/plugins/acme/law/1.0.0";
    tenant.post(&format!("{path}/yank"), &json!({})).problem_naming(422, &["reason"]);
    for role in ["app", "auditor"] {
        let client = tenant.role(role);
        client.post(&format!("{path}/yank"), &json!({ "reason": "x" })).problem(403);
        client.post(&format!("{path}/activate"), &json!({ "reason": "x" })).problem(403);
        client.publish(b"refused before it is read").problem(403);
    }
    let dev = tenant.role("dev");
    dev.publish(&law("1.0.2", "")).expect(201);
    dev.post("/v1/plugins/acme/law/1.0.2/activate", &json!({})).expect(200);
}
