//! Whatever comes in that can't be taken: a clear error names it, nothing is half-written, and the server keeps serving.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use assize_tests::{
    Answer, Client, Server, Setup, Shared, agent, answer, bundled, guest, policy, repacked, rule, ruling,
    table_grower_with, with_section,
};
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

/// A component in text, packed by hand so that no tool can object.
fn packed(component: &str, more: &str) -> Vec<u8> {
    let manifest = format!(
        "[package]\nname = \"acme/guard\"\nversion = \"1.0.0\"\ncontract = \"1.0.0\"\nkind = \"risk-agent\"\n\
         title = \"Guards\"\nauthors = [\"Jo Doe\"]\nlicense = \"MIT\"\n{more}"
    );
    with_section(&wat::parse_str(component).unwrap(), "assize:manifest", manifest.as_bytes())
}

/// The export that makes a component look like a risk agent.
const ASSESSOR: &str = r#"(instance $plugin) (export "assize:plugin/assessor@1.0.0" (instance $plugin))"#;

#[test]
fn a_package_that_is_none_is_refused_and_told_why() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let refused = |bytes: &[u8], words: &[&str]| {
        tenant.publish(bytes).problem_naming(422, words);
    };
    without_a_trace(&tenant, || {
        refused(b"", &["WebAssembly"]);
        refused(b"#!/bin/sh\n", &["WebAssembly"]);
        refused(&wat::parse_str("(module)").unwrap(), &["core module", "plugin pack"]);
        let other = packed(r#"(component (instance $i) (export "wasi:http/handler@0.2.0" (instance $i)))"#, "");
        refused(&other, &["another world", "wasi:http/handler@0.2.0"]);
        let bare = wat::parse_str(format!("(component {ASSESSOR})")).unwrap();
        refused(&bare, &["no manifest"]);
        for import in ["wasi:keyvalue/store@0.2.0", "wasi:http/outgoing-handler@0.2.0"] {
            refused(&packed(&format!(r#"(component (import "{import}" (instance)) {ASSESSOR})"#), ""), &[import]);
        }
        let memory = |pages: u32| {
            format!("(component (core module $m (memory {pages})) (core instance (instantiate $m)) {ASSESSOR})")
        };
        let limits = "[limits]\nmemory_bytes = 131_072\n";
        refused(&packed(&memory(3), limits), &["196608", "131072", "limits.memory_bytes"]);
        refused(&packed(&memory(1), "[limits]\nmemory_bytes = 999_999_999_999\n"), &["memory_bytes"]);
        refused(&packed(&memory(1), "[limits]\nfuel = 0\n"), &["fuel"]);
        refused(&packed(&memory(1), "[settings.schema]\ntype = \"objet\"\n"), &["settings.schema"]);
        refused(&packed(&memory(1), "colour = \"red\"\n"), &["colour"]);
        refused(&packed(&memory(1), "[effective]\nfrom = 2025-01-01\nto = 2024-01-01\n"), &["effective"]);
        // It looks like a risk agent, and its functions aren't those of one.
        let empty = tenant.publish(&packed(&format!("(component {ASSESSOR})"), ""));
        empty.problem_naming(422, &["contract"]);
        // Says another kind than it is.
        let kind = include_str!("../guests/rule-echo/assize.toml").replace("compliance-rule", "risk-agent");
        refused(&repacked(&guest("rule-echo"), &kind), &["package.kind", "compliance-rule"]);
    });
}

#[test]
fn a_package_for_a_newer_contract_is_refused_and_told_which_are_known() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        for version in ["1.9.0", "2.0.0"] {
            let export = format!("assize:plugin/assessor@{version}");
            let newer = packed(&format!(r#"(component (instance $i) (export "{export}" (instance $i)))"#), "");
            tenant.publish(&newer).problem_naming(422, &[&export, "1.0.0, 1.1.0", "update the host"]);
            let import = format!("assize:plugin/log@{version}");
            let newer = packed(&format!(r#"(component (import "{import}" (instance)) {ASSESSOR})"#), "");
            tenant.publish(&newer).problem_naming(422, &[&import]);
        }
        // The manifest of a newer one.
        let manifest =
            include_str!("../guests/hostile/assize.toml").replace("contract = \"1.1.0\"", "contract = \"1.9.0\"");
        let newer = repacked(&guest("hostile"), &manifest);
        tenant.publish(&newer).problem_naming(422, &["package.contract", "1.9.0", "1.0.0, 1.1.0"]);
        // A manifest that says the other of two known ones.
        let manifest =
            include_str!("../guests/hostile/assize.toml").replace("contract = \"1.1.0\"", "contract = \"1.0.0\"");
        let other = repacked(&guest("hostile"), &manifest);
        tenant.publish(&other).problem_naming(422, &["package.contract", "1.0.0", "1.1.0", "correct one of them"]);
    });
}

#[test]
fn a_thousand_imports_are_refused_by_their_number() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let imports = repeated(1_000, |n| format!(r#"(import "a:b/i{n}@1.0.0" (instance))"#));
        let component = packed(&format!("(component {imports} {ASSESSOR})"), "");
        tenant.publish(&component).problem_naming(422, &["imports", "64 are allowed"]);
    });
}

fn repeated(times: usize, part: impl Fn(usize) -> String) -> String {
    (0..times).map(part).collect::<Vec<_>>().concat()
}

/// What the server has used of memory at most, in bytes.
fn most_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_small_component_that_would_be_huge_to_compile_is_refused_by_what_it_has_too_much_of() {
    // A server of its own, whose memory is this test's.
    let server = Server::with_guests_and(Setup::bare());
    let tenant = tenant(&server);
    let module = |body: &str| packed(&format!("(component (core module {body}) {ASSESSOR})"), "");
    let many = |times: usize, part: &str| part.repeat(times);
    let before = most_memory(&server);
    without_a_trace(&tenant, || {
        let functions = module(&many(150_001, "(func)"));
        tenant.publish(&functions).problem_naming(422, &["functions", "150000 are allowed"]);
        let table = format!("(func (param i32) (block (br_table {} (local.get 0))))", many(1_100_000, "0 "));
        tenant.publish(&module(&table)).problem_naming(422, &["bytes in one function", "1048576 are allowed"]);
        let nested = format!("(component {} {} {ASSESSOR})", many(50, "(component "), many(50, ")"));
        tenant.publish(&packed(&nested, "")).problem_naming(422, &["levels of nesting", "6 are allowed"]);
        // 30 lines that ask for 2^30 instances.
        let doubling = repeated(29, |inner| {
            let n = inner + 1;
            format!(
                "(component $c{n} (alias outer 1 $c{inner} (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))"
            )
        });
        let doubling = format!("(component $c0 (core module $m) (core instance (instantiate $m))) {doubling}");
        let doubling = packed(&format!("(component {doubling} (instance (instantiate $c29)) {ASSESSOR})"), "");
        tenant.publish(&doubling).problem_naming(422, &["instances", "96 are allowed"]);
        // Loops in loops over many variables: a compiler keeps each variable apart in each loop.
        let locals = many(40_000, "i32 ");
        let uses = repeated(40_000, |n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))"));
        let loops = module(&format!(
            "(func (local {locals}) {} {uses} {})",
            many(5_000, "(loop "),
            many(5_000, "(br_if 0 (i32.const 0)))")
        ));
        assert!(loops.len() < 1 << 20, "small to send");
        tenant.publish(&loops).problem_naming(422, &["nested loops times variables in one function"]);
    });
    let grown = most_memory(&server) - before;
    assert!(grown < 256 << 20, "{grown} bytes more, for components of less than 2 MB");
}

#[test]
fn a_manifest_that_lies_about_what_the_start_takes_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let manifest = |limits: &str| {
        let text =
            include_str!("../tables/assize.toml").split("[limits]").next().unwrap().replace("test/tables", "acme/liar");
        format!("{text}[limits]\n{limits}\n")
    };
    without_a_trace(&tenant, || {
        let spinning = "(func $spin (loop $again (br $again))) (start $spin)";
        let spinning = table_grower_with(spinning, &manifest("fuel = 1_000_000"));
        tenant.publish(&spinning).problem_naming(422, &["can't be started within its limits", "fuel"]);
        let growing =
            "(func $grow (if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))) (start $grow)";
        let growing = table_grower_with(growing, &manifest("memory_bytes = 131_072"));
        tenant.publish(&growing).problem_naming(422, &["can't be started within its limits", "memory"]);
        let trapping = table_grower_with("(func $trap unreachable) (start $trap)", &manifest("fuel = 1_000_000"));
        tenant.publish(&trapping).problem_naming(422, &["can't be started within its limits", "unreachable"]);
    });
    // What is said truly is taken.
    let growing =
        "(func $grow (if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))) (start $grow)";
    tenant.publish(&table_grower_with(growing, &manifest("memory_bytes = 1_048_576"))).expect(201);
}

#[test]
fn functions_of_other_types_than_the_contracts_are_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let other = r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $plugin (export "assess" (func $f)) (export "validate-settings" (func $f)))
            (export "assize:plugin/assessor@1.0.0" (instance $plugin)))"#;
        tenant.publish(&packed(other, "")).problem_naming(422, &["does not fit the contract"]);
    });
}

