//! `assize plugin check`: would a host take it, and does it judge alike whatever happens around it?
//!
//! Whether a host would take it says `assize_server::fit`, which is what publishing and activating ask. Then each fixture is judged
//! twice in each of several circumstances that a host may find itself in, and what is recorded of that is compared as a replay
//! is: outputs to the byte, fuel, memory, and the lines that are kept.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use assize_kernel::{Difference, Run, RunStatus, differing};
use assize_ledger::Digest;
use assize_sandbox::{Plugin, Sandbox, SandboxConfig};
use serde::Serialize;

use super::fixture::Fixture;
use super::project::{Subject, Which};
use super::rehearse::{Stand, kept, runtime};
use crate::output::{self, Ended, clean};

/// Find out whether a host would take it, and whether it judges alike whatever happens around it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Serialize)]
struct Report {
    package: String,
    version: String,
    digest: Digest,
    /// Whether a host would publish and activate it.
    accepted: bool,
    /// Why it wouldn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// Whether it judged alike throughout; none where it wasn't asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    replays: Option<bool>,
    fixtures: usize,
    calls: usize,
    circumstances: Vec<&'static str>,
    differences: Vec<Found>,
}

/// Where it didn't judge alike.
#[derive(Debug, Serialize)]
struct Found {
    fixture: String,
    circumstance: &'static str,
    field: String,
    first: String,
    then: String,
}

/// Everything in which a host may differ from the next one, or from itself tomorrow.
struct Circumstance {
    name: &'static str,
    pooled: bool,
    kept: bool,
}

const CIRCUMSTANCES: [Circumstance; 4] = [
    Circumstance { name: "in the pool, freshly compiled", pooled: true, kept: false },
    Circumstance { name: "in the pool, from kept code", pooled: true, kept: true },
    Circumstance { name: "outside of a pool, freshly compiled", pooled: false, kept: false },
    Circumstance { name: "outside of a pool, from kept code", pooled: false, kept: true },
];

/// What decides where the clock ended a call.
const CLOCK: &str = "the clock";

/// The clock has gone on, the system's randomness is another, and so are environment, folder and input.
const ELSEWHERE: &str = "in another process, later, with another environment";

pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    let subject = arguments.which.open()?;
    let report = report(&subject)?;
    if json {
        output::json(&report)?;
    } else {
        show(&report)?;
    }
    Ok(if report.accepted && report.replays == Some(true) { Ended::Fine } else { Ended::Failed })
}

fn report(subject: &Subject) -> anyhow::Result<Report> {
    let package = &subject.package;
    let mut report = Report {
        package: package.manifest.name.to_string(),
        version: package.manifest.version.to_string(),
        digest: package.digest,
        accepted: false,
        refusal: None,
        replays: None,
        fixtures: 0,
        calls: 0,
        circumstances: Vec::new(),
        differences: Vec::new(),
    };
    let room = tempfile::tempdir()?;
    let room = Room { folder: room.path().join("compiled"), key: room.path().join("key"), _dropped_last: room };
    let sandbox = room.sandbox(true)?;
    let timeout = assize_server::Config::new(PathBuf::new()).compile_timeout;
    let plugin = match runtime()?.block_on(assize_server::fit(&sandbox, subject.bytes.as_slice().into(), timeout)) {
        Ok((_, plugin)) => plugin,
        Err(refusal) => {
            report.refusal = Some(refusal.to_string());
            return Ok(report);
        }
    };
    report.accepted = true;
    let fixtures = Fixture::all(&subject.fixtures, package.kind)?;
    report.fixtures = fixtures.len();
    let mut first: Option<Vec<Run>> = None;
    for circumstance in &CIRCUMSTANCES {
        let plugin = if circumstance.pooled && !circumstance.kept {
            Arc::clone(&plugin)
        } else {
            Arc::new(room.load(subject, circumstance)?)
        };
        let stand = Stand::new(package, plugin)?;
        let runs = twice(&stand, &fixtures, circumstance.name, &mut report)?;
        let first = first.get_or_insert(runs.clone());
        compare(&fixtures, first, &runs, circumstance.name, &mut report);
        report.circumstances.push(circumstance.name);
        if report.differences.iter().any(|found| found.field == CLOCK) {
            // What the clock ends takes seconds each time, and nothing more can be learnt from it.
            report.replays = Some(false);
            return Ok(report);
        }
    }
    let there = room.elsewhere(subject)?;
    report.calls += there.len();
    compare(&fixtures, &first.unwrap_or_default(), &there, ELSEWHERE, &mut report);
    report.circumstances.push(ELSEWHERE);
    report.replays = Some(report.differences.is_empty());
    Ok(report)
}

