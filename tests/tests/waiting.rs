//! What must not wait, and what must not be waited for: a stop, a revocation and a yank while somebody else's change takes long; callers who
//! hang up; and clients that never finish what they began, when the host ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use assize_tests::{Client, Dice, Server, agent, answer, guest, law, policy, repacked, rounds};
use serde_json::{Value, json};

/// The agent that misbehaves on request as `acme/slow`, with all the fuel that a version may ask for.
fn slow(version: &str) -> Vec<u8> {
    let manifest = include_str!("../guests/hostile/assize.toml")
        .replace("test/hostile", "acme/slow")
        .replacen("version = \"1.0.0\"", &format!("version = \"{version}\""), 1)
        .replace("fuel = 20_000_000", "fuel = 10_000_000_000");
    repacked(&guest("hostile"), &manifest)
}

/// While a version is looked at that never ends, for as long as its fuel lasts.
#[test]
fn a_stop_a_revocation_and_a_yank_wait_for_nobody() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    tenant.publish_and_activate(&slow("1.0.0"));
    let endless = json!({ "name": "slow", "plugin": "acme/slow", "settings": { "do": "loop" } });
    tenant.set_policy("tenant", &policy(&[endless]));
    tenant.publish(&slow("1.1.0")).expect(201);
    let reason = json!({ "reason": "it can't wait", "operator_id": "ana" });
    // Once at least: whoever would have had to wait is never in time.
    let in_time = (0..5).any(|round| {
        let system = format!("bot-{round}");
        tenant.register(&system);
        let key = tenant.role("auditor");
        let id = key.get("/v1/me").expect(200)["key_id"].as_str().unwrap().to_owned();
        let version = format!("1.{round}.0");
        tenant.publish(&law(&version, "")).expect(201);
        thread::scope(|scope| {
            let activation =
                scope.spawn(|| tenant.post("/v1/plugins/acme/slow/1.1.0/activate", &json!({ "allow_overlap": true })));
            thread::sleep(Duration::from_millis(100));
            tenant.put(&format!("/v1/systems/{system}/emergency-stop"), &reason).expect(200);
            assert_eq!(tenant.delete(&format!("/v1/keys/{id}")).status, 204);
            tenant.post(&format!("/v1/plugins/acme/law/{version}/yank"), &reason).expect(200);
            let in_time = !activation.is_finished();
            // It isn't fit to serve, whatever came between.
            activation.join().unwrap().problem_naming(409, &["1.1.0", "health check"]);
            in_time
        })
    });
    assert!(in_time, "they came after the activation each time");
}

/// Sends a request and hangs up without waiting for its answer.
fn hang_up(client: &Client, path: &str, body: &Value) {
    let address = client.base().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        client.key(),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    // Somewhere between the first look at the request and its commit.
    thread::sleep(Duration::from_micros(300));
}

#[test]
fn what_was_recorded_is_in_force_though_its_caller_hung_up() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    for round in 0..rounds(60, 20) {
        let version = format!("1.{round}.0");
        tenant.publish_and_activate(&law(&version, ""));
        hang_up(&tenant, &format!("/v1/plugins/acme/law/{version}/yank"), &json!({ "reason": "a mistake in it" }));
        let yanked = || {
            let entries = tenant.get("/v1/ledger/entries?limit=1000").expect(200);
            let mut entries = entries["entries"].as_array().unwrap().iter();
            entries.any(|one| one["kind"] == "plugin.yanked" && one["subject"] == format!("acme/law@{version}"))
        };
        let state = || tenant.get(&format!("/v1/plugins/acme/law/{version}")).expect(200)["state"].clone();
        // A request that nobody waits for may not be taken up at all. Where it was, it is carried out.
        let recorded = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(2));
            yanked()
        });
        if recorded {
            // It is put in force right after its commit.
            let in_force = (0..200).any(|_| {
                thread::sleep(Duration::from_millis(2));
                state() == "yanked"
            });
            assert!(in_force, "round {round}: {}", state());
        } else {
            tenant.post(&format!("/v1/plugins/acme/law/{version}/yank"), &json!({ "reason": "again" })).expect(200);
        }
    }
    // Nor has the host lost count of the steps.
    tenant.publish_and_activate(&law("2.0.0", ""));
}

