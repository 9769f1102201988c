//! Entries as they are shown.

use assize_tests::{Server, Shared, agent, assize, policy};
use serde_json::json;

static GUESTS: Shared = Shared::new(Server::with_guests);

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
