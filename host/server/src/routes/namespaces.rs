//! Publishers: whose a namespace is, and which keys sign packages in it. An admin's acts, each an entry.

use assize_ledger::{Timestamp, VerifierKey};
use assize_registry::{PackageName, check_publisher_key};
use assize_rehearing::{Published, State as LifeState, short_key};
use assize_store::{Change, NamespaceRow, PublisherKeyRow};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::{Path, StrictJson, parsed};
use crate::identity::Caller;
use crate::problem::Problem;
use crate::publish::by;

/// Who publishes in it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimBody {
    /// The part of a package's name before the slash.
    namespace: String,
    /// The publisher's name, e.g. a company.
    publisher: String,
}

/// A key to register.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublisherKeyBody {
    /// The public key, as `assize plugin keygen` shows it: `name+id+base64`, and its name is the namespace.
    key: String,
}

/// Why a key is revoked.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationBody {
    /// For the record.
    reason: String,
}

/// Names with control characters would be read otherwise than they are.
fn check_publisher(publisher: &str) -> Result<(), Problem> {
    let fits = !publisher.trim().is_empty() && publisher.len() <= 256 && !publisher.contains(char::is_control);
    if fits { Ok(()) } else { Err(Problem::invalid("publisher", "name who publishes, in 1 to 256 bytes of one line")) }
}

fn shown(claim: &NamespaceRow, keys: &[PublisherKeyRow]) -> Value {
    let own = keys.iter().filter(|key| key.namespace == claim.namespace && key.tenant == claim.tenant);
    let keys: Vec<Value> = own
        .map(|key| {
            json!({
                "id": short_key(&key.key), "key": key.key, "registered_at": key.at, "revoked_at": key.revoked_at,
            })
        })
        .collect();
    json!({
        "namespace": claim.namespace, "publisher": claim.publisher, "tenant": claim.tenant, "claimed_at": claim.at,
        "keys": keys,
    })
}

/// Makes a namespace a publisher's: with an admin key of the host for all tenants, else for the caller's.
#[utoipa::path(post, path = "/v1/namespaces", tag = "publishers", request_body = ClaimBody,
    responses((status = 200, description = "Claimed, with its keys"),
        (status = 409, description = "It is another publisher's", body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn claim(
    State(app): State<SharedApp>,
    caller: Caller,
    body: StrictJson<ClaimBody>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let ClaimBody { namespace, publisher } = body.value;
    // What is a namespace is what may stand before a package's slash.
    parsed::<PackageName>("namespace", &format!("{namespace}/x"))?;
    check_publisher(&publisher)?;
    let change = Change::ClaimNamespace { namespace: namespace.clone(), publisher };
    let _changing = app.changing.lock().await;
    app.store.change(by(&caller, caller.bound_to.clone(), Timestamp::now(), change)?).await?;
    one(&app, &caller, &namespace).await
}

/// The caller's own claim.
async fn one(app: &SharedApp, caller: &Caller, namespace: &str) -> Result<Json<Value>, Problem> {
    let (claims, keys) = (app.store.namespaces().await?, app.store.publisher_keys().await?);
    let own = claims.iter().find(|row| row.namespace == namespace && row.tenant == caller.bound_to);
    let own = own.ok_or_else(|| Problem::not_found(format!("namespace {namespace} of yours")))?;
    Ok(Json(shown(own, &keys)))
}

/// All namespaces that were claimed, of the host and of the caller's tenant, with their keys.
#[utoipa::path(get, path = "/v1/namespaces", tag = "publishers",
    responses((status = 200, description = "In the order of the claims; revoked keys with the moment")))]
pub(crate) async fn list(State(app): State<SharedApp>, caller: Caller) -> Result<Json<Value>, Problem> {
    let (claims, keys) = (app.store.namespaces().await?, app.store.publisher_keys().await?);
    let visible = claims.iter().filter(|row| caller.is_host() || row.tenant.is_none() || row.tenant == caller.bound_to);
    let namespaces: Vec<Value> = visible.map(|claim| shown(claim, &keys)).collect();
    Ok(Json(json!({ "namespaces": namespaces })))
}

