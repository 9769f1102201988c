//! Having a server simulate, and following it.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use assize_rehearing::simulation::{Mapping, Report, Specification};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{case_file, report_of};
use crate::client::{Connection, Reply, segment};
use crate::progress::Meter;

#[derive(Serialize)]
struct Body<'a> {
    specification: &'a Specification,
    #[serde(skip_serializing_if = "Option::is_none")]
    cases: Option<Vec<Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<Mapping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
}

#[derive(Deserialize)]
struct Progress {
    id: String,
    stage: String,
    #[serde(default)]
    done: u64,
    total: Option<u64>,
    error: Option<String>,
    seq: Option<u64>,
    report: Option<Box<RawValue>>,
}

/// A report, and the entry that holds it.
pub(super) fn run(
    connection: &Connection,
    specification: Specification,
    file: Option<&Path>,
    mapping: Mapping,
    tenant: Option<&str>,
) -> anyhow::Result<(Report, u64)> {
    let cases = file.map(rows).transpose()?;
    let mapping = cases.is_some().then_some(mapping);
    let body = Body { specification: &specification, cases, mapping, tenant };
    follow(connection, &connection.post("/v1/simulations", serde_json::to_vec(&body)?).send()?)
}

fn rows(path: &Path) -> anyhow::Result<Vec<Box<RawValue>>> {
    let mut file = case_file(path)?;
    let mut rows = Vec::new();
    while let Some((row, bytes)) = file.next_row()? {
        let text = String::from_utf8(bytes).map_err(|error| anyhow::anyhow!("row {row}: {error}"))?;
        rows.push(RawValue::from_string(text).map_err(|error| anyhow::anyhow!("row {row}: {error}"))?);
    }
    Ok(rows)
}

/// Follows a simulation that was accepted to its end.
pub(crate) fn follow(connection: &Connection, accepted: &Reply) -> anyhow::Result<(Report, u64)> {
    let id = accepted.read::<Progress>()?.id;
    let mut meter = Meter::new("simulated");
    let mut pause = Duration::from_millis(20);
    loop {
        let progress: Progress = connection.get(format!("/v1/simulations/{}", segment(&id))).send()?.read()?;
        match (progress.stage.as_str(), progress.report) {
            ("done", Some(report)) => {
                meter.clear();
                return Ok((report_of(report.get())?, progress.seq.unwrap_or_default()));
            }
            ("failed", _) => bail!("the simulation failed: {}", progress.error.unwrap_or_default()),
            ("cancelled", _) => bail!("the simulation was cancelled"),
            _ => meter.show(progress.done, progress.total.unwrap_or(progress.done)),
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}
