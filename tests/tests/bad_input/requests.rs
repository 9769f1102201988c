//! Requests: JSON, fields, headers, addresses, policies.

use assize_tests::{Server, Setup, agent, answer, policy, rule, ruling};
use serde_json::{Value, json};

use crate::{SERVER, ask, case_with, tenant, without_a_trace};

#[test]
fn json_that_two_readers_could_read_differently_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let with_payload = |payload: &str| format!(r#"{{"environment":"staging","kind":"prompt","payload":{payload}}}"#);
    without_a_trace(&tenant, || {
        ask(&tenant, with_payload(r#"{"a":1,"a":2}"#)).problem_naming(400, &["duplicate", "/payload"]);
        ask(&tenant, with_payload(r#"{"x":{"a":1,"\u0061":2}}"#)).problem_naming(400, &["duplicate", "/payload/x"]);
        let twice = r#"{"environment":"staging","environment":"production","kind":"prompt","payload":{}}"#;
        ask(&tenant, twice).problem_naming(400, &["duplicate", "environment"]);
        for number in ["9007199254740992", "9007199254740993", "-9007199254740992", "123456789012345678901234567890"] {
            ask(&tenant, with_payload(&format!(r#"{{"amount":{number}}}"#)))
                .problem_naming(400, &[number, "/payload/amount"]);
        }
        let deep = with_payload(&format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000)));
        ask(&tenant, deep).problem(400);
        let deep = with_payload(&format!("{}1{}", "[".repeat(100), "]".repeat(100)));
        ask(&tenant, deep).problem_naming(400, &["deep"]);
    });
    // The largest that every reader agrees on is fine.
    let safe = with_payload(r#"{"amount":9007199254740991,"price":0.1,"big":1e300}"#);
    assert_eq!(ask(&tenant, &safe).expect(201)["verdict"], "warn");
}

#[test]
fn json_that_is_none_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let whole = case_with(&json!({}));
    without_a_trace(&tenant, || {
        for end in 0..whole.len() {
            ask(&tenant, &whole[..end]).problem(400);
        }
        ask(&tenant, format!("{whole}{whole}")).problem(400);
        ask(&tenant, format!("{whole}\0")).problem(400);
        ask(&tenant, format!("\u{feff}{whole}")).problem(400);
        ask(&tenant, "null").problem(400);
        ask(&tenant, "[]").problem(400);
        ask(&tenant, "NaN").problem(400);
        let mut broken = whole.clone().into_bytes();
        let at = whole.find("Hello").unwrap();
        broken[at] = 0xff;
        ask(&tenant, &broken).problem_naming(400, &["UTF-8"]);
        ask(&tenant, &[0xc3, 0x28][..]).problem_naming(400, &["UTF-8"]);
        let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
        ask(&tenant, &utf16).problem(400);
        let surrogate = r#"{"environment":"staging","kind":"prompt","payload":{"prompt":"\ud800"}}"#;
        ask(&tenant, surrogate).problem(400);
    });
}

#[test]
fn a_body_beyond_the_limit_is_refused_with_the_limit() {
    let server = Server::with_guests_and(Setup::bare().argument("--max-body").argument("4096"));
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let huge = case_with(&json!({ "payload": { "prompt": "x".repeat(5_000) } }));
        ask(&tenant, huge).problem_naming(413, &["4096"]);
    });
    let fits = case_with(&json!({ "payload": { "prompt": "x".repeat(3_000) } }));
    ask(&tenant, fits).expect(201);
    // The default is a megabyte.
    let server = SERVER.get();
    let large = case_with(&json!({ "payload": { "prompt": "x".repeat(1 << 20) } }));
    ask(&server.tenant(), large).problem_naming(413, &["1048576"]);
    // What is far beyond may be cut off before it is all sent: then there is no answer to be read, and no harm done.
    let huge = case_with(&json!({ "payload": { "prompt": "x".repeat(64 << 20) } }));
    if let Ok(answer) = server.tenant().send("POST", "/v1/decisions", &[], Some(huge.as_bytes())) {
        answer.problem(413);
    }
    assert_eq!(server.admin().get("/readyz").status, 200);
}

#[test]
fn a_field_that_is_missing_unknown_or_of_another_type_is_named() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        for missing in ["environment", "kind", "payload"] {
            let mut case = json!({ "environment": "staging", "kind": "prompt", "payload": {} });
            case.as_object_mut().unwrap().remove(missing);
            ask(&tenant, case.to_string()).problem_naming(400, &[missing]);
        }
        ask(&tenant, case_with(&json!({ "enviroment": "staging" }))).problem_naming(400, &["enviroment"]);
        ask(&tenant, case_with(&json!({ "environment": "prod" }))).problem_naming(422, &["prod", "production"]);
        ask(&tenant, case_with(&json!({ "environment": "Production" }))).problem_naming(422, &["environment"]);
        ask(&tenant, case_with(&json!({ "system": "nobody" }))).problem_naming(404, &["nobody"]);
        ask(&tenant, case_with(&json!({ "kind": "" }))).problem_naming(422, &["kind"]);
        ask(&tenant, case_with(&json!({ "kind": 7 }))).problem(400);
        ask(&tenant, case_with(&json!({ "jurisdictions": "BR" }))).problem(400);
        ask(&tenant, case_with(&json!({ "jurisdictions": [""] }))).problem_naming(422, &["jurisdictions[0]"]);
        ask(&tenant, case_with(&json!({ "context": [1] }))).problem_naming(422, &["context"]);
        for date in ["yesterday", "2024-13-01", "2024-02-30", "2024-02-01T12:00:00", "", "1e9"] {
            ask(&tenant, case_with(&json!({ "occurred_at": date }))).problem_naming(422, &["occurred_at"]);
            ask(&tenant, case_with(&json!({ "rules_as_of": date }))).problem_naming(422, &["rules_as_of"]);
        }
        let enforce = json!({ "system_id": "nobody", "prompt": "Hello", "env": "staging" });
        tenant.post("/v1/enforce", &enforce).problem_naming(404, &["nobody"]);
        let enforce = json!({ "system_id": "nobody", "prompt": "Hello" });
        tenant.post("/v1/enforce", &enforce).problem_naming(400, &["env"]);
        let enforce = json!({ "system_id": "nobody", "prompt": "Hello", "env": "test" });
        tenant.post("/v1/enforce", &enforce).problem_naming(422, &["env", "test"]);
    });
}

