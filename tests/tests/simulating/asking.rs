//! Following, listing, reading and cancelling; and what makes no sense.

use std::thread;
use std::time::{Duration, Instant};

use assize_tests::{Server, agent, assize, policy, rule, ruling};
use serde_json::{Value, json};

use crate::{GUESTS, PATIENCE, begin, many_cases, report, simulate};

#[test]
fn it_is_followed_listed_read_and_cancelled() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    tenant.decide(None, "production", "Hello");
    let before = tenant.get("/v1/decisions").expect(200);
    let id = begin(&tenant, &json!({ "specification": { "title": "t", "changes": { "without": ["rule"] } } }));
    let events = tenant.get(&format!("/v1/simulations/{id}/events"));
    let text = events.text();
    let last = text.lines().rfind(|line| line.starts_with("data:")).unwrap();
    let last: Value = serde_json::from_str(last.trim_start_matches("data:")).unwrap();
    assert_eq!((&last["stage"], &last["percent"]), (&json!("done"), &json!(100)), "{}", events.text());
    let shown = tenant.get(&format!("/v1/simulations/{id}")).expect(200);
    assert_eq!(shown["report"]["tally"]["matrix"][1][2], 1, "without any rule, a person decides");
    let entry = tenant.get(&format!("/v1/ledger/entries?from={}&limit=1", shown["seq"])).expect(200);
    assert_eq!(entry["entries"][0]["kind"], "simulation");
    assert_eq!(entry["entries"][0]["subject"], id.as_str());
    assert_eq!(tenant.get(&format!("/v1/simulations/{id}/report.json")).expect(200), shown["report"]);
    assert!(
        tenant
            .get(&format!("/v1/simulations/{id}/report.html"))
            .text()
            .contains("A simulation: what would have come out")
    );
    assert!(tenant.get(&format!("/v1/simulations/{id}/report.csv")).text().starts_with("id,seq,"));
    tenant.get(&format!("/v1/simulations/{id}/report.pdf")).problem(404);
    let listed = tenant.get("/v1/simulations").expect(200);
    assert_eq!(listed["simulations"][0]["id"], id.as_str());
    assert_eq!(tenant.get("/v1/decisions").expect(200), before, "no ruling was made");
    // Another tenant has nothing to do with it.
    let other = server.tenant();
    for path in ["", "/events", "/report.json"] {
        other.get(&format!("/v1/simulations/{id}{path}")).problem(404);
    }
    assert_eq!(other.get("/v1/simulations").expect(200)["simulations"], json!([]));
    other.delete(&format!("/v1/simulations/{id}")).problem(404);
    tenant.delete(&format!("/v1/simulations/{id}")).problem_naming(409, &["on record"]);
    tenant.role("app").post("/v1/simulations", &json!({})).problem(403);

    // Slow enough to be cancelled: each case runs to the end of its fuel.
    tenant.set_policy("tenant", &policy(&[agent("agent", &json!({ "do": "loop" }))]));
    let slow = begin(&tenant, &json!({ "cases": many_cases(20_000) }));
    assert_eq!(tenant.delete(&format!("/v1/simulations/{slow}")).status, 204);
    let events = tenant.get(&format!("/v1/simulations/{slow}/events"));
    assert!(
        events.text().trim_end().ends_with('}') && events.text().contains("\"stage\":\"cancelled\""),
        "{}",
        events.text()
    );
    tenant.get(&format!("/v1/simulations/{slow}/report.json")).problem(404);
}

