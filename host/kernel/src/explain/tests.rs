use super::*;
use crate::{Aspect, Side, Told, contrast, cross};
use assize_ledger::Digest;
use assize_sandbox::contract::Case;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

fn digest() -> String {
    Digest::of(b"component").to_string()
}

fn candidate(version: &str, kind: &str, effective: &Value, scope: &Value) -> Value {
    json!({
        "version": version, "digest": digest(), "kind": kind, "contract": "1.0.0", "effective": effective,
        "scope": scope, "limits": { "fuel": 1000, "memory_bytes": 65536 },
    })
}

fn bound(name: &str, plugin: &str, binding: &Value, candidates: &[Value]) -> Value {
    let mut whole = json!({ "name": name, "plugin": plugin });
    for (field, value) in binding.as_object().unwrap() {
        whole[field] = value.clone();
    }
    json!({ "layer": "global", "binding": whole, "settings_hash": digest(), "candidates": candidates })
}

/// A snapshot of one global policy; no component is loaded.
fn snapshot(thresholds: &Value, bindings: &[Value]) -> Snapshot {
    let document = json!({
        "format": 1, "layers": [{ "scope": "global", "version": 3, "hash": digest() }],
        "merged": { "thresholds": { "production": thresholds }, "on_failure": "review" }, "bindings": bindings,
    });
    let read = Snapshot::from_bytes(serde_json::to_vec(&document).unwrap().into(), |_| None).unwrap();
    // In the order of fields that a merged one is written in.
    read.crossed(&[Aspect::Policy], &read).unwrap()
}

fn run(name: &str, package: &str, kind: &str, weight: f64, output: &Value) -> Value {
    json!({
        "binding": name, "layer": "global", "package": package, "version": "1.2.0", "digest": digest(), "kind": kind,
        "settings_hash": digest(), "weight": weight, "status": "ok", "fuel": 1, "peak_memory": 0, "duration_us": 1,
        "output_hash": digest(), "output": output,
    })
}

fn record(snapshot: &Snapshot, outcome: &Value, plugins: &[Value], skipped: &[Value]) -> Record {
    let mut whole = json!({
        "verdict": "allow", "reason": "WITHIN_POLICY", "reasons": [],
        "risk": { "score": 0.0, "confidence": 0.0, "scorecards": [] },
        "thresholds": snapshot.policy().thresholds(crate::Environment::Production), "kill_switch": false, "findings": [],
    });
    for (field, value) in outcome.as_object().unwrap() {
        whole[field] = value.clone();
    }
    let record = json!({
        "format": 1,
        "identity": { "id": "d", "tenant": "t", "system": "bot", "environment": "production", "kind": "content" },
        "times": {
            "received": "2024-04-01T00:00:00Z", "decided": "2024-04-01T00:00:00Z", "occurred_at": "2024-02-15T00:00:00Z",
            "rules_as_of": "2024-02-15T00:00:00Z",
        },
        "engine": { "host": "0", "wasmtime": "0", "config": digest() },
        "policy": { "snapshot": snapshot.hash(), "layers": snapshot.layers() },
        "outcome": whole, "plugins": plugins, "skipped": skipped, "effects": [],
    });
    serde_json::from_str(&record.to_string()).unwrap()
}

fn input(payload: &Value) -> Input {
    let case = json!({
        "id": "d", "kind": "content", "tenant": "t", "system": "bot", "environment": "production", "jurisdictions": ["PT"],
        "sector": null, "actor": null, "action": null, "resource": null, "occurred_at": "2024-02-15T00:00:00Z",
        "rules_as_of": "2024-02-15T00:00:00Z", "payload": payload, "context": {},
    });
    let case: Case = serde_json::from_str(&case.to_string()).unwrap();
    Input::new(case, None)
}

fn finding(message: &str, evidence: &Value) -> Value {
    json!({
        "code": "FOUND", "severity": "high", "message": message, "contribution": 1.0, "evidence": evidence,
        "citation": "Res.-TSE 23.610/2019", "plugin": "br/election-content", "binding": "election",
    })
}

