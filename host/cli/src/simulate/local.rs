//! Simulating where the decisions are stored, beside a server or without one.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use assize_rehearing::Archive;
use assize_rehearing::simulation::{Mapping, Report, Simulation, Specification, State};
use serde::{Deserialize, Serialize};

use super::{Arguments, case_file};
use crate::progress::Meter;

/// How often what was counted is kept.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// What is kept between two runs: where it was, and of what.
#[derive(Serialize, Deserialize)]
struct Kept {
    specification: Specification,
    mapping: Mapping,
    tenant: Option<String>,
    state: State,
}

pub(super) fn run(
    arguments: &Arguments,
    specification: Specification,
    file: Option<&Path>,
    mapping: Mapping,
) -> anyhow::Result<(Report, Duration)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tenant = arguments.tenant.clone();
    runtime.block_on(async {
        let reader = arguments.place.open().await?;
        let archive = Arc::new(Archive::new(reader.clone(), arguments.place.sandbox()?));
        let kept = arguments.state.as_deref().map(|path| kept(path, &specification, &mapping, tenant.as_deref()));
        let state = kept.transpose()?.flatten();
        let mut simulation = match file {
            Some(path) => {
                let tenant = tenant.clone().unwrap_or_else(|| "default".to_owned());
                let file = case_file(path)?;
                let (specification, mapping) = (specification.clone(), mapping.clone());
                Simulation::over_file(archive, specification, tenant, file, mapping, state).await?
            }
            None => {
                let (specification, tenant) = (specification.clone(), tenant.clone());
                Simulation::over_decisions(archive, specification, tenant, HashMap::new(), state).await?
            }
        };
        let (mut meter, mut kept_at) = (Meter::new("simulated"), Instant::now());
        loop {
            let more = simulation.step().await?;
            if let Some(path) = &arguments.state
                && (!more || kept_at.elapsed() >= KEEP_EVERY)
            {
                kept_at = Instant::now();
                let kept = Kept {
                    specification: specification.clone(),
                    mapping: mapping.clone(),
                    tenant: tenant.clone(),
                    state: simulation.state().clone(),
                };
                keep(path, &kept).with_context(|| format!("{} can't be written", path.display()))?;
            }
            if !more {
                break;
            }
            let state = simulation.state();
            meter.show(state.tally.cases, state.total.unwrap_or(state.tally.cases));
        }
        meter.clear();
        reader.close().await;
        Ok((simulation.report(), simulation.took()))
    })
}

/// What was counted before, if it is of the same simulation.
fn kept(
    path: &Path,
    specification: &Specification,
    mapping: &Mapping,
    tenant: Option<&str>,
) -> anyhow::Result<Option<State>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} can't be read", path.display())),
    };
    let kept: Kept = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no state of a simulation: remove it to begin again", path.display()))?;
    let same = serde_json::to_value(&kept.specification)? == serde_json::to_value(specification)?
        && kept.mapping == *mapping
        && kept.tenant.as_deref() == tenant;
    anyhow::ensure!(same, "{} is of another simulation: name another file, or remove it", path.display());
    Ok(Some(kept.state))
}

fn keep(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_all()?;
    Ok(fs::rename(&part, path)?)
}
