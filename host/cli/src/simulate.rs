//! `assize simulate`.

pub(crate) mod remote;

mod local;
mod show;
mod swap;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assize_rehearing::simulation::{Mapping, Report};

pub(crate) use self::show::show;
use self::swap::Swap;
use crate::client::Connection;
use crate::output::{self, Ended};
use crate::place::Place;

/// Show what another version, policy or date would have changed, without touching history.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    assize simulate --swap br/election-content@1.4.0 --from 2024-01-01 --to 2024-03-01\n  \
    assize simulate --threshold production.block=7 --html report.html\n  \
    assize simulate --rules-as-of 2023-03-01 --system chat\n  \
    assize simulate --cases credit.jsonl --kind credit-application --truth creditability=bad --weight scorecard=2")]
pub(crate) struct Arguments {
    #[command(flatten)]
    swap: Swap,
    #[command(flatten)]
    cases: Cases,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the report as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the cases that would come out otherwise as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Keep what was counted here, and go on with it if it is there (with --data or --database)
    #[arg(long, value_name = "FILE", requires = "place")]
    state: Option<PathBuf>,
    /// Whose decisions, or as whose the cases of a file are judged [default: all, or the tenant default]
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// A file of cases, instead of past decisions.
#[derive(Debug, clap::Args)]
pub(crate) struct Cases {
    /// Judge these cases instead of past decisions: JSON Lines or CSV, also with .gz
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Rows aren't whole cases but payloads of this kind
    #[arg(long, value_name = "KIND", requires = "cases")]
    kind: Option<String>,
    /// The environment of rows [default: production]
    #[arg(long, value_name = "NAME", requires = "kind")]
    row_environment: Option<String>,
    /// Whose law applies to rows; may be repeated
    #[arg(long = "jurisdiction", value_name = "CODE", requires = "kind")]
    jurisdictions: Vec<String>,
    /// The sector of rows
    #[arg(long, value_name = "NAME", requires = "kind")]
    sector: Option<String>,
    /// The field that names a row
    #[arg(long, value_name = "FIELD", requires = "kind")]
    id: Option<String>,
    /// The field with the day of the facts
    #[arg(long, value_name = "FIELD", requires = "kind")]
    date: Option<String>,
    /// The field with the known truth, and what stands there where a case is bad; plugins don't see it
    #[arg(long, value_name = "FIELD=VALUE", requires = "kind")]
    truth: Option<String>,
}

impl Cases {
    fn mapping(&self) -> anyhow::Result<Mapping> {
        let truth = self.truth.as_deref().map(|truth| {
            truth.split_once('=').ok_or_else(|| {
                output::Usage(format!("--truth {truth:?}: write the field and its value, e.g. creditability=bad"))
            })
        });
        let (truth, bad) = match truth.transpose()? {
            Some((field, bad)) => (Some(field.to_owned()), Some(bad.to_owned())),
            None => (None, None),
        };
        Ok(Mapping {
            kind: self.kind.clone(),
            environment: self.row_environment.clone(),
            jurisdictions: self.jurisdictions.clone(),
            sector: self.sector.clone(),
            id: self.id.clone(),
            date: self.date.clone(),
            truth,
            bad,
        })
    }
}

/// What became of it.
enum End {
    /// It is an entry of the ledger.
    Recorded(u64),
    /// It was made beside the server; judging took so long.
    Beside(std::time::Duration),
}

/// Simulates where the decisions are stored, or asks the server to.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let specification = arguments.swap.specification()?;
    let mapping = arguments.cases.mapping()?;
    let file = arguments.cases.cases.as_deref();
    let (report, end) = if arguments.place.is_given() {
        let (report, took) = local::run(arguments, specification, file, mapping)?;
        (report, End::Beside(took))
    } else {
        let (report, seq) = remote::run(connection, specification, file, mapping, arguments.tenant.as_deref())?;
        (report, End::Recorded(seq))
    };
    let write = |path: &Option<PathBuf>, bytes: &dyn Fn() -> anyhow::Result<Vec<u8>>| -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        fs::write(path, bytes()?).with_context(|| format!("{} can't be written", path.display()))
    };
    write(&arguments.report, &|| Ok(serde_json::to_vec(&report)?))?;
    write(&arguments.html, &|| Ok(report.html().into_bytes()))?;
    write(&arguments.csv, &|| Ok(report.csv()))?;
    if json {
        output::json(&report)?;
    } else {
        show(&report)?;
        output::line(match end {
            End::Recorded(seq) => format!("recorded as entry {seq}; no ruling was made or changed"),
            End::Beside(took) => format!(
                "not recorded: it was made beside the server; no ruling was made or changed\njudging took {took:.1?} on all cores together"
            ),
        })?;
    }
    Ok(Ended::Fine)
}

/// A file of cases, unpacked where its name says so; and whether it is CSV.
fn open(path: &Path) -> anyhow::Result<(Box<dyn std::io::Read + Send>, bool)> {
    let file = fs::File::open(path).with_context(|| format!("{} can't be read", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (name, packed) = match name.strip_suffix(".gz") {
        Some(inner) => (inner.to_owned(), true),
        None => (name, false),
    };
    let file = std::io::BufReader::new(file);
    let reader: Box<dyn std::io::Read + Send> =
        if packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok((reader, std::path::Path::new(&name).extension().is_some_and(|extension| extension == "csv")))
}

fn case_file(path: &Path) -> anyhow::Result<assize_rehearing::simulation::CaseFile> {
    use assize_rehearing::simulation::CaseFile;
    let (reader, is_csv) = open(path)?;
    Ok(if is_csv { CaseFile::csv(reader)? } else { CaseFile::json_lines(std::io::BufReader::new(reader)) })
}

/// A report, from a server's answer.
fn report_of(text: &str) -> anyhow::Result<Report> {
    serde_json::from_str(text).context("the report can't be read; is the server of this version?")
}
