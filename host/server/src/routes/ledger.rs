//! The ledger, to read and to verify.

use assize_ledger::Entry;
use assize_store::{EntryRow, VerifyOptions};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::Parameters;
use crate::export::{Bound, Export};
use crate::identity::{Caller, Role};
use crate::problem::Problem;

/// Which entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntriesQuery {
    /// The first one's sequence number; 0 where left out.
    from: Option<u64>,
    /// 1 to 1000; 100 where left out.
    limit: Option<u32>,
}

/// Entries in their order. A key bound to a tenant sees that tenant's.
#[utoipa::path(get, path = "/v1/ledger/entries", tag = "ledger", params(EntriesQuery),
    responses((status = 200, description = "Entries, with `next`")))]
pub(crate) async fn entries(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(query): Parameters<EntriesQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Auditor])?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::invalid("limit", format!("{limit}: use 1 to 1000")));
    }
    let rows = app.store.entries(caller.sees(), query.from.unwrap_or_default(), limit).await?;
    let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| row.seq + 1);
    let entries: Result<Vec<Value>, Problem> = rows.iter().map(shown).collect();
    Ok(Json(json!({ "entries": entries?, "next": next })))
}

fn shown(row: &EntryRow) -> Result<Value, Problem> {
    let entry = Entry::decode(&row.bytes)
        .map_err(|error| Problem::internal(format!("entry {}: {error}; run `assize ledger verify`", row.seq)))?;
    let facts: Box<RawValue> = serde_json::from_slice(&entry.facts).map_err(Problem::internal)?;
    Ok(json!({
        "seq": row.seq,
        "hash": row.hash,
        "previous": entry.previous,
        "kind": row.kind,
        "subject": row.subject,
        "tenant": row.tenant,
        "time": row.time,
        "facts": facts,
        "input_commitment": entry.input.map(|commitment| hex::encode(commitment.as_bytes())),
        "record_commitment": entry.record.map(|commitment| hex::encode(commitment.as_bytes())),
    }))
}

/// Which part to export.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    /// The first entry: its number, or a moment (RFC 3339, or a date); the log's first where left out.
    from: Option<String>,
    /// The first entry that isn't in it any more: its number, or a moment; up to the newest where left out.
    to: Option<String>,
    /// `false` leaves inputs and records out: their commitments stay.
    payloads: Option<bool>,
}

/// A part of the ledger in one file that can be checked without us. A key bound to a tenant gets that tenant's entries, and
/// the hashes of the others. An export is itself an entry.
#[utoipa::path(get, path = "/v1/ledger/export", tag = "ledger", params(ExportQuery),
    responses((status = 200, description = "A file after docs/export-format.md", content_type = "application/zstd")))]
pub(crate) async fn export(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(query): Parameters<ExportQuery>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor])?;
    let bound = |field, text: Option<String>| text.map(|text| Bound::parse(field, &text)).transpose();
    let export = Export {
        from: bound("from", query.from)?,
        to: bound("to", query.to)?,
        payloads: query.payloads.unwrap_or(true),
    };
    let mut chunks = crate::export::begin(&app, &caller, export).await?;
    // A reader may take as long as it likes, and its key be revoked meanwhile: nothing more is handed over then.
    let stream = futures::stream::poll_fn(move |context| {
        chunks.poll_recv(context).map(|chunk| match chunk {
            Some(Ok(_)) if caller.must_hold().is_err() => {
                Some(Err(std::io::Error::other("the key was revoked meanwhile")))
            }
            chunk => chunk,
        })
    });
    let headers = [
        (header::CONTENT_TYPE, "application/zstd"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"export.assize\""),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// Which part to verify.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    /// The first entry; the log's first where left out.
    from: Option<u64>,
    /// The last entry; the newest where left out.
    to: Option<u64>,
}

/// Recomputes everything from the rows, and says what doesn't hold.
#[utoipa::path(get, path = "/v1/ledger/verify", tag = "ledger", params(VerifyQuery),
    responses((status = 200, description = "The report; `faults` is empty where all is well")))]
pub(crate) async fn verify(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(query): Parameters<VerifyQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Auditor])?;
    // The report names records of all tenants.
    caller.must_be_host()?;
    let outside = &app.config.outside;
    let options = VerifyOptions {
        from: query.from,
        to: query.to,
        trust: outside.authorities.first().map(|authority| (*authority.trust).clone()),
        witnesses: outside.witnesses.iter().map(|witness| witness.key.clone()).collect(),
        ..VerifyOptions::default()
    };
    // It computes for as long as the log is: not on a thread that serves.
    let store = app.store.clone();
    let verified =
        tokio::task::spawn_blocking(move || tokio::runtime::Handle::current().block_on(store.verify(options, |_| ())));
    let report = verified.await.map_err(Problem::internal)??;
    serde_json::to_value(&report).map(Json).map_err(Problem::internal)
}
