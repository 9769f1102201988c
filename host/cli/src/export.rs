//! `assize export`: a part of the ledger in one file, and `assize ledger verify --export`, which needs nothing but that file.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use assize_ledger::{ExportCheck, ExportReport, Outside, export_lines, verify_export};

use crate::client::{Call, Connection};
use crate::ledger::print_faults;
use crate::output::{self, Ended, Usage, clean};
use crate::progress::Meter;

/// Write a part of the ledger to a file that can be checked without a server. An export is itself recorded.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The first entry: its number, a date or an RFC 3339 time [default: the first there is]
    #[arg(long, value_name = "FROM")]
    from: Option<String>,
    /// The first entry that isn't in it any more: its number, a date or a time [default: up to the newest]
    #[arg(long, value_name = "TO")]
    to: Option<String>,
    /// Leave inputs and records out; their commitments stay
    #[arg(long)]
    without_payloads: bool,
    /// The file to write; - for stdout
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Write the decisions as JSON Lines (BTV-7) instead, made from an export that was checked; it isn't signed itself
    #[arg(long)]
    jsonl: bool,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Carries it out. The file appears under its name once it is whole.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Arguments { from, to, without_payloads, out, jsonl, force } = arguments;
    let call = connection
        .get("/v1/ledger/export")
        .query("from", from.as_ref())
        .query("to", to.as_ref())
        .query("payloads", without_payloads.then_some(false));
    if *jsonl {
        return lines(call, out, *force);
    }
    if out.as_os_str() == "-" {
        if io::stdout().is_terminal() {
            return Err(Usage("--out -: an export is binary; send it to a file or a pipe".into()).into());
        }
        call.download(&mut io::stdout().lock())?;
        return Ok(Ended::Fine);
    }
    write_to(out, *force, |file| call.download(file))?;
    let size = fs::metadata(out)?.len();
    if json {
        output::json(&serde_json::json!({ "file": out, "bytes": size }))?;
    } else {
        output::line(format_args!("{} bytes in {}", size, out.display()))?;
        output::line(format_args!("check it with: assize ledger verify --export {}", out.display()))?;
    }
    Ok(Ended::Fine)
}

/// Writes an export's decisions as JSON Lines.
fn lines(call: Call<'_>, out: &Path, force: bool) -> anyhow::Result<Ended> {
    let stdout = out.as_os_str() == "-";
    if !stdout {
        free(out, force)?;
    }
    let mut whole = tempfile::NamedTempFile::new().context("no temporary file for the export")?;
    call.download(&mut whole)?;
    let again = || File::open(whole.path()).context("the export can't be read again");
    let report = verify_export(again()?, &ExportCheck::default(), |_, _| ());
    if !report.is_sound() {
        print_faults(&report.notes, &report.faults.first, report.faults.count)?;
        return Ok(Ended::Failed);
    }
    if stdout {
        export_lines(again()?, again()?, &mut io::stdout().lock())?;
        return Ok(Ended::Fine);
    }
    let mut count = 0;
    write_to(out, force, |file| {
        let mut lines = io::BufWriter::new(file);
        count = export_lines(again()?, again()?, &mut lines)?;
        Ok(lines.flush()?)
    })?;
    output::line(format_args!("{count} decisions in {}", out.display()))?;
    Ok(Ended::Fine)
}

/// Refuses a name that is taken, unless it may be replaced.
pub(crate) fn free(out: &Path, force: bool) -> anyhow::Result<()> {
    if out.exists() && !force {
        return Err(Usage(format!("{} is there already: give another name, or --force", out.display())).into());
    }
    Ok(())
}

/// Writes a file that appears under its name once it is whole.
pub(crate) fn write_to(
    out: &Path,
    force: bool,
    write: impl FnOnce(&mut File) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    free(out, force)?;
    let mut part = out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = || {
        let mut file = File::create(&part).with_context(|| format!("{} can't be made", part.display()))?;
        write(&mut file)?;
        file.sync_all()?;
        anyhow::Ok(fs::rename(&part, out)?)
    };
    written().map_err(|error| {
        // What came so far is not the whole file.
        let _ = fs::remove_file(&part);
        error.context(format!("{} was not written", out.display()))
    })
}

/// Checks an export. Everything that is known from elsewhere is given: nothing is asked of anybody.
pub(crate) fn verify(path: &Path, check: &ExportCheck, json: bool) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let file = File::open(path).with_context(|| format!("{} can't be read", path.display()))?;
    if file.metadata().is_ok_and(|data| data.is_dir()) {
        bail!("{} is a directory; for a data directory, use --data", path.display());
    }
    let report = self::check(file, check);
    if json {
        output::json(&report)?;
    } else {
        print(&report, started.elapsed())?;
    }
    Ok(if report.is_sound() { Ended::Fine } else { Ended::Failed })
}

/// Checks one that is still coming in, and shows how far that is.
pub(crate) fn check(input: impl Read + Send, check: &ExportCheck) -> ExportReport {
    let mut meter = Meter::new("checked");
    let report = verify_export(input, check, |done, total| meter.show(done, total));
    meter.clear();
    report
}

/// Shows what a check found.
pub(crate) fn print(report: &ExportReport, took: Duration) -> anyhow::Result<()> {
    let mut table = output::list();
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), clean(&value)]);
    };
    if let Some(header) = &report.header {
        row("log", header.origin.clone());
        row("entries", format!("{} to {} of {}", header.from, header.to - 1, header.size));
        row(
            "shown",
            match &header.tenant {
                Some(tenant) => {
                    format!("{} of tenant {tenant}; {} of others by their hash", report.entries, report.foreign)
                }
                None => format!("{}, all of them", report.entries),
            },
        );
    }
    if let Some(times) = &report.times {
        row("recorded", format!("{} to {}", times.first, times.last));
    }
    row(
        "inputs and records",
        format!("{} compared, {} erased by an entry that says why", report.payloads, report.erased),
    );
    row("signed checkpoints", report.checkpoints.to_string());
    row("time stamps", report.tokens.to_string());
    for Outside { by, time, size } in &report.outside {
        row("outside", format!("{by} had {size} entries before them at {time}"));
    }
    for key in &report.keys {
        row("log's key", key.clone());
    }
    if let Some(root) = &report.root {
        row("root of the tree", root.to_string());
    }
    row("took", format!("{took:.1?}"));
    output::print(&table, "")?;
    print_faults(&report.notes, &report.faults.first, report.faults.count)
}
