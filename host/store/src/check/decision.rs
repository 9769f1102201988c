//! A decision's columns and effects against its facts and its record.

use std::borrow::Cow;

use assize_ledger::{DecisionFacts, Digest, EntryRef, Fault, Faults, ReEvaluationFact, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{EFFECT, Row, SUBJECT, Want, compare};
use crate::record::Cell;

pub(crate) const COLUMNS: [&str; 18] = [
    "seq",
    "id",
    "tenant",
    "system",
    "environment",
    "kind",
    "verdict",
    "reason",
    "risk_score",
    "confidence",
    "occurred_at",
    "rules_as_of",
    "received_at",
    "decided_at",
    "snapshot",
    "kill_switch",
    "idempotency_key",
    "body_hash",
];

/// What is compared of a record.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    identity: Identity<'a>,
    times: Times,
    #[serde(borrow, default)]
    plugins: Vec<Plugin<'a>>,
    policy: Policy,
    #[serde(borrow)]
    outcome: Outcome<'a>,
    #[serde(borrow, default)]
    effects: Vec<Effect<'a>>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(default)]
    system: Option<String>,
    #[serde(borrow)]
    environment: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    body_hash: Option<Digest>,
    #[serde(default, borrow)]
    data_subject: Option<Cow<'a, str>>,
    /// Its note and who asked for it stand in the record alone.
    #[serde(default)]
    re_evaluates: Option<ReEvaluationFact>,
}

#[derive(Deserialize)]
struct Times {
    received: Timestamp,
    decided: Timestamp,
    occurred_at: Timestamp,
    rules_as_of: Timestamp,
}

#[derive(Deserialize)]
struct Plugin<'a> {
    #[serde(borrow)]
    package: Cow<'a, str>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    digest: Option<Digest>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    counted: Option<bool>,
}

#[derive(Deserialize)]
struct Policy {
    snapshot: Digest,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow)]
    verdict: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    risk: Risk,
    kill_switch: bool,
}

#[derive(Deserialize)]
struct Risk {
    score: f64,
    confidence: f64,
}

#[derive(Deserialize)]
struct Effect<'a> {
    #[serde(borrow)]
    binding: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
}

pub(super) fn check(
    row: &Row,
    cells: &[Cell],
    entry: &EntryRef<'_>,
    facts: &DecisionFacts,
    record: Option<&[u8]>,
    faults: &mut Faults,
) {
    let seq = row.seq;
    let record = record.and_then(|record| match serde_json::from_slice::<Record<'_>>(record) {
        Ok(record) => Some(record),
        Err(error) => {
            faults.push(Fault::new(seq, format_args!("payload {seq}"), "record", error, "the record of a decision"));
            None
        }
    });
    let record = record.as_ref();
    let millis = |time: Timestamp| Want::Int(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let body_hash = record.map(|record| record.identity.body_hash);
    // Of an erased decision, nothing is left that only its record could confirm.
    let gone = row.erased.is_some();
    let unconfirmed = |erased: Want<'static>| if gone { erased } else { Want::Any };
    let wants = [
        Want::Any,
        Want::Text(entry.subject),
        Want::Text(&facts.tenant),
        Want::text(facts.system.as_deref()),
        Want::Text(&facts.environment),
        record.map_or(unconfirmed(Want::Text("")), |record| Want::Text(&record.identity.kind)),
        Want::Text(&facts.verdict),
        Want::Text(&facts.reason),
        Want::Real(facts.risk_score),
        Want::Real(facts.confidence),
        millis(facts.occurred_at),
        millis(facts.rules_as_of),
        record.map_or(unconfirmed(millis(entry.time)), |record| millis(record.times.received)),
        record.map_or(unconfirmed(millis(entry.time)), |record| millis(record.times.decided)),
        Want::Blob(facts.snapshot.as_bytes()),
        Want::Int(facts.kill_switch.into()),
        record.map_or(unconfirmed(Want::Null), |record| Want::text(record.identity.idempotency_key.as_deref())),
        match &body_hash {
            None => unconfirmed(Want::Null),
            Some(None) => Want::Null,
            Some(Some(hash)) => Want::Blob(hash.as_bytes()),
        },
    ];
    let name = format_args!("decision {}", entry.subject);
    compare(faults, Some(seq), &name, &COLUMNS, cells, &wants);
    if let Some(record) = record {
        against_facts(seq, entry, facts, record, faults);
        effects(row, entry, facts, record, faults);
        subject(row, entry, facts, record, faults);
    } else if gone {
        erased(row, entry, faults);
    }
}

/// The person named is the one that the record names.
fn subject(row: &Row, entry: &EntryRef<'_>, facts: &DecisionFacts, record: &Record<'_>, faults: &mut Faults) {
    let name = format_args!("data subject of decision {}", entry.subject);
    match (&row.subject, &record.identity.data_subject) {
        (None, None) => {}
        (Some(cells), Some(subject)) => {
            let wants = [Want::Any, Want::Text(&facts.tenant), Want::Text(subject)];
            compare(faults, Some(row.seq), &name, &SUBJECT, cells, &wants);
        }
        (Some(_), None) => faults.push(Fault::new(row.seq, name, "seq", "a row", "none: the record names nobody")),
        (None, Some(_)) => faults.push(Fault::new(row.seq, name, "seq", "no row", "a row")),
    }
}

