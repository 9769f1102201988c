//! The sandbox and the kernel by themselves, with the packed components: the same call always gives the same answer for the
//! same fuel, every plugin's fixtures hold in the real sandbox, and a policy more never makes a verdict laxer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use assize_kernel::{Halt, Input, Judged, Layer, Policy, Snapshot, compare, decide};
use assize_kernel::{Candidate, Clocks, Identity, Record};
use assize_ledger::{Digest, Timestamp};
use assize_registry::{Kind, Package, PackageName, inspect};
use assize_sandbox::contract::{Case, Effect, Finding, Outcome, Risk, Verdict};
use assize_sandbox::{Call, CallError, Limits, Plugin, Sandbox, SandboxConfig, Settings, Subject};
use assize_tests::{agent, answer, guest, packages, policy, rounds, rule, ruling, workspace};
use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(SandboxConfig::default()).unwrap());

/// A package and its plugin, compiled once.
struct Loaded {
    package: Package,
    plugin: Arc<Plugin>,
}

fn load(sandbox: &Sandbox, bytes: &[u8]) -> Loaded {
    Loaded { package: inspect(bytes).unwrap(), plugin: Arc::new(sandbox.load(bytes).unwrap()) }
}

/// The guests made for tests, by name.
static GUESTS: LazyLock<HashMap<PackageName, Loaded>> = LazyLock::new(|| {
    let loaded = ["hostile", "rule-echo"].map(|name| load(&SANDBOX, &guest(name)));
    loaded.into_iter().map(|loaded| (loaded.package.manifest.name.clone(), loaded)).collect()
});

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

fn case(payload: &Value) -> Case {
    let moment: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Case {
        id: "01900000-0000-7000-8000-000000000000".to_owned(),
        kind: "prompt".to_owned(),
        tenant: "tests".to_owned(),
        system: None,
        environment: "production".to_owned(),
        jurisdictions: Vec::new(),
        sector: None,
        actor: None,
        action: None,
        resource: None,
        occurred_at: moment,
        rules_as_of: moment,
        payload: raw(payload),
        context: raw(&json!({})),
    }
}

fn limits(package: &Package) -> Limits {
    let Package { manifest, .. } = package;
    Limits { fuel: manifest.limits.fuel, memory_bytes: manifest.limits.memory_bytes, ..Limits::default() }
}

/// Everything of a call that must be the same whenever it is repeated.
fn trace<T>(call: &Call<T>) -> String {
    let output = call.output.as_ref().map(|output| (output.json.get().to_owned(), output.hash));
    let error = call.result.as_ref().err().map(CallError::to_string);
    format!("{output:?} {error:?} {} {} {:?} {}", call.fuel, call.peak_memory, call.log, call.log_dropped)
}

#[test]
fn a_call_repeated_in_any_sandbox_gives_the_same_answer_for_the_same_fuel() {
    let deeds = [
        json!({ "do": "answer", "score": 3.3, "confidence": 0.1 }), json!({ "do": "loop" }), json!({ "do": "fill" }),
        json!({ "do": "recurse" }), json!({ "do": "allocate" }), json!({ "do": "grow-memory" }),
        json!({ "do": "flood-log" }), json!({ "do": "trap" }), json!({ "do": "panic" }), json!({ "do": "fail" }),
        json!({ "do": "nan" }), json!({ "do": "flood-findings" }), json!({ "do": "deep-attributes" }),
    ];
    let other = Sandbox::new(SandboxConfig { slots: 2 }).unwrap();
    let here = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let there = load(&other, &guest("hostile"));
    let limits = limits(&here.package);
    for deed in deeds {
        let settings = Settings::parse(&deed.to_string()).unwrap();
        let subject = Arc::new(Subject::new(case(&json!({ "prompt": "Hello" }))));
        let once = RUNTIME.block_on(here.plugin.assess(&settings, &subject, &limits));
        assert!(!matches!(once.result, Err(CallError::Aborted(_) | CallError::Host(_))), "{deed}: {:?}", once.result);
        let first = trace(&once);
        // Many at once, so that instances of the pool are used again, and by other threads.
        let again: Vec<_> = (0..24)
            .map(|n| {
                let plugin = Arc::clone(if n % 2 == 0 { &here.plugin } else { &there.plugin });
                let (settings, subject) = (settings.clone(), Arc::clone(&subject));
                RUNTIME.spawn(async move { trace(&plugin.assess(&settings, &subject, &limits).await) })
            })
            .collect();
        for call in again {
            assert_eq!(RUNTIME.block_on(call).unwrap(), first, "{deed}");
        }
    }
}

