//! Sets of packages in one file, for places without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use assize_ledger::Digest;
use assize_oci::cosign::PublicKey;
use assize_oci::{Access, Artifact, Layout, OciError, Reference, Repository, write_layout};
use serde::Deserialize;
use serde_json::json;

use super::{Load, Save, of_file, public_key, signers};
use crate::client::Connection;
use crate::export::{free, write_to};
use crate::output::{self, Ended, Usage, bytes, clean, short};
use crate::plugin::PackageVersion;
use crate::plugin::publish::{Then, next, send};

/// Where a package of a set comes from.
enum Source {
    File,
    Server(PackageVersion),
    Registry(Reference),
}

impl Source {
    fn registry(&self) -> Option<&str> {
        match self {
            Self::Registry(reference) => Some(&reference.host),
            Self::File | Self::Server(_) => None,
        }
    }
}

fn source(package: &str) -> Result<Source, Usage> {
    if Path::new(package).is_file() {
        return Ok(Source::File);
    }
    match package.parse::<PackageVersion>() {
        Ok(version) if !package.contains("@sha256:") => Ok(Source::Server(version)),
        _ => package.parse().map(Source::Registry).map_err(|error| {
            Usage(format!("{package:?} is no file that is there, and no NAMESPACE/NAME@VERSION; {error}"))
        }),
    }
}

/// Writes a set. The file appears once it is whole.
pub(super) fn save(save: &Save, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    free(&save.output, save.force)?;
    let key = public_key(save.cosign_key.as_ref())?;
    let sources: Vec<(&str, Source)> =
        save.packages.iter().map(|package| Ok((package.as_str(), source(package)?))).collect::<Result<_, Usage>>()?;
    let registries: BTreeSet<&str> = sources.iter().filter_map(|(_, source)| source.registry()).collect();
    let mut access: Option<Access> = None;
    let mut artifacts = Vec::new();
    for (package, source) in &sources {
        let artifact = match source {
            Source::File => of_file(Path::new(package))?,
            Source::Server(version) => of_server(version, connection).with_context(|| (*package).to_owned())?,
            Source::Registry(reference) => {
                let access = match &access {
                    Some(access) => access,
                    // Once: the password comes from the standard input.
                    None => access.insert(save.reach.access()?),
                };
                if access.credentials.is_some() && registries.len() > 1 {
                    let registries: Vec<&str> = registries.iter().copied().collect();
                    let several = format!(
                        "one name and password for several registries, {}: each would be told what is another's. Log in to \
                     them with docker, or save from one at a time",
                        registries.join(", ")
                    );
                    return Err(Usage(several).into());
                }
                let (artifact, moved) = Repository::open(reference, access)?.pull()?;
                if let Some(now) = moved {
                    tracing::warn!("{reference}: the tag leads to {now} by now; what was pinned is saved");
                }
                artifact
            }
        };
        check(&artifact, key.as_ref())?;
        artifacts.push(artifact);
    }
    write_to(&save.output, save.force, |file| Ok(write_layout(std::io::BufWriter::new(file), &artifacts)?))?;
    let rows: Vec<_> = artifacts.iter().map(|artifact| (artifact, "saved".to_owned(), json!(null))).collect();
    report(&rows, &save.output, json)?;
    if !json {
        output::line(format_args!("Written to {}. Next, there: assize plugin load {0}", save.output.display()))?;
    }
    Ok(Ended::Fine)
}

/// Verifies all of a set, then publishes it, one package after the other.
pub(super) fn load(load: &Load, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let key = public_key(load.cosign_key.as_ref())?;
    let layout = Layout::open(&load.file)?;
    let mut names = BTreeMap::new();
    let mut checked = Vec::new();
    for manifest in layout.artifacts() {
        let artifact = layout.artifact(manifest)?;
        check(&artifact, key.as_ref())?;
        if let Some(first) = names.insert(artifact.name(), manifest.digest) {
            return Err(OciError::Twice { which: artifact.name(), first, second: manifest.digest }.into());
        }
        checked.push(artifact);
    }
    let mut rows = Vec::new();
    if load.dry_run {
        rows.extend(checked.iter().map(|artifact| (artifact, "sound".to_owned(), json!(null))));
        report(&rows, &load.file, json)?;
        return Ok(Ended::Fine);
    }
    let then = Then { activate: load.activate, allow_overlap: load.allow_overlap };
    let total = checked.len();
    for artifact in &checked {
        let sent = artifact.notes().map_err(anyhow::Error::from);
        match sent.and_then(|notes| send(artifact.component().to_vec(), &notes, then, connection)) {
            Ok(sent) => rows.push((artifact, sent.state, sent.reply)),
            Err(error) => {
                let done = rows.len();
                report(&rows, &load.file, json)?;
                return Err(error.context(format!(
                    "{} of {}: {done} of {total} are published, and {} weren't tried; put that right and load again, \
                     what is published stays as it is",
                    artifact.name(),
                    load.file.display(),
                    total.saturating_sub(done).saturating_sub(1),
                )));
            }
        }
    }
    report(&rows, &load.file, json)?;
    if !load.activate && !json {
        next()?;
    }
    Ok(Ended::Fine)
}

fn check(artifact: &Artifact, key: Option<&PublicKey>) -> anyhow::Result<()> {
    if let Some(key) = key {
        artifact.cosigned_by(key)?;
    }
    Ok(())
}

fn report(rows: &[(&Artifact, String, serde_json::Value)], file: &Path, json: bool) -> anyhow::Result<()> {
    let mut table = output::table(["package", "digest", "size", "signed by", ""]);
    let mut all = Vec::new();
    for (artifact, state, reply) in rows {
        let (package, by) = (artifact.package(), signers(artifact)?);
        all.push(
            json!({ "package": package.manifest.name, "version": package.manifest.version, "digest": package.digest,
            "manifest": artifact.manifest().digest, "signed_by": by, "state": state, "published": reply }),
        );
        let digest = package.digest.to_string();
        let row =
            [artifact.name(), short(&digest).to_owned(), bytes(package.size), clean(&by.join(", ")), state.clone()];
        table.add_row(row);
    }
    if json { output::json(&json!({ "file": file, "packages": all })) } else { output::print(&table, "Nothing yet") }
}

#[derive(Deserialize)]
struct Shown {
    digest: Digest,
}

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    note: String,
}

/// A published version of the server, with the signatures that it keeps.
fn of_server(version: &PackageVersion, connection: &Connection) -> anyhow::Result<Artifact> {
    let shown: Shown = connection.get(version.path("").trim_end_matches('/')).send()?.read()?;
    let component = connection.get(format!("/v1/plugins/by-digest/{}/component", shown.digest)).send()?.bytes();
    let found = Digest::of(&component);
    if found != shown.digest {
        bail!("the server gave other bytes than it names: {} was asked for, and these are {found}", shown.digest);
    }
    let mut artifact = Artifact::of(component, &version.package)?;
    let kept: Signatures = connection.get(version.path("signatures")).send()?.read()?;
    for Signature { note } in kept.signatures {
        artifact.attach(note.as_bytes())?;
    }
    Ok(artifact)
}