/// Of what was planned, and of the person, nothing is left.
fn erased(row: &Row, entry: &EntryRef<'_>, faults: &mut Faults) {
    for (what, is_there) in [("effects", !row.effects.is_empty()), ("data subject", row.subject.is_some())] {
        if is_there {
            let name = format_args!("{what} of decision {}", entry.subject);
            faults.push(Fault::new(row.seq, name, "seq", "a row", "none: it was erased"));
        }
    }
}

/// The record says the same as the facts.
fn against_facts(seq: u64, entry: &EntryRef<'_>, facts: &DecisionFacts, record: &Record<'_>, faults: &mut Faults) {
    let name = format_args!("payload {seq}");
    let name = (Some(seq), &name as &dyn std::fmt::Display);
    let Record { identity, times, plugins, policy, outcome, .. } = record;
    let texts = [
        ("record.identity.id", &*identity.id, entry.subject),
        ("record.identity.tenant", &*identity.tenant, &facts.tenant),
        (
            "record.identity.system",
            identity.system.as_deref().unwrap_or("nothing"),
            facts.system.as_deref().unwrap_or("nothing"),
        ),
        ("record.identity.environment", &*identity.environment, &facts.environment),
        ("record.outcome.verdict", &*outcome.verdict, &facts.verdict),
        ("record.outcome.reason", &*outcome.reason, &facts.reason),
    ];
    for (field, found, expected) in texts {
        faults.compare(name, field, &found, &expected);
    }
    faults.compare(name, "record.times.occurred_at", &times.occurred_at, &facts.occurred_at);
    faults.compare(name, "record.times.rules_as_of", &times.rules_as_of, &facts.rules_as_of);
    faults.compare(name, "record.policy.snapshot", &policy.snapshot, &facts.snapshot);
    faults.compare(name, "record.outcome.risk.score", &outcome.risk.score, &facts.risk_score);
    faults.compare(name, "record.outcome.risk.confidence", &outcome.risk.confidence, &facts.confidence);
    faults.compare(name, "record.outcome.kill_switch", &outcome.kill_switch, &facts.kill_switch);
    if identity.re_evaluates != facts.re_evaluates {
        let text = |link: &Option<ReEvaluationFact>| match link {
            Some(ReEvaluationFact { id, seq, entry_hash, reason }) => {
                format!("decision {id}, entry {seq} with the hash {entry_hash}, for {reason}")
            }
            None => "nothing".to_owned(),
        };
        let (found, expected) = (text(&identity.re_evaluates), text(&facts.re_evaluates));
        faults.push(Fault::new(seq, name.1, "record.identity.re_evaluates", found, expected));
    }
    faults.compare(name, "record.plugins", &plugins.len(), &facts.plugins.len());
    for (n, (found, expected)) in plugins.iter().zip(&facts.plugins).enumerate() {
        let texts = [
            ("package", Some(&*found.package), Some(expected.package.as_str())),
            ("version", found.version.as_deref(), expected.version.as_deref()),
            ("status", Some(&*found.status), Some(expected.status.as_str())),
        ];
        for (field, found, expected) in texts {
            if found != expected {
                let field = format_args!("record.plugins[{n}].{field}");
                faults.push(Fault::new(seq, name.1, field, Want::text(found), Want::text(expected)));
            }
        }
        if found.counted != expected.counted {
            let text =
                |counted: Option<bool>| counted.map_or_else(|| "nothing".to_owned(), |counted| counted.to_string());
            let field = format_args!("record.plugins[{n}].counted");
            faults.push(Fault::new(seq, name.1, field, text(found.counted), text(expected.counted)));
        }
        if found.digest != expected.digest {
            let text =
                |digest: Option<Digest>| digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
            let field = format_args!("record.plugins[{n}].digest");
            faults.push(Fault::new(seq, name.1, field, text(found.digest), text(expected.digest)));
        }
    }
}

/// The effects' rows are those that the record planned, in its order.
fn effects(row: &Row, entry: &EntryRef<'_>, facts: &DecisionFacts, record: &Record<'_>, faults: &mut Faults) {
    let seq = row.seq;
    let (found, expected) = (row.effects.len(), record.effects.len());
    if found != expected {
        let name = format_args!("effects of decision {}", entry.subject);
        faults.push(Fault::new(seq, name, "seq", format_args!("{found} rows"), format_args!("{expected} rows")));
    }
    for (n, (cells, effect)) in row.effects.iter().zip(&record.effects).enumerate() {
        let wants = [
            Want::Any,
            Want::Int(i64::try_from(n).unwrap_or(i64::MAX)),
            Want::Text(&facts.tenant),
            Want::Text(&effect.binding),
            Want::Text(&effect.kind),
            Want::Blob(effect.body.get().as_bytes()),
            Want::Text("planned"),
        ];
        let name = format_args!("effect {n} of decision {}", entry.subject);
        compare(faults, Some(seq), &name, &EFFECT, cells, &wants);
    }
}