/// Asks everything twice, the second time in another order: what a call leaves behind, the next would find.
fn twice(stand: &Stand, fixtures: &[Fixture], name: &'static str, report: &mut Report) -> anyhow::Result<Vec<Run>> {
    let ask = |fixture: &Fixture| Ok(stand.ask(fixture)?.run);
    let runs = fixtures.iter().map(ask).collect::<anyhow::Result<Vec<Run>>>()?;
    let mut again = fixtures.iter().rev().map(ask).collect::<anyhow::Result<Vec<Run>>>()?;
    again.reverse();
    report.calls += runs.len() + again.len();
    compare(fixtures, &runs, &again, name, report);
    Ok(runs)
}

/// As a replay is compared with the record; and what a replay can't promise is a difference, too.
fn compare(fixtures: &[Fixture], first: &[Run], then: &[Run], circumstance: &'static str, report: &mut Report) {
    for ((fixture, one), other) in fixtures.iter().zip(first).zip(then) {
        let mut found = differing(one, other);
        if one.log != other.log {
            let shown = |run: &Run| run.log.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join(" | ");
            found.push(Difference { field: "log".to_owned(), recorded: shown(one), replayed: shown(other) });
        }
        if [one, other].iter().any(|run| run.status == RunStatus::Aborted) {
            let said = |run: &Run| run.error.clone().unwrap_or_else(|| run.status.as_str().to_owned());
            found.push(Difference { field: CLOCK.to_owned(), recorded: said(one), replayed: said(other) });
        }
        for Difference { field, recorded, replayed } in found {
            // As the author knows it: there is one binding, and it has no name.
            let field = field.rsplit_once("].").map_or(field.as_str(), |(_, field)| field).to_owned();
            let known = |one: &Found| one.fixture == fixture.file_name() && one.field == field;
            if !report.differences.iter().any(known) {
                let fixture = fixture.file_name();
                report.differences.push(Found { fixture, circumstance, field, first: recorded, then: replayed });
            }
        }
    }
}

/// Where compiled code is kept for as long as the check takes, authenticated as a host does it.
struct Room {
    folder: PathBuf,
    key: PathBuf,
    _dropped_last: tempfile::TempDir,
}

impl Room {
    fn sandbox(&self, pooled: bool) -> anyhow::Result<Sandbox> {
        let compiled = Some(kept(self.folder.clone(), self.key.clone()));
        Ok(Sandbox::new(SandboxConfig { pooled, compiled, ..SandboxConfig::default() })?)
    }

    /// The plugin in these circumstances; an error where they can't be brought about.
    fn load(&self, subject: &Subject, circumstance: &Circumstance) -> anyhow::Result<Plugin> {
        let pooled = circumstance.pooled;
        if !circumstance.kept {
            let sandbox = Sandbox::new(SandboxConfig { pooled, ..SandboxConfig::default() })?;
            return Ok(sandbox.load(&subject.bytes)?);
        }
        // Kept now, unless that was done before; then loaded as by a host that starts.
        drop(self.sandbox(pooled)?.load(&subject.bytes)?);
        let kept = self.sandbox(pooled)?.load_kept(subject.package.digest)?;
        kept.with_context(|| format!("nothing was kept in {}: is the disk full?", self.folder.display()))
    }

