//! Who may do what: keys, roles, tenants, limits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod whose;

use assize_tests::{Client, Server, Setup, Shared, guest, policy, rule, ruling};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

/// Method, path and body of a request, and the roles besides admin that may send it.
type Case = (&'static str, String, Option<Value>, &'static [&'static str]);

/// One request of each kind on a tenant that has a system `bot` and a decision `id`.
fn requests(id: &str) -> Vec<Case> {
    let case = json!({ "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hello" } });
    let enforce = json!({ "system_id": "bot", "prompt": "Hello", "env": "staging" });
    let stop = json!({ "operational_status": "emergency_stop", "reason": "x", "operator_id": "ana" });
    let resume = json!({ "reason": "its prompt was corrected", "operator_id": "ana" });
    let get = |path: &str, roles: &'static [&'static str]| ("GET", path.to_owned(), None, roles);
    vec![
        ("POST", "/v1/decisions".to_owned(), Some(case), &["dev", "app"]),
        ("POST", "/v1/enforce".to_owned(), Some(enforce), &["dev", "app"]),
        get("/v1/decisions", &["dev", "auditor", "app"]),
        get(&format!("/v1/decisions/{id}"), &["dev", "auditor", "app"]),
        ("POST", format!("/v1/decisions/{id}/replay"), Some(json!({})), &["dev", "auditor"]),
        get(&format!("/v1/decisions/{id}/bundle"), &["dev", "auditor"]),
        get("/v1/systems/bot", &["dev", "auditor", "app"]),
        get("/v1/ledger/entries", &["auditor"]),
        get("/v1/policies/tenant", &["dev", "auditor"]),
        ("PUT", "/v1/policies/tenant".to_owned(), Some(policy(&[rule("r", &ruling("warn", "HM"))])), &["dev"]),
        ("POST", "/v1/keys".to_owned(), Some(json!({ "role": "app", "label": "x" })), &[]),
        get("/v1/keys", &["auditor"]),
        ("PUT", "/v1/systems/bot/emergency-stop".to_owned(), Some(stop), &[]),
        ("POST", "/v1/systems/bot/resume".to_owned(), Some(resume), &[]),
        get("/v1/me", &["dev", "auditor", "app"]),
    ]
}

fn send(client: &Client, (method, path, body, _): &Case) -> assize_tests::Answer {
    let body = body.as_ref().map(ToString::to_string);
    let headers = [("content-type", "application/json")];
    client.send(method, path, &headers, body.as_ref().map(String::as_bytes)).unwrap()
}

/// A tenant with a policy, a system `bot` and a decision, whose id comes with it.
fn furnished(server: &Server) -> (Client, String) {
    let tenant = server.tenant();
    tenant.register("bot");
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    let id = tenant.decide(Some("bot"), "staging", "Hello")["id"].as_str().unwrap().to_owned();
    (tenant, id)
}

#[test]
fn a_role_may_do_what_it_is_for_and_nothing_else() {
    let server = SERVER.get();
    let (tenant, id) = furnished(&server);
    for role in ["dev", "auditor", "app"] {
        let client = tenant.role(role);
        assert_eq!(client.get("/v1/me").expect(200)["role"], role);
        for request in requests(&id) {
            let answer = send(&client, &request);
            if request.3.contains(&role) {
                assert!((200..300).contains(&answer.status), "{role} may: {answer}");
            } else {
                answer.problem(403);
            }
        }
    }
    for request in requests(&id) {
        let answer = send(&tenant, &request);
        assert!((200..300).contains(&answer.status), "admin may: {answer}");
    }
}

#[test]
fn an_application_does_not_choose_the_day_of_the_law() {
    let server = SERVER.get();
    let (tenant, _) = furnished(&server);
    let (app, dev) = (tenant.role("app"), tenant.role("dev"));
    let case = |occurred_at: Option<&str>, rules_as_of: Option<&str>| {
        json!({
            "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hello" },
            "occurred_at": occurred_at, "rules_as_of": rules_as_of,
        })
    };
    let day = Some("2024-02-29");
    let noon = Some("2024-02-29T12:00:00Z");
    for case in [case(None, Some("1990-01-01")), case(Some("2024-03-02"), day), case(noon, day)] {
        let refused = app.post("/v1/decisions", &case);
        let problem = refused.problem_naming(403, &["day's law", "leave rules_as_of out", "role app", "admin or dev"]);
        assert_eq!(problem["field"], "rules_as_of");
        for client in [&tenant, &dev] {
            let made = client.post("/v1/decisions", &case).expect(201);
            assert!(made["times"]["rules_as_of"].as_str() < made["times"]["occurred_at"].as_str(), "{made}");
        }
    }
    // The facts' own day, left out or said in other words.
    for case in [
        case(None, None),
        case(day, None),
        case(day, day),
        case(Some("2024-02-29T12:00:00-03:00"), Some("2024-02-29T15:00:00Z")),
    ] {
        let times = app.post("/v1/decisions", &case).expect(201)["times"].clone();
        assert_eq!(times["rules_as_of"], times["occurred_at"]);
    }
}