/// Whoever asks for many waits for its own, and not the others for them.
#[test]
fn one_tenant_leaves_room_for_the_others_and_they_take_turns() {
    // Of its own: what runs here would hold up those of other tests.
    let server = Server::with_guests();
    let many = server.tenant();
    // Each case runs to the end of its fuel: none of these is over before it is cancelled.
    many.set_policy("tenant", &policy(&[agent("agent", &json!({ "do": "loop" }))]));
    let slow = json!({ "cases": many_cases(20_000) });
    let mut ids: Vec<String> = (0..10).map(|_| begin(&many, &slow)).collect();
    let full = many.post("/v1/simulations", &json!({}));
    full.problem_naming(503, &["10 of your own simulations"]);
    assert!(full.header("retry-after").is_some());
    many.role("dev").post("/v1/simulations", &json!({})).problem(503);
    let running = || {
        let all = many.get("/v1/simulations").expect(200);
        let running = all["running"].as_array().unwrap().iter().find(|job| job["stage"] == "running");
        running.map(|job| job["id"].as_str().unwrap().to_owned())
    };
    let begun = Instant::now();
    let first = loop {
        if let Some(id) = running() {
            break id;
        }
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(10));
    };
    let other = server.tenant();
    let waiting = begin(&other, &json!({}));
    // The one that runs ends; the next is the other tenant's, though nine have waited for longer.
    assert_eq!(many.delete(&format!("/v1/simulations/{first}")).status, 204);
    report(&other, &waiting);
    // And with a place free, one more may wait.
    let events = many.get(&format!("/v1/simulations/{first}/events")).text();
    assert!(events.contains("\"stage\":\"cancelled\""), "{events}");
    ids.retain(|id| *id != first);
    ids.push(begin(&many, &slow));
    for id in ids {
        assert_eq!(many.delete(&format!("/v1/simulations/{id}")).status, 204);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_field_value_and_remedy() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let refused = |body: Value, status: u16, words: &[&str]| {
        tenant.post("/v1/simulations", &body).problem_naming(status, words);
    };
    let changes = |changes: Value| json!({ "specification": { "changes": changes } });
    refused(changes(json!({ "weights": { "a": -1 } })), 422, &["weights.a", "-1", "0 to 1000"]);
    refused(
        changes(json!({ "thresholds": { "production": { "block": 11 } } })),
        422,
        &["thresholds.production.block", "11"],
    );
    refused(changes(json!({ "versions": { "a/b": "1.0.0" } })), 422, &["a/b", "1.0.0", "isn't published"]);
    refused(changes(json!({ "version": {} })), 400, &["version"]);
    refused(
        json!({ "specification": { "decisions": { "from": "2024-02-01", "to": "2024-01-01" } } }),
        422,
        &["decisions.from", "2024-02-01"],
    );
    refused(json!({ "specification": { "flips": 1_000_000 } }), 422, &["flips", "1000000", "100000"]);
    refused(json!({ "mapping": { "kind": "x" } }), 422, &["mapping", "cases"]);
    refused(json!({ "cases": [], "mapping": { "date": "day" } }), 422, &["mapping", "kind"]);
    refused(json!({ "cases": [], "mapping": { "kind": "Prompt" } }), 422, &["mapping.kind", "Prompt", "a to z"]);
    let misspelt = json!({ "kind": "prompt", "jurisdictions": ["br"] });
    refused(json!({ "cases": [], "mapping": misspelt }), 422, &["mapping.jurisdictions[0]", "br", "ISO 3166"]);
    refused(json!({ "tenant": "somebody-else" }), 422, &["tenant", "somebody-else"]);
    // An array would be read as a case, by the order of its fields.
    for case in [json!(5), json!(null), json!(["id", null, "production", "prompt", {}])] {
        refused(json!({ "cases": [{}, case] }), 422, &["cases[1]", "must be a JSON object"]);
    }
    refused(json!([]), 400, &["body", "must be a JSON object"]);
    refused(json!({ "specification": [] }), 400, &["specification", "expected a JSON object"]);
    let unread = json!({ "cases": [{ "environment": "moon", "kind": "a", "payload": 1 }, { "kind": 5 }] });
    let unread = simulate(&tenant, &unread);
    assert_eq!((&unread["tally"]["cases"], &unread["tally"]["judged"]), (&json!(2), &json!(0)));
    assert_eq!(unread["tally"]["unreadable"].as_object().unwrap().len(), 2, "{unread}");
    let misspelt = json!({ "environment": "staging", "kind": "a", "payload": 1, "jurisdictions": ["br"] });
    let unread = simulate(&tenant, &json!({ "cases": [misspelt] }));
    assert!(unread["tally"]["unreadable"].to_string().contains("row 1: jurisdictions[0]"), "{unread}");
    for (arguments, said) in [
        (&["simulate", "--swap", "x"][..], "namespace/name@version"),
        (&["simulate", "--threshold", "production=3"], "production.block=7"),
        (&["simulate", "--base", "yesterday"], "recorded, now or a moment"),
        (&["simulate", "--verdict", "maybe"], "allow, warn, review or block"),
        (&["simulate", "--truth", "x", "--kind", "k", "--cases", "f"], "field and its value"),
    ] {
        let output = assize(arguments);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
}
