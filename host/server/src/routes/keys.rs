//! API keys: made, listed, revoked. Each is an entry.

use assize_ledger::{Digest, Timestamp};
use assize_store::Change;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::{Path, StrictJson};
use crate::identity::{Caller, DEFAULT_TENANT, Role};
use crate::keys::Keys;
use crate::problem::Problem;
use crate::publish::by;

/// A key to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    role: Role,
    /// What people call it.
    #[serde(default)]
    label: String,
    /// The tenant that it is bound to; `default` where left out. Only a host key may name another than its own.
    tenant: Option<String>,
    /// A key of the host itself, which sees all tenants. Only for a host key to give.
    #[serde(default)]
    host: bool,
}

/// Makes a key. It is shown this once.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyBody,
    responses((status = 201, description = "The key, shown this once"), (status = 403, body = Problem)))]
pub(crate) async fn create(
    State(app): State<SharedApp>,
    caller: Caller,
    body: StrictJson<KeyBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must_be(&[])?;
    let KeyBody { role, label, tenant, host } = body.value;
    let tenant = tenant.unwrap_or_else(|| caller.tenant().to_owned());
    let of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if tenant.is_empty() || tenant.len() > 64 || !tenant.chars().all(of_name) {
        let detail = format!("{tenant:?}: use 1 to 64 of a-z, 0-9 and '-', e.g. {DEFAULT_TENANT}");
        return Err(Problem::invalid("tenant", detail));
    }
    if label.len() > 256 {
        return Err(Problem::invalid("label", "use 256 bytes at most"));
    }
    if host || tenant != caller.tenant() {
        caller.must_be_host()?;
    }
    let bound_to = (!host).then_some(tenant);
    let key = Keys::generate().map_err(Problem::internal)?;
    let (id, hash) = (uuid::Uuid::now_v7().to_string(), Digest::of(key.as_bytes()));
    let change = Change::Key { id: id.clone(), hash, role: role.as_str().to_owned(), label: label.clone() };
    let _changing = app.keys.changing.lock().await;
    app.store.change(by(&caller, bound_to.clone(), Timestamp::now(), change)?).await?;
    app.keys.add(hash, Caller::new(id.clone(), role, bound_to.clone()));
    let shown = json!({ "id": id, "key": key, "role": role, "tenant": bound_to, "label": label });
    Ok((StatusCode::CREATED, Json(shown)))
}

/// All keys that the caller may see, without the keys themselves.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, description = "In the order of their making")))]
pub(crate) async fn list(State(app): State<SharedApp>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Auditor])?;
    let rows = app.store.keys().await?;
    let visible = rows.iter().filter(|row| caller.is_host() || row.tenant == caller.bound_to);
    let keys: Vec<Value> = visible
        .map(|row| {
            json!({
                "id": row.id, "role": row.role, "tenant": row.tenant, "label": row.label,
                "created_at": row.at, "revoked_at": row.revoked_at,
            })
        })
        .collect();
    Ok(Json(json!({ "keys": keys })))
}

/// Revokes a key, at once.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204, description = "Revoked"), (status = 404, body = Problem)))]
pub(crate) async fn revoke(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.must_be(&[])?;
    let rows = app.store.keys().await?;
    let row = rows.into_iter().find(|row| row.id == id && (caller.is_host() || row.tenant == caller.bound_to));
    let Some(row) = row else { return Err(Problem::not_found(format!("key {id}"))) };
    if caller.key == id {
        return Err(Problem::conflict("a key can't revoke itself: use another admin key"));
    }
    let draft = by(&caller, row.tenant, Timestamp::now(), Change::KeyRevoked { id: id.clone() })?;
    // Out of force first: should recording fail, the key is refused all the same until a restart, and the answer says so.
    app.keys.revoke(&id);
    app.store.change(draft).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who the caller is.
#[utoipa::path(get, path = "/v1/me", tag = "keys", responses((status = 200, description = "The key's id, role and tenant")))]
pub(crate) async fn me(caller: Caller) -> Json<Value> {
    Json(json!({ "key_id": caller.key, "role": caller.role, "tenant": caller.tenant(), "host": caller.is_host() }))
}