#[test]
fn an_instance_knows_nothing_of_the_calls_before_it() {
    let hostile = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let limits = limits(&hostile.package);
    let subject = Subject::new(case(&json!({ "prompt": "Hello" })));
    let call = |settings: &Value| {
        let settings = Settings::parse(&settings.to_string()).unwrap();
        trace(&RUNTIME.block_on(hostile.plugin.assess(&settings, &subject, &limits)))
    };
    let fresh = call(&answer(1.0));
    for deed in ["fill", "allocate", "grow-memory", "flood-findings", "trap", "recurse", "loop"] {
        call(&json!({ "do": deed }));
        assert_eq!(call(&answer(1.0)), fresh, "after {deed}");
    }
}

#[test]
fn a_limit_holds_to_the_unit() {
    let hostile = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let subject = Subject::new(case(&json!({ "prompt": "Hello" })));
    let settings = Settings::parse(&answer(1.0).to_string()).unwrap();
    let assess = |limits: &Limits| RUNTIME.block_on(hostile.plugin.assess(&settings, &subject, limits));
    let free = assess(&Limits::default());
    assert!(free.result.is_ok());
    assert!(assess(&Limits { fuel: free.fuel, ..Limits::default() }).result.is_ok());
    // Fuel is looked at where functions begin and loops turn, so the last stretch may go a little beyond.
    let starved = assess(&Limits { fuel: free.fuel * 3 / 4, ..Limits::default() });
    assert!(matches!(starved.result, Err(CallError::OutOfFuel(_))), "{:?}", starved.result);
    assert!(assess(&Limits { memory_bytes: free.peak_memory, ..Limits::default() }).result.is_ok());
    assert!(assess(&Limits { memory_bytes: free.peak_memory - 1, ..Limits::default() }).result.is_err());
    let size = free.output.unwrap().json.get().len() as u64;
    assert!(assess(&Limits { output_bytes: size, ..Limits::default() }).result.is_ok());
    let cut = assess(&Limits { output_bytes: size - 1, ..Limits::default() });
    assert!(matches!(cut.result, Err(CallError::BadOutput(_))), "{:?}", cut.result);
}

#[test]
fn the_wall_clock_ends_a_call_only_as_the_last_resort_and_says_so() {
    let hostile = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let subject = Subject::new(case(&json!({})));
    let settings = Settings::parse(r#"{"do":"loop"}"#).unwrap();
    let endless = Limits { fuel: u64::MAX, wall_ms: 50, ..Limits::default() };
    let call = RUNTIME.block_on(hostile.plugin.assess(&settings, &subject, &endless));
    assert!(matches!(call.result, Err(CallError::Aborted(50))), "{:?}", call.result);
}

// Fixtures.

/// What stands in a fixture's case where it says nothing.
fn fixture_case(fixture: &Value) -> Case {
    let given = &fixture["case"];
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let list = |name: &str| given[name].as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned());
    let moment = |name: &str| given[name].as_str().map(|text| text.parse::<Timestamp>().unwrap());
    let object = |name: &str| raw(given.get(name).unwrap_or(&json!({})));
    let plain = case(&json!({}));
    let occurred_at = moment("occurred_at").unwrap_or(plain.occurred_at);
    Case {
        kind: text("kind").unwrap_or(plain.kind),
        system: text("system"),
        environment: text("environment").unwrap_or(plain.environment),
        jurisdictions: list("jurisdictions").collect(),
        sector: text("sector"),
        actor: text("actor"),
        action: text("action"),
        resource: text("resource"),
        occurred_at,
        rules_as_of: moment("rules_as_of").unwrap_or(occurred_at),
        payload: object("payload"),
        context: object("context"),
        ..plain
    }
}

