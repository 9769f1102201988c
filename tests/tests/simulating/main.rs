//! Other plugins, policies and dates over past cases and over files of cases: the counts are right, history stays as it is, and
//! nothing of it is mistaken for a ruling.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod asking;
mod counts;
mod going_on;
mod trying;

use std::thread;
use std::time::{Duration, Instant};

use assize_tests::{Client, Server, Shared, assize_with};
use serde_json::{Value, json};

static GUESTS: Shared = Shared::new(Server::with_guests);

const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a command as a client would.
fn run(client: &Client, arguments: &[&str]) -> assize_tests::Output {
    assize_with(arguments, &[("ASSIZE_SERVER", client.base()), ("ASSIZE_KEY", client.key())])
}

/// Begins a simulation; its id.
fn begin(client: &Client, body: &Value) -> String {
    client.post("/v1/simulations", body).expect(202)["id"].as_str().unwrap().to_owned()
}

/// Waits for its end; its report.
fn report(client: &Client, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let at = client.get(&format!("/v1/simulations/{id}")).expect(200);
        match at["stage"].as_str().unwrap() {
            "done" => return at["report"].clone(),
            "failed" | "cancelled" => panic!("{at}"),
            _ => assert!(begun.elapsed() < PATIENCE, "{at}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn simulate(client: &Client, body: &Value) -> Value {
    report(client, &begin(client, body))
}

/// An electoral case about something that is told by `n` again.
fn ad(n: usize, day: &str) -> Value {
    let mut payload = match n % 5 {
        0 => json!({ "text": "Vote em Maria", "content_type": "video", "context": "political", "synthetic": true }),
        1 => json!({ "text": "Cuidado: as urnas foram hackeadas ontem!", "content_type": "text" }),
        2 => json!({ "text": "Bom dia", "content_type": "text" }),
        3 => json!({ "text": "Vote em João", "content_type": "video", "context": "political", "deepfake": true,
            "synthetic": true, "labelled": true, "depicts_candidate": true }),
        _ => {
            json!({ "text": "Vote em Ana", "content_type": "image", "context": "political", "synthetic": true, "labelled": true })
        }
    };
    payload["n"] = n.into();
    json!({ "environment": "production", "kind": "content", "jurisdictions": ["BR"], "occurred_at": day, "payload": payload })
}

fn many_cases(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({ "environment": "production", "kind": "prompt", "id": format!("case {n}"), "payload": { "prompt": format!("{n}") } }))
        .collect()
}
