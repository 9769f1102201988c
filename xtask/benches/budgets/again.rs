//! Judging again: replays and simulations, on all cores, from where the decisions and cases are.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use assize_ledger::Timestamp;
use assize_rehearing::simulation::{CaseFile, Mapping, Simulation, Specification};
use assize_rehearing::{Archive, ReplayState, Replays};
use assize_sandbox::Sandbox;
use assize_store::{ActivationEvent, Change, ChangeDraft, DecisionFilter, Reader, Store};
use xtask::Dist;

use crate::Effort;
use crate::figures::{Figures, Goal};

/// The decisions that the load left, as `assize replay --all` does it: read, judged again, compared.
pub(crate) async fn replay(
    reader: &Reader,
    sandbox: &Sandbox,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let size = reader.head().await?.map_or(0, |head| head.size);
    let archive = Arc::new(Archive::new(reader.clone(), sandbox.clone()));
    let filter = DecisionFilter { system: Some("quiet".to_owned()), ..DecisionFilter::default() };
    let mut replays = Replays::new(archive, None, filter, 0, size);
    // Components are compiled with the first one.
    replays.next().await?.context("the load left no decision")?;
    let (started, mut decisions, mut rulings) = (Instant::now(), 0_u32, 0);
    while let Some(replay) = replays.next().await? {
        if replay.state != ReplayState::Identical {
            bail!("decision {} isn't identical: {:?}", replay.id, replay.comparison);
        }
        decisions += 1;
        rulings += replay.comparison.map_or(0, |comparison| comparison.outputs.len());
        if decisions == effort.calls {
            break;
        }
    }
    let took = started.elapsed().as_secs_f64();
    let what = "replay of stored decisions, all identical: plugins' answers";
    figures.add(what, "1/s", Goal::AtLeast(100_000.0), rulings as f64 / took);
    figures.add("  decisions", "1/s", Goal::None, f64::from(decisions) / took);
    Ok(())
}

/// Packages in force under one policy, cases of a file, and what a simulation changes.
struct Scenario {
    packages: Vec<PathBuf>,
    policy: &'static [u8],
    changes: &'static str,
    cases: String,
    /// Cases that come out otherwise, and have to.
    flips: u64,
}

/// Cases in memory, judged by one rule twice: as it is in force, and as the simulation has it.
pub(crate) async fn simulate(
    dist: &Dist,
    sandbox: &Sandbox,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let small = rate(sandbox, small(dist, effort.calls)).await?;
    let what = "simulation, a small Rust rule (the one of `plugin new`) with other settings";
    figures.add(what, "rulings/s", Goal::AtLeast(100_000.0), small);
    let versions = rate(sandbox, two_versions(dist, effort.calls)).await?;
    let what = "simulation, a law in two versions (`br/election-content`)";
    figures.add(what, "rulings/s", Goal::None, versions);
    Ok(())
}

fn small(dist: &Dist, count: u32) -> Scenario {
    let mut cases = String::new();
    for n in 0..count {
        let text = if n % 2 == 0 { "Vote em Maria" } else { "Vote em Clara" };
        // Writing to a String can't fail.
        let _ = writeln!(
            cases,
            r#"{{"environment":"production","kind":"content","payload":{{"text":"{text}","content_type":"video","n":{n}}}}}"#
        );
    }
    Scenario {
        packages: vec![dist.test_guests().join("test-words-1.0.0.wasm")],
        policy: br#"{"bindings":[{"name":"words","plugin":"test/words","settings":{"words":["forbidden"]}}]}"#,
        changes: r#"{"settings": {"words": {"words": ["Maria"]}}}"#,
        cases,
        flips: u64::from(count).div_ceil(2),
    }
}

fn two_versions(dist: &Dist, count: u32) -> Scenario {
    let mut cases = String::new();
    for n in 0..count {
        let day = if n % 2 == 0 { "2024-02-10" } else { "2024-03-10" };
        let _ = writeln!(
            cases,
            r#"{{"environment":"production","kind":"content","jurisdictions":["BR"],"occurred_at":"{day}","payload":{{"text":"Vote em Maria","content_type":"video","context":"political","synthetic":true,"n":{n}}}}}"#
        );
    }
    let package = |version: &str| dist.plugins().join(format!("br-election-content-{version}.wasm"));
    Scenario {
        packages: vec![package("1.2.0"), package("1.4.0")],
        policy: br#"{"bindings":[{"name":"ads","plugin":"br/election-content"}]}"#,
        changes: r#"{"versions": {"br/election-content": "1.4.0"}}"#,
        cases,
        flips: u64::from(count).div_ceil(2),
    }
}

/// Rulings a second.
async fn rate(sandbox: &Sandbox, scenario: Scenario) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let store = Store::open(directory.path(), "benchmark").await?;
    for file in scenario.packages {
        let component = std::fs::read(&file).with_context(|| format!("{} can't be read", file.display()))?;
        let manifest = assize_registry::inspect(&component)?.manifest;
        let (name, version) = (manifest.name.to_string(), manifest.version.to_string());
        let publish = Change::Publish {
            name: name.clone(),
            version: version.clone(),
            kind: manifest.kind.to_string(),
            contract: manifest.contract.to_string(),
            manifest: serde_json::to_string(&manifest)?,
            component: component.into(),
        };
        change(&store, publish).await?;
        change(&store, Change::Activation { package: name, version, event: ActivationEvent::Activated, known: None })
            .await?;
    }
    change(&store, Change::Policy { scope: "global".to_owned(), version: 1, bytes: scenario.policy.to_vec() }).await?;
    let archive = Arc::new(Archive::new(Reader::clone(&store), sandbox.clone()));
    let specification: Specification = serde_json::from_str(&format!(r#"{{"changes": {}}}"#, scenario.changes))?;
    let file = CaseFile::json_lines(Cursor::new(scenario.cases));
    let tenant = "default".to_owned();
    let mut simulation = Simulation::over_file(archive, specification, tenant, file, Mapping::default(), None).await?;
    // Components are compiled with the first cases.
    simulation.step().await?;
    let (started, before) = (Instant::now(), simulation.state().tally.judged);
    while simulation.step().await? {}
    let took = started.elapsed().as_secs_f64();
    let tally = &simulation.state().tally;
    if tally.flips != scenario.flips {
        bail!("{} cases would come out otherwise, not {}: {:?}", tally.flips, scenario.flips, tally.unreadable);
    }
    let rulings = 2 * (tally.judged - before);
    store.close().await;
    Ok(rulings as f64 / took)
}

async fn change(store: &Store, change: Change) -> anyhow::Result<()> {
    let draft = ChangeDraft {
        tenant: None,
        time: Timestamp::now(),
        details: std::collections::BTreeMap::new(),
        confidential: std::collections::BTreeMap::new(),
        input: None,
        change,
    };
    store.change(draft).await?;
    Ok(())
}