/// Fills in what a fixture may leave out of a risk or an outcome.
fn completed(value: &Value) -> Value {
    let mut value = value.clone();
    let default = |value: &mut Value, name: &str, missing: Value| {
        if value.is_object() && value.get(name).is_none() {
            value[name] = missing;
        }
    };
    let risk = if value.get("risk").is_some() { &mut value["risk"] } else { &mut value };
    default(risk, "opinions", json!([]));
    if value.get("verdict").is_some() {
        default(&mut value, "judgments", json!([]));
        for judgment in value["judgments"].as_array_mut().unwrap() {
            default(&mut judgment["ruling"], "findings", json!([]));
            for finding in judgment["ruling"]["findings"].as_array_mut().unwrap() {
                default(finding, "contribution", json!(0.0));
                default(finding, "evidence", json!([]));
            }
        }
    }
    value
}

/// What a plugin answered, whatever its kind.
#[derive(Debug, Default)]
struct Seen {
    score: Option<f64>,
    verdict: Option<Verdict>,
    codes: Vec<String>,
    findings: Vec<Finding>,
    effects: Vec<&'static str>,
}

async fn asked(loaded: &Loaded, fixture: &Value) -> Result<Seen, CallError> {
    let settings = fixture.get("settings").cloned().unwrap_or_else(|| json!({}));
    let settings = Settings::parse(&settings.to_string()).unwrap();
    let subject = Subject::new(fixture_case(fixture));
    let (plugin, limits) = (&loaded.plugin, limits(&loaded.package));
    plugin.validate_settings(&settings, &limits).await.result?;
    let mut seen = Seen::default();
    match loaded.package.kind {
        Kind::RiskAgent => {
            let answer = plugin.assess(&settings, &subject, &limits).await.result?;
            seen.score = Some(answer.score);
            seen.findings = answer.findings;
        }
        Kind::ComplianceRule => {
            let none = json!({ "score": 0.0, "confidence": 1.0 });
            let risk = completed(fixture.get("risk").unwrap_or(&none));
            let risk: Risk = serde_json::from_str(&risk.to_string()).unwrap();
            let answer = plugin.rule(&settings, &subject, &risk, &limits).await.result?;
            seen.verdict = Some(answer.verdict);
            seen.codes.push(answer.code);
            seen.findings = answer.findings;
        }
        Kind::Action => {
            let outcome: Outcome = serde_json::from_str(&completed(&fixture["outcome"]).to_string()).unwrap();
            let planned = plugin.plan(&settings, &subject, &outcome, &limits).await.result?;
            seen.effects = planned.iter().map(Effect::kind).collect();
        }
    }
    seen.codes.extend(seen.findings.iter().map(|finding| finding.code.clone()));
    Ok(seen)
}

/// Where an answer isn't what the fixture expects.
fn differences(fixture: &Value, answer: Result<Seen, CallError>) -> Vec<String> {
    let expect = &fixture["expect"];
    let seen = match (answer, expect["failure"].as_str()) {
        (Err(CallError::Failed(failure)), Some(part)) => {
            let said = format!("{failure} {failure:?}");
            return if said.contains(part) { Vec::new() } else { vec![format!("refused otherwise: {said}")] };
        }
        (Err(error), _) => return vec![error.to_string()],
        (Ok(_), Some(part)) => return vec![format!("expected a failure with {part:?}")],
        (Ok(seen), None) => seen,
    };
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let list = |name: &str| expect[name].as_array().cloned().unwrap_or_default();
    if let Some(least) = expect["score_min"].as_f64() {
        must(seen.score.unwrap() >= least, format!("score {:?} below {least}", seen.score));
    }
    if let Some(most) = expect["score_max"].as_f64() {
        must(seen.score.unwrap() <= most, format!("score {:?} above {most}", seen.score));
    }
    if let Some(verdict) = expect["verdict"].as_str() {
        must(seen.verdict.unwrap().as_str() == verdict, format!("verdict {:?}, not {verdict}", seen.verdict));
    }
    for code in list("codes") {
        must(seen.codes.iter().any(|found| code == found.as_str()), format!("no {code} in {:?}", seen.codes));
    }
    for code in list("not_codes") {
        must(!seen.codes.iter().any(|found| code == found.as_str()), format!("{code} is there"));
    }
    for span in list("spans") {
        must(covers(fixture, &seen.findings, &span), format!("{span} isn't covered by {:?}", seen.findings));
    }
    if expect.get("effects").is_some() {
        must(list("effects") == seen.effects, format!("effects {:?}", seen.effects));
    }
    wrong
}