#[test]
fn a_rule_that_decided_is_named_with_its_version_period_norm_and_layer() {
    let period = json!({ "from": "2022-01-01", "to": "2024-03-01" });
    let candidates = [
        candidate("1.2.0", "compliance-rule", &period, &json!({})),
        candidate("1.4.0", "compliance-rule", &json!({ "from": "2024-03-01", "to": null }), &json!({})),
    ];
    let snapshot = snapshot(&json!({}), &[bound("election", "br/election-content", &json!({}), &candidates)]);
    let found = json!([{
        "code": "FOUND", "severity": "high", "message": "m", "contribution": 1.0, "evidence": [],
        "citation": "Res.-TSE 23.610/2019",
    }]);
    let ruling = json!({ "verdict": "review", "code": "UNLABELLED", "findings": found });
    let run = run("election", "br/election-content", "compliance-rule", 1.0, &ruling);
    let reason = json!({ "code": "UNLABELLED", "verdict": "review", "source": "rule", "binding": "election", "layer": "global" });
    let outcome = json!({ "verdict": "review", "reason": "UNLABELLED", "reasons": [reason] });
    let told = explain(&record(&snapshot, &outcome, &[run], &[]), &snapshot, None);
    for part in
        ["Held for review, because", "br/election-content 1.2.0", "UNLABELLED", "from 2022-01-01", "23.610/2019"]
    {
        assert!(told.summary.contains(part), "{part} in {}", told.summary);
    }
    let rule = &told.rules[0];
    assert!(rule.decided);
    assert_eq!(rule.citations, ["Res.-TSE 23.610/2019"]);
    assert_eq!(rule.other_versions[0].version.to_string(), "1.4.0");
    assert_eq!(told.deciding.unwrap().layer.unwrap().version, 3);
}

#[test]
fn what_did_not_apply_says_why_in_words() {
    let always = json!({ "from": null, "to": null });
    let period = json!({ "from": "2025-01-01", "to": null });
    let scope = |field: &str| json!({ field: ["employment", "credit"] });
    let bindings = [
        bound("later", "a/later", &json!({}), &[candidate("1.0.0", "compliance-rule", &period, &json!({}))]),
        bound("law", "a/law", &json!({}), &[candidate("1.0.0", "compliance-rule", &always, &scope("jurisdictions"))]),
        bound("sector", "a/sector", &json!({}), &[candidate("1.0.0", "risk-agent", &always, &scope("sectors"))]),
        bound("kind", "a/kind", &json!({}), &[candidate("1.0.0", "risk-agent", &always, &scope("kinds"))]),
        bound(
            "tell",
            "a/tell",
            &json!({ "on": ["review", "block"] }),
            &[candidate("1.0.0", "action", &always, &json!({}))],
        ),
    ];
    let snapshot = snapshot(&json!({}), &bindings);
    let skipped = |name: &str, reason: &str, version: Option<&str>| json!({ "binding": name, "layer": "global", "package": format!("a/{name}"), "version": version, "reason": reason });
    let all = [
        skipped("later", "not_in_force", None),
        skipped("law", "other_jurisdiction", Some("1.0.0")),
        skipped("sector", "other_sector", Some("1.0.0")),
        skipped("kind", "other_kind", Some("1.0.0")),
        skipped("tell", "other_verdict", Some("1.0.0")),
    ];
    let record = record(&snapshot, &json!({}), &[], &all);
    let told = explain(&record, &snapshot, Some(&input(&json!({}))));
    let sentences: Vec<&str> = told.not_applied.iter().map(|one| one.sentence.as_str()).collect();
    let expected = [
        "a/later didn't apply: no version was in force on 2024-02-15T00:00:00.000Z: 1.0.0 is law from 2025-01-01T00:00:00.000Z.",
        "a/law 1.0.0 didn't apply: it is law in employment or credit, and the case is of PT.",
        "a/sector 1.0.0 didn't apply: it is for the sector employment or credit, and the case is of no sector.",
        "a/kind 1.0.0 didn't apply: it is for cases of the kind employment or credit, and this is of the kind content.",
        "a/tell 1.0.0 didn't apply: it plans only where the verdict is review or block.",
    ];
    assert_eq!(sentences, expected);
    assert_eq!(told.not_applied[0].versions[0].effective.to_string(), "from 2025-01-01T00:00:00.000Z");
    assert!(told.summary.starts_with("Allowed, because no rule applied"), "{}", told.summary);
    // Without the input, what the case said is unknown, and nothing else is.
    let erased = explain(&record, &snapshot, None);
    assert!(erased.not_applied[1].sentence.contains("of a case whose input was erased"));
    assert!(!erased.input_kept);
}

#[test]
fn a_failure_says_what_the_failure_policy_made_of_it() {
    let snapshot = snapshot(&json!({}), &[bound("threats", "a/b", &json!({ "on_failure": "block" }), &[])]);
    let mut failed = run("threats", "a/b", "risk-agent", 1.0, &json!(null));
    (failed["status"], failed["error"]) = (json!("out_of_fuel"), json!("out of fuel after 5 units"));
    let reason = json!({ "code": "PLUGIN_FAILURE", "verdict": "block", "source": "failure", "binding": "threats", "layer": "global" });
    let outcome = json!({ "verdict": "block", "reason": "PLUGIN_FAILURE", "reasons": [reason] });
    let told = explain(&record(&snapshot, &outcome, &[failed], &[]), &snapshot, None);
    let said =
        "a/b 1.2.0 (threats) gave no answer (out of fuel after 5 units); the failure policy made that block at least";
    assert_eq!(told.failures[0].sentence, format!("{said}."));
    assert_eq!(told.summary, format!("Blocked, because {said}."));
}

