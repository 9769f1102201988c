//! A server's ledger, read whole and checked here. Nothing of that is the server's word; what only its database can show, it
//! is asked for, and that is said.

use std::time::Instant;

use anyhow::Context as _;
use assize_ledger::{Checkpoint, ExportCheck, ExportReport, Fault, Note};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Report, Verify, print_report, proofs};
use crate::client::Connection;
use crate::export;
use crate::output::{self, Ended};

/// Checks it. The server records that its ledger was read, as it does of every export.
pub(super) fn verify(arguments: &Verify, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let checkpoint = arguments.expect_checkpoint.as_deref().map(proofs::read_checkpoint).transpose()?;
    let begins = match &checkpoint {
        // Told before everything is read for it.
        Some(expected) => Some(proofs::extends(expected, arguments.log_key.as_ref(), connection)?),
        None => None,
    };
    // Asked before: what is read after it can't be shorter.
    let newest = Note::parse(connection.get("/v1/ledger/checkpoint").send()?.text()?.as_bytes())?;
    let signed = Checkpoint::parse(newest.text()).context("the newest checkpoint")?.size;
    let check = ExportCheck {
        key: arguments.log_key.clone(),
        checkpoint,
        trust: arguments.tsa_roots.as_deref().map(crate::serve::trust).transpose()?,
        witnesses: arguments.witness_keys.clone(),
    };
    let started = Instant::now();
    let to = arguments.to.map(|to| to.saturating_add(1));
    let stream = connection.get("/v1/ledger/export").query("from", arguments.from).query("to", to).stream()?;
    let mut served = export::check(stream, &check);
    let took = started.elapsed();

    let started = Instant::now();
    let asked = connection.get("/v1/ledger/verify").query("from", arguments.from).query("to", arguments.to);
    let reply = asked.send_if_allowed()?;
    let text = reply.as_ref().map(|reply| reply.text()).transpose()?;
    let database: Option<Report> =
        text.map(serde_json::from_str).transpose().context("the server's report of its database can't be read")?;
    is_what_was_asked_for(&mut served, arguments, signed);
    if json {
        let database = text.map(serde_json::from_str::<Box<RawValue>>).transpose()?;
        output::json(&json!({ "served": served, "database": database }))?;
    } else {
        // By keys of which the server told; that they are the log's is what was checked since.
        if let Some(begins) = begins.filter(|_| served.is_sound()) {
            output::line(begins)?;
        }
        output::line("── what the server handed out, checked here")?;
        export::print(&served, took)?;
        output::line("── its database, by its own word")?;
        match &database {
            Some(report) => print_report(report, started.elapsed())?,
            None if arguments.tenant.is_some() => output::line("not told: it is for keys that see all tenants")?,
            None => output::line("not told: the server keeps its report from this key")?,
        }
    }
    let sound = served.is_sound() && database.is_none_or(|report| report.faults.count == 0);
    Ok(if sound { Ended::Fine } else { Ended::Failed })
}

/// A server that hands out less than it was asked for, and signs that, may have something to hide in the rest. Which
/// tenants were asked for is never its to say: it could hide all others behind the smallest.
fn is_what_was_asked_for(served: &mut ExportReport, arguments: &Verify, signed: u64) {
    let Some(header) = &served.header else { return };
    let mut faults = Vec::new();
    let mut fault = |field: &str, found: String, expected: String| {
        faults.push(Fault::new(None, "header", field, found, expected));
    };
    let from = arguments.from.unwrap_or_default();
    if header.from != from {
        fault("from", header.from.to_string(), format!("{from}, as asked for"));
    }
    match arguments.to.map(|to| to.saturating_add(1)) {
        Some(to) if header.to != to => fault("to", header.to.to_string(), format!("{to}, as asked for")),
        None if header.to < signed => {
            fault("to", header.to.to_string(), format!("{signed} or more, which the newest checkpoint signs"));
        }
        _ => {}
    }
    if !header.payloads {
        fault("payloads", "false".to_owned(), "true, as asked for".to_owned());
    }
    if header.tenant != arguments.tenant {
        let all = |tenant: Option<&str>| tenant.unwrap_or("all of them").to_owned();
        let (found, expected) = (all(header.tenant.as_deref()), all(arguments.tenant.as_deref()));
        let advice = if arguments.tenant.is_none() { "; for a key of one tenant, give --tenant" } else { "" };
        fault("tenant", found, format!("{expected}, as asked for{advice}"));
    }
    for found in faults {
        served.faults.push(found);
    }
}
