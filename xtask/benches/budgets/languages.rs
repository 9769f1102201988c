//! What a plugin in each language takes: the same agent in all of them (`tests/same`), loaded and idle, and while it runs.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use xtask::Dist;
use xtask::http::Client;

use crate::figures::{Figures, Goal, quantile, sorted};
use crate::starting::{KEY, idle, publish, start_in};

/// Copies of a plugin that are loaded side by side: one alone would drown in what a process holds by chance.
const COPIES: usize = 10;
/// Cases that one of them judges.
const CASES: usize = 200;

/// Measures it, language by language.
pub(crate) fn measure(dist: &Dist, figures: &mut Figures) -> anyhow::Result<()> {
    let kit = |name: &str| dist.kits().join(format!("test-same-{name}-1.0.0.wasm"));
    let languages: [(&str, PathBuf); 5] = [
        ("Rust", dist.test_guests().join("test-same-rust-1.0.0.wasm")),
        ("C", kit("c")),
        ("Go", kit("go")),
        ("TypeScript", kit("typescript")),
        ("Python", kit("python")),
    ];
    for (language, package) in languages {
        match std::fs::read(package) {
            Ok(package) => one(dist, language, package, figures)?,
            Err(_) => figures.missing(format!("a plugin in {language}"), "MB", Goal::None, "its kit wasn't built"),
        }
    }
    Ok(())
}

fn one(dist: &Dist, language: &str, package: Vec<u8>, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no temporary directory")?;
    let start = start_in(dist, folder.path());
    // A first start makes what later ones find.
    start.start()?.stop()?;
    let server = start.start()?;
    let bare = idle(&server)?;
    publish(&vec![package; COPIES], &mut Client::connect(server.address(), KEY)?)?;
    server.stop()?;

    let server = start.start()?;
    let each = (idle(&server)? - bare) / COPIES as f64;
    figures.add(format!("a plugin in {language}, loaded and idle (RSS)"), "MB", Goal::None, each);
    let runs = judged(&mut Client::connect(server.address(), KEY)?)?;
    let memory = runs.iter().map(|run| run.memory).fold(0.0, f64::max);
    figures.add("  while it runs (linear memory)", "MB", Goal::None, memory / 1e6);
    // The first calls bring in pages that later ones find.
    let later = runs.iter().skip(CASES / 10).map(|run| run.micros).collect();
    figures.add("  a call in a fresh sandbox, p50", "µs", Goal::None, quantile(&sorted(later), 50));
    let grown = (idle(&server)? - bare) - each * COPIES as f64;
    figures.add("  kept for the next call (RSS)", "MB", Goal::None, grown);
    server.stop()
}

/// What a call took, as the record has it.
struct Run {
    memory: f64,
    micros: f64,
}

fn judged(client: &mut Client) -> anyhow::Result<Vec<Run>> {
    let settings = json!({ "phrases": [{ "phrase": "meeting", "code": "MEETING", "points": 0.1 }] });
    let binding = json!({ "name": "same", "plugin": "many/plugin-0", "settings": settings, "weight": 1.0 });
    let threshold = json!({ "review": 5.0, "block": 9.0 });
    let thresholds = json!({ "development": threshold, "staging": threshold, "production": threshold });
    client.must("PUT", "/v1/policies/tenant", &json!({ "thresholds": thresholds, "bindings": [binding] }))?;
    let payload = json!({ "prompt": "Please summarise the minutes of yesterday's meeting in three short sentences." });
    let case = json!({ "environment": "production", "kind": "prompt", "payload": payload });
    let mut runs = Vec::new();
    for _ in 0..CASES {
        let decision = client.must("POST", "/v1/decisions", &case)?;
        let id = decision.get("id").and_then(Value::as_str).context("a decision without an id")?;
        let stored = client.must("GET", &format!("/v1/decisions/{id}"), &json!({}))?;
        let run = stored.pointer("/record/plugins/0").context("a record without a run")?;
        if run.get("status").and_then(Value::as_str) != Some("ok") {
            anyhow::bail!("the agent gave no answer: {run}");
        }
        let figure = |name: &str| run.get(name).and_then(Value::as_f64).context("a run without its figures");
        runs.push(Run { memory: figure("peak_memory")?, micros: figure("duration_us")? });
    }
    Ok(runs)
}
