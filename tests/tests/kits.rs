//! One risk agent, written in every language that there is a kit for (`tests/same`): the same answer to the byte, on real
//! prompts, and the same again at every replay.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::time::Instant;

use assize_tests::{Client, Server, Setup, guest, kit, policy, rounds, shared_file};
use serde_json::{Value, json};

/// In Rust, and those whose kits could be built here.
fn guests() -> Vec<(&'static str, Vec<u8>)> {
    let others = ["python", "typescript", "c", "go"];
    let built = others.into_iter().filter_map(|name| Some((name, kit(&format!("test-same-{name}-1.0.0"))?)));
    std::iter::once(("rust", guest("same-rust"))).chain(built).collect()
}

/// What the agents look for: common words, so that most prompts have some, and what isn't ASCII.
fn settings() -> Value {
    let phrases = [
        ("the", 0.01),
        ("You", 0.1),
        ("ignore", 0.7),
        ("DAN", 0.3),
        ("jailbreak", 1.5),
        ("as an ai", 0.33),
        (" I ", 0.1),
        ("—", 0.2),
        ("’", 0.03),
        ("é", 0.07),
        ("ü🦀", 1.1),
        ("aa", 0.001),
        ("\n", 0.001),
        ("\"", 0.003),
        ("\\", 0.9),
    ];
    let phrases = phrases.map(|(phrase, points)| {
        json!({ "phrase": phrase, "code": format!("FOUND_{}", phrase.trim().to_uppercase()), "points": points })
    });
    json!({ "phrases": phrases })
}

/// The prompts, each in a payload with members that readers of JSON may put into another order.
fn cases() -> Option<Vec<Value>> {
    let text = fs::read_to_string(shared_file("data/prompts.jsonl")?).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let case = |(number, line): (usize, Value)| {
        let before = "é🦀\u{10ffff}\u{800}".repeat(number % 5);
        // Two of them are objects.
        let prompt =
            line["text"].as_str().map_or_else(|| line["text"].clone(), |text| json!(format!("{before}{text}")));
        let payload = json!({
            "prompt": prompt,
            "10": [line["label"], number, { "a/b~c": "ÜÜ ü🦀ü🦀 the\u{0}THE" }],
            "2": line["source"], "ſ": "ſtraße K the ſ", "__proto__": "ignore", "": "aaaaa",
        });
        json!({ "environment": "production", "kind": "prompt", "payload": payload, "occurred_at": "2026-01-01T00:00:00Z" })
    };
    Some(lines.enumerate().map(case).collect())
}

fn assert_replays(tenant: &Client, decisions: &[Value]) {
    for decision in decisions {
        let replay = tenant.replay(decision["id"].as_str().unwrap());
        assert_eq!(replay["identical"], true, "{replay}");
        assert_eq!(replay["differences"], json!([]), "{replay}");
    }
}

/// Evidence has to lead to what was looked for, in the payload as it was sent.
fn assert_evidence_leads_somewhere(case: &Value, output: &Value, asked: &Value) -> usize {
    let mut places = 0;
    for finding in output["findings"].as_array().unwrap() {
        let phrase = asked["phrases"].as_array().unwrap().iter().find(|phrase| phrase["code"] == finding["code"]);
        let phrase = phrase.unwrap()["phrase"].as_str().unwrap().to_ascii_lowercase();
        for evidence in finding["evidence"].as_array().unwrap() {
            let text = case["payload"].pointer(evidence["pointer"].as_str().unwrap()).unwrap().as_str().unwrap();
            let offset = |name: &str| usize::try_from(evidence["span"][name].as_u64().unwrap()).unwrap();
            let there = text.get(offset("start")..offset("end")).map(str::to_ascii_lowercase);
            assert_eq!(there.as_deref(), Some(phrase.as_str()), "{evidence}");
            places += 1;
        }
    }
    places
}

#[test]
fn an_agent_says_the_same_in_every_language_and_says_it_again() {
    let Some(mut cases) = cases() else { return };
    cases.truncate(usize::try_from(rounds(u32::MAX, 100)).unwrap());
    let guests = guests();
    let mut server = Server::start(Setup::bare());
    let tenant = server.tenant();
    for (language, bytes) in &guests {
        let started = Instant::now();
        server.admin().publish_and_activate(bytes);
        println!("{language}: {} bytes, published in {} ms", bytes.len(), started.elapsed().as_millis());
    }
    let asked = settings();
    let bindings = guests.iter().map(|(language, _)| {
        json!({ "name": language, "plugin": format!("test/same-{language}"), "settings": asked, "weight": 1.0 })
    });
    tenant.set_policy("tenant", &policy(&bindings.collect::<Vec<_>>()));

    let mut decisions = Vec::new();
    let (mut found, mut fuel) = (0, vec![0; guests.len()]);
    for (number, case) in cases.iter().enumerate() {
        let decision = tenant.post("/v1/decisions", case).expect(201);
        let plugins = decision["plugins"].as_array().unwrap();
        assert_eq!(plugins.len(), guests.len());
        for (plugin, fuel) in plugins.iter().zip(&mut fuel) {
            assert_eq!(plugin["status"], "ok", "{plugin}");
            assert_eq!(plugin["output_hash"], plugins[0]["output_hash"], "prompt {number}: {decision}");
            *fuel += plugin["fuel"].as_u64().unwrap();
        }
        if number % 20 == 0 {
            let record = tenant.decision(decision["id"].as_str().unwrap());
            found += assert_evidence_leads_somewhere(case, &record["record"]["plugins"][0]["output"], &asked);
        }
        decisions.push(decision);
    }
    println!("{} prompts, {} languages; {found} places looked at", cases.len(), guests.len());
    for ((language, _), fuel) in guests.iter().zip(fuel) {
        println!("{language}: {} units of fuel a call", fuel / u64::try_from(cases.len()).unwrap());
    }
    assert!(found > 0);

    assert_replays(&tenant, &decisions);
    server.restart();
    assert_replays(&server.again(&tenant), &decisions);
}

#[test]
fn settings_are_refused_alike_in_every_language() {
    let guests = guests();
    let server = Server::start(Setup::bare());
    let tenant = server.tenant();
    for (language, bytes) in &guests {
        server.admin().publish_and_activate(bytes);
        let settings = json!({ "phrases": [{ "phrase": "", "code": "X", "points": 1 }] });
        let binding = json!({ "name": language, "plugin": format!("test/same-{language}"), "settings": settings });
        let answer = tenant.put("/v1/policies/tenant", &policy(&[binding]));
        answer.problem_naming(422, &["phrases: an empty phrase"]);
    }
}
