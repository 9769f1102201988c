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
