//! The shipped binary, over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use xtask::Dist;
use xtask::http::{Client, request};
use xtask::server::{Server, Start};

use crate::figures::{Figures, Goal, quantile, sorted};
use crate::{Effort, load};

pub(crate) const KEY: &str = "a-key-for-the-benchmark-only";

/// Agents with their weights, and rules: what the budget for decisions is about.
pub(crate) const AGENTS: [(&str, f64); 3] =
    [("assize/technical", 0.3), ("assize/regulatory", 0.4), ("assize/ethical", 0.3)];
pub(crate) const RULES: [&str; 2] = ["eu/ai-act-prohibited", "br/election-content"];

/// The case that is judged.
pub(crate) fn case(system: &str) -> Value {
    json!({
        "system": system, "environment": "production", "kind": "prompt", "jurisdictions": ["EU", "BR"],
        "payload": { "prompt": "Please summarise the minutes of yesterday's meeting in three short sentences." },
    })
}

/// The policy of the global scope.
pub(crate) fn policy() -> Value {
    let agents =
        AGENTS.iter().map(|(plugin, weight)| json!({ "name": short(plugin), "plugin": plugin, "weight": weight }));
    let rules = RULES.iter().map(|plugin| json!({ "name": short(plugin), "plugin": plugin }));
    json!({
        "thresholds": { "production": { "review": 3.0, "block": 4.0 } },
        "bindings": agents.chain(rules).collect::<Vec<_>>(),
    })
}

fn short(plugin: &str) -> &str {
    plugin.split_once('/').map_or(plugin, |(_, name)| name)
}

/// Everything that is measured over HTTP. Leaves the decisions in `data`.
pub(crate) fn measure(dist: &Dist, data: &Path, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let keys = tempfile::tempdir()?;
    let key = keys.path().join("key");
    let start = host(dist, data, &["--compiled-key", &key.display().to_string()]);
    let server = start.start()?;
    let mut client = Client::connect(server.address(), KEY)?;
    publish(&mut client, &dist.plugins())?;
    publish(&mut client, &dist.test_guests())?;
    bind(&mut client, &["quiet", "hostile", "stopped"])?;
    let hostile =
        json!({ "bindings": [{ "name": "hostile", "plugin": "test/hostile", "settings": { "do": "loop" } }] });
    client.must("PUT", "/v1/policies/system:hostile", &hostile)?;
    decisions(&server, effort, figures)?;
    kill_switch(&mut client, figures)?;
    hostile_neighbours(&server, effort, figures)?;
    drop(client);
    server.stop()?;

    // The second start is the one that an operator waits for.
    let server = start.start()?;
    figures.add(
        "start, with what was published before",
        "ms",
        Goal::AtMost(300.0),
        server.start_time().as_secs_f64() * 1e3,
    );
    match resident_megabytes(server.id()) {
        Some(megabytes) => figures.add("idle memory (RSS)", "MB", Goal::AtMost(80.0), megabytes),
        None => println!("idle memory: this system doesn't tell"),
    }
    server.stop()
}

/// How a host is started on this data, with these arguments more.
pub(crate) fn host(dist: &Dist, data: &Path, more: &[&str]) -> Start {
    Start {
        binary: dist.binary(),
        data: data.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        arguments: ["--bare", "--rate-limit-app", "0"].iter().chain(more).map(|one| (*one).to_owned()).collect(),
        admin_key: Some(KEY.to_owned()),
        log: "error",
    }
}

/// Publishes and activates all packages of a folder.
pub(crate) fn publish(client: &mut Client, folder: &Path) -> anyhow::Result<()> {
    for package in std::fs::read_dir(folder)? {
        let file = package?.path();
        let (status, answer) = client.send("POST", "/v1/plugins", "application/wasm", &std::fs::read(&file)?)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let field = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(name), Some(version), 200..=299) = (field("name"), field("version"), status) else {
            bail!("{} was refused with {status}: {answer}", file.display());
        };
        client.must("POST", &format!("/v1/plugins/{name}/{version}/activate"), &json!({}))?;
    }
    Ok(())
}

