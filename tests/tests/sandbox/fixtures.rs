//! The fixtures that plugins bring along, which their own tests run natively.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use assize_ledger::Timestamp;
use assize_registry::{Kind, Manifest};
use assize_sandbox::contract::{Case, Effect, Finding, Outcome, Risk, Verdict};
use assize_sandbox::{CallError, Settings, Subject};
use assize_tests::{kit, packages, workspace};
use serde_json::{Value, json};

use crate::{Loaded, RUNTIME, SANDBOX, case, limits, load, raw};

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
        (Err(CallError::Abstained(why)), Some(part)) => {
            return if why.contains(part) { Vec::new() } else { vec![format!("abstained otherwise: {why}")] };
        }
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

/// The folders of all first-party plugins, those of the workspace or those that have a `build.sh` of their own.
fn sources(of_workspace: bool) -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> { fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect() };
    let kinds = folders(&workspace().join("plugins"));
    let mut found: Vec<PathBuf> = kinds.iter().filter(|path| path.is_dir()).flat_map(|kind| folders(kind)).collect();
    found.retain(|path| path.join("assize.toml").exists() && path.join("build.sh").exists() != of_workspace);
    found.sort();
    found
}

/// Runs the fixtures of a plugin; gives how many there are, and what is wrong.
fn run(source: &Path, loaded: &Loaded) -> (usize, Vec<String>) {
    let fixtures = fs::read_dir(source.join("fixtures")).unwrap();
    let mut files: Vec<PathBuf> = fixtures.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{}: only {} fixtures", source.display(), files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let fixture: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let found = differences(&fixture, RUNTIME.block_on(asked(loaded, &fixture)));
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", file.display())));
    }
    (files.len(), wrong)
}

fn manifest(source: &Path) -> Manifest {
    Manifest::parse(&fs::read_to_string(source.join("assize.toml")).unwrap()).unwrap()
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
    let sources = sources(true);
    assert_eq!(packed.len(), sources.len(), "target/dist is out of date: run `cargo xtask dist`");
    let (mut count, mut wrong) = (0, Vec::new());
    for source in sources {
        let manifest = manifest(&source);
        let (fixtures, found) = run(&source, &packed[&(manifest.name.to_string(), manifest.version.to_string())]);
        wrong.extend(found);
        count += fixtures;
    }
    println!("{count} fixtures");
    assert!(wrong.is_empty(), "fixtures that don't hold in the sandbox:\n{}", wrong.join("\n"));
}

#[test]
fn the_fixtures_of_plugins_with_a_build_of_their_own_hold_in_the_real_sandbox() {
    let mut wrong = Vec::new();
    for source in sources(false) {
        let manifest = manifest(&source);
        let file = format!("{}-{}", manifest.name.to_string().replace('/', "-"), manifest.version);
        let Some(bytes) = kit(&file) else { continue };
        let (fixtures, found) = run(&source, &load(&SANDBOX, &bytes));
        println!("{file}: {fixtures} fixtures");
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "fixtures that don't hold in the sandbox:\n{}", wrong.join("\n"));
}