/// Lets a key sign packages of a namespace from now on.
#[utoipa::path(post, path = "/v1/namespaces/{namespace}/keys", tag = "publishers",
    params(("namespace" = String, Path)), request_body = PublisherKeyBody,
    responses((status = 200, description = "The namespace with its keys"),
        (status = 404, description = "Not claimed by the caller", body = Problem),
        (status = 422, description = "No key for this namespace, or one that was revoked", body = Problem)))]
pub(crate) async fn register(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(namespace): Path<String>,
    body: StrictJson<PublisherKeyBody>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let key: VerifierKey = parsed("key", &body.value.key)?;
    check_publisher_key(&key, &namespace).map_err(|error| Problem::invalid("key", error))?;
    let _changing = app.changing.lock().await;
    // The id finds the key: two of one id couldn't be told apart.
    let rows = app.store.publisher_keys().await?;
    let text = key.to_string();
    let counts = |row: &&PublisherKeyRow| row.tenant.is_none() || row.tenant == caller.bound_to;
    if rows.iter().filter(counts).any(|row| row.key != text && short_key(&row.key) == short_key(&text)) {
        return Err(Problem::conflict(format!("another key has the id {}: make a new one", key.id())).at("key"));
    }
    let change = Change::PublisherKey { namespace: namespace.clone(), key: text };
    app.store.change(by(&caller, caller.bound_to.clone(), Timestamp::now(), change)?).await?;
    one(&app, &caller, &namespace).await
}

/// Lets a key sign nothing any more. What it signed is not activated any more; what is active stays so, and is listed.
#[utoipa::path(post, path = "/v1/namespaces/{namespace}/keys/{id}/revoke", tag = "publishers",
    params(("namespace" = String, Path), ("id" = String, Path, description = "Its id, or `name+id`")),
    request_body = RevocationBody,
    responses((status = 200, description = "The namespace, and the active versions that only revoked keys signed"),
        (status = 404, body = Problem), (status = 422, description = "No reason", body = Problem)))]
pub(crate) async fn revoke(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, id)): Path<(String, String)>,
    body: StrictJson<RevocationBody>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let reason = body.value.reason;
    if reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "say why: it goes on record"));
    }
    let wanted = if id.contains('+') { short_key(&id).to_owned() } else { format!("{namespace}+{id}") };
    let _changing = app.changing.lock().await;
    let rows = app.store.publisher_keys().await?;
    let found = rows
        .iter()
        .find(|row| row.namespace == namespace && row.tenant == caller.bound_to && short_key(&row.key) == wanted)
        .ok_or_else(|| Problem::not_found(format!("key {wanted} of yours")))?;
    let change = Change::PublisherKeyRevoked { namespace: namespace.clone(), key: found.key.clone() };
    let mut draft = by(&caller, caller.bound_to.clone(), Timestamp::now(), change)?;
    draft.confidential.insert("reason".to_owned(), reason);
    app.store.change(draft).await?;
    let Json(mut shown) = one(&app, &caller, &namespace).await?;
    let held = app.store.publisher_keys().await?;
    // Another tenant's registering of the same key says nothing here.
    let holds = |one: &Published| {
        let counts = |row: &&PublisherKeyRow| row.tenant.is_none() || row.tenant == one.tenant;
        let mut held = held.iter().filter(counts).filter(|row| row.revoked_at.is_none());
        held.any(|row| one.signed_by.contains(&row.key))
    };
    let world = app.world.load();
    let still: Vec<String> = world
        .packages(caller.sees())
        .into_iter()
        .filter(|one| one.state == LifeState::Active && one.signed_by.contains(&found.key))
        .filter(|one| !holds(one))
        .map(|one| format!("{}@{}", one.manifest.name, one.manifest.version))
        .collect();
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("still_active".to_owned(), json!(still));
    }
    Ok(Json(shown))
}
