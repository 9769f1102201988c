//! Judging again: replays and simulations, on all cores, from where the decisions and cases are.

use std::fmt::Write as _;
use std::io::Cursor;
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

const PACKAGE: &str = "br/election-content";
const POLICY: &[u8] = br#"{"bindings":[{"name":"ads","plugin":"br/election-content"}]}"#;

/// Cases in memory, judged by one rule twice: as it is in force, and by another version.
pub(crate) async fn simulate(
    dist: &Dist,
    sandbox: &Sandbox,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = Store::open(directory.path(), "benchmark").await?;
    for version in ["1.2.0", "1.4.0"] {
        let file = dist.plugins().join(format!("br-election-content-{version}.wasm"));
        let component = std::fs::read(file)?;
        let manifest = assize_registry::inspect(&component)?.manifest;
        let (name, version) = (PACKAGE.to_owned(), version.to_owned());
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
    change(&store, Change::Policy { scope: "global".to_owned(), version: 1, bytes: POLICY.to_vec() }).await?;
    let mut lines = String::new();
    for n in 0..effort.calls {
        let day = if n % 2 == 0 { "2024-02-10" } else { "2024-03-10" };
        writeln!(
            lines,
            r#"{{"environment":"production","kind":"content","jurisdictions":["BR"],"occurred_at":"{day}","payload":{{"text":"Vote em Maria","content_type":"video","context":"political","synthetic":true,"n":{n}}}}}"#
        )?;
    }
    let archive = Arc::new(Archive::new(Reader::clone(&store), sandbox.clone()));
    let specification: Specification =
        serde_json::from_str(r#"{"changes": {"versions": {"br/election-content": "1.4.0"}}}"#)?;
    let file = CaseFile::json_lines(Cursor::new(lines));
    let tenant = "default".to_owned();
    let mut simulation = Simulation::over_file(archive, specification, tenant, file, Mapping::default(), None).await?;
    // Components are compiled with the first cases.
    simulation.step().await?;
    let (started, before) = (Instant::now(), simulation.state().tally.judged);
    while simulation.step().await? {}
    let tally = &simulation.state().tally;
    if tally.flips != u64::from(effort.calls) / 2 {
        bail!("{} cases would come out otherwise, and not half of them: {:?}", tally.flips, tally.unreadable);
    }
    let rate = (2 * (tally.judged - before)) as f64 / started.elapsed().as_secs_f64();
    figures.add(
        "simulation, one rule in two versions over cases of a file",
        "rulings/s",
        Goal::AtLeast(100_000.0),
        rate,
    );
    store.close().await;
    Ok(())
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
