//! Pushing to an OCI registry, and pulling from one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assize_oci::{Artifact, Reference, Repository, Sha256};
use serde_json::json;

use super::{Pull, Push, of_file, private_key, public_key, signers};
use crate::client::Connection;
use crate::export::{free, write_to};
use crate::output::{self, Ended, Usage, bytes, clean, short};
use crate::plugin::publish::{Then, next, send};
use crate::plugin::signing::{signature_file, together};

/// Pushes packages. All files are read before anything is sent.
pub(super) fn push(push: &Push, json: bool) -> anyhow::Result<Ended> {
    let Push { packages, reference, cosign_key, reach } = push;
    let several = packages.len() > 1;
    if reference.digest.is_some() || (several && reference.tag.is_some()) {
        let usage = format!("{reference}: a digest is what pushing gives, and a tag is for one package; leave it out");
        return Err(Usage(usage).into());
    }
    let access = reach.access()?;
    let key = private_key(cosign_key.as_ref())?;
    let mut artifacts = Vec::new();
    for path in packages {
        artifacts.push(of_file(path)?);
    }
    let (mut table, mut pushed) = (output::table(["package", "digest", "signed by", "reference"]), Vec::new());
    for mut artifact in artifacts {
        let manifest = &artifact.package().manifest;
        let to = if several { reference.below(manifest) } else { reference.for_package(manifest) };
        let repository = Repository::open(&to, &access)?;
        if let Some(key) = &key {
            repository.with_cosigned(&mut artifact)?;
            artifact.cosign(key, &to.name())?;
        }
        let done = repository.push(&artifact).with_context(|| format!("{} wasn't pushed", artifact.name()))?;
        let mut by = signers(&artifact)?;
        if key.is_some() {
            by.push("cosign".to_owned());
        }
        let (digest, reference) = (artifact.package().digest, &done.reference);
        table.add_row([
            artifact.name(),
            short(&digest.to_string()).to_owned(),
            clean(&by.join(", ")),
            reference.to_string(),
        ]);
        if let Some(before) = done.moved_from
            && !json
        {
            let tag = reference.tag.as_deref().unwrap_or_default();
            output::line(format_args!("The tag {tag} led to {before} before, and leads to this by now"))?;
        }
        pushed.push(json!({ "package": artifact.package().manifest.name, "version": artifact.package().manifest.version,
            "digest": digest, "reference": reference.to_string(), "manifest": artifact.manifest().digest, "signed_by": by,
            "pushed_before": done.known, "moved_from": done.moved_from }));
    }
    if json {
        output::json(&pushed)?;
    } else {
        output::print(&table, "")?;
        output::line("Next: assize plugin pull REFERENCE --publish, where it's to be used; the digest pins it")?;
    }
    Ok(Ended::Fine)
}

/// Pulls a package. Nothing is written or published before all of it was verified.
pub(super) fn pull(pull: &Pull, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let access = pull.reach.access()?;
    let key = public_key(pull.cosign_key.as_ref())?;
    let (artifact, moved) = Repository::open(&pull.reference, &access)?.pull()?;
    let cosigned = key.map(|key| artifact.cosigned_by(&key)).transpose()?;
    let pinned = pull.reference.pinned(artifact.manifest().digest);
    let mut said = json!({ "package": artifact.package().manifest.name, "version": artifact.package().manifest.version,
        "digest": artifact.package().digest, "reference": pinned.to_string(), "signed_by": signers(&artifact)?,
        "cosigned": cosigned, "tag_moved_to": moved });
    let state = if pull.publish {
        let then = Then { activate: pull.activate, allow_overlap: pull.allow_overlap };
        let notes = artifact.notes()?;
        let sent = send(artifact.component().to_vec(), &notes, then, connection);
        let sent = sent.with_context(|| format!("{} of {pinned}", artifact.name()))?;
        add(&mut said, "published", sent.reply);
        sent.state
    } else {
        let file = to_file(&artifact, pull.output.as_deref(), pull.force)?;
        add(&mut said, "file", json!(file));
        format!("written to {}", file.display())
    };
    if json {
        output::json(&said)?;
        return Ok(Ended::Fine);
    }
    shown(&artifact, &pinned, moved, cosigned.as_deref(), &state)?;
    if pull.publish && !pull.activate {
        next()?;
    }
    Ok(Ended::Fine)
}

fn add(value: &mut serde_json::Value, name: &str, more: serde_json::Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(name.to_owned(), more);
    }
}

fn shown(
    artifact: &Artifact,
    pinned: &Reference,
    moved: Option<Sha256>,
    cosigned: Option<&str>,
    state: &str,
) -> anyhow::Result<()> {
    let by = signers(artifact)?;
    let mut table = output::list();
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("package", artifact.name());
    row("digest", artifact.package().digest.to_string());
    row("size", bytes(artifact.package().size));
    row("from", pinned.to_string());
    // Whether these keys count is for the host to say.
    row(
        "signatures",
        if by.is_empty() { "none".to_owned() } else { clean(&format!("{} (not yet verified)", by.join(", "))) },
    );
    if let Some(named) = cosigned {
        row("cosign", format!("signed by the key, as {}", clean(named)));
    }
    row("", state.to_owned());
    output::print(&table, "")?;
    if let Some(now) = moved {
        output::line(format_args!("The tag leads to {now} by now; what was pinned was pulled"))?;
    }
    Ok(())
}

/// Writes a package and the signatures beside it.
fn to_file(artifact: &Artifact, output: Option<&Path>, force: bool) -> anyhow::Result<PathBuf> {
    let manifest = &artifact.package().manifest;
    let (namespace, name, version) = (manifest.name.namespace(), manifest.name.name(), &manifest.version);
    let file = output.map_or_else(|| PathBuf::from(format!("{namespace}-{name}-{version}.wasm")), Path::to_owned);
    let signatures = signature_file(&file);
    free(&file, force)?;
    // Also where there are none: what is there would be taken for this package's.
    free(&signatures, force)?;
    write_to(&file, force, |out| Ok(out.write_all(artifact.component())?))?;
    match together(&artifact.notes()?) {
        Some(text) => write_to(&signatures, force, |out| Ok(out.write_all(text.as_bytes())?))?,
        None if signatures.exists() => {
            std::fs::remove_file(&signatures).with_context(|| format!("{} can't be removed", signatures.display()))?;
        }
        None => {}
    }
    Ok(file)
}
