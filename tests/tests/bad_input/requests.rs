//! Requests: JSON, fields, headers, addresses, policies.

use assize_tests::{Server, Setup, agent, answer, law, policy, rule, ruling};
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

/// An array has values and no names: that one is missing, unknown or there twice is seen by nobody.
#[test]
fn an_array_is_no_policy_no_stop_and_no_case() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    tenant.register("bot");
    let before = tenant.get("/v1/policies/tenant").expect(200);
    let put = |path: &str, body: &Value, words: &[&str]| {
        tenant.put(path, body).problem_naming(400, &[words, &["JSON object"]].concat());
    };
    let binding = json!(["rule", "test/rule-echo"]);
    without_a_trace(&tenant, || {
        put("/v1/policies/tenant", &json!([]), &["must be"]);
        put("/v1/policies/tenant", &json!({ "bindings": [binding] }), &["bindings[0]"]);
        put("/v1/policies/tenant", &json!({ "thresholds": { "production": [1, 2, 3] } }), &["thresholds.production"]);
        put("/v1/systems/bot/emergency-stop", &json!([null, "drill of the year", "me"]), &["must be"]);
        put("/v1/retention", &json!(["30d"]), &["must be"]);
        let enforce = json!(["bot", "Hello", "production"]);
        tenant.post("/v1/enforce", &enforce).problem_naming(400, &["must be a JSON object"]);
        ask(&tenant, r#"["bot","staging","prompt",{}]"#).problem_naming(400, &["must be a JSON object"]);
        tenant.post("/v1/keys", &json!(["dev"])).problem_naming(400, &["must be a JSON object"]);
    });
    assert_eq!(tenant.get("/v1/policies/tenant").expect(200), before);
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
        assert_eq!(ask(&tenant, case_with(&json!({ "kind": 7 }))).problem(400)["field"], "kind");
        let of_another = ask(&tenant, case_with(&json!({ "jurisdictions": ["BR", 5] })));
        assert_eq!(of_another.problem(400)["field"], "jurisdictions[1]");
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
fn a_law_a_sector_or_a_kind_that_no_package_could_mean_is_named_and_not_passed_over() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let register = |members: &Value| {
        let mut system = members.clone();
        system["id"] = "misspelt".into();
        tenant.post("/v1/systems", &system)
    };
    without_a_trace(&tenant, || {
        for code in ["br", "BRA", "Brazil", " BR", "BR ", "", "BR-sp", "ＢＲ"] {
            let members = json!({ "jurisdictions": ["EU", code] });
            for refused in [ask(&tenant, case_with(&members)), register(&members)] {
                let problem = refused.problem_naming(422, &[code, "upper-case ISO 3166 code such as BR", "or EU"]);
                assert_eq!(problem["field"], "jurisdictions[1]");
            }
        }
        // Right in form, and no country: a rule for GB would be passed over.
        let members = json!({ "jurisdictions": ["UK"] });
        for refused in [ask(&tenant, case_with(&members)), register(&members)] {
            assert_eq!(refused.problem_naming(422, &["UK", "write GB"])["field"], "jurisdictions[0]");
        }
        for word in ["Employment", "credit scoring", "saúde", ""] {
            let members = json!({ "sector": word });
            for refused in [ask(&tenant, case_with(&members)), register(&members)] {
                assert_eq!(refused.problem_naming(422, &[word, "a to z", "employment"])["field"], "sector");
            }
            let refused = ask(&tenant, case_with(&json!({ "kind": word })));
            assert_eq!(refused.problem_naming(422, &[word, "a to z", "agent-action"])["field"], "kind");
        }
    });
    let right = json!({ "jurisdictions": ["BR", "EU", "US-CA", "GB-ENG"], "sector": "law_enforcement", "kind": "x.1" });
    ask(&tenant, case_with(&right)).expect(201);
}

