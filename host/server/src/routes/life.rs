//! The life of a version: submitted, approved or rejected, activated, deactivated, retired, rolled back, yanked.

use assize_ledger::Digest;
use assize_store::ActivationEvent;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::plugins::{shown, version};
use crate::app::{App, SharedApp};
use crate::door::{self, Parameters, Path, parsed};
use crate::identity::{Caller, Role};
use crate::life::{self, Step};
use crate::problem::Problem;
use crate::whose::{Named, Whose};

/// Why.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepBody {
    /// For the record.
    reason: Option<String>,
    /// The person who answers for it.
    operator_id: Option<String>,
}

/// Why, and on what terms.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivationBody {
    /// For the record.
    reason: Option<String>,
    /// The person who answers for it.
    operator_id: Option<String>,
    /// Its period may overlap with that of another active version: at such moments the higher version is chosen.
    #[serde(default)]
    allow_overlap: bool,
}

/// What was looked at, and why it is fit to serve.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalBody {
    /// SHA-256 of the component that was looked at.
    digest: String,
    /// For the record.
    reason: String,
    /// The person who answers for it.
    operator_id: Option<String>,
}

/// The body of a step may be left out.
async fn read<T: Default + DeserializeOwned>(app: &App, body: Body) -> Result<T, Problem> {
    let bytes = door::read(body, app.config.max_body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    door::parse(&bytes)
}

/// Where a person decides, it is said why.
fn needed(step: Step) -> Result<Step, Problem> {
    match step.reason.as_deref() {
        Some(reason) if !reason.trim().is_empty() => Ok(step),
        _ => Err(Problem::invalid("reason", "say why: it goes on record")),
    }
}

impl From<StepBody> for Step {
    fn from(body: StepBody) -> Self {
        Self { reason: body.reason, operator: body.operator_id, ..Self::default() }
    }
}

impl From<ActivationBody> for Step {
    fn from(body: ActivationBody) -> Self {
        let ActivationBody { reason, operator_id: operator, allow_overlap } = body;
        Self { reason, operator, allow_overlap, ..Self::default() }
    }
}

type Which = Path<(String, String, String)>;

async fn step(
    app: &App,
    caller: &Caller,
    (Path((namespace, name, number)), Parameters(whose)): (Which, Parameters<Whose>),
    event: ActivationEvent,
    step: Step,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let (package, version) = (format!("{namespace}/{name}"), version(&number)?);
    let named = Named { package: &package, version: Some(&version), tenant: whose.tenant.as_deref() };
    let (published, left) = life::step(app, caller, named, event, step).await?;
    let mut value = shown(&published);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("nothing_to_run".to_owned(), json!(left));
    }
    Ok(Json(value))
}

/// Asks others to look at the version.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/submit", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = StepBody, responses((status = 200, description = "Submitted"),
        (status = 409, description = "Not a step from where it stands", body = Problem)))]
pub(crate) async fn submit(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    step(&app, &caller, (which, whose), ActivationEvent::Submitted, read::<StepBody>(&app, body).await?.into()).await
}

/// Finds a submitted version fit to serve: by somebody else than its author, for the digest that they looked at.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/approve", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = ApprovalBody, responses((status = 200, description = "Approved"),
        (status = 409, description = "Not submitted, another digest, or by its author", body = Problem),
        (status = 422, description = "No reason", body = Problem)))]
pub(crate) async fn approve(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: crate::door::StrictJson<ApprovalBody>,
) -> Result<Json<Value>, Problem> {
    let ApprovalBody { digest, reason, operator_id: operator } = body.value;
    let digest: Digest = parsed("digest", &digest)?;
    let said = Step { reason: Some(reason), operator, digest: Some(digest), ..Step::default() };
    step(&app, &caller, (which, whose), ActivationEvent::Approved, needed(said)?).await
}

/// Finds a version that was submitted or approved unfit to serve.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/reject", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = StepBody, responses((status = 200, description = "A draft again"),
        (status = 409, description = "Not a step from where it stands", body = Problem),
        (status = 422, description = "No reason", body = Problem)))]
pub(crate) async fn reject(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    step(&app, &caller, (which, whose), ActivationEvent::Rejected, needed(read::<StepBody>(&app, body).await?.into())?)
        .await
}

/// Lets bindings choose the version: once it has the approval and the signature that policies ask for, its period overlaps with no
/// other active version's (or that is allowed), and it passes its health check. Else whichever version served goes on.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/activate", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = ActivationBody, responses((status = 200, description = "Active"),
        (status = 409, description = "Not approved, an overlap, or it fails its health check", body = Problem),
        (status = 422, description = "Its signature is refused", body = Problem)))]
pub(crate) async fn activate(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    step(&app, &caller, (which, whose), ActivationEvent::Activated, read::<ActivationBody>(&app, body).await?.into())
        .await
}

/// Takes the version out of all bindings' choice for now; what was approved still is.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/deactivate", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = StepBody,
    responses((status = 200, description = "Approved or a draft; with the bindings left with nothing to run")))]
pub(crate) async fn deactivate(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    step(&app, &caller, (which, whose), ActivationEvent::Deactivated, read::<StepBody>(&app, body).await?.into()).await
}

/// Takes the version out of all bindings' choice, since it has served its time: where approval is asked for, it needs a new one.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/retire", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = StepBody,
    responses((status = 200, description = "Retired; with the bindings left with nothing to run"),
        (status = 422, description = "No reason", body = Problem)))]
pub(crate) async fn retire(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    step(&app, &caller, (which, whose), ActivationEvent::Retired, needed(read::<StepBody>(&app, body).await?.into())?)
        .await
}

/// Withdraws the version for good. Past decisions still replay with it.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/{version}/yank", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path), Whose),
    request_body = StepBody,
    responses((status = 200, description = "Yanked; with the bindings left with nothing to run"),
        (status = 422, description = "No reason", body = Problem)))]
pub(crate) async fn yank(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    whose: Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    step(&app, &caller, (which, whose), ActivationEvent::Yanked, needed(read::<StepBody>(&app, body).await?.into())?)
        .await
}

/// Takes the version that serves since last out of use, and lets the one that served before it serve again: one step, one
/// entry.
#[utoipa::path(post, path = "/v1/plugins/{namespace}/{name}/roll-back", tag = "plugins",
    params(("namespace" = String, Path), ("name" = String, Path), Whose),
    request_body = ActivationBody,
    responses((status = 200, description = "Which version went, which serves, and bindings left with nothing to run"),
        (status = 409, description = "Nothing to go back from, or to", body = Problem),
        (status = 422, description = "No reason", body = Problem)))]
pub(crate) async fn roll_back(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Parameters(whose): Parameters<Whose>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let said = needed(read::<ActivationBody>(&app, body).await?.into())?;
    let package = format!("{namespace}/{name}");
    let named = Named { package: &package, version: None, tenant: whose.tenant.as_deref() };
    let (from, to, left) = life::roll_back(&app, &caller, named, said).await?;
    Ok(Json(json!({ "from": shown(&from), "to": shown(&to), "nothing_to_run": left })))
}
