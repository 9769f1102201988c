//! A request that is sent twice is one request.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::thread;

use assize_tests::{Answer, Client, Server, Shared, policy, rule, ruling};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

fn tenant(server: &Server) -> Client {
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    tenant
}

fn case(prompt: &str) -> Value {
    json!({ "environment": "staging", "kind": "prompt", "payload": { "prompt": prompt } })
}

fn ask(client: &Client, key: &str, prompt: &str) -> Answer {
    client.post_with("/v1/decisions", &[("idempotency-key", key)], case(prompt).to_string().as_bytes())
}

#[test]
fn the_same_key_and_body_give_the_same_decision() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let first = ask(&tenant, "order-1", "Hello").expect(201);
    let again = ask(&tenant, "order-1", "Hello").expect(200);
    for member in ["id", "verdict", "ledger", "times", "plugins"] {
        assert_eq!(first[member], again[member], "{member}");
    }
    assert_eq!(tenant.get("/v1/decisions").expect(200)["decisions"].as_array().unwrap().len(), 1);
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let first = ask(&tenant, "order-2", "Hello").expect(201);
    let id = first["id"].as_str().unwrap();
    ask(&tenant, "order-2", "Good-bye").problem_naming(409, &["Idempotency-Key", "order-2", id]);
    // To the byte: other spelling of the same JSON is another body.
    let spelled = format!(" {}", case("Hello"));
    let answer = tenant.post_with("/v1/decisions", &[("idempotency-key", "order-2")], spelled.as_bytes());
    answer.problem(409);
    assert_eq!(ask(&tenant, "order-2", "Hello").expect(200)["id"], id);
}

#[test]
fn a_key_means_something_to_its_tenant_only() {
    let server = SERVER.get();
    let (one, other) = (tenant(&server), tenant(&server));
    let first = ask(&one, "order-3", "Hello").expect(201);
    let second = ask(&other, "order-3", "Something else").expect(201);
    assert_ne!(first["id"], second["id"]);
}

#[test]
fn without_a_key_each_request_is_a_decision() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let made: HashSet<String> =
        (0..3).map(|_| tenant.decide(None, "staging", "Hello")["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(made.len(), 3);
}

#[test]
fn enforcing_is_idempotent_too() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    tenant.register("bot");
    let body = json!({ "system_id": "bot", "prompt": "Hello", "env": "staging" }).to_string();
    let enforce = || tenant.post_with("/v1/enforce", &[("idempotency-key", "order-4")], body.as_bytes()).expect(200);
    assert_eq!(enforce(), enforce());
    let other = json!({ "system_id": "bot", "prompt": "Bye", "env": "staging" }).to_string();
    tenant.post_with("/v1/enforce", &[("idempotency-key", "order-4")], other.as_bytes()).problem(409);
}

#[test]
fn an_old_approval_isnt_given_out_while_its_system_is_stopped() {
    let mut server = Server::with_guests();
    let tenant = tenant(&server);
    tenant.register("bot");
    let case = json!({ "system": "bot", "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hi" } });
    let prompt = json!({ "system_id": "bot", "prompt": "Hi", "env": "staging" });
    let doors = [("/v1/decisions", case.to_string()), ("/v1/enforce", prompt.to_string())];
    let sent = |tenant: &Client, key: &str, (path, body): &(&str, String)| {
        let key = format!("{key} of {path}");
        tenant.post_with(path, &[("idempotency-key", key.as_str())], body.as_bytes())
    };
    let id = |answer: &Value| answer.get("id").unwrap_or(&answer["decision_id"]).as_str().unwrap().to_owned();
    let replayed = |answer: &Answer| answer.header("idempotent-replayed").map(str::to_owned);
    let first: Vec<Value> = doors
        .iter()
        .map(|door| {
            let answer = sent(&tenant, "before", door);
            assert_eq!(replayed(&answer), None, "{answer}");
            answer.one_of(&[200, 201])
        })
        .collect();
    assert_eq!(first[1]["decided_at"], tenant.decision(&id(&first[1]))["times"]["decided"]);
    let stop = json!({ "reason": "it promised refunds", "operator_id": "ana" });
    let stopped = tenant.put("/v1/systems/bot/emergency-stop", &stop).expect(200);
    server.restart();
    let tenant = server.again(&tenant);
    let entries = tenant.entries();
    for (door, first) in doors.iter().zip(&first) {
        let words = ["\\\"bot\\\" is stopped since", stopped["stopped"]["since"].as_str().unwrap(), &id(first)];
        assert_eq!(sent(&tenant, "before", door).problem_naming(409, &words)["field"], "system");
        tenant.get(&format!("/v1/decisions/{}", id(first))).expect(200);
    }
    assert_eq!(tenant.entries(), entries, "nothing new is recorded");
    // What the stop itself decided is given again, and is known for what it is.
    for door in &doors {
        let blocked = sent(&tenant, "meanwhile", door).one_of(&[200, 201]);
        assert_eq!(blocked["reason"], "KILL_SWITCH_ACTIVE", "{blocked}");
        let again = sent(&tenant, "meanwhile", door);
        assert_eq!((id(&again.expect(200)), replayed(&again)), (id(&blocked), Some("true".to_owned())));
    }
    let resume = json!({ "reason": "its prompt was corrected", "operator_id": "ana" });
    tenant.post("/v1/systems/bot/resume", &resume).expect(200);
    for (door, first) in doors.iter().zip(&first) {
        let again = sent(&tenant, "before", door);
        assert_eq!((id(&again.expect(200)), replayed(&again)), (id(first), Some("true".to_owned())));
    }
}

#[test]
fn a_key_is_remembered_over_a_restart() {
    let mut server = Server::with_guests();
    let tenant = tenant(&server);
    let first = ask(&tenant, "order-5", "Hello").expect(201);
    server.kill();
    server.start_again();
    let tenant = server.again(&tenant);
    let again = ask(&tenant, "order-5", "Hello").expect(200);
    assert_eq!((&first["id"], &first["ledger"]), (&again["id"], &again["ledger"]));
    ask(&tenant, "order-5", "Good-bye").problem(409);
}

#[test]
fn many_at_once_with_one_key_are_one_decision() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    for round in 0..10 {
        let key = format!("race-{round}");
        let answers: Vec<Answer> = thread::scope(|scope| {
            let askers: Vec<_> = (0..16).map(|_| scope.spawn(|| ask(&tenant.clone(), &key, "Hello"))).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        let ids: HashSet<String> = answers.iter().map(|a| a.one_of(&[200, 201])["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    assert_eq!(tenant.get("/v1/decisions").expect(200)["decisions"].as_array().unwrap().len(), 10);
}

#[test]
fn many_at_once_with_one_key_and_different_bodies_leave_one_winner() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    for round in 0..10 {
        let key = format!("clash-{round}");
        let answers: Vec<Answer> = thread::scope(|scope| {
            let (tenant, key) = (&tenant, &key);
            let askers: Vec<_> = (0..8).map(|n| scope.spawn(move || ask(tenant, key, &format!("Hello {n}")))).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(201), count(409)), (1, 7), "{answers:?}");
    }
}
