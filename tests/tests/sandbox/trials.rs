//! Laws of shadows and canaries, on the real `decide` with real components.

use std::sync::Arc;

use assize_kernel::{Identity, Input, Judged, Policy, Record, RunStatus, Snapshot, compare, decide};
use assize_ledger::Timestamp;
use assize_tests::{agent, answer, policy, rule, ruling};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kernel::{SCOPES, a_binding, a_deed_that_fails, a_policy, config, plugin, snapshot};
use crate::{RUNTIME, SANDBOX, case};

fn input(id: &str) -> Arc<Input> {
    let mut case = case(&json!({ "prompt": "Hello" }));
    id.clone_into(&mut case.id);
    Arc::new(Input::new(case, None))
}

fn judged(policies: &[Value], id: &str) -> Judged {
    RUNTIME.block_on(decide(&snapshot(policies), &input(id))).unwrap()
}

/// Everything that follows from a judgment: what was asked and counts, what it comes to, what it plans.
fn consequences(judged: &Judged) -> Value {
    let runs: Vec<Value> = judged
        .runs
        .iter()
        .filter(|run| run.counts())
        .map(|run| {
            // How many frames fit on the stack before a trap is chance, as in `kernel::replay`.
            let fuel = (run.status != RunStatus::Trapped).then_some(run.fuel);
            json!([run.layer, run.binding, run.status, run.output_hash, fuel])
        })
        .collect();
    json!({
        "conclusion": judged.conclusion,
        "score": judged.score.to_bits(),
        "confidence": judged.confidence.to_bits(),
        "scorecards": judged.scorecards,
        "thresholds": judged.thresholds,
        "findings": judged.findings,
        "effects": judged.effects,
        "runs": runs,
    })
}

/// Any binding: one that judges, plans, fails, or has nothing to run.
fn any_binding() -> impl Strategy<Value = Value> {
    let finding = json!([{ "code": "SEEN", "severity": "high", "message": "m", "contribution": 9.0, "evidence": [] }]);
    prop_oneof![
        6 => a_binding(),
        2 => an_action(),
        1 => a_deed_that_fails().prop_map(|deed| json!({ "plugin": "assize/alert", "settings": deed, "on": ["allow", "block"] })),
        1 => Just(json!({ "plugin": "test/nowhere" })),
        1 => Just(rule("", &json!({ "do": "answer", "verdict": "block", "code": "NO", "findings": finding }))),
        1 => Just(agent("", &json!({ "do": "answer", "score": 10.0, "findings": finding }))),
    ]
}

fn an_action() -> impl Strategy<Value = Value> {
    let verdicts = prop::sample::subsequence(vec!["allow", "warn", "review", "block"], 0..=4);
    verdicts.prop_map(|on| json!({ "plugin": "assize/alert", "on": on, "settings": { "min_verdict": "allow" } }))
}

/// A policy whose actions plan something.
fn a_whole_policy() -> impl Strategy<Value = Value> {
    (a_policy(0), prop::option::of(an_action())).prop_map(|(mut policy, action)| {
        if let Some(mut action) = action {
            action["name"] = "action".into();
            policy["bindings"].as_array_mut().unwrap().push(action);
        }
        policy
    })
}

/// A binding on trial: in which policy, where in it, in which share (0: in shadow), and for which live binding's place.
type Trial = (Value, Index, Index, u64, Option<Index>);

fn a_trial(most: u64) -> impl Strategy<Value = Trial> {
    (any_binding(), any::<Index>(), any::<Index>(), 0..=most, prop::option::of(any::<Index>()))
}