#[test]
fn a_package_that_is_cut_short_or_damaged_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let whole = bundled("assize-technical-1.0.0");
    without_a_trace(&tenant, || {
        for part in 1..32 {
            let end = whole.len() * part / 32;
            tenant.publish(&whole[..end]).problem(422);
        }
        // The magic number, the version, and the kind and length of the first section.
        for at in 0..10 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            tenant.publish(&damaged).problem(422);
        }
    });
}

#[test]
fn a_package_beyond_the_limit_is_refused_with_the_limit() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    without_a_trace(&tenant, || {
        let large = with_section(&guest("hostile"), "padding", &vec![0; 64 << 20]);
        tenant.publish(&large).problem_naming(413, &["67108864"]);
    });
}

#[test]
fn the_same_version_with_other_bytes_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let manifest = include_str!("../guests/hostile/assize.toml").replace("test/hostile", "acme/immutable");
    let package = repacked(&guest("hostile"), &manifest);
    tenant.publish(&package).expect(201);
    without_a_trace(&tenant, || {
        let other = with_section(&package, "note", b"one byte more");
        tenant.publish(&other).problem_naming(409, &["acme/immutable", "1.0.0"]);
    });
    assert_eq!(tenant.publish(&package).expect(200)["name"], "acme/immutable");
}

