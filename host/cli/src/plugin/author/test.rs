//! `assize plugin test`: fixtures, in the real sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assize_kernel::{Heard, Run, RunStatus};
use assize_ledger::Digest;
use assize_registry::SettingsSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::expectation::Mismatch;
use super::fixture::{Fixture, name_of};
use super::project::{Subject, Which};
use super::rehearse::Stand;
use super::{junit, watch};
use crate::compiled;
use crate::output::{self, Ended, Usage, clean, clean_lines};

/// Run the fixtures of a project or package in the real sandbox.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Go on: build and test again whenever a file of the project changes
    #[arg(long)]
    watch: bool,
    /// Write the outcome there, too, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What came of all of them.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) digest: Digest,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) fixtures: Vec<Outcome>,
}

/// What came of one.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) holds: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mismatches: Vec<Mismatch>,
    /// What came of asking; none where the fixture can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<Said>,
}

/// What is worth knowing of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Said {
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    output: Option<Box<RawValue>>,
    fuel: u64,
    peak_memory: u64,
    pub(crate) duration_us: u64,
    pub(crate) log: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    if !arguments.watch {
        return once(arguments, json);
    }
    if json {
        return Err(Usage("--watch is for people: leave --json out".to_owned()).into());
    }
    let folder = arguments.which.project()?;
    watch::forever(folder, arguments.junit.as_deref(), || once(arguments, json))
}

fn once(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    let subject = arguments.which.open()?;
    let report = report(&subject)?;
    if let Some(file) = &arguments.junit {
        junit::write(&report, file)?;
    }
    if json {
        output::json(&report)?;
    } else {
        show(&report)?;
    }
    Ok(if report.failed == 0 { Ended::Fine } else { Ended::Failed })
}

fn report(subject: &Subject) -> anyhow::Result<Report> {
    let files = Fixture::files(&subject.fixtures)?;
    let package = &subject.package;
    let own = subject.language.is_some().then(|| subject.folder.join("compiled"));
    let plugin = compiled::for_author(own.as_deref())?.load(&subject.bytes);
    let plugin = plugin.with_context(|| subject.file.display().to_string())?;
    let stand = Stand::new(package, Arc::new(plugin))?;
    let schema = SettingsSchema::compile(&package.manifest.settings_schema)?;
    let outcomes =
        files.into_iter().map(|file| outcome(&stand, &schema, file, package)).collect::<anyhow::Result<Vec<_>>>()?;
    let failed = outcomes.iter().filter(|outcome| !outcome.holds).count();
    Ok(Report {
        package: package.manifest.name.to_string(),
        version: package.manifest.version.to_string(),
        digest: package.digest,
        passed: outcomes.len() - failed,
        failed,
        fixtures: outcomes,
    })
}

fn outcome(
    stand: &Stand,
    schema: &SettingsSchema,
    file: PathBuf,
    package: &assize_registry::Package,
) -> anyhow::Result<Outcome> {
    let fixture = match Fixture::read(file.clone(), package.kind) {
        Ok(fixture) => fixture,
        Err(error) => return Ok(unreadable(&file, &error)),
    };
    let heard = stand.ask(&fixture)?;
    let mut mismatches = fixture.expect.mismatches(&fixture, &heard);
    if !fixture.expect.wants_failure()
        && let Err(refused) = schema.validate(&serde_json::from_str(fixture.settings.get())?)
    {
        let (expected, got) =
            ("settings that the manifest's schema takes, as every policy's must".to_owned(), refused.to_string());
        mismatches.push(Mismatch { member: "settings", expected, got });
    }
    let (file, holds) = (fixture.file_name(), mismatches.is_empty());
    let Heard { run, .. } = heard;
    Ok(Outcome { file, name: fixture.name, holds, mismatches, run: Some(said(run)) })
}

fn unreadable(file: &Path, error: &anyhow::Error) -> Outcome {
    let mismatch = Mismatch { member: "fixture", expected: "a fixture".to_owned(), got: format!("{error:#}") };
    Outcome {
        file: name_of(file),
        name: "can't be read".to_owned(),
        holds: false,
        mismatches: vec![mismatch],
        run: None,
    }
}

fn said(run: Run) -> Said {
    let log = run.log.iter().map(|line| format!("{}: {}", line.level, line.message)).collect();
    let Run { status, error, output, fuel, peak_memory, duration_us, .. } = run;
    Said { status, error, output, fuel, peak_memory, duration_us, log }
}

fn show(report: &Report) -> anyhow::Result<()> {
    for outcome in &report.fixtures {
        let verdict = if outcome.holds { "ok  " } else { "FAIL" };
        let took = outcome.run.as_ref().map(|run| {
            let took = Duration::from_micros(run.duration_us).as_secs_f64() * 1e3;
            format!("  ({took:.1} ms, fuel {})", run.fuel)
        });
        let (file, name, took) = (clean(&outcome.file), clean(&outcome.name), took.unwrap_or_default());
        output::line(format_args!("{verdict}  {file}  {name}{took}"))?;
        for Mismatch { member, expected, got } in &outcome.mismatches {
            output::line(format_args!("      {member}\n        - {}\n        + {}", clean(expected), clean(got)))?;
        }
        if outcome.holds {
            continue;
        }
        if let Some(Said { output: Some(answer), .. }) = &outcome.run {
            output::line(format_args!("      the answer: {}", clean_lines(answer.get())))?;
        }
        for line in outcome.run.iter().flat_map(|run| &run.log) {
            output::line(format_args!("      log: {}", clean(line)))?;
        }
    }
    let Report { package, version, passed, failed, .. } = report;
    let failed = if *failed == 0 { String::new() } else { format!(", {failed} don't (-: expected, +: got)") };
    output::line(format_args!("\n{package}@{version}: {passed} fixtures hold{failed}"))
}
