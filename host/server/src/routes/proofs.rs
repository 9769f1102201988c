//! What others check the log by: checkpoints, proofs, tiles. Hashes alone, so anyone may have them; entries are for auditors.

use assize_ledger::tree::TILE_WIDTH;
use assize_ledger::{Digest, TileId};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::{Parameters, Path, StrictJson};
use crate::identity::{Caller, Role};
use crate::problem::Problem;

const TEXT: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
/// Full tiles never change.
const FOR_EVER: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "application/octet-stream"),
    (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
];
/// Entries in a bundle are for whoever holds an auditor's key.
const PRIVATE: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "private")];

/// The newest signed checkpoint (C2SP tlog-checkpoint).
#[utoipa::path(get, path = "/v1/ledger/checkpoint", tag = "ledger",
    responses((status = 200, description = "A signed note", content_type = "text/plain")), security(()))]
pub(crate) async fn checkpoint(State(app): State<SharedApp>) -> Result<Response, Problem> {
    let signed = app.signer.newest().await?;
    let mut note = signed.note.clone();
    for (_, line) in app.store.cosignatures(signed.size).await? {
        note.push_str(&line);
        note.push('\n');
    }
    Ok((TEXT, note).into_response())
}

/// A key that signs checkpoints.
#[derive(Serialize, utoipa::ToSchema)]
struct LogKeyView {
    /// The entry that introduced it.
    seq: u64,
    /// `name+id+base64`, as signed notes write a verifier's key.
    key: String,
}

/// The keys that signed the log's checkpoints, oldest first.
#[utoipa::path(get, path = "/v1/ledger/keys", tag = "ledger",
    responses((status = 200, description = "`keys`, each with the entry that introduced it")), security(()))]
pub(crate) async fn keys(State(app): State<SharedApp>) -> Result<Json<Value>, Problem> {
    let keys: Vec<LogKeyView> =
        app.store.log_keys().await?.into_iter().map(|row| LogKeyView { seq: row.seq, key: row.key }).collect();
    Ok(Json(json!({ "keys": keys })))
}

/// Why a key changes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateBody {
    /// In a person's words; kept in the record.
    reason: String,
}

/// Makes a new key; the old and the new one sign the entry that introduces it.
#[utoipa::path(post, path = "/v1/ledger/keys/rotate", tag = "ledger", request_body = RotateBody,
    responses((status = 201, description = "The new key is in force")))]
pub(crate) async fn rotate(
    State(app): State<SharedApp>,
    caller: Caller,
    body: StrictJson<RotateBody>,
) -> Result<Response, Problem> {
    caller.must_be(&[])?;
    caller.must_be_host()?;
    if body.value.reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "say why the key changes"));
    }
    let key = app.signer.rotate(&caller.key, Some(body.value.reason)).await?;
    Ok((axum::http::StatusCode::CREATED, Json(json!({ "key": key.to_string() }))).into_response())
}

/// Which entry, in which state of the log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct InclusionQuery {
    /// The entry's sequence number.
    seq: u64,
    /// Entries in the log; the newest checkpoint's where left out.
    size: Option<u64>,
}

/// The proof that an entry is in the log (RFC 6962, 2.1.1).
#[utoipa::path(get, path = "/v1/ledger/proof/inclusion", tag = "ledger", params(InclusionQuery),
    responses((status = 200, description = "`proof`: hashes from the bottom up"),
        (status = 422, description = "No such entry in a log of that size", body = Problem)), security(()))]
pub(crate) async fn inclusion(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<InclusionQuery>,
) -> Result<Json<Value>, Problem> {
    let InclusionQuery { seq, size } = query;
    let size = match size {
        Some(size) => size,
        None => app.signer.covering(seq.saturating_add(1)).await?.size,
    };
    let proof = app.store.inclusion_proof(seq, size).await?;
    let leaf = app.store.entry_hash(seq).await?;
    let root = app.store.root_at(size).await?;
    Ok(Json(json!({ "seq": seq, "size": size, "leaf_hash": leaf, "root": root, "proof": proof })))
}

/// Which two states of the log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsistencyQuery {
    /// Entries in the earlier state.
    old: u64,
    /// Entries in the later state; the newest checkpoint's where left out.
    new: Option<u64>,
}

