//! `assize ledger …`: on a data directory, beside a running server or without one, or through a server.

mod proofs;
mod served;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use assize_ledger::{Digest, EntryRef, ExportCheck, Fault, Outside, VerifierKey};
use assize_store::{Progress, VerifyOptions};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::Connection;
use crate::output::{self, Ended, clean, short};
use crate::place::Place;
use crate::progress::Meter;

/// Check and read what was recorded.
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, once")]
pub(crate) enum Command {
    /// Recompute everything from what is stored, and name whatever isn't as it was recorded
    Verify(Verify),
    /// List entries
    Show(Show),
    /// Print the newest signed checkpoint: keep it elsewhere, and nothing before it can be changed unnoticed
    Checkpoint(proofs::ShowCheckpoint),
    /// Fetch a decision's receipt: its entry, and the proof that a signed checkpoint covers it
    Receipt(proofs::ShowReceipt),
    /// Change the key that signs checkpoints; the old and the new one sign the entry that says so
    RotateKey(proofs::RotateKey),
}

/// Recompute everything: from a database's rows, from an export, or from what a server hands out.
///
/// Of a server, every entry and all that entries bind is fetched and checked here, which it records like any export; then it
/// is asked what it finds in its own database. A key of one tenant is shown that tenant's entries alone: name it with
/// --tenant.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// First entry to check; without it, the whole ledger is
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Last entry to check
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// The tenant that the key belongs to: its entries are expected of the server, and the others' hashes
    #[arg(long, value_name = "TENANT", conflicts_with_all = ["place", "receipt", "export"])]
    tenant: Option<String>,
    /// A checkpoint kept from earlier: nothing before it may have been cut off or forked since. Of a data directory, the one that its
    /// server keeps there is taken where none is given
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    expect_checkpoint: Option<PathBuf>,
    /// Check a receipt instead of the ledger
    #[arg(long, value_name = "FILE", conflicts_with_all = ["place", "from", "to", "expect_checkpoint", "expected_size"])]
    receipt: Option<PathBuf>,
    /// Check an export instead of the ledger: no server and no network is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["place", "from", "to", "receipt", "expected_size"])]
    export: Option<PathBuf>,
    /// The log's public key (name+id+base64), known from elsewhere; without it, the log's own word is taken
    #[arg(long, value_name = "KEY")]
    log_key: Option<VerifierKey>,
    /// Root certificates (PEM) of authorities whose time stamps are believed
    #[arg(long, value_name = "FILE")]
    tsa_roots: Option<PathBuf>,
    /// Key of a witness whose signatures are believed; give it again for each
    #[arg(long = "witness-key", value_name = "KEY")]
    witness_keys: Vec<VerifierKey>,
    /// Number of entries of an earlier report, to see that nothing was cut off since
    #[arg(long, value_name = "N", requires = "expected_root", requires = "place")]
    expected_size: Option<u64>,
    /// Root of the tree in that report
    #[arg(long, value_name = "HASH", requires = "expected_size")]
    expected_root: Option<Digest>,
}

/// List entries.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    place: Place,
    /// First entry
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    from: u64,
    /// How many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    match command {
        Command::Verify(arguments) => verify(&arguments, connection, json),
        Command::Show(arguments) => show(&arguments, connection, json),
        Command::Checkpoint(arguments) => proofs::checkpoint(&arguments, connection),
        Command::Receipt(arguments) => proofs::receipt(&arguments, connection),
        Command::RotateKey(arguments) => proofs::rotate_key(&arguments, connection, json),
    }
}