fn covers(fixture: &Value, findings: &[Finding], expected: &Value) -> bool {
    let pointer = expected["pointer"].as_str().unwrap();
    let text = fixture["case"]["payload"].pointer(pointer).and_then(Value::as_str).unwrap();
    let of_code = findings.iter().filter(|finding| expected["code"] == finding.code.as_str());
    let mut evidence = of_code.flat_map(|finding| &finding.evidence).filter(|evidence| evidence.pointer == pointer);
    evidence.any(|evidence| match evidence.span {
        Some(span) => text.get(span.start as usize..span.end as usize) == expected["text"].as_str(),
        None => expected["text"] == text,
    })
}

/// The folders of all first-party plugins.
fn sources() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> { fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect() };
    let kinds = folders(&workspace().join("plugins"));
    let mut found: Vec<PathBuf> = kinds.iter().filter(|path| path.is_dir()).flat_map(|kind| folders(kind)).collect();
    found.retain(|path| path.join("assize.toml").exists());
    found.sort();
    found
}

#[test]
fn the_fixtures_of_every_bundled_plugin_hold_in_the_real_sandbox() {
    let packed: HashMap<(String, String), Loaded> = packages("plugins")
        .iter()
        .map(|file| {
            let loaded = load(&SANDBOX, &fs::read(file).unwrap());
            let manifest = &loaded.package.manifest;
            ((manifest.name.to_string(), manifest.version.to_string()), loaded)
        })
        .collect();
    let sources = sources();
    assert_eq!(packed.len(), sources.len(), "target/dist is out of date: run `cargo xtask dist`");
    let (mut count, mut wrong) = (0, Vec::new());
    for source in sources {
        let manifest = fs::read_to_string(source.join("assize.toml")).unwrap();
        let manifest = assize_registry::Manifest::parse(&manifest).unwrap();
        let loaded = &packed[&(manifest.name.to_string(), manifest.version.to_string())];
        let mut files: Vec<PathBuf> =
            fs::read_dir(source.join("fixtures")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 3, "{}: only {} fixtures", source.display(), files.len());
        for file in files {
            let fixture: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let found = differences(&fixture, RUNTIME.block_on(asked(loaded, &fixture)));
            wrong.extend(found.into_iter().map(|what| format!("{}: {what}", file.display())));
            count += 1;
        }
    }
    println!("{count} fixtures");
    assert!(wrong.is_empty(), "fixtures that don't hold in the sandbox:\n{}", wrong.join("\n"));
}

// The kernel.

const SCOPES: [&str; 3] = ["global", "tenant:tests", "system:bot"];

fn snapshot(policies: &[Value]) -> Arc<Snapshot> {
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

fn plugin(digest: Digest) -> Option<Arc<Plugin>> {
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
    }
}

fn judged(policies: &[Value], halt: Option<Halt>) -> Judged {
    let input = Arc::new(Input::new(case(&json!({ "prompt": "Hello" })), halt));
    RUNTIME.block_on(decide(&snapshot(policies), &input)).unwrap()
}

fn a_deed_that_fails() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["trap", "fail", "recurse", "flood-findings"]).prop_map(|deed| json!({ "do": deed }))
}

fn a_binding() -> impl Strategy<Value = Value> {
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
fn a_policy(least: usize) -> impl Strategy<Value = Value> {
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

fn config() -> ProptestConfig {
    ProptestConfig { cases: rounds(400, 60), failure_persistence: None, ..ProptestConfig::default() }
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
        prop_assert!(judged(&[more], None).conclusion.verdict >= before.conclusion.verdict);
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
        prop_assert_eq!(judged.score, 10.0);
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
            kind: "prompt".to_owned(), idempotency_key: None, body_hash: None, trace_id: None,
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
    assert_eq!((judged.conclusion.verdict, judged.conclusion.reason.as_str()), (Verdict::Block, "RISK_ABOVE_BLOCK_THRESHOLD"));
}
