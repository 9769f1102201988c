//! Packages: published, activated, yanked, downloaded.

use assize_ledger::Digest;
use assize_store::ActivationEvent;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use semver::Version;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::{self, parsed};
use crate::identity::{Caller, Role};
use crate::problem::Problem;
use crate::publish::{self, Publication};
use assize_rehearing::Published;

fn shown(published: &Published) -> Value {
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
    request_body(content = String, content_type = "application/wasm", description = "What `assize plugin pack` wrote"),
    responses((status = 201, description = "Published"), (status = 200, description = "Published before"),
        (status = 409, description = "The version exists with other bytes", body = Problem),
        (status = 422, description = "Not a package", body = Problem)))]
pub(crate) async fn publish(
    State(app): State<SharedApp>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must_be(&[Role::Dev])?;
    let bytes: Bytes = door::read(body, app.config.max_component).await?;
    Ok(match publish::publish(&app, &caller, bytes).await? {
        Publication::New(published) => (StatusCode::CREATED, Json(shown(&published))),
        Publication::Known(published) => (StatusCode::OK, Json(shown(&published))),
    })
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

fn version(text: &str) -> Result<Version, Problem> {
    parsed("version", text)
}

/// One version with its manifest.
#[utoipa::path(get, path = "/v1/plugins/{namespace}/{name}/{version}", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "The version"), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, name, number)): Path<(String, String, String)>,
) -> Result<Json<Value>, Problem> {
    let name = format!("{namespace}/{name}");
    let world = app.world.load();
    match world.version(&name, &version(&number)?, caller.sees()) {
        Some(published) => Ok(Json(whole(published))),
        None => Err(Problem::not_found(format!("plugin {name} {number}"))),
    }
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

/// Why.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepBody {
    /// For the record.
    reason: Option<String>,
}

/// The body of a step may be left out.
fn reason(body: &Bytes) -> Result<Option<String>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let text = assize_sandbox::json::check(body).map_err(Problem::bad_request)?;
    let step: StepBody = serde_json::from_str(text).map_err(Problem::bad_request)?;
    Ok(step.reason)
}

type Which = Path<(String, String, String)>;

async fn step(
    app: SharedApp,
    caller: Caller,
    Path((namespace, name, number)): Which,
    event: ActivationEvent,
    reason: Option<String>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let name = format!("{namespace}/{name}");
    let published = publish::step(&app, &caller, (&name, &version(&number)?), event, reason).await?;
    Ok(Json(shown(&published)))
}

/// Lets bindings choose the version.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/activate", tag = "plugins",
    request_body = StepBody, responses((status = 200, description = "Active")))]
pub(crate) async fn activate(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    step(app, caller, which, ActivationEvent::Activated, reason(&body)?).await
}

/// Takes the version out of all bindings' choice; it can be activated again.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/deactivate", tag = "plugins",
    request_body = StepBody, responses((status = 200, description = "Published, not active")))]
pub(crate) async fn deactivate(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    step(app, caller, which, ActivationEvent::Deactivated, reason(&body)?).await
}

/// Withdraws the version for good. Past decisions still replay with it.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/yank", tag = "plugins",
    request_body = StepBody, responses((status = 200, description = "Yanked")))]
pub(crate) async fn yank(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let Some(reason) = reason(&body)? else {
        return Err(Problem::invalid("reason", "say why the version is withdrawn: it goes on record"));
    };
    step(app, caller, which, ActivationEvent::Yanked, Some(reason)).await
}