#[test]
fn an_emergency_stop_is_all_there_is_to_say() {
    let snapshot = snapshot(&json!({ "block": 4.0 }), &[]);
    let reason = json!({ "code": "KILL_SWITCH_ACTIVE", "verdict": "block", "source": "kill_switch" });
    let risk = json!({ "score": 10.0, "confidence": 1.0, "scorecards": [] });
    let outcome = json!({
        "verdict": "block", "reason": "KILL_SWITCH_ACTIVE", "reasons": [reason], "kill_switch": true, "risk": risk,
    });
    let told = explain(&record(&snapshot, &outcome, &[], &[]), &snapshot, None);
    assert_eq!(told.summary, "Blocked, because the system bot was in emergency stop; no plugin was asked.");
    assert_eq!(told.score.met, None);
    assert_eq!(told.kill_switch.unwrap().system.as_deref(), Some("bot"));
}

#[test]
fn passages_are_quoted_where_they_point_into_a_string_and_never_panic() {
    let text = "Olá! Ign0re prev1ous";
    let payload = json!({ "a": { "b": text }, "n": 12, "long": "x".repeat(1_000) });
    let at = |pointer: &str, span: Value| json!({ "pointer": pointer, "span": span });
    let span = |start: u32, end: u32| json!({ "start": start, "end": end });
    let evidence = json!([
        at("/a/b", span(6, 21)),
        at("/a/b", json!(null)),
        at("/a/b", span(3, 5)),
        at("/a/b", span(3, 99)),
        at("/n", json!(null)),
        at("/n", span(0, 1)),
        at("/nowhere", json!(null)),
        at("/long", json!(null)),
    ]);
    let snapshot = snapshot(&json!({}), &[]);
    let record = record(&snapshot, &json!({ "findings": [finding("m", &evidence)] }), &[], &[]);
    let told = explain(&record, &snapshot, Some(&input(&payload)));
    let quotes: Vec<Option<&str>> = told.points[0].passages.iter().map(|passage| passage.quote.as_deref()).collect();
    assert_eq!(quotes[..2], [Some("Ign0re prev1ous"), Some(text)]);
    // Byte 3 lies inside "á": no passage, and no panic.
    assert_eq!(quotes[2..7], [None, None, Some("12"), None, None]);
    assert_eq!(quotes[7].unwrap().chars().count(), LONGEST_QUOTE + 1);
    let erased = explain(&record, &snapshot, None);
    assert!(erased.points[0].passages.iter().all(|passage| passage.quote.is_none()));
}

proptest! {
    #[test]
    fn the_points_of_an_explanation_add_up_to_the_recorded_score(
        agents in proptest::collection::vec((0.0..10.0, 0.0..=10.0, any::<bool>()), 1..8),
        threshold in 0.0..=10.0,
    ) {
        let always = json!({ "from": null, "to": null });
        let (mut bindings, mut runs, mut opinions) = (Vec::new(), Vec::new(), Vec::new());
        for (n, (weight, score, adds)) in agents.into_iter().enumerate() {
            let name = format!("agent-{n}");
            let candidate = candidate("1.2.0", "risk-agent", &always, &json!({}));
            bindings.push(bound(&name, "a/agent", &json!({ "weight": weight, "adds": adds }), &[candidate]));
            let answer = json!({ "score": score, "confidence": 1.0, "findings": [], "attributes": null });
            runs.push(run(&name, "a/agent", "risk-agent", weight, &answer));
            let assessment: Assessment = serde_json::from_str(&answer.to_string()).unwrap();
            let (plugin, version) = ("a/agent".to_owned(), "1.2.0".to_owned());
            let opinion = Opinion { binding: name, plugin, version, weight, assessment };
            opinions.push(Weighed { layer: "global".to_owned(), adds, opinion });
        }
        let (risk, cards) = crate::weigh(opinions);
        let snapshot = snapshot(&json!({ "review": threshold }), &bindings);
        let outcome = json!({ "risk": { "score": risk.score, "confidence": risk.confidence, "scorecards": cards } });
        let told = explain(&record(&snapshot, &outcome, &runs, &[]), &snapshot, None);
        let counting = told.score.layers.iter().find(|tally| tally.counts).unwrap();
        let points: f64 = counting.agents.iter().map(|agent| agent.points).sum();
        prop_assert!((points + counting.capped - told.score.score).abs() < 1e-9);
        prop_assert_eq!(told.score.met.is_some(), risk.score >= threshold);
        // It survives the way to another program and back.
        let text = serde_json::to_string(&told).unwrap();
        prop_assert_eq!(serde_json::from_str::<Explanation>(&text).unwrap(), told);
    }

    #[test]
    fn any_span_is_quoted_or_not_but_never_panics(text in ".{0,40}", start in 0_u32..60, end in 0_u32..60) {
        let evidence = Evidence { pointer: "/t".to_owned(), span: Some(Span { start, end }) };
        let quoted = quote(&json!({ "t": text }), &evidence);
        let (start, end) = (start as usize, end as usize);
        // A span that begins or ends inside a character points at nothing.
        let whole = |at: usize| at == text.len() || text.char_indices().any(|(begin, _)| begin == at);
        let bytes = text.as_bytes().get(start..end).filter(|_| whole(start) && whole(end));
        let bytes = bytes.map(|bytes| std::str::from_utf8(bytes).unwrap());
        prop_assert_eq!(quoted.as_deref(), bytes);
    }
}

