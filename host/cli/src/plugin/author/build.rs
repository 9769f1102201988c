//! `assize plugin build`: from a project's sources to its package.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use assize_ledger::Digest;
use assize_registry::{Kind, Package};
use serde::Serialize;

use super::project::Project;
use crate::output::{self, Ended, bytes};

/// Build and pack a project; installs nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
}

/// What a build made.
pub(crate) struct Built {
    pub(crate) bytes: Vec<u8>,
    pub(crate) package: Package,
    pub(crate) took: Duration,
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    name: &'a str,
    version: String,
    kind: Kind,
    size: u64,
    digest: Digest,
    seconds: f64,
}

pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    let project = Project::open(&arguments.folder)?;
    let Built { package, took, .. } = build(&project)?;
    let file = project.package();
    let manifest = &package.manifest;
    if json {
        output::json(&Report {
            file: &file,
            name: manifest.name.as_str(),
            version: manifest.version.to_string(),
            kind: package.kind,
            size: package.size,
            digest: package.digest,
            seconds: took.as_secs_f64(),
        })?;
        return Ok(Ended::Fine);
    }
    let mut table = output::list();
    table.add_row(["package".to_owned(), format!("{}@{}, a {}", manifest.name, manifest.version, package.kind)]);
    table.add_row(["file".to_owned(), file.display().to_string()]);
    table.add_row(["size".to_owned(), bytes(package.size)]);
    table.add_row(["digest".to_owned(), package.digest.to_string()]);
    table.add_row(["built in".to_owned(), format!("{:.1} s", took.as_secs_f64())]);
    output::print(&table, "")?;
    output::line(format_args!("\nNext: assize plugin test; then assize plugin publish {} --activate", file.display()))?;
    Ok(Ended::Fine)
}

/// Builds and packs, and writes nothing that a host wouldn't take.
pub(crate) fn build(project: &Project) -> anyhow::Result<Built> {
    let started = Instant::now();
    let place = project.place()?;
    place.require(project.language)?;
    let module = (project.language.compile)(&place)?;
    let compiled = fs::read(&module).with_context(|| format!("{} can't be read", module.display()))?;
    let bytes = assize_registry::pack(&compiled, &project.text).with_context(|| module.display().to_string())?;
    let package = assize_registry::inspect(&bytes).with_context(|| module.display().to_string())?;
    let file = project.package();
    let failed = || format!("{} can't be written", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    // At once: whoever reads it meanwhile has the old one or the new one.
    let new = file.with_extension("new");
    fs::write(&new, &bytes).and_then(|()| fs::rename(&new, &file)).with_context(failed)?;
    Ok(Built { bytes, package, took: started.elapsed() })
}