/// The head of a request may come minutes before its body: what counts is whether the key holds then.
#[test]
fn a_key_that_is_revoked_while_its_request_comes_in_does_nothing_more() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    tenant.register("bot");
    let stolen = tenant.role("admin");
    let id = stolen.get("/v1/me").expect(200)["key_id"].as_str().unwrap().to_owned();
    let reason = json!({ "reason": "it can't wait", "operator_id": "ana" });
    let requests = [
        ("POST", "/v1/keys", json!({ "role": "admin", "label": "for later" })),
        ("PUT", "/v1/policies/tenant", policy(&[])),
        ("PUT", "/v1/systems/bot/emergency-stop", reason),
        ("POST", "/v1/decisions", json!({ "environment": "production", "kind": "prompt", "payload": {} })),
    ];
    let address = server.base().strip_prefix("http://").unwrap();
    let under_way: Vec<_> = requests
        .iter()
        .map(|(method, path, body)| {
            let (body, mut stream) = (body.to_string(), TcpStream::connect(address).unwrap());
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                stolen.key(),
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            (stream, body)
        })
        .collect();
    // Until they wait for their bodies.
    thread::sleep(Duration::from_millis(200));
    assert_eq!(tenant.delete(&format!("/v1/keys/{id}")).status, 204);
    let before = tenant.entries();
    for (mut stream, body) in under_way {
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("revoked"), "{answer}");
    }
    assert_eq!(tenant.entries(), before);
    assert_eq!(tenant.get("/v1/systems/bot").expect(200)["operational_status"], "active");
}

#[test]
fn an_export_ends_when_its_key_is_revoked() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    // More than what lies between a reader that doesn't read and whoever writes to it; nothing that packs well.
    let mut dice = Dice::new();
    for _ in 0..80 {
        let mut prompt = String::new();
        for _ in 0..30_000 {
            write!(prompt, "{:016x}", dice.any()).unwrap();
        }
        tenant.decide(None, "production", &prompt);
    }
    let auditor = tenant.role("auditor");
    let id = auditor.get("/v1/me").expect(200)["key_id"].as_str().unwrap().to_owned();
    let address = server.base().strip_prefix("http://").unwrap();
    let whole = |revoke: bool| {
        let mut stream = TcpStream::connect(address).unwrap();
        let key = auditor.key();
        let head = "GET /v1/ledger/export HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: Bearer";
        stream.write_all(format!("{head} {key}\r\n\r\n").as_bytes()).unwrap();
        let mut file = vec![0; 64 << 10];
        stream.read_exact(&mut file).unwrap();
        if revoke {
            assert_eq!(tenant.delete(&format!("/v1/keys/{id}")).status, 204);
        }
        drop(stream.read_to_end(&mut file));
        assert!(file.starts_with(b"HTTP/1.1 200 "));
        // The last chunk of a body whose length wasn't known is an empty one.
        file.ends_with(b"\r\n0\r\n\r\n")
    };
    assert!(whole(false));
    assert!(!whole(true));
}

#[test]
fn a_host_that_ends_waits_for_nobody_for_ever() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(0.0))]));
    let address = server.base().strip_prefix("http://").unwrap();
    let begin = |text: String| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    // Half a head, and half a body.
    let key = tenant.key();
    let held = [
        begin("POST /v1/decisions HTTP/1.1\r\nhost: h\r\n".to_owned()),
        begin(format!(
            "POST /v1/decisions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {key}\r\ncontent-length: 9\r\n\r\n{{"
        )),
    ];
    let decided = tenant.decide(None, "production", "Hello");
    assert_eq!(server.stop(), 0);
    drop(held);
    server.start_again();
    let tenant = server.again(&tenant);
    assert_eq!(tenant.decision(decided["id"].as_str().unwrap())["verdict"], "allow");
    // What was decided last is covered by a checkpoint.
    let receipt = tenant.get(&format!("/v1/decisions/{}/receipt", decided["id"].as_str().unwrap()));
    receipt.expect(200);
}