/// What is shown of a report, from a server or our own.
#[derive(Deserialize)]
struct Report {
    origin: Option<String>,
    from: u64,
    entries: u64,
    decisions: u64,
    payloads: u64,
    erased: u64,
    components: u64,
    tiles: u64,
    heads: u64,
    checkpoints: u64,
    checkpointed: Option<u64>,
    keys: Vec<String>,
    cosignatures: u64,
    stamps: u64,
    outside: Vec<Outside>,
    times: Option<Times>,
    last: Option<String>,
    root: Option<String>,
    faults: Faults,
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Times {
    first: String,
    last: String,
}

#[derive(Deserialize)]
struct Faults {
    first: Vec<Fault>,
    count: u64,
}

fn verify(arguments: &Verify, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    if let Some(receipt) = &arguments.receipt {
        return proofs::verify_receipt(receipt, arguments.log_key.as_ref(), connection, json);
    }
    if let Some(file) = &arguments.export {
        let checkpoint = arguments.expect_checkpoint.as_deref().map(proofs::read_checkpoint).transpose()?;
        let trust = arguments.tsa_roots.as_deref().map(crate::serve::trust).transpose()?;
        let witnesses = arguments.witness_keys.clone();
        let check = ExportCheck { key: arguments.log_key.clone(), checkpoint, trust, witnesses };
        return crate::export::verify(file, &check, json);
    }
    if !arguments.place.is_given() {
        return served::verify(arguments, connection, json);
    }
    let started = Instant::now();
    let text = serde_json::to_string_pretty(&verify_place(arguments)?)?;
    let report: Report = serde_json::from_str(&text)?;
    if json {
        output::line(&text)?;
    } else {
        print_report(&report, started.elapsed())?;
    }
    Ok(if report.faults.count == 0 { Ended::Fine } else { Ended::Failed })
}

fn verify_place(arguments: &Verify) -> anyhow::Result<assize_ledger::Report> {
    let expected = arguments.expected_size.zip(arguments.expected_root);
    let mut expected_file = arguments.expect_checkpoint.clone();
    let whole = arguments.from.is_none() && arguments.to.is_none() && expected.is_none();
    let beside = arguments.place.newest_checkpoint().filter(|file| whole && expected_file.is_none() && file.exists());
    let is_beside = beside.is_some();
    expected_file = expected_file.or(beside);
    let checkpoint = expected_file.as_deref().map(proofs::read_checkpoint).transpose()?;
    let options = VerifyOptions {
        from: arguments.from,
        to: arguments.to,
        expected,
        checkpoint,
        key: arguments.log_key.clone(),
        trust: arguments.tsa_roots.as_deref().map(crate::serve::trust).transpose()?,
        witnesses: arguments.witness_keys.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let reader = arguments.place.open().await?;
        let mut meter = Meter::new("checked");
        let report = reader.verify(options, |Progress { done, total }| meter.show(done, total)).await;
        meter.clear();
        reader.close().await;
        let mut report = report?;
        if is_beside {
            report.notes.push(
                "the checkpoint that was expected is the one beside the database: who writes the one may have replaced the \
                 other; keep one elsewhere and give it with --expect-checkpoint"
                    .to_owned(),
            );
        }
        Ok(report)
    })
}

fn print_report(report: &Report, took: Duration) -> anyhow::Result<()> {
    let mut table = output::list();
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("log", report.origin.as_deref().map_or_else(|| "-".to_owned(), clean));
    let last = report.from.saturating_add(report.entries).saturating_sub(1);
    row("entries", format!("{} ({} to {last})", report.entries, report.from));
    if let Some(Times { first, last }) = &report.times {
        row("recorded", format!("{} to {}", clean(first), clean(last)));
    }
    row("decisions", report.decisions.to_string());
    row("inputs and records", format!("{} compared; those of {} decisions erased", report.payloads, report.erased));
    row("components and other rows", report.components.to_string());
    row("tiles, heads", format!("{}, {}", report.tiles, report.heads));
    row(
        "signed checkpoints",
        match report.checkpointed {
            Some(size) => format!("{}, the largest of {size} entries", report.checkpoints),
            None => report.checkpoints.to_string(),
        },
    );
    row("signatures of witnesses", report.cosignatures.to_string());
    row("time stamps checked", report.stamps.to_string());
    for Outside { by, time, size } in &report.outside {
        row("outside", format!("{} had {size} entries before them at {time}", clean(by)));
    }
    for key in &report.keys {
        row("log's key", clean(key));
    }
    if let Some(hash) = &report.last {
        row("hash of the last entry", clean(hash));
    }
    if let Some(root) = &report.root {
        row("root of the tree", clean(root));
    }
    row("took", format!("{took:.1?}"));
    output::print(&table, "")?;
    print_faults(&report.notes, &report.faults.first, report.faults.count)
}

