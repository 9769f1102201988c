//! Publishing packages with their publishers' signatures, wherever they come from.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use assize_ledger::Note;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{PackageVersion, signing};
use crate::client::Connection;
use crate::output::{self, Ended, bytes, clean, short};

#[derive(Deserialize)]
pub(super) struct Published {
    name: String,
    version: String,
    digest: String,
    kind: String,
}

/// What came of publishing one package.
pub(super) struct Sent {
    published: Published,
    /// How it stands now, in words.
    pub(super) state: String,
    /// The server's answer.
    pub(super) reply: serde_json::Value,
}

/// What to do with a package once it's published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Then {
    pub(super) activate: bool,
    pub(super) allow_overlap: bool,
}

/// Publishes one package with its signatures.
pub(super) fn send(component: Vec<u8>, notes: &[Note], then: Then, connection: &Connection) -> anyhow::Result<Sent> {
    let mut call = connection.post_component("/v1/plugins", component);
    let mut rest = notes.iter();
    if let Some(note) = rest.next() {
        call = call.header("assize-signature", STANDARD.encode(note.to_string()));
    }
    let reply = call.send()?;
    let published: Published = reply.read()?;
    let version = PackageVersion { package: published.name.clone(), version: published.version.clone() };
    for note in rest {
        connection.post_text(version.path("signatures"), note.to_string()).send()?;
    }
    let mut state = if reply.is_new() { "published" } else { "published before" }.to_owned();
    if !notes.is_empty() {
        state.push_str(", signed");
    }
    if then.activate {
        let body = serde_json::json!({ "allow_overlap": then.allow_overlap }).to_string();
        connection.post(version.path("activate"), body).send()?;
        state.push_str(", active");
    }
    Ok(Sent { published, state, reply: reply.read()? })
}

/// Publishes the packages of files, with the signatures beside them.
pub(super) fn publish(
    files: &[PathBuf],
    activate: bool,
    allow_overlap: bool,
    connection: &Connection,
    json: bool,
) -> anyhow::Result<Ended> {
    let mut table = output::table(["package", "version", "digest", "kind", "size", ""]);
    let mut replies: Vec<serde_json::Value> = Vec::new();
    for file in files {
        let component = fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
        let size = u64::try_from(component.len()).unwrap_or(u64::MAX);
        let notes = signing::beside(file, &component)?;
        let sent = send(component, &notes, Then { activate, allow_overlap }, connection);
        let Sent { published, state, reply } = sent.with_context(|| file.display().to_string())?;
        replies.push(reply);
        table.add_row([
            clean(&published.name),
            clean(&published.version),
            short(&published.digest).to_owned(),
            clean(&published.kind),
            bytes(size),
            state,
        ]);
    }
    if json {
        output::json(&replies)?;
    } else {
        output::print(&table, "")?;
        if !activate {
            next()?;
        }
    }
    Ok(Ended::Fine)
}

/// What to do with packages that were published and aren't active.
pub(super) fn next() -> anyhow::Result<()> {
    output::line("Next: assize plugin activate NAME@VERSION, so that bindings find it; or submit it for approval")
}
