//! `assize bundle …`: one decision in one file. `verify` needs nothing but that file.

mod html;
mod page;
mod proof;
mod questions;
mod text;

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assize_ledger::{Bundle, BundleCheck, BundleReport, Timestamp, VerifierKey};
use assize_rehearing::{Rehearing, make_bundle, rehear};
use assize_sandbox::{Sandbox, SandboxConfig};
use serde::Serialize;
use serde_json::json;

use self::page::{Outcome, Page};
use crate::client::{Connection, segment};
use crate::export::write_to;
use crate::ledger::print_faults;
use crate::output::{self, Ended, Usage, clean};
use crate::place::Place;

/// One decision in one file, to be checked and judged again by whoever holds it.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write a decision to a file, with everything that is needed to check it and to judge it again
    Create(Create),
    /// Check everything in such a file, judge the case again, and say what is proven; no server and no network is needed
    Verify(Verify),
}

/// Write a decision to a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The decision
    id: String,
    /// The file to write; - for stdout [default: ID.bundle]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Only if it is a decision of this tenant
    #[arg(long, requires = "place")]
    tenant: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Check everything in a bundle, and judge the case again.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The bundle
    file: PathBuf,
    /// A public key of the log (name+id+base64), known from elsewhere; without it, the bundle's own word is taken
    #[arg(long, value_name = "KEY")]
    log_key: Option<VerifierKey>,
    /// Root certificates (PEM) of authorities whose time stamps are believed
    #[arg(long, value_name = "FILE")]
    tsa_roots: Option<PathBuf>,
    /// Key of a witness whose signatures are believed; give it again for each
    #[arg(long = "witness-key", value_name = "KEY")]
    witness_keys: Vec<VerifierKey>,
    /// Write the page as HTML to this file, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Carries out one of them.
pub(crate) fn run(command: Command, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    match command {
        Command::Create(arguments) => create(&arguments, connection, json),
        Command::Verify(arguments) => verify(&arguments, json),
    }
}

fn create(arguments: &Create, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Create { id, out, force, tenant, place } = arguments;
    let out = match out {
        Some(out) => out.clone(),
        // An id is no path.
        None if id.contains(['/', '\\']) || id.starts_with('.') => {
            return Err(Usage(format!("{id:?} is no decision's id; to write to a path, use --out")).into());
        }
        None => PathBuf::from(format!("{id}.bundle")),
    };
    let bytes = if place.is_given() {
        from_place(place, tenant.as_deref(), id)?
    } else {
        let mut bytes = Vec::new();
        connection.get(format!("/v1/decisions/{}/bundle", segment(id))).download(&mut bytes)?;
        bytes
    };
    if out.as_os_str() == "-" {
        if io::stdout().is_terminal() {
            return Err(Usage("--out -: a bundle is binary; send it to a file or a pipe".into()).into());
        }
        io::stdout().lock().write_all(&bytes)?;
        return Ok(Ended::Fine);
    }
    write_to(&out, *force, |file| Ok(file.write_all(&bytes)?))?;
    if json {
        output::json(&json!({ "file": out, "bytes": bytes.len() }))?;
    } else {
        output::line(format_args!("{} bytes in {}", bytes.len(), out.display()))?;
        output::line(format_args!("check it with: assize bundle verify {}", out.display()))?;
    }
    Ok(Ended::Fine)
}

fn from_place(place: &Place, tenant: Option<&str>, id: &str) -> anyhow::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bundle = runtime.block_on(async {
        let reader = place.open().await?;
        let bundle = make_bundle(&reader, tenant, id).await;
        reader.close().await;
        anyhow::Ok(bundle?)
    })?;
    Ok(bundle.write(Vec::new())?)
}

/// All that came of the check, for programs.
#[derive(Serialize)]
struct Found<'a> {
    /// Everything holds, and judging again gives the same.
    verified: bool,
    /// In a word.
    outcome: &'static str,
    proofs: &'a BundleReport,
    judged_again: Option<&'a Rehearing>,
}

fn verify(arguments: &Verify, json: bool) -> anyhow::Result<Ended> {
    let Verify { file, log_key, tsa_roots, witness_keys, html } = arguments;
    let trust = tsa_roots.as_deref().map(crate::serve::trust).transpose()?;
    let check = BundleCheck { key: log_key.clone(), trust, witnesses: witness_keys.clone() };
    let bundle = match read(file)? {
        Ok(bundle) => bundle,
        Err(stop) => return unreadable(&stop, json),
    };
    let report = bundle.verify(&check);
    // What isn't proven isn't run: it may be anybody's.
    let rehearing = if report.is_sound() { Some(judge(&bundle, &report)?) } else { None };
    let outcome = Outcome::of(&report, rehearing.as_ref());
    if html.is_some() || !json {
        let page = Page::new(&bundle, &report, rehearing.as_ref(), Timestamp::now());
        if let Some(out) = html {
            write_to(out, true, |file| Ok(file.write_all(html::document(&page).as_bytes())?))?;
        }
        if !json {
            text::print(&page)?;
        }
    }
    if json {
        let (verified, outcome) = (outcome == Outcome::Verified, outcome.word());
        output::json(&Found { verified, outcome, proofs: &report, judged_again: rehearing.as_ref() })?;
    } else if !report.is_sound() {
        print_faults(&[], &report.faults.first, report.faults.count)?;
    }
    Ok(if outcome == Outcome::Verified { Ended::Fine } else { Ended::Failed })
}

/// The bundle, or why the file is none.
fn read(path: &Path) -> anyhow::Result<Result<Bundle, String>> {
    let file = File::open(path).with_context(|| format!("{} can't be read", path.display()))?;
    if fs::metadata(path).is_ok_and(|data| data.is_dir()) {
        anyhow::bail!("{} is a directory", path.display());
    }
    Ok(Bundle::read(file))
}

fn unreadable(stop: &str, json: bool) -> anyhow::Result<Ended> {
    if json {
        output::json(&json!({ "verified": false, "outcome": "unreadable", "fault": stop }))?;
    } else {
        output::line(format_args!("NOT VERIFIED: {}", clean(stop)))?;
    }
    Ok(Ended::Failed)
}

fn judge(bundle: &Bundle, report: &BundleReport) -> anyhow::Result<Rehearing> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    Ok(runtime.block_on(rehear(bundle, report, &sandbox)))
}
