//! Checkpoints and receipts: fetched from a server, checked here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use assize_ledger::proof::verify_consistency;
use assize_ledger::{
    Checkpoint, DecisionFacts, Digest, EntryKind, Introduced, Note, Receipt, ReceiptError, VerifierKey,
};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Connection, segment};
use crate::output::{self, Ended, clean};

/// Print the newest signed checkpoint.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowCheckpoint {
    /// Write it to this file instead
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Fetch a decision's receipt.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowReceipt {
    /// The decision
    id: String,
    /// Write it to this file instead
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Change the key that signs checkpoints.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateKey {
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// A file that a checkpoint is read from.
pub(crate) fn read_checkpoint(path: &Path) -> anyhow::Result<Note> {
    let bytes = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let note = Note::parse(&bytes).with_context(|| format!("{} is no checkpoint", path.display()))?;
    Checkpoint::parse(note.text()).with_context(|| format!("{} is no checkpoint", path.display()))?;
    Ok(note)
}

/// Carries out `ledger checkpoint`.
pub(crate) fn checkpoint(arguments: &ShowCheckpoint, connection: &Connection) -> anyhow::Result<Ended> {
    let reply = connection.get("/v1/ledger/checkpoint").send()?;
    deliver(reply.text()?, arguments.out.as_deref())
}

/// Carries out `ledger receipt`.
pub(crate) fn receipt(arguments: &ShowReceipt, connection: &Connection) -> anyhow::Result<Ended> {
    let reply = connection.get(format!("/v1/decisions/{}/receipt", segment(&arguments.id))).send()?;
    let receipt: Receipt = reply.read()?;
    deliver(&format!("{}\n", serde_json::to_string_pretty(&receipt)?), arguments.out.as_deref())
}

fn deliver(text: &str, out: Option<&Path>) -> anyhow::Result<Ended> {
    match out {
        Some(path) => fs::write(path, text).with_context(|| format!("{} can't be written", path.display()))?,
        None => output::line(text.trim_end())?,
    }
    Ok(Ended::Fine)
}

/// Carries out `ledger rotate-key`.
pub(crate) fn rotate_key(arguments: &RotateKey, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    #[derive(Deserialize)]
    struct Rotated {
        key: String,
    }
    let body = json!({ "reason": arguments.reason }).to_string();
    let reply = connection.post("/v1/ledger/keys/rotate", body).send()?;
    if json {
        output::line(reply.text()?)?;
    } else {
        let Rotated { key } = reply.read()?;
        output::line(format_args!("the log's key is now {}", clean(&key)))?;
        output::line("tell it to whoever verifies with a key of their own (--log-key)")?;
    }
    Ok(Ended::Fine)
}

/// The log's keys as the server tells them, each with the entry that introduced it.
fn keys(connection: &Connection) -> anyhow::Result<Vec<Introduced>> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        seq: u64,
        key: String,
    }
    let Keys { keys } = connection.get("/v1/ledger/keys").send()?.read()?;
    let introduced = |Key { seq, key }: Key| {
        let key = key.parse::<VerifierKey>().with_context(|| format!("key {key:?}"))?;
        anyhow::Ok(Introduced { seq, key })
    };
    keys.into_iter().map(introduced).collect()
}

/// The key that signs a checkpoint of this size: one that was replaced, and perhaps stolen, signs no later ones. That is
/// the rule of [`assize_ledger::Keyring::at`], which is made of statements; a server lists keys alone.
fn key_at(keys: &[Introduced], size: u64) -> anyhow::Result<&Introduced> {
    let before = keys.iter().filter(|introduced| introduced.seq < size);
    before.max_by_key(|introduced| introduced.seq).with_context(|| format!("the log has no key before entry {size}"))
}