#[test]
fn an_idempotency_key_has_its_form() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let body = case_with(&json!({}));
    without_a_trace(&tenant, || {
        let long = "x".repeat(300);
        for key in ["", long.as_str()] {
            let answer = tenant.post_with("/v1/decisions", &[("idempotency-key", key)], body.as_bytes());
            answer.problem_naming(422, &["Idempotency-Key"]);
        }
    });
}

#[test]
fn addresses_that_lead_nowhere_are_problems_too() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    tenant.get("/v1/nothing").problem(404);
    tenant.get("/").problem(404);
    tenant.delete("/v1/decisions").problem(405);
    for id in ["x", "00000000-0000-7000-8000-000000000000", "..%2f..%2fetc%2fpasswd", "%00", "a%27%20OR%201=1"] {
        tenant.get(&format!("/v1/decisions/{id}")).problem(404);
        tenant.post(&format!("/v1/decisions/{id}/replay"), &json!({})).problem(404);
    }
    let unknown = "0".repeat(64);
    tenant.get(&format!("/v1/plugins/by-digest/{unknown}/component")).problem(404);
    tenant.get("/v1/plugins/by-digest/xyz/component").problem(422);
    tenant.get("/v1/plugins/test/nothing").problem(404);
    tenant.get("/v1/policies/planet").problem(404);
    for query in ["limit=0", "limit=100000", "verdict=maybe", "environment=moon", "from=yesterday"] {
        tenant.get(&format!("/v1/decisions?{query}")).problem(422);
    }
    for query in ["limit=x", "cursor=x", "colour=red"] {
        tenant.get(&format!("/v1/decisions?{query}")).problem(400);
    }
}

#[test]
fn a_policy_that_cannot_hold_is_refused_by_its_field() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let put = |policy: &Value| tenant.put("/v1/policies/tenant", policy);
    let one = |binding: Value| put(&policy(&[rule("fine", &ruling("allow", "FINE")), binding]));
    without_a_trace(&tenant, || {
        let unknown = json!({ "name": "x", "plugin": "test/nothing" });
        one(unknown).problem_naming(422, &["bindings[1].plugin", "test/nothing"]);
        let mut none = rule("x", &ruling("allow", "FINE"));
        none["version"] = "^9".into();
        one(none).problem_naming(422, &["bindings[1]", "^9"]);
        let mut bad = rule("x", &ruling("allow", "FINE"));
        bad["version"] = "newest".into();
        assert!((400..423).contains(&one(bad).status));
        // The schema refuses; then what the schema can't know, the plugin itself.
        one(rule("x", &json!({ "do": "dance" }))).problem_naming(422, &["bindings[1].settings", "/do"]);
        one(rule("x", &json!({}))).problem_naming(422, &["bindings[1].settings", "do"]);
        one(rule("x", &json!({ "do": "answer", "verdict": "maybe", "code": "X" })))
            .problem_naming(422, &["bindings[1].settings"]);
        let twice = r#"{"bindings":[{"name":"x","plugin":"test/rule-echo","settings":{"do":"answer","do":"loop"}}]}"#;
        let headers = [("content-type", "application/json")];
        let refused = tenant.send("PUT", "/v1/policies/tenant", &headers, Some(twice.as_bytes())).unwrap();
        refused.problem_naming(400, &["duplicate", "do"]);

        one(rule("fine", &ruling("allow", "FINE"))).problem_naming(422, &["bindings[1].name", "fine"]);
        one(rule("Not a name", &ruling("allow", "FINE"))).problem_naming(422, &["bindings[1].name"]);
        let mut heavy = agent("x", &answer(1.0));
        heavy["weight"] = (-1.0).into();
        one(heavy).problem_naming(422, &["bindings[1].weight"]);
        let mut never = rule("x", &ruling("allow", "FINE"));
        never["on_failure"] = "allow".into();
        one(never).problem_naming(400, &["allow"]);
        put(&json!({ "on_failure": "allow", "bindings": [] })).problem_naming(400, &["allow"]);
        put(&json!({ "thresholds": { "production": { "block": 11 } } })).problem_naming(422, &["production.block"]);
        put(&json!({ "thresholds": { "production": { "review": 5, "block": 4 } } }))
            .problem_naming(422, &["production", "review"]);
        put(&json!({ "thresholds": { "moon": {} } })).problem_naming(400, &["moon"]);
        put(&json!({ "treshholds": {} })).problem_naming(400, &["treshholds"]);
        let many: Vec<Value> = (0..65).map(|n| rule(&format!("r{n}"), &ruling("allow", "FINE"))).collect();
        put(&policy(&many)).problem_naming(422, &["65"]);
    });
    let nobody = policy(&[]);
    tenant.put("/v1/policies/system:nobody", &nobody).problem_naming(404, &["nobody"]);
}