/// What a check found wrong, what it couldn't show, and its last word.
pub(crate) fn print_faults(notes: &[String], first: &[Fault], count: u64) -> anyhow::Result<()> {
    for note in notes {
        output::line(format_args!("note: {}", clean(note)))?;
    }
    for Fault { record, field, found, expected, .. } in first {
        output::line(format_args!(
            "FAULT {}: {}: found {}, expected {}",
            clean(record),
            clean(field),
            clean(found),
            clean(expected)
        ))?;
    }
    match count {
        0 => output::line("verified: everything is as it was recorded"),
        1 => output::line("NOT VERIFIED: 1 fault"),
        count => output::line(format_args!("NOT VERIFIED: {count} faults, the first {} shown", first.len())),
    }
}

/// An entry, as the server lists it.
#[derive(Serialize, Deserialize)]
struct Entry {
    seq: u64,
    hash: String,
    previous: String,
    kind: String,
    subject: String,
    tenant: Option<String>,
    time: String,
    facts: Box<RawValue>,
    input_commitment: Option<String>,
    record_commitment: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Entries {
    entries: Vec<Entry>,
    next: Option<u64>,
}

fn show(arguments: &Show, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Show { place, from, limit } = arguments;
    let listing: Entries = if place.is_given() {
        entries_of(place, *from, *limit)?
    } else {
        let reply =
            connection.get("/v1/ledger/entries").query("from", Some(from)).query("limit", Some(limit)).send()?;
        if json {
            output::line(reply.text()?)?;
            return Ok(Ended::Fine);
        }
        reply.read()?
    };
    if json {
        output::json(&listing)?;
        return Ok(Ended::Fine);
    }
    let mut table = output::table(["seq", "time", "kind", "tenant", "subject", "hash", "verdict"]);
    for entry in &listing.entries {
        table.add_row([
            entry.seq.to_string(),
            clean(&entry.time),
            clean(&entry.kind),
            entry.tenant.as_deref().map_or_else(|| "-".to_owned(), clean),
            clean(&entry.subject),
            short(&entry.hash).to_owned(),
            clean(&verdict(&entry.facts)),
        ]);
    }
    output::print(&table, "There are no entries from there on.")?;
    if let Some(next) = listing.next {
        output::line(format_args!("more: --from {next}"))?;
    }
    Ok(Ended::Fine)
}

/// A decision's verdict, out of its facts.
fn verdict(facts: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Facts {
        verdict: Option<String>,
    }
    serde_json::from_str::<Facts>(facts.get()).ok().and_then(|facts| facts.verdict).unwrap_or_default()
}

fn entries_of(place: &Place, from: u64, limit: u32) -> anyhow::Result<Entries> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = runtime.block_on(async {
        let reader = place.open().await?;
        // One more than asked for tells whether there are more.
        let rows = reader.entries(None, from, limit.saturating_add(1)).await;
        reader.close().await;
        rows
    })?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.seq + 1);
    let entry = |row: &assize_store::EntryRow| {
        let entry = EntryRef::decode(&row.bytes)?;
        anyhow::Ok(Entry {
            seq: row.seq,
            hash: row.hash.to_string(),
            previous: entry.previous.to_string(),
            kind: entry.kind.to_owned(),
            subject: entry.subject.to_owned(),
            tenant: row.tenant.clone(),
            time: entry.time.to_string(),
            facts: RawValue::from_string(String::from_utf8(entry.facts.to_vec())?)?,
            input_commitment: entry.input.map(|commitment| commitment.to_string()),
            record_commitment: entry.record.map(|commitment| commitment.to_string()),
        })
    };
    let entries = rows.iter().map(|row| {
        let failed = |error: anyhow::Error| {
            error.context(format!("entry {} can't be read; run `assize ledger verify`", row.seq))
        };
        entry(row).map_err(failed)
    });
    Ok(Entries { entries: entries.collect::<anyhow::Result<_>>()?, next })
}