/// Puts trials into policies, named by their number.
fn with_trials(policies: &[Value], trials: &[Trial]) -> Vec<Value> {
    let mut policies = policies.to_vec();
    for (n, (binding, which, place, share, replaces)) in trials.iter().enumerate() {
        let which = which.index(policies.len());
        let bindings = policies[which]["bindings"].as_array_mut().unwrap();
        let live: Vec<Value> =
            bindings.iter().filter(|other| other.get("mode").is_none()).map(|other| other["name"].clone()).collect();
        let mut binding = binding.clone();
        binding["name"] = format!("trial{n}").into();
        binding["mode"] = if *share == 0 { "shadow".into() } else { json!({ "canary": share }) };
        if let Some(replaces) = replaces.as_ref().filter(|_| !live.is_empty()) {
            binding["instead_of"] = live[replaces.index(live.len())].clone();
        }
        bindings.insert(place.index(bindings.len() + 1), binding);
    }
    policies
}

/// The number that decides on a canary, computed as the documentation says.
fn drawn(layer: &str, place: &str, id: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(format!("assize canary 1\n{layer}\n{place}\n{id}")).into();
    u64::from_be_bytes(hash[..8].try_into().unwrap()) % 100
}

/// The policy in which every canary that counts for the case is promoted, and every other trial rolled back.
fn ended(policy: &Value, layer: &str, id: &str) -> Value {
    let parsed: Policy = serde_json::from_value(policy.clone()).unwrap();
    let mut begun: Vec<(String, u64)> = Vec::new();
    let (mut promoted, mut rolled_back) = (Vec::new(), Vec::new());
    for binding in policy["bindings"].as_array().unwrap() {
        let name = binding["name"].as_str().unwrap();
        let Some(mode) = binding.get("mode") else { continue };
        let Some(share) = mode["canary"].as_u64() else {
            rolled_back.push(name);
            continue;
        };
        let place = binding["instead_of"].as_str().unwrap_or(name);
        let from: u64 = begun.iter().filter(|(of, _)| of == place).map(|(_, share)| share).sum();
        begun.push((place.to_owned(), share));
        let counts = (from..from + share).contains(&drawn(layer, place, id));
        if counts { promoted.push(name) } else { rolled_back.push(name) }
    }
    let parsed = rolled_back.into_iter().fold(parsed, |policy, name| policy.rolled_back(name).unwrap());
    let parsed = promoted.into_iter().fold(parsed, |policy, name| policy.promoted(name).unwrap());
    serde_json::to_value(parsed).unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn shadows_never_change_what_follows(
        policies in prop::collection::vec(a_whole_policy(), 1..=3),
        shadows in prop::collection::vec(a_trial(0), 1..5),
    ) {
        let before = judged(&policies, "case");
        let after = judged(&with_trials(&policies, &shadows), "case");
        prop_assert_eq!(consequences(&before), consequences(&after));
        // They were asked, but for actions that aren't for this verdict, and it is on record that they don't count.
        let asked = after.runs.iter().filter(|run| run.counted == Some(false)).count();
        let skipped = after.skipped.iter().filter(|skipped| skipped.binding.starts_with("trial")).count();
        prop_assert_eq!(asked + skipped, shadows.len());
        prop_assert_eq!(before.runs.len() + asked, after.runs.len());
    }

    #[test]
    fn a_case_is_judged_as_after_promotion_or_as_after_roll_back(
        policies in prop::collection::vec(a_whole_policy(), 1..=3),
        trials in prop::collection::vec(a_trial(33), 1..=3),
        id in "[0-9a-f]{8}",
    ) {
        let on_trial = with_trials(&policies, &trials);
        let ended: Vec<Value> =
            on_trial.iter().zip(SCOPES).map(|(policy, layer)| ended(policy, layer, &id)).collect();
        prop_assert_eq!(consequences(&judged(&on_trial, &id)), consequences(&judged(&ended, &id)));
    }

    #[test]
    fn a_replay_from_the_recorded_bytes_draws_the_same(
        policies in prop::collection::vec(a_whole_policy(), 1..=3),
        trials in prop::collection::vec(a_trial(33), 1..=3),
        id in "[0-9a-f]{8}",
    ) {
        let (snapshot, input) = (snapshot(&with_trials(&policies, &trials)), input(&id));
        let live = RUNTIME.block_on(decide(&snapshot, &input)).unwrap();
        let drawn: Vec<(String, Option<bool>)> =
            live.runs.iter().map(|run| (run.binding.clone(), run.counted)).collect();
        let moment = Timestamp::default();
        let identity = Identity {
            id, tenant: "tests".to_owned(), system: None, environment: "production".to_owned(),
            kind: "prompt".to_owned(), idempotency_key: None, body_hash: None, trace_id: None, data_subject: None,
            re_evaluates: None,
        };
        let record = Record::of(identity, moment, moment, SANDBOX.id().clone(), &snapshot, &input, live);
        let record: Record = serde_json::from_slice(&record.to_bytes().unwrap()).unwrap();
        let archived = Arc::new(Snapshot::from_bytes(Arc::clone(snapshot.bytes()), plugin).unwrap());
        prop_assert_eq!(archived.hash(), snapshot.hash());
        let input = Arc::new(Input::from_bytes(&input.to_bytes().unwrap()).unwrap());
        let again = RUNTIME.block_on(decide(&archived, &input)).unwrap();
        let comparison = compare(&record, &again, SANDBOX.id());
        prop_assert!(comparison.identical, "{:?}", comparison.differences);
        let again: Vec<(String, Option<bool>)> =
            again.runs.iter().map(|run| (run.binding.clone(), run.counted)).collect();
        prop_assert_eq!(drawn, again);
    }
}