/// Checks a receipt, by itself. The key is the one given, or else the one of its time that the server tells.
pub(crate) fn verify_receipt(
    path: &Path,
    key: Option<&VerifierKey>,
    connection: &Connection,
    json: bool,
) -> anyhow::Result<Ended> {
    let bytes = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let receipt: Receipt =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no receipt", path.display()))?;
    let (key, source, word) = match key {
        Some(key) => (key.clone(), "as given".to_owned(), "isn't shown by a receipt: a replaced one can sign"),
        None => {
            let no_checkpoint = || format!("{} holds no checkpoint", path.display());
            let note = receipt.note().with_context(no_checkpoint)?;
            let size = Checkpoint::parse(note.text()).with_context(no_checkpoint)?.size;
            let known = keys(connection).context("without --log-key, the log's server is asked for its keys")?;
            let Introduced { seq, key } = key_at(&known, size)?;
            (key.clone(), format!("since entry {seq}, as the server tells it"), "is the server's own word")
        }
    };
    let held = match receipt.verify(&key) {
        Ok(held) => held,
        Err(error) => {
            let fault = match &error {
                ReceiptError::Checkpoint(_) => format!("{error}; the log's key for it is {key} ({source})"),
                _ => error.to_string(),
            };
            if json {
                output::json(&json!({ "verified": false, "fault": fault }))?;
            } else {
                output::line(format_args!("NOT VERIFIED: {}", clean(&fault)))?;
            }
            return Ok(Ended::Failed);
        }
    };
    let note = format!("that this key was the log's when it had {} entries {word}", held.checkpoint.size);
    if json {
        output::json(&json!({
            "verified": true, "subject": held.entry.subject, "seq": held.entry.seq, "time": held.entry.time,
            "kind": held.entry.kind.as_str(), "origin": held.checkpoint.origin, "size": held.checkpoint.size,
            "root": held.checkpoint.root, "key": key.to_string(), "notes": [note],
        }))?;
        return Ok(Ended::Fine);
    }
    let mut table = output::list();
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), clean(&value)]);
    };
    row("log", held.checkpoint.origin.clone());
    row(held.entry.kind.as_str(), held.entry.subject.clone());
    row("entry", format!("{} of {}, recorded {}", held.entry.seq, held.checkpoint.size, held.entry.time));
    if held.entry.kind == EntryKind::Decision
        && let Ok(facts) = serde_json::from_slice::<DecisionFacts>(&held.entry.facts)
    {
        row("verdict", format!("{} ({})", facts.verdict, facts.reason));
        for plugin in facts.plugins {
            let version = plugin.version.unwrap_or_else(|| "-".into());
            let digest = plugin.digest.map_or_else(|| "-".into(), |digest| digest.to_string());
            row("plugin", format!("{} {version} sha256:{digest}", plugin.package));
        }
    }
    row("root of the tree", held.checkpoint.root.to_string());
    row("signed by", format!("{key} ({source})"));
    output::print(&table, "")?;
    output::line(format_args!("note: {note}"))?;
    output::line("verified: the entry is in the log that this checkpoint signs")?;
    Ok(Ended::Fine)
}

/// Whether the log of a server still begins with the one that a checkpoint signed; says what it was compared with. Each checkpoint is
/// signed by the key of its time, as the server tells of keys; whoever relies on it checks how they follow each other, and from the one that is
/// known from elsewhere.
pub(crate) fn extends(expected: &Note, key: Option<&VerifierKey>, connection: &Connection) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Proof {
        proof: Vec<Digest>,
    }
    let known = keys(connection)?;
    if let Some(key) = key {
        let names: Vec<String> = known.iter().map(|introduced| introduced.key.to_string()).collect();
        ensure!(
            known.iter().any(|introduced| introduced.key == *key),
            "the log's keys are {}, not {key}",
            names.join(", ")
        );
    }
    let newest = Note::parse(connection.get("/v1/ledger/checkpoint").send()?.text()?.as_bytes())?;
    let open = |note: &Note, what: &str| {
        let signer = &key_at(&known, Checkpoint::parse(note.text())?.size).with_context(|| what.to_owned())?.key;
        anyhow::Ok(Checkpoint::open(note, signer).with_context(|| what.to_owned())?.0)
    };
    let (then, now) = (open(expected, "the expected checkpoint")?, open(&newest, "the newest checkpoint")?);
    then.expect_origin(&now.origin)?;
    if then.size > now.size {
        bail!("the newest checkpoint has {} entries, the expected one {}: entries were cut off", now.size, then.size);
    }
    if then.size > 0 {
        let call = connection.get("/v1/ledger/proof/consistency");
        let Proof { proof } = call.query("old", Some(then.size)).query("new", Some(now.size)).send()?.read()?;
        verify_consistency(then.size, now.size, &proof, &then.root, &now.root)
            .context("the log doesn't begin with the one that the expected checkpoint signed: it was forked")?;
    }
    Ok(format!("the log of {} entries begins with the expected one of {}", now.size, then.size))
}