#[test]
fn a_full_queue_answers_when_to_come_again() {
    let server = Server::with_guests_and(Setup::bare().argument("--max-in-flight").argument("1"));
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("slow", &json!({ "do": "loop" }))]));
    let case = case_with(&json!({}));
    let answers: Vec<Answer> = thread::scope(|scope| {
        let askers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..6).map(|_| ask(&tenant, &case)).collect::<Vec<_>>())).collect();
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect()
    });
    let (made, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for answer in &refused {
        answer.problem(503);
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    let listed = tenant.get("/v1/decisions?limit=1000").expect(200)["decisions"].as_array().unwrap().len();
    assert_eq!(listed, made.len(), "what was refused isn't there, what was answered is");
    ask(&tenant, &case).expect(201);
}

#[test]
fn a_connection_that_breaks_off_leaves_nothing_behind() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let address = server.base().strip_prefix("http://").unwrap();
    without_a_trace(&tenant, || {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).unwrap();
            let head = format!(
                "POST /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 500\r\n\r\n{{\"env",
                tenant.key()
            );
            stream.write_all(head.as_bytes()).unwrap();
        }
        for garbage in ["\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}"] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(garbage.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // Whatever it answers, it answers, and closes.
            drop(stream.read_to_end(&mut Vec::new()));
        }
    });
}

/// One answer from a raw connection: its head.
fn head_of_answer(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head
}

#[test]
fn an_answer_that_needs_no_body_leaves_the_connection_usable() {
    let server = SERVER.get();
    let mut stream = TcpStream::connect(server.base().strip_prefix("http://").unwrap()).unwrap();
    for _ in 0..3 {
        stream.write_all(b"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n").unwrap();
        // The server has long seen that there is nothing here when the body comes.
        thread::sleep(std::time::Duration::from_millis(100));
        stream.write_all(b"{}").unwrap();
        let head = head_of_answer(&mut stream);
        assert!(head.starts_with("http/1.1 404") && !head.contains("connection: close"), "{head}");
    }
    // One that doesn't come isn't waited for, and the client is told.
    stream.write_all(b"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{").unwrap();
    let head = head_of_answer(&mut stream);
    assert!(head.starts_with("http/1.1 404") && head.contains("connection: close"), "{head}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = SERVER.get();
    let (code, said) = Setup::bare().data(server.data()).refused();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("in use"), "{said}");
    assert_eq!(server.admin().get("/readyz").status, 200);
}

#[test]
fn a_command_line_that_makes_no_sense_is_usage() {
    for arguments in
        [&["serve", "--listen", "nowhere"][..], &["dance"], &["replay"], &["ledger", "verify", "--from", "x"]]
    {
        let output = assize_tests::assize(arguments).expect(2);
        assert!(!output.stderr.is_empty());
    }
    let gone = assize_tests::assize(&["ledger", "verify", "--data", "/nowhere/at/all"]).expect(1);
    assert!(gone.stderr.contains("/nowhere/at/all"), "{}", gone.stderr);
    assert!(assize_tests::assize(&["--help"]).expect(0).stdout.contains("serve"));
}
