//! Packages: published, signed, listed, downloaded. What becomes of them is in `life`.

use assize_ledger::Digest;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::Version;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::{self, Parameters, Path, parsed};
use crate::identity::{Caller, Role};
use crate::problem::Problem;
use crate::publish::{self, Publication};
use crate::signing;
use crate::whose::{Named, Whose};
use assize_rehearing::Published;

pub(super) fn shown(published: &Published) -> Value {
    let manifest = &published.manifest;
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "digest": published.digest,
        "kind": manifest.kind,
        "contract": manifest.contract,
        "title": manifest.title,
        "scope": manifest.scope,
        "effective": manifest.effective,
        "state": published.state,
        "tenant": published.tenant,
        "published_at": published.at,
        "approved": published.approved,
        "signed_by": published.signed_by,
    })
}

fn whole(published: &Published) -> Value {
    let mut value = shown(published);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("manifest".to_owned(), json!(published.manifest));
    }
    value
}

/// Publishes a package: the body is the component's bytes. It isn't bound by that, nor active.
#[utoipa::path(post, path = "/v1/plugins", tag = "plugins",
    params(("assize-signature" = Option<String>, Header,
        description = "The publisher's signature: the signed note of `assize plugin sign`, in base64")),
    request_body(content = String, content_type = "application/wasm", description = "What `assize plugin pack` wrote"),
    responses((status = 201, description = "Published"), (status = 200, description = "Published before"),
        (status = 409, description = "The version exists with other bytes", body = Problem),
        (status = 422, description = "Not a package, or its signature is refused", body = Problem)))]
pub(crate) async fn publish(
    State(app): State<SharedApp>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must_be(&[Role::Dev])?;
    let signature = signature(&headers)?;
    let bytes: Bytes = door::read(body, app.config.max_component).await?;
    Ok(match publish::publish(&app, &caller, bytes, signature).await? {
        Publication::New(published) => (StatusCode::CREATED, Json(shown(&published))),
        Publication::Known(published) => (StatusCode::OK, Json(shown(&published))),
    })
}

/// The signature that a header brings.
fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(header) = headers.get(signing::HEADER) else { return Ok(None) };
    let note = STANDARD.decode(header.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match note {
        Some(note) => Ok(Some(note)),
        None => Err(Problem::bad_request("it isn't a signed note in base64, as of RFC 4648, 4").at(signing::HEADER)),
    }
}

/// Adds a signature to a published version: the body is the signed note of `assize plugin sign`.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/signatures", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body(content = String, content_type = "text/plain", description = "The signed note"),
    responses((status = 200, description = "Kept, or kept before"), (status = 404, body = Problem),
        (status = 422, description = "It doesn't hold", body = Problem)))]
pub(crate) async fn sign(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, name, number)): Path<(String, String, String)>,
    Parameters(whose): Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let bytes: Bytes = door::read(body, app.config.max_body).await?;
    let note = String::from_utf8(bytes.into()).map_err(|_| Problem::bad_request("a signed note is UTF-8"))?;
    let (package, version) = (format!("{namespace}/{name}"), version(&number)?);
    let named = Named { package: &package, version: Some(&version), tenant: whose.tenant.as_deref() };
    let world = app.world.load_full();
    let found = named.find_to_change(&world, &caller)?;
    Ok(Json(shown(&publish::sign(&app, &caller, found, note).await?)))
}

/// The publishers' signatures of a version, as they were brought: each a signed note over name, version and digest.
#[utoipa::path(get, path = "/v1/plugins/{namespace}/{name}/{version}/signatures", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    responses((status = 200, description = "In the order in which they came"), (status = 404, body = Problem)))]
pub(crate) async fn signatures(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, name, number)): Path<(String, String, String)>,
    Parameters(whose): Parameters<Whose>,
) -> Result<Json<Value>, Problem> {
    let (package, version) = (format!("{namespace}/{name}"), version(&number)?);
    let named = Named { package: &package, version: Some(&version), tenant: whose.tenant.as_deref() };
    let world = app.world.load_full();
    let found = named.find(&world, &caller)?;
    let number = found.manifest.version.to_string();
    let mut rows = app.store.signatures().await?;
    rows.retain(|row| row.tenant == found.tenant && row.package == package && row.version == number);
    let signatures: Vec<Value> = rows.iter().map(|row| json!({ "key": row.key, "note": row.note })).collect();
    Ok(Json(json!({ "digest": found.digest, "signatures": signatures })))
}

/// All versions of all packages that the caller may see.
#[utoipa::path(get, path = "/v1/plugins", tag = "plugins", responses((status = 200, description = "By name and version")))]
pub(crate) async fn list(State(app): State<SharedApp>, caller: Caller) -> Json<Value> {
    let world = app.world.load();
    let plugins: Vec<Value> = world.packages(caller.sees()).into_iter().map(shown).collect();
    Json(json!({ "plugins": plugins }))
}

/// All versions of one package.
#[utoipa::path(get, path = "/v1/plugins/{namespace}/{name}", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "By version"), (status = 404, body = Problem)))]
pub(crate) async fn versions(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let name = format!("{namespace}/{name}");
    let world = app.world.load();
    let versions: Vec<Value> = world.versions(&name, caller.sees()).into_iter().map(shown).collect();
    if versions.is_empty() {
        return Err(Problem::not_found(format!("plugin {name}")));
    }
    Ok(Json(json!({ "plugins": versions })))
}

pub(super) fn version(text: &str) -> Result<Version, Problem> {
    parsed("version", text)
}

/// One version with its manifest.
#[utoipa::path(get, path = "/v1/plugins/{namespace}/{name}/{version}", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    responses((status = 200, description = "The version"), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, name, number)): Path<(String, String, String)>,
    Parameters(whose): Parameters<Whose>,
) -> Result<Json<Value>, Problem> {
    let (package, version) = (format!("{namespace}/{name}"), version(&number)?);
    let named = Named { package: &package, version: Some(&version), tenant: whose.tenant.as_deref() };
    Ok(Json(whole(named.find(&app.world.load(), &caller)?)))
}

/// One version by its digest.
#[utoipa::path(get, path = "/v1/plugins/by-digest/{digest}", tag = "plugins", params(("digest" = String, Path)),
    responses((status = 200, description = "The version"), (status = 404, body = Problem)))]
pub(crate) async fn by_digest(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(digest): Path<String>,
) -> Result<Json<Value>, Problem> {
    let digest: Digest = parsed("digest", &digest)?;
    let world = app.world.load();
    match world.by_digest(digest, caller.sees()) {
        Some(published) => Ok(Json(whole(published))),
        None => Err(Problem::not_found(format!("plugin with digest {digest}"))),
    }
}

/// The component's exact bytes: their SHA-256 is the digest.
#[utoipa::path(get, path = "/v1/plugins/by-digest/{digest}/component", tag = "plugins",
    params(("digest" = String, Path)),
    responses((status = 200, description = "The bytes", content_type = "application/wasm"), (status = 404, body = Problem)))]
pub(crate) async fn component(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(digest): Path<String>,
) -> Result<Response, Problem> {
    let digest: Digest = parsed("digest", &digest)?;
    let visible = app.world.load().by_digest(digest, caller.sees()).is_some();
    let bytes = if visible { app.store.component(&digest).await? } else { None };
    match bytes {
        Some(bytes) => Ok(([(header::CONTENT_TYPE, "application/wasm")], bytes).into_response()),
        None => Err(Problem::not_found(format!("component {digest}"))),
    }
}