    /// What is recorded of each fixture in another process.
    fn elsewhere(&self, subject: &Subject) -> anyhow::Result<Vec<Run>> {
        let elsewhere = tempfile::tempdir()?;
        let whole = |path: &Path| std::path::absolute(path);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["plugin", "rehearse"]).arg(whole(&subject.file)?);
        command.arg("--fixtures").arg(whole(&subject.fixtures)?);
        command.arg("--compiled").arg(&self.folder).arg("--compiled-key").arg(&self.key);
        command.env_clear().env("TZ", "Pacific/Kiritimati").env("LANG", "tr_TR.UTF-8").env("SEED", "elsewhere");
        command.current_dir(elsewhere.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("this program can't be started once more")?;
        if let Some(mut input) = child.stdin.take() {
            // It doesn't read it.
            let _ = input.write_all(b"something on the standard input\n");
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("asked in another process: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn show(report: &Report) -> anyhow::Result<()> {
    output::line(format_args!("{}@{}, digest {}\n", report.package, report.version, report.digest))?;
    if let Some(refusal) = &report.refusal {
        return output::line(format_args!("REFUSED  {}", clean(refusal)));
    }
    output::line("ok    a host would publish and activate it")?;
    let Report { fixtures, calls, circumstances, differences, .. } = report;
    for circumstance in circumstances {
        let differs = differences.iter().any(|found| found.circumstance == *circumstance);
        output::line(format_args!("{}  {circumstance}", if differs { "FAIL" } else { "ok  " }))?;
    }
    for Found { fixture, field, first, then, circumstance } in differences {
        let fixture = clean(fixture);
        output::line(format_args!(
            "\n{fixture}: {field} differs {circumstance}\n  first {}\n  then  {}",
            clean(first),
            clean(then)
        ))?;
        if field == CLOCK {
            output::line(
                "  a replay may come to more: lower limits.fuel in the manifest, or do less, so that the clock never decides",
            )?;
        }
    }
    let alike =
        if differences.is_empty() { "outputs, fuel, memory and lines are the same throughout" } else { "NOT alike" };
    output::line(format_args!("\n{fixtures} fixtures, {calls} calls: {alike}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clock_ended_differs_even_from_itself() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = r#"{ "name": "never ends", "expect": { "failure": "anything" } }"#;
        std::fs::write(folder.path().join("endless.json"), fixture).unwrap();
        let fixtures = Fixture::all(folder.path(), assize_registry::Kind::RiskAgent).unwrap();
        let run = |status: &str| -> Run {
            let hash = Digest::of(b"x");
            let json = format!(
                r#"{{ "binding": "", "layer": "alone", "package": "a/b", "version": "1.0.0", "digest": "{hash}", "kind": "risk-agent",
                    "settings_hash": "{hash}", "weight": 1.0, "status": "{status}", "error": "why", "fuel": 1, "peak_memory": 2,
                    "duration_us": 3, "output_hash": null, "output": null }}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let found = |one: Run, other: Run| {
            let mut report = Report {
                package: "a/b".to_owned(),
                version: "1.0.0".to_owned(),
                digest: Digest::of(b"x"),
                accepted: true,
                refusal: None,
                replays: None,
                fixtures: 1,
                calls: 0,
                circumstances: Vec::new(),
                differences: Vec::new(),
            };
            compare(&fixtures, &[one], &[other], "here", &mut report);
            report.differences.into_iter().map(|found| (found.fixture, found.field)).collect::<Vec<_>>()
        };
        assert!(found(run("out_of_fuel"), run("out_of_fuel")).is_empty());
        assert_eq!(found(run("aborted"), run("aborted")), [("endless.json".to_owned(), CLOCK.to_owned())]);
        assert!(found(run("aborted"), run("ok")).iter().any(|(_, field)| field == CLOCK));
    }
}
