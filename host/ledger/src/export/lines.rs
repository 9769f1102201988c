//! The decisions of an export as JSON Lines in the shape of BTV-7, for tools that read nothing else.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::content::{Item, Items, open};
use super::kind::Kind;
use crate::{DecisionFacts, Digest, Entry, EntryKind, Note, Timestamp, entry_hash};

/// A decision, in BTV-7's words.
#[derive(Debug, Serialize)]
struct Line {
    timestamp: Timestamp,
    event_type: String,
    event_id: String,
    system_id: Option<String>,
    tenant_id: String,
    /// The commitment to the input: a bare hash of it could be guessed.
    task_hash: Option<String>,
    decision: String,
    reason: String,
    risk_score: f64,
    /// Codes of findings; empty where the record isn't in the file.
    detected_threats: Vec<String>,
    policy_hash: Digest,
    sequence: u64,
    entry_hash: Digest,
    /// The log's line under the checkpoint that covers the entry, and that checkpoint's size.
    signature: String,
    signed_size: u64,
}

#[derive(Deserialize)]
struct Record {
    outcome: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    code: String,
}

/// Writes one line for each decision that the export shows; says how many. The file is read twice, since the checkpoint that
/// covers its entries stands behind them; verify it before.
///
/// # Errors
/// Where the file can't be read on, and where `out` can't be written.
pub fn export_lines(first: impl Read, again: impl Read, out: &mut impl Write) -> io::Result<u64> {
    let broken = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut signed = None;
    let mut items = open(first).map_err(broken)?;
    while let Some(item) = items.next().map_err(broken)? {
        if item.kind == Kind::Checkpoint {
            signed = Some(signature(&item).map_err(broken)?);
        }
    }
    let (signature, signed_size) = signed.ok_or_else(|| broken("no checkpoint in the file".into()))?;
    let mut count = 0;
    let mut items: Items<_> = open(again).map_err(broken)?;
    let mut line: Option<Line> = None;
    while let Some(item) = items.next().map_err(broken)? {
        if item.kind == Kind::Payload {
            // After sequence, kind and salt: a record says what was found.
            if let (Some(line), Some(2), Some(record)) = (&mut line, item.content.get(8), item.content.get(41..)) {
                let record: Option<Record> = serde_json::from_slice(record).ok();
                let findings = record.map(|record| record.outcome.findings).unwrap_or_default();
                line.detected_threats = findings.into_iter().map(|finding| finding.code).collect();
            }
            continue;
        }
        count += flush(&mut line, out)?;
        if item.kind == Kind::Entry {
            line = decision(&item.content, &signature, signed_size).map_err(broken)?;
        }
    }
    count += flush(&mut line, out)?;
    Ok(count)
}

fn flush(line: &mut Option<Line>, out: &mut impl Write) -> io::Result<u64> {
    let Some(line) = line.take() else { return Ok(0) };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")?;
    Ok(1)
}

fn signature(item: &Item) -> Result<(String, u64), String> {
    let note = Note::parse(&item.content).map_err(|error| error.to_string())?;
    let checkpoint = crate::Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
    let line = note.signatures().iter().find(|line| line.name == checkpoint.origin);
    Ok((line.map(ToString::to_string).unwrap_or_default(), checkpoint.size))
}

fn decision(bytes: &[u8], signature: &str, signed_size: u64) -> Result<Option<Line>, String> {
    let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
    if entry.kind != EntryKind::Decision {
        return Ok(None);
    }
    let facts: DecisionFacts = serde_json::from_slice(&entry.facts).map_err(|error| error.to_string())?;
    Ok(Some(Line {
        timestamp: entry.time,
        event_type: entry.kind.to_string(),
        event_id: entry.subject,
        system_id: facts.system,
        tenant_id: facts.tenant,
        task_hash: entry.input.map(|commitment| commitment.to_string()),
        decision: facts.verdict,
        reason: facts.reason,
        risk_score: facts.risk_score,
        detected_threats: Vec::new(),
        policy_hash: facts.snapshot,
        sequence: entry.seq,
        entry_hash: entry_hash(bytes),
        signature: signature.to_owned(),
        signed_size,
    }))
}
