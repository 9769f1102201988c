//! What the host shows of itself: decisions by page and filter, systems, health and the description of its interface.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use assize_tests::{Server, Shared, policy, rule, ruling};
use serde_json::{Value, json};

static BUNDLED: Shared = Shared::new(Server::bundled);
static GUESTS: Shared = Shared::new(Server::with_guests);

fn texts<'a>(values: &'a Value, member: &str) -> Vec<&'a str> {
    values.as_array().unwrap().iter().map(|value| value[member].as_str().unwrap()).collect()
}

#[test]
fn decisions_are_listed_newest_first_page_by_page_and_by_filter() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.register("bot");
    tenant.set_policy("system:bot", &policy(&[rule("rule", &ruling("block", "NO"))]));
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    let mut made: Vec<String> = Vec::new();
    for n in 0..23 {
        let system = (n % 3 == 0).then_some("bot");
        let environment = if n % 2 == 0 { "production" } else { "staging" };
        made.push(tenant.decide(system, environment, "Hello")["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    let (mut listed, mut cursor): (Vec<String>, _) = (Vec::new(), String::new());
    loop {
        let page = tenant.get(&format!("/v1/decisions?limit=5{cursor}")).expect(200);
        let ids = texts(&page["decisions"], "id");
        assert!(ids.len() <= 5);
        listed.extend(ids.into_iter().map(str::to_owned));
        if page["next_cursor"].is_null() {
            break;
        }
        cursor = format!("&cursor={}", page["next_cursor"].to_string().trim_matches('"'));
    }
    assert_eq!(listed, made);

    let count = |query: &str| {
        let page = tenant.get(&format!("/v1/decisions?limit=1000&{query}")).expect(200);
        page["decisions"].as_array().unwrap().len()
    };
    assert_eq!(count("system=bot"), 8);
    assert_eq!(count("verdict=block"), 8);
    assert_eq!(count("verdict=warn"), 15);
    assert_eq!(count("environment=staging"), 11);
    assert_eq!(count("environment=staging&system=bot"), 4);
    assert_eq!(count("system=no-such-bot"), 0);
    assert_eq!(count("from=2100-01-01T00:00:00Z"), 0);
    assert_eq!(count("from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"), 23);
}

#[test]
fn what_needs_no_key_tells_how_the_host_is_and_what_it_offers() {
    let server = BUNDLED.get();
    let anyone = server.anonymous();
    assert_eq!(anyone.get("/healthz").status, 200);
    assert_eq!(anyone.get("/readyz").status, 200);
    server.tenant().decide(None, "production", "Hello");
    let metrics = String::from_utf8(anyone.get("/metrics").body).unwrap();
    assert!(metrics.contains("decisions"), "{metrics}");
    assert!(anyone.get("/docs").status < 400);
    let described = anyone.get("/openapi.json").expect(200);
    for path in [
        "/v1/decisions",
        "/v1/decisions/{id}",
        "/v1/decisions/{id}/replay",
        "/v1/enforce",
        "/v1/systems",
        "/v1/systems/{id}",
        "/v1/systems/{id}/emergency-stop",
        "/v1/systems/{id}/resume",
        "/v1/plugins",
        "/v1/plugins/by-digest/{digest}/component",
        "/v1/policies/{scope}",
        "/v1/policies/{scope}/trials",
        "/v1/policies/{scope}/trials/{binding}/promote",
        "/v1/policies/{scope}/trials/{binding}/roll-back",
        "/v1/ledger/entries",
        "/v1/ledger/verify",
        "/v1/keys",
        "/v1/me",
    ] {
        assert!(described["paths"][path].is_object(), "{path} isn't described");
    }
}

#[test]
fn a_registered_system_is_shown_and_legal_transitions_hold() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let system = json!({
        "id": "scorer", "name": "Credit scorer", "sector": "credit", "risk": "high", "training_flops": 1e23,
        "operational_status": "design", "lifecycle_phase": "deploy_and_use", "jurisdictions": ["BR"],
        "eu_database_registration_id": "EU-1", "external_dependencies": ["bureau"],
        "human_ai_configuration": "human-in-the-loop", "attributes": { "logging": true },
    });
    tenant.post("/v1/systems", &system).expect(201);
    let shown = tenant.get("/v1/systems/scorer").expect(200);
    for member in ["id", "name", "sector", "training_flops", "operational_status", "lifecycle_phase", "jurisdictions"] {
        assert_eq!(shown[member], system[member], "{member}: {shown}");
    }
    assert_eq!(shown["risk_classification"], "high");
    tenant.post("/v1/systems", &system).problem(409);
    let listed = tenant.get("/v1/systems").expect(200);
    assert_eq!(texts(&listed["systems"], "id"), ["scorer"]);
    // From design a system doesn't go straight to maintenance.
    let mut next = system.clone();
    next["operational_status"] = "maintenance".into();
    tenant.put("/v1/systems/scorer", &next).problem_naming(409, &["operational_status"]);
    next["operational_status"] = "active".into();
    tenant.put("/v1/systems/scorer", &next).expect(200);
    // Its jurisdictions hold for its cases, whatever the caller says.
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("allow", "FINE"))]));
    let made = tenant.decide(Some("scorer"), "production", "Hello");
    let decision = tenant.decision(made["id"].as_str().unwrap());
    assert!(decision["input"]["case"]["jurisdictions"].as_array().unwrap().contains(&json!("BR")), "{decision}");
    assert_eq!(decision["input"]["case"]["context"]["system"]["name"], "Credit scorer");
}