#[test]
fn more_laws_than_a_case_has_are_refused_by_their_number() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let codes = |count: u32| (0..count).map(|part| format!("US-{part}")).collect::<Vec<_>>();
    without_a_trace(&tenant, || {
        // Of the larger, a few would once have kept every thread of the host busy for minutes.
        for count in [257, 60_000] {
            let members = json!({ "jurisdictions": codes(count) });
            let system = json!({ "id": "everywhere", "jurisdictions": codes(count) });
            for refused in [ask(&tenant, case_with(&members)), tenant.post("/v1/systems", &system)] {
                let problem = refused.problem_naming(422, &[&count.to_string(), "256 are allowed", "name those"]);
                assert_eq!(problem["field"], "jurisdictions");
            }
        }
    });
    // As many as are allowed, of the case and of its system.
    tenant.post("/v1/systems", &json!({ "id": "everywhere", "jurisdictions": codes(256) })).expect(201);
    let made = ask(&tenant, case_with(&json!({ "system": "everywhere", "jurisdictions": codes(256) }))).expect(201);
    let decision = tenant.decision(made["id"].as_str().unwrap());
    assert_eq!(decision["input"]["case"]["jurisdictions"], json!(codes(256)));
}

#[test]
fn a_case_cannot_leave_the_sector_of_its_system() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    tenant.publish_and_activate(&law("1.0.0", "[scope]\nsectors = [\"employment\"]\n"));
    let mut hiring = rule("hiring", &ruling("block", "HIRING"));
    hiring["plugin"] = "acme/law".into();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM")), hiring]));
    tenant.post("/v1/systems", &json!({ "id": "hirer", "sector": "employment" })).expect(201);
    tenant.post("/v1/systems", &json!({ "id": "any" })).expect(201);
    let of_sector =
        |system: &str, sector: &Value| ask(&tenant, case_with(&json!({ "system": system, "sector": sector })));
    without_a_trace(&tenant, || {
        let refused = of_sector("hirer", &json!("gardening"));
        let problem = refused.problem_naming(422, &["gardening", "employment", "hirer", "leave it out", "PUT"]);
        assert_eq!(problem["field"], "sector");
    });
    for sector in [json!("employment"), Value::Null] {
        assert_eq!(of_sector("hirer", &sector).expect(201)["verdict"], "block", "{sector}");
    }
    // A system without one is of the sector that the case is of.
    for (sector, verdict) in [("gardening", "warn"), ("employment", "block")] {
        assert_eq!(of_sector("any", &sector.into()).expect(201)["verdict"], verdict, "{sector}");
    }
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
    let long = format!("system:{}", "x".repeat(50_000));
    for name in ["%ff", "%c3%28", long.as_str()] {
        for kind in ["policies", "simulations"] {
            let refused = tenant.get(&format!("/v1/{kind}/{name}")).problem_naming(400, &["path"]);
            assert!(refused.to_string().len() < 1_000, "what isn't found isn't repeated whole");
        }
    }
    for query in ["limit=0", "limit=100000", "verdict=maybe", "environment=moon", "from=yesterday"] {
        tenant.get(&format!("/v1/decisions?{query}")).problem(422);
    }
    for query in ["limit=x", "cursor=x", "colour=red"] {
        tenant.get(&format!("/v1/decisions?{query}")).problem(400);
    }
}

#[test]
fn settings_beyond_their_bound_are_refused_with_the_bound() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let with = |length: usize| {
        let mut settings = ruling("allow", "FINE");
        settings["code"] = "".into();
        let rest = length - settings.to_string().len();
        settings["code"] = "x".repeat(rest).into();
        assert_eq!(settings.to_string().len(), length);
        policy(&[rule("fine", &ruling("allow", "FINE")), rule("long", &settings)])
    };
    without_a_trace(&tenant, || {
        let refused = tenant.put("/v1/policies/tenant", &with(65_537));
        refused.problem_naming(422, &["bindings[1].settings", "65537 bytes", "65536"]);
    });
    tenant.set_policy("tenant", &with(65_536));
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
