//! Whatever comes in that can't be taken: a clear error names it, nothing is half-written, and the server keeps serving.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

mod hosts;
mod packages;
mod requests;

use assize_tests::{Answer, Client, Server, Shared, policy, rule, ruling};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

fn tenant(server: &Server) -> Client {
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    tenant
}

/// Does what is refused, and checks that it left no trace.
fn without_a_trace(tenant: &Client, refused: impl FnOnce()) {
    let before = tenant.entries();
    let published = tenant.get("/v1/plugins").expect(200);
    refused();
    assert_eq!(tenant.get("/v1/plugins").expect(200), published);
    let alive = tenant.decide(None, "staging", "Hello");
    assert_eq!(alive["verdict"], "warn");
    let after = alive["ledger"]["seq"].as_u64().unwrap();
    // Other tests write to the same ledger: what matters is that none of this tenant's entries came from here.
    let entries = tenant.get(&format!("/v1/ledger/entries?from={before}&limit=1000")).expect(200);
    let own = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["tenant"] == tenant.tenant() && entry["seq"].as_u64().unwrap() < after);
    assert_eq!(own.count(), 0, "{entries}");
}

fn ask(tenant: &Client, body: impl AsRef<[u8]>) -> Answer {
    tenant.post_with("/v1/decisions", &[], body.as_ref())
}

fn case_with(members: &Value) -> String {
    let mut case = json!({ "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hello" } });
    for (name, value) in members.as_object().unwrap() {
        case[name] = value.clone();
    }
    case.to_string()
}