#[test]
fn without_a_valid_key_everything_is_refused_and_nothing_is_told() {
    let server = SERVER.get();
    let (_, id) = furnished(&server);
    let anyone = server.anonymous();
    let wrong = [
        anyone.clone(),
        anyone.with_key(Some("wrong")),
        anyone.with_key(Some("")),
        anyone.with_key(Some(&"x".repeat(4_000))),
    ];
    for client in &wrong {
        for request in requests(&id) {
            let answer = send(client, &request);
            let problem = answer.problem(401);
            assert!(!problem.to_string().contains(&id), "{answer}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    for header in ["Basic YTpi", "Bearer", "bearer:x"] {
        let answer = anyone.send("GET", "/v1/me", &[("authorization", header)], None).unwrap();
        answer.problem(401);
    }
}

#[test]
fn another_tenants_ids_are_not_found() {
    let server = SERVER.get();
    let (owner, id) = furnished(&server);
    let stranger = server.tenant();
    stranger.get(&format!("/v1/decisions/{id}")).problem(404);
    stranger.post(&format!("/v1/decisions/{id}/replay"), &json!({})).problem(404);
    stranger.get(&format!("/v1/decisions/{id}/bundle")).problem(404);
    stranger.get("/v1/systems/bot").problem(404);
    let stop = json!({ "operational_status": "emergency_stop", "reason": "x", "operator_id": "eve" });
    stranger.put("/v1/systems/bot/emergency-stop", &stop).problem(404);
    let resume = json!({ "reason": "because I can", "operator_id": "eve" });
    stranger.post("/v1/systems/bot/resume", &resume).problem(404);
    let enforce = json!({ "system_id": "bot", "prompt": "Hello", "env": "staging" });
    stranger.post("/v1/enforce", &enforce).problem(404);
    stranger.get(&format!("/v1/policies/tenant:{}", owner.tenant())).problem(404);
    stranger.put(&format!("/v1/policies/tenant:{}", owner.tenant()), &policy(&[])).problem(404);
    assert_eq!(stranger.get("/v1/decisions").expect(200)["decisions"], json!([]));
    assert_eq!(stranger.get("/v1/systems").expect(200)["systems"], json!([]));

    let entries = stranger.get("/v1/ledger/entries?limit=1000").expect(200);
    assert!(!entries.to_string().contains(&id), "another tenant's decision is shown");
    let keys = stranger.get("/v1/keys").expect(200);
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| key["tenant"] == stranger.tenant()), "another tenant's keys are shown: {keys:?}");
    let own = owner.get("/v1/keys").expect(200)["keys"][0]["id"].as_str().unwrap().to_owned();
    stranger.delete(&format!("/v1/keys/{own}")).problem(404);
    assert_eq!(owner.get("/v1/me").status, 200);
}

#[test]
fn a_tenants_plugin_is_its_own_and_binds_nobody_else() {
    let server = SERVER.get();
    let (owner, stranger) = (server.tenant(), server.tenant());
    let manifest = include_str!("../../guests/rule-echo/assize.toml").replace("test/rule-echo", "acme/own-rule");
    let package = assize_tests::repacked(&guest("rule-echo"), &manifest);
    let published = owner.publish_and_activate(&package);
    let digest = published["digest"].as_str().unwrap();
    assert_eq!(owner.get(&format!("/v1/plugins/by-digest/{digest}/component")).body, package);
    stranger.get(&format!("/v1/plugins/by-digest/{digest}/component")).problem(404);
    stranger.get(&format!("/v1/plugins/by-digest/{digest}")).problem(404);
    stranger.get("/v1/plugins/acme/own-rule/1.0.0").problem(404);
    assert!(!stranger.get("/v1/plugins").expect(200).to_string().contains("acme/own-rule"));
    let binding = json!({ "name": "own", "plugin": "acme/own-rule", "settings": ruling("allow", "OWN") });
    stranger.put("/v1/policies/tenant", &policy(std::slice::from_ref(&binding))).problem(422);
    owner.set_policy("tenant", &policy(&[binding]));
    assert_eq!(owner.decide(None, "staging", "Hello")["verdict"], "allow");
}

