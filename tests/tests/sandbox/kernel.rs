//! Laws of judging, on the real `decide` with real components.

use std::sync::Arc;

use assize_kernel::{
    Candidate, Clocks, Halt, Identity, Input, Judged, Layer, Policy, Record, Run, RunStatus, Snapshot, compare, decide,
};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Package, PackageName};
use assize_sandbox::Plugin;
use assize_sandbox::contract::Verdict;
use assize_tests::{agent, answer, policy, rounds, rule, ruling};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{GUESTS, RUNTIME, SANDBOX, case};

pub(crate) const SCOPES: [&str; 3] = ["global", "tenant:tests", "system:bot"];

pub(crate) fn snapshot(policies: &[Value]) -> Arc<Snapshot> {
    let parsed: Vec<(Layer, Policy)> = policies
        .iter()
        .zip(SCOPES)
        .map(|(policy, scope)| {
            let text = policy.to_string();
            let policy: Policy = serde_json::from_str(&text).unwrap();
            policy.check().unwrap();
            (Layer { scope: scope.to_owned(), version: 1, hash: Digest::of(text.as_bytes()) }, policy)
        })
        .collect();
    let layers: Vec<(Layer, &Policy)> = parsed.iter().map(|(layer, policy)| (layer.clone(), policy)).collect();
    let candidates = |_: &Layer, name: &PackageName| {
        let found = GUESTS.get(name).map(|loaded| candidate(&loaded.package));
        found.into_iter().collect::<Vec<_>>()
    };
    Arc::new(Snapshot::merged(&layers, candidates, plugin).unwrap())
}

pub(crate) fn plugin(digest: Digest) -> Option<Arc<Plugin>> {
    GUESTS.values().map(|loaded| &loaded.plugin).find(|plugin| plugin.digest() == digest).cloned()
}

fn candidate(package: &Package) -> Candidate {
    let manifest = &package.manifest;
    Candidate {
        version: manifest.version.clone(),
        digest: package.digest,
        kind: manifest.kind,
        contract: manifest.contract,
        effective: manifest.effective,
        scope: manifest.scope.clone(),
        limits: manifest.limits,
        may: manifest.may.clone(),
        signed_by: None,
    }
}

fn judged(policies: &[Value], halt: Option<Halt>) -> Judged {
    let input = Arc::new(Input::new(case(&json!({ "prompt": "Hello" })), halt));
    RUNTIME.block_on(decide(&snapshot(policies), &input)).unwrap()
}

pub(crate) fn a_deed_that_fails() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["trap", "fail", "recurse", "flood-findings"]).prop_map(|deed| json!({ "do": deed }))
}

pub(crate) fn a_binding() -> impl Strategy<Value = Value> {
    let verdicts = prop::sample::select(vec!["allow", "warn", "review", "block"]);
    let on_failure = prop::sample::select(vec![None, Some("review"), Some("block")]);
    let judge = prop_oneof![
        4 => (0.0..=10.0, 0.0..=3.0, any::<bool>()).prop_map(|(score, weight, adds): (f64, f64, bool)| {
            let mut binding = agent("", &answer(score));
            binding["weight"] = weight.into();
            binding["adds"] = adds.into();
            binding
        }),
        3 => verdicts.prop_map(|verdict| rule("", &ruling(verdict, "TOLD"))),
        1 => (0.0..=10.0).prop_map(|score| rule("", &json!({ "do": "review-from", "score": score }))),
        1 => a_deed_that_fails().prop_map(|deed| agent("", &deed)),
        1 => a_deed_that_fails().prop_map(|deed| rule("", &deed)),
    ];
    (judge, on_failure).prop_map(|(mut binding, on_failure)| {
        if let Some(on_failure) = on_failure {
            binding["on_failure"] = on_failure.into();
        }
        binding
    })
}

/// A policy with at least this many bindings.
pub(crate) fn a_policy(least: usize) -> impl Strategy<Value = Value> {
    let thresholds = (0.0..=10.0, 0.0..=10.0, 0.0..=10.0).prop_map(|(a, b, c): (f64, f64, f64)| {
        let mut all = [a, b, c];
        all.sort_by(f64::total_cmp);
        json!({ "warn": all[0], "review": all[1], "block": all[2] })
    });
    let limits = prop_oneof![
        3 => Just(None),
        // Too little for some of the calls.
        1 => (1_000_u64..20_000).prop_map(|fuel| Some(json!({ "fuel": fuel, "memory_bytes": 33_554_432 }))),
    ];
    let parts = (prop::collection::vec(a_binding(), least..5), prop::option::of(thresholds), limits, any::<bool>());
    parts.prop_map(|(mut bindings, thresholds, limits, strict)| {
        for (n, binding) in bindings.iter_mut().enumerate() {
            binding["name"] = format!("b{n}").into();
        }
        let mut made = json!({ "bindings": bindings, "on_failure": if strict { "block" } else { "review" } });
        if let Some(thresholds) = thresholds {
            made["thresholds"] = json!({ "production": thresholds });
        }
        if let Some(limits) = limits {
            made["limits"] = limits;
        }
        made
    })
}

pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { cases: rounds(400, 60), failure_persistence: None, ..ProptestConfig::default() }
}