/// Puts the policy in force, registers systems, and sees to it that a case meets all that is bound.
pub(crate) fn bind(client: &mut Client, systems: &[&str]) -> anyhow::Result<()> {
    client.must("PUT", "/v1/policies/global", &policy())?;
    for system in systems {
        client.must(
            "POST",
            "/v1/systems",
            &json!({ "id": system, "risk": "limited", "attributes": { "logging": true } }),
        )?;
    }
    let decision = client.must("POST", "/v1/decisions", &case("quiet"))?;
    let answered = |plugin: &&Value| plugin.get("status").and_then(Value::as_str) == Some("ok");
    let ran =
        decision.get("plugins").and_then(Value::as_array).map_or(0, |plugins| plugins.iter().filter(answered).count());
    if ran != AGENTS.len() + RULES.len() {
        bail!("{ran} plugins answered instead of {}: {decision}", AGENTS.len() + RULES.len());
    }
    Ok(())
}

/// The request of a decision, ready to be sent again and again.
pub(crate) fn decision_request(system: &str) -> Vec<u8> {
    request("POST", "/v1/decisions", KEY, "application/json", case(system).to_string().as_bytes())
}

fn decisions(server: &Server, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let request = decision_request("quiet");
    // Caches and averages settle.
    load::run(server.address(), &request, 64, effort.load / 4)?;
    let many = load::run(server.address(), &request, 64, effort.load)?;
    let what = "decisions over HTTP, durable, 3 agents + 2 rules, 64 clients";
    figures.add(what, "1/s", Goal::AtLeast(20_000.0), many.rate);
    figures.add("  p50", "ms", Goal::None, many.latency(50));
    figures.add("  p99", "ms", Goal::AtMost(10.0), many.latency(99));
    let one = load::run(server.address(), &request, 1, effort.load / 2)?;
    figures.add("one decision at a time, p50", "ms", Goal::AtMost(0.5), one.latency(50));
    figures.add("  p99", "ms", Goal::AtMost(2.0), one.latency(99));
    Ok(())
}

/// From the order to stop a system until a decision of it is answered with the stop.
fn kill_switch(client: &mut Client, figures: &mut Figures) -> anyhow::Result<()> {
    let stop = json!({ "operational_status": "emergency_stop", "reason": "measured", "operator_id": "benchmark" });
    let resume = json!({ "reason": "measured, and over", "operator_id": "benchmark" });
    let mut times = Vec::new();
    for _ in 0..20 {
        let ordered = Instant::now();
        client.must("PUT", "/v1/systems/stopped/emergency-stop", &stop)?;
        let decision = client.must("POST", "/v1/decisions", &case("stopped"))?;
        times.push(ordered.elapsed().as_secs_f64() * 1e3);
        if decision.get("reason").and_then(Value::as_str) != Some("KILL_SWITCH_ACTIVE") {
            bail!("a stopped system was judged: {decision}");
        }
        client.must("POST", "/v1/systems/stopped/resume", &resume)?;
    }
    let times = sorted(times);
    figures.add(
        "kill switch: order, record and first blocked decision, p50",
        "ms",
        Goal::AtMost(10.0),
        quantile(&times, 50),
    );
    figures.add("  slowest of 20", "ms", Goal::None, quantile(&times, 100));
    Ok(())
}

/// What endless loops in one system do to the decisions of another.
fn hostile_neighbours(server: &Server, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    const CLIENTS: usize = 8;
    let address = server.address();
    let (normal, hostile) = (decision_request("quiet"), decision_request("hostile"));
    let quiet = load::run(address, &normal, CLIENTS, effort.load)?;
    let stop = Arc::new(AtomicBool::new(false));
    let noise = thread::spawn({
        let stop = Arc::clone(&stop);
        move || load::run_until(address, &hostile, 2, None, &stop)
    });
    let beside = load::run(address, &normal, CLIENTS, effort.load);
    stop.store(true, Ordering::Relaxed);
    let noise = noise.join().ok().context("the hostile load ended early")??;
    let beside = beside?;
    figures.add("8 clients, quiet, p99", "ms", Goal::None, quiet.latency(99));
    figures.add("8 clients beside endless loops, p99", "ms", Goal::AtMost(quiet.latency(99) * 2.0), beside.latency(99));
    figures.add("  endless loops ended meanwhile", "1/s", Goal::None, noise.rate);
    Ok(())
}

/// Resident memory of a process in MB (10^6 bytes), where `/proc` tells.
pub(crate) fn resident_megabytes(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