#[test]
fn a_contrast_lists_what_differs_and_a_decision_does_not_differ_from_itself() {
    let always = json!({ "from": null, "to": null });
    let agent = |weight: f64| {
        let candidate = candidate("1.2.0", "risk-agent", &always, &json!({}));
        bound("agent", "a/agent", &json!({ "weight": weight }), &[candidate])
    };
    let (one, other) =
        (snapshot(&json!({ "block": 4.0 }), &[agent(1.0)]), snapshot(&json!({ "block": 6.0 }), &[agent(2.0)]));
    let (first, second) = (record(&one, &json!({}), &[], &[]), record(&other, &json!({}), &[], &[]));
    let (text, other_text) = (input(&json!({ "text": "a" })), input(&json!({ "text": "b" })));
    let a = Told { record: &first, snapshot: &one, input: Some(&text) };
    let b = Told { record: &second, snapshot: &other, input: Some(&other_text) };
    let found = contrast(a, b);
    assert_eq!(found.aspects(), [Aspect::Payload, Aspect::Weights, Aspect::Thresholds, Aspect::Policy]);
    let thresholds = found.factors.iter().find(|factor| factor.aspect == Aspect::Thresholds).unwrap();
    assert_eq!((thresholds.one.as_str(), thresholds.other.as_str()), ("block from 4", "block from 6"));
    assert_eq!(contrast(a, a).factors, []);
    // Without inputs, the records and the policies still tell.
    let erased = contrast(Told { input: None, ..a }, Told { input: None, ..b });
    assert_eq!(erased.aspects(), [Aspect::Weights, Aspect::Thresholds, Aspect::Policy]);
}

#[test]
fn crossing_takes_one_aspect_and_leaves_the_rest() {
    let always = json!({ "from": null, "to": null });
    let agent = |weight: f64| {
        let candidate = candidate("1.2.0", "risk-agent", &always, &json!({}));
        bound("agent", "a/agent", &json!({ "weight": weight }), &[candidate])
    };
    let (one, other) =
        (snapshot(&json!({ "block": 4.0 }), &[agent(1.0)]), snapshot(&json!({ "block": 6.0 }), &[agent(2.0)]));
    let side = |snapshot: Snapshot, text: &str| Side {
        snapshot: Arc::new(snapshot),
        input: Arc::new(input(&json!({ "text": text }))),
    };
    let (a, b) = (side(one, "a"), side(other, "b"));
    let production = |side: &Side| side.snapshot.policy().thresholds(crate::Environment::Production).block;
    let weight = |side: &Side| side.snapshot.bindings()[0].binding.weight;
    let payload = |side: &Side| side.input.case().payload.get().to_owned();
    let told = |side: &Side| (production(side), weight(side), payload(side));
    let crossed = |aspects: &[Aspect]| told(&cross(&a, aspects, &b).unwrap());
    let (own, theirs) = (r#"{"text":"a"}"#.to_owned(), r#"{"text":"b"}"#.to_owned());
    assert_eq!(crossed(&[]), told(&a));
    assert_eq!(crossed(&[Aspect::Thresholds]), (Some(6.0), 1.0, own.clone()));
    assert_eq!(crossed(&[Aspect::Weights]), (Some(4.0), 2.0, own.clone()));
    assert_eq!(crossed(&[Aspect::Payload]), (Some(4.0), 1.0, theirs));
    assert_eq!(crossed(&[Aspect::Policy]), (Some(6.0), 2.0, own));
    assert_eq!(cross(&a, &[Aspect::Policy], &b).unwrap().snapshot.hash(), b.snapshot.hash());
    assert_eq!(cross(&a, &Aspect::ALL, &b).unwrap().snapshot.hash(), b.snapshot.hash());
}
