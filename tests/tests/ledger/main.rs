//! What was recorded can't be changed unnoticed: `assize ledger verify` finds and names whatever isn't as it was.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod independent;
mod live;
#[allow(dead_code, reason = "others need more of it")]
#[path = "../../../host/store/tests/common/postgres.rs"]
mod postgres;
mod reading;
mod remote;
mod tampering;
mod verifying;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assize_ledger::{Algorithm, SignerKey};
use assize_tests::{Output, Server, assize, law, policy};
use serde_json::json;
use tempfile::TempDir;

fn verify(data: &Path, more: &[&str]) -> Output {
    assize(&[&["ledger", "verify", "--json", "--data", data.to_str().unwrap()], more].concat())
}

/// Does a bit of everything that leaves a row, and enough of it to fill a tile of the tree.
fn furnish(server: &Server) {
    let tenant = server.tenant();
    tenant.register("bot");
    tenant.register("second-bot");
    let mut alert = json!({ "name": "tell-us", "plugin": "assize/alert", "on": ["allow", "warn", "review", "block"] });
    alert["settings"] = json!({ "min_verdict": "allow" });
    tenant.set_policy("tenant", &policy(&[alert.clone()]));
    tenant.set_policy("system:bot", &policy(&[]));
    tenant.set_policy("system:bot", &json!({ "title": "second version" }));
    let revoked = tenant.post("/v1/keys", &json!({ "role": "app", "label": "x" })).expect(201);
    tenant.delete(&format!("/v1/keys/{}", revoked["id"].as_str().unwrap()));
    let stop = json!({ "operational_status": "emergency_stop", "reason": "a test", "operator_id": "ana" });
    tenant.put("/v1/systems/second-bot/emergency-stop", &stop).expect(200);
    tenant.decide(Some("second-bot"), "production", "Hello");
    let resume = json!({ "reason": "the test is over", "operator_id": "ana" });
    tenant.post("/v1/systems/second-bot/resume", &resume).expect(200);
    server.admin().post("/v1/plugins/eu/ai-act-prohibited/1.0.0/yank", &json!({ "reason": "a test" })).expect(200);
    for version in ["1.0.0", "1.1.0"] {
        tenant.publish_and_activate(&law(version, ""));
    }
    tenant.post("/v1/plugins/acme/law/roll-back", &json!({ "reason": "a test" })).expect(200);
    let key = SignerKey::from_seed("acme", Algorithm::Ed25519, [1; 32]).unwrap();
    tenant.post("/v1/namespaces", &json!({ "namespace": "acme", "publisher": "Acme" })).expect(200);
    tenant.post("/v1/namespaces/acme/keys", &json!({ "key": key.public().to_string() })).expect(200);
    let package = assize_registry::inspect(&law("1.0.0", "")).unwrap();
    let manifest = &package.manifest;
    let note = assize_registry::sign(&key, &manifest.name, &manifest.version, package.digest).unwrap().to_string();
    let path = "/v1/plugins/acme/law/1.0.0/signatures";
    tenant.send("POST", path, &[], Some(note.as_bytes())).unwrap().expect(200);
    let path = format!("/v1/namespaces/acme/keys/{}/revoke", key.public().id());
    tenant.post(&path, &json!({ "reason": "a test" })).expect(200);
    let named = json!({
        "environment": "production", "kind": "prompt", "payload": { "prompt": "Hello" }, "data_subject": "person-1",
    });
    for _ in 0..2 {
        let one = tenant.post("/v1/decisions", &named).expect(201);
        tenant.post("/v1/erasures", &json!({ "decisions": [one["id"]], "basis": "GDPR Art. 17" })).expect(201);
        // Another one stays.
        tenant.post("/v1/decisions", &named).expect(201);
    }
    tenant.put("/v1/retention", &json!({ "payloads": "30d" })).expect(200);
    assert_eq!(server.admin().get("/v1/ledger/export?to=5").status, 200);
    let simulation = tenant.post("/v1/simulations", &json!({})).expect(202);
    // The events end with it.
    let events = tenant.get(&format!("/v1/simulations/{}/events", simulation["id"].as_str().unwrap()));
    assert!(events.text().contains("\"stage\":\"done\""), "{}", events.text());
    for n in 0..280 {
        let system = (n % 3 == 0).then_some("bot");
        let payload = json!({ "prompt": format!("Hello {n}") });
        let case = json!({ "environment": "production", "kind": "prompt", "payload": payload, "system": system });
        let key = format!("key-{n}");
        let headers = [("idempotency-key", key.as_str())];
        let headers = if n % 2 == 0 { &headers[..] } else { &[] };
        tenant.post_with("/v1/decisions", headers, case.to_string().as_bytes()).expect(201);
    }
}

/// The data of a server that has ended, made once.
static FURNISHED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let mut server = Server::bundled();
    furnish(&server);
    assert_eq!(server.stop(), 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assize.db");
    fs::copy(server.data().join("assize.db"), &file).unwrap();
    (folder, file)
});

/// A copy of that data, to be altered.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assize.db");
    fs::copy(&FURNISHED.1, &file).unwrap();
    (folder, file)
}
