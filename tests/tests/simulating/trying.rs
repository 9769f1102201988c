//! A package or a policy is tried before it is in force.

use std::path::Path;

use assize_tests::{agent, answer, bundled, bundled_file, policy, rule, ruling};
use serde_json::json;

use crate::{GUESTS, ad, begin, run, simulate};

#[test]
fn a_package_is_tried_before_it_is_published() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.publish_and_activate(&bundled("br-election-content-1.2.0"));
    let mut ads = rule("ads", &json!({}));
    ads["plugin"] = "br/election-content".into();
    tenant.set_policy("tenant", &policy(&[ads]));
    for n in 0..10 {
        tenant.post("/v1/decisions", &ad(n, "2024-02-10")).expect(201);
    }
    let file = bundled_file("br-election-content-1.4.0");
    let file = file.to_str().unwrap();
    let tried = run(&tenant, &["plugin", "publish", file, "--try", "90d", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(tried["tally"]["judged"], 10);
    assert!(tried["tally"]["flips"].as_u64().unwrap() > 0);
    assert_eq!(tried["tally"]["plugins"]["br/election-content@1.4.0"]["runs"], 10);
    let versions = tenant.get("/v1/plugins/br/election-content").expect(200);
    assert_eq!(versions["plugins"].as_array().unwrap().len(), 1, "{versions}");
    let published = run(&tenant, &["plugin", "publish", file, "--try", "90d"]).expect(0);
    assert!(published.stdout.contains("would come out otherwise"), "{}", published.stdout);
    let activated =
        run(&tenant, &["plugin", "activate", "br/election-content@1.4.0", "--try", "1d", "--dry-run", "--json"]);
    let activated = activated.expect(0).json();
    assert_eq!(activated["tally"]["matrix"], tried["tally"]["matrix"]);
    let state = tenant.get("/v1/plugins/br/election-content/1.4.0").expect(200);
    assert_eq!(state["state"], "draft");
    assert_eq!(run(&tenant, &["plugin", "publish", file, "--try", "soon"]).code, 2);
    let nonsense = Path::new(file).with_extension("toml");
    assert_eq!(run(&tenant, &["plugin", "publish", nonsense.to_str().unwrap(), "--try", "1d"]).code, 1);
}

/// A policy of a scope in the place of the one that holds, over cases of then.
#[test]
fn another_policy_is_tried() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(3.0))]));
    tenant.decide(None, "production", "Hello");
    let swapped = policy(&[rule("rule", &ruling("block", "NEVER"))]);
    let swap = json!({ "specification": { "policy": { "scope": "tenant", "policy": swapped } } });
    let report = simulate(&tenant, &swap);
    assert_eq!(report["tally"]["listed"][0]["would_be_reason"], "NEVER", "{report}");
    assert_eq!(report["tally"]["untouched"], 0);
    let bad = json!({ "specification": { "policy": { "scope": "moon", "policy": policy(&[]) } } });
    let id = begin(&tenant, &bad);
    let events = tenant.get(&format!("/v1/simulations/{id}/events"));
    assert!(events.text().contains("policy.scope") && events.text().contains("failed"), "{}", events.text());
    let typo = simulate(&tenant, &json!({ "specification": { "changes": { "without": ["agnet"] } } }));
    assert_eq!(typo["tally"]["untouched"], 1);
}