/// An id whose case falls into a share of one in a hundred, or one that doesn't.
fn an_id(place: &str, inside: bool) -> String {
    (0..100_000).map(|n| format!("case-{n}")).find(|id| (drawn("global", place, id) == 0) == inside).unwrap()
}

#[test]
fn a_canary_that_fails_falls_to_its_failure_policy_in_its_share_alone() {
    let mut canary = rule("v2", &json!({ "do": "trap" }));
    canary["mode"] = json!({ "canary": 1 });
    canary["instead_of"] = "v1".into();
    canary["on_failure"] = "block".into();
    let policies = [policy(&[rule("v1", &ruling("allow", "FINE")), canary])];
    let inside = judged(&policies, &an_id("v1", true));
    assert_eq!((inside.conclusion.verdict.as_str(), inside.conclusion.reason.as_str()), ("block", "PLUGIN_FAILURE"));
    let outside = judged(&policies, &an_id("v1", false));
    assert_eq!(outside.conclusion.verdict.as_str(), "allow");
    let trapped = outside.runs.iter().find(|run| run.binding == "v2").unwrap();
    assert_eq!((trapped.status.as_str(), trapped.counted), ("trapped", Some(false)));
}

#[test]
fn a_replay_that_counts_otherwise_is_told_apart() {
    let mut shadow = agent("v2", &answer(9.0));
    shadow["mode"] = "shadow".into();
    let snapshot = snapshot(&[policy(&[agent("v1", &answer(0.0)), shadow])]);
    let input = input("case");
    let judge = || RUNTIME.block_on(decide(&snapshot, &input)).unwrap();
    let moment = Timestamp::default();
    let identity = Identity {
        id: "case".to_owned(),
        tenant: "tests".to_owned(),
        system: None,
        environment: "production".to_owned(),
        kind: "prompt".to_owned(),
        idempotency_key: None,
        body_hash: None,
        trace_id: None,
        data_subject: None,
        re_evaluates: None,
    };
    let mut record = Record::of(identity, moment, moment, SANDBOX.id().clone(), &snapshot, &input, judge());
    record.plugins[1].counted = None;
    let comparison = compare(&record, &judge(), SANDBOX.id());
    assert_eq!(comparison.differences.len(), 1);
    assert_eq!(comparison.differences[0].field, "plugins[v2].counted");
}