/// The proof that the log of today begins with the log of then (RFC 6962, 2.1.2).
#[utoipa::path(get, path = "/v1/ledger/proof/consistency", tag = "ledger", params(ConsistencyQuery),
    responses((status = 200, description = "`proof`: hashes from the bottom up"),
        (status = 422, description = "The log never had such sizes", body = Problem)), security(()))]
pub(crate) async fn consistency(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<ConsistencyQuery>,
) -> Result<Json<Value>, Problem> {
    let old = query.old;
    let new = match query.new {
        Some(new) => new,
        None => app.signer.newest().await?.size,
    };
    let proof = app.store.consistency_proof(old, new).await?;
    let (old_root, new_root) = (app.store.root_at(old).await?, app.store.root_at(new).await?);
    Ok(Json(json!({ "old": old, "new": new, "old_root": old_root, "new_root": new_root, "proof": proof })))
}

/// A tile of hashes (C2SP tlog-tiles).
pub(crate) async fn tile(
    State(app): State<SharedApp>,
    Path((level, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (index, width) = place(&path)?;
    let missing = || Problem::not_found(format!("tile {level}/{path}"));
    // Seven tile levels are 56 levels of a tree: more leaves than there will be.
    let level =
        level.parse().ok().filter(|number: &u8| *number < 7 && number.to_string() == level).ok_or_else(missing)?;
    let hashes = app.store.tile(TileId { level, index }, width).await?;
    if hashes.len() != width {
        return Err(missing());
    }
    Ok((FOR_EVER, bytes_of(&hashes)).into_response())
}

fn bytes_of(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// A bundle of entries, each after its length in two bytes (C2SP tlog-tiles).
pub(crate) async fn entries(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor])?;
    // Entries of all tenants stand beside each other.
    caller.must_be_host()?;
    let (index, width) = place(&path)?;
    let missing = || Problem::not_found(format!("entries {path}"));
    let first = index.checked_mul(TILE_WIDTH as u64).ok_or_else(missing)?;
    let rows = app.store.entries(None, first, u32::try_from(width).unwrap_or(u32::MAX)).await?;
    let mut bundle = Vec::new();
    for row in &rows {
        let length = u16::try_from(row.bytes.len()).map_err(|_| {
            Problem::not_found(format!(
                "entries {path}: entry {} is {} bytes long, more than a bundle can hold; read it at /v1/ledger/entries",
                row.seq,
                row.bytes.len()
            ))
        })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(&row.bytes);
    }
    if rows.len() != width || rows.first().is_none_or(|row| row.seq != first) {
        return Err(missing());
    }
    Ok((PRIVATE, bundle).into_response())
}

/// Index and width of a tile's path: `x001/x234/067` is 1,234,067, and `.p/5` after it asks for the first five hashes.
fn place(path: &str) -> Result<(u64, usize), Problem> {
    let wrong =
        || Problem::not_found(format!("tile {path}: use a path as C2SP tlog-tiles writes it, e.g. x001/067.p/5"));
    let (index, width) = match path.split_once(".p/") {
        Some((index, width)) => {
            let number: usize = width.parse().map_err(|_| wrong())?;
            // A full tile has no width in its path.
            if number == 0 || number >= TILE_WIDTH || number.to_string() != width {
                return Err(wrong());
            }
            (index, number)
        }
        None => (path, TILE_WIDTH),
    };
    let mut number = 0_u64;
    let mut parts = index.split('/').peekable();
    let mut first = true;
    while let Some(part) = parts.next() {
        let digits = if parts.peek().is_some() { part.strip_prefix('x').ok_or_else(wrong)? } else { part };
        if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong());
        }
        let part: u64 = digits.parse().map_err(|_| wrong())?;
        // One path for each tile: no zeros in front.
        if first && part == 0 && parts.peek().is_some() {
            return Err(wrong());
        }
        first = false;
        number = number.checked_mul(1_000).and_then(|number| number.checked_add(part)).ok_or_else(wrong)?;
    }
    Ok((number, width))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn there_is_one_path_for_each_tile() {
        assert_eq!(place("000").ok(), Some((0, 256)));
        assert_eq!(place("067.p/5").ok(), Some((67, 5)));
        assert_eq!(place("x001/x234/067").ok(), Some((1_234_067, 256)));
        assert_eq!(place("x001/000").ok(), Some((1_000, 256)));
        for wrong in
            ["", "0", "67", "x067", "000/067", "x000/067", "067.p/0", "067.p/256", "067.p/05", "-01", "x001/", "067.p/"]
        {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