#[test]
fn what_concerns_all_tenants_needs_a_key_of_the_host() {
    let server = SERVER.get();
    let tenant = server.tenant();
    tenant.put("/v1/policies/global", &policy(&[])).problem(403);
    let asked = json!({ "role": "admin", "tenant": "somebody-else", "label": "x" });
    tenant.post("/v1/keys", &asked).problem(403);
    tenant.post("/v1/keys", &json!({ "role": "admin", "host": true })).problem(403);
    // Its report names records of all tenants.
    tenant.get("/v1/ledger/verify").problem(403);
}

#[test]
fn an_application_is_limited_and_told_when_to_come_again() {
    let server = Server::with_guests_and(Setup::bare().argument("--rate-limit-app").argument("5"));
    let (tenant, _) = furnished(&server);
    let (app, other) = (tenant.role("app"), tenant.role("app"));
    let answers: Vec<_> = (0..8).map(|_| app.get("/v1/me")).collect();
    assert!(answers.iter().take(5).all(|answer| answer.status == 200), "{answers:?}");
    let refused = answers.last().unwrap();
    refused.problem(429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(other.get("/v1/me").status, 200, "each key by itself");
    for _ in 0..50 {
        assert_eq!(tenant.get("/v1/me").status, 200, "an admin isn't limited");
    }
}

#[test]
fn by_default_an_application_may_send_100_requests_a_minute() {
    let server = SERVER.get();
    let app = server.tenant().role("app");
    let statuses: Vec<u16> = (0..110).map(|_| app.get("/v1/me").status).collect();
    assert!(statuses[..100].iter().all(|&status| status == 200));
    assert!(statuses.contains(&429));
}

#[test]
fn a_key_is_shown_once_and_kept_as_a_hash() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let made = tenant.post("/v1/keys", &json!({ "role": "auditor", "label": "audit 2026" })).expect(201);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.len() >= 32);
    assert_eq!((&made["role"], &made["tenant"]), (&json!("auditor"), &json!(tenant.tenant())));
    let listed = tenant.get("/v1/keys").expect(200);
    assert!(listed.to_string().contains("audit 2026") && !listed.to_string().contains(&key));
    let admin = server.admin().key().to_owned();
    assert_eq!(server.stop(), 0);
    for file in std::fs::read_dir(server.data()).unwrap() {
        let file = file.unwrap().path();
        let bytes = if file.is_file() { std::fs::read(&file).unwrap() } else { continue };
        for key in [&key, &admin] {
            let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!found, "a key stands in {}", file.display());
        }
    }
    server.start_again();
    assert_eq!(server.again(&tenant).with_key(Some(&key)).get("/v1/me").status, 200);
}

#[test]
fn a_revoked_key_opens_nothing_after_a_restart_either() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let made = tenant.post("/v1/keys", &json!({ "role": "app", "label": "leaked" })).expect(201);
    let app = tenant.with_key(made["key"].as_str());
    assert_eq!(app.get("/v1/me").status, 200);
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let revoked = tenant.delete(&path);
    assert!((200..300).contains(&revoked.status), "{revoked}");
    app.get("/v1/me").problem(401);
    server.restart();
    let (tenant, app) = (server.again(&tenant), server.again(&app));
    app.get("/v1/me").problem(401);
    assert_eq!(tenant.get("/v1/me").status, 200);
}

#[test]
fn the_first_admin_key_is_printed_at_the_first_start_and_never_again() {
    let mut server = Server::start(Setup { admin_key: None, ..Setup::bare() });
    let said = server.said();
    let key = said.lines().find_map(|line| line.strip_prefix("admin key: ")).unwrap().to_owned();
    let me = server.anonymous().with_key(Some(&key)).get("/v1/me").expect(200);
    assert_eq!((&me["role"], &me["tenant"]), (&json!("admin"), &json!("default")));
    server.restart();
    assert!(!server.said().contains("admin key"), "{}", server.said());
    assert_eq!(server.anonymous().with_key(Some(&key)).get("/v1/me").status, 200);
}