/// Rules are told what all agents said. One that is told more may come to the end of its fuel; it falls to its failure policy
/// then, `review` at least, whatever it would have said.
fn told_too_much(before: &Judged, after: &Judged) -> bool {
    after.runs.iter().any(|run| {
        let same = |other: &&Run| (&other.layer, &other.binding) == (&run.layer, &run.binding);
        run.status == RunStatus::OutOfFuel
            && before.runs.iter().find(same).is_some_and(|run| run.status == RunStatus::Ok)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_policy_more_never_makes_the_verdict_laxer(
        below in prop::collection::vec(a_policy(1), 1..3),
        further in a_policy(0),
    ) {
        let before = judged(&below, None);
        let all = [below, vec![further]].concat();
        let after = judged(&all, None);
        prop_assume!(!told_too_much(&before, &after));
        prop_assert!(
            after.conclusion.verdict >= before.conclusion.verdict,
            "{} became {}: {:?} / {:?}",
            before.conclusion.verdict, after.conclusion.verdict, before.conclusion, after.conclusion,
        );
    }

    #[test]
    fn a_binding_more_never_makes_a_rules_verdict_laxer(base in a_policy(1), further in a_binding()) {
        // Within one layer an agent more may thin out a mean: that is what weights are for. Rules are never thinned out.
        let mut only_rules = base.clone();
        only_rules["bindings"].as_array_mut().unwrap().retain(|binding| binding["plugin"] == "test/rule-echo");
        only_rules["bindings"].as_array_mut().unwrap().push(rule("first", &ruling("allow", "FINE")));
        let before = judged(std::slice::from_ref(&only_rules), None);
        let mut more = only_rules;
        let mut further = further;
        further["name"] = "further".into();
        more["bindings"].as_array_mut().unwrap().push(further);
        let after = judged(&[more], None);
        prop_assume!(!told_too_much(&before, &after));
        prop_assert!(after.conclusion.verdict >= before.conclusion.verdict);
    }

    #[test]
    fn a_failure_is_never_allowed(mut base in a_policy(0), deed in a_deed_that_fails(), of_a_rule in any::<bool>()) {
        let failing = if of_a_rule { rule("failing", &deed) } else { agent("failing", &deed) };
        base["bindings"].as_array_mut().unwrap().push(failing);
        prop_assert!(judged(&[base], None).conclusion.verdict >= Verdict::Review);
    }

    #[test]
    fn a_stopped_system_is_blocked_whatever_the_policy(policies in prop::collection::vec(a_policy(0), 0..4)) {
        let halt = Halt { system: "bot".to_owned(), since: Timestamp::default() };
        let judged = judged(&policies, Some(halt));
        prop_assert_eq!(judged.conclusion.verdict, Verdict::Block);
        prop_assert_eq!(judged.conclusion.reason, "KILL_SWITCH_ACTIVE");
        prop_assert_eq!(judged.score.to_bits(), 10.0_f64.to_bits());
        prop_assert!(judged.runs.is_empty() && judged.findings.is_empty() && judged.effects.is_empty());
    }

    #[test]
    fn judging_again_from_the_recorded_bytes_is_identical(policies in prop::collection::vec(a_policy(1), 1..4)) {
        let input = Input::new(case(&json!({ "prompt": "Hello" })), None);
        let bytes = input.to_bytes().unwrap();
        let (snapshot, input) = (snapshot(&policies), Arc::new(input));
        let live = RUNTIME.block_on(decide(&snapshot, &input)).unwrap();
        let moment = Timestamp::default();
        let identity = Identity {
            id: input.case().id.clone(), tenant: "tests".to_owned(), system: None, environment: "production".to_owned(),
            kind: "prompt".to_owned(), idempotency_key: None, body_hash: None, trace_id: None, data_subject: None,
            re_evaluates: None,
        };
        let record = Record::of(identity, moment, moment, SANDBOX.id().clone(), &snapshot, &input, live);
        let Clocks { occurred_at, .. } = record.times;
        prop_assert_eq!(occurred_at, input.case().occurred_at);
        // Through bytes, as the store keeps them.
        let record: Record = serde_json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap();
        let archived = Snapshot::from_bytes(Arc::clone(snapshot.bytes()), plugin).unwrap();
        prop_assert_eq!(archived.hash(), snapshot.hash());
        let input = Input::from_bytes(&bytes).unwrap();
        prop_assert_eq!(input.to_bytes().unwrap(), bytes);
        let again = RUNTIME.block_on(decide(&Arc::new(archived), &Arc::new(input))).unwrap();
        let comparison = compare(&record, &again, SANDBOX.id());
        prop_assert!(comparison.identical, "{:?}", comparison.differences);
    }
}

#[test]
fn thresholds_and_weights_come_together_as_buildtovalue_says() {
    let mut bindings = [agent("a", &answer(10.0)), agent("b", &answer(5.0)), agent("c", &answer(0.0))];
    for (binding, weight) in bindings.iter_mut().zip([0.3, 0.4, 0.3]) {
        binding["weight"] = weight.into();
    }
    let judged = judged(&[policy(&bindings)], None);
    assert!((judged.score - 5.0).abs() < 1e-9);
    assert_eq!(
        (judged.conclusion.verdict, judged.conclusion.reason.as_str()),
        (Verdict::Block, "RISK_ABOVE_BLOCK_THRESHOLD")
    );
}
