//! What would have come out: begun here, followed here, and read here.

use std::convert::Infallible;

use assize_rehearing::simulation::{Mapping, Report, Specification};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::app::{App, SharedApp};
use crate::door::{self, Parameters, Path};
use crate::identity::{Caller, Role};
use crate::problem::Problem;
use crate::simulations::{self, Job, JobError, Progress, Stage};

/// What to simulate.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulationBody {
    /// What is swapped, and over which decisions.
    #[serde(default)]
    #[schema(value_type = Object)]
    specification: Specification,
    /// Cases to judge instead of past decisions: as `POST /v1/decisions` takes them, with `id` and `bad` besides; or any
    /// objects, with a mapping.
    #[schema(value_type = Option<Vec<Object>>)]
    cases: Option<Vec<Box<RawValue>>>,
    /// How objects become cases.
    #[schema(value_type = Option<Object>)]
    mapping: Option<Mapping>,
    /// Whose decisions, for a key of the host; all tenants' where left out.
    tenant: Option<String>,
}

/// Bodies may be this many times as long as elsewhere: they hold many cases.
const LONGER: usize = 64;

/// Begins a simulation. Nothing is decided by it; its report becomes an entry of type `simulation`.
#[utoipa::path(post, path = "/v1/simulations", tag = "simulations", request_body = SimulationBody,
    responses((status = 202, description = "It waits or runs; follow it at its address"),
        (status = 422, description = "A field can't be used", body = Problem),
        (status = 503, description = "Too many of the tenant's, or of all tenants', wait already", body = Problem)))]
pub(crate) async fn create(State(app): State<SharedApp>, caller: Caller, body: Body) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    app.simulations.check_room(caller.bound_to.as_deref())?;
    let bytes = door::read(body, app.config.max_body.saturating_mul(LONGER)).await?;
    // Off the threads that serve: it may be 64 times as long as a decision's.
    let read = tokio::task::spawn_blocking(move || parse(&bytes)).await.map_err(Problem::internal)?;
    let (body, cases) = read?;
    if body.mapping.is_some() && cases.is_none() {
        return Err(Problem::invalid("mapping", "is for cases, and there are none: send `cases` or leave it out"));
    }
    let mapping = cases.as_ref().map(|_| body.mapping.unwrap_or_default());
    if let Some(mapping) = &mapping {
        mapping.check().map_err(|error| Problem::invalid("mapping", error))?;
    }
    let tenant = match (body.tenant, &caller.bound_to) {
        (Some(tenant), Some(own)) if tenant != *own => {
            return Err(Problem::invalid("tenant", format!("{tenant:?} is not the key's: leave it out")));
        }
        (_, Some(own)) => Some(own.clone()),
        (given, None) if cases.is_some() => Some(given.unwrap_or_else(|| caller.tenant().to_owned())),
        (given, None) => given,
    };
    let world = app.world.load();
    for (package, version) in &body.specification.changes.versions {
        if world.version(package.as_str(), version, tenant.as_deref()).is_none() {
            let detail = format!("{version} isn't published; GET /v1/plugins/{package} lists what is");
            return Err(Problem::invalid(format!("specification.changes.versions.{package}"), detail));
        }
    }
    let job = job(&caller, tenant, body.specification, mapping, false)?;
    Ok(accepted(&simulations::begin(&app, job, cases, None).await?))
}

/// What is asked for, and its cases as JSON Lines.
fn parse(bytes: &[u8]) -> Result<(SimulationBody, Option<Vec<u8>>), Problem> {
    let mut body: SimulationBody = door::parse(bytes)?;
    let lines = body.cases.take().map(|cases| lines(&cases)).transpose()?;
    Ok((body, lines))
}

fn lines(cases: &[Box<RawValue>]) -> Result<Vec<u8>, Problem> {
    let mut lines = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        if !case.get().starts_with('{') {
            return Err(Problem::invalid(format!("cases[{index}]"), "must be a JSON object"));
        }
        // A line break between two tokens means nothing, and within a text there is none.
        lines.extend(case.get().bytes().map(|byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }));
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Since when decisions are tried.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryQuery {
    /// A moment (RFC 3339 or a date); all decisions where left out.
    since: Option<String>,
}

/// Tries a package before it is published: what it would have changed, had it judged wherever its package is bound. The body is the
/// component's bytes.
#[utoipa::path(post, path = "/v1/simulations/package", tag = "simulations", params(TryQuery),
    request_body(content = String, content_type = "application/wasm", description = "What `assize plugin pack` wrote"),
    responses((status = 202, description = "It waits or runs; follow it at its address"),
        (status = 422, description = "Not a package", body = Problem)))]
pub(crate) async fn package(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(query): Parameters<TryQuery>,
    body: Body,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Dev])?;
    app.simulations.check_room(caller.bound_to.as_deref())?;
    let since = query.since.as_deref().map(|text| door::parsed("since", text)).transpose()?;
    let bytes = door::read(body, app.config.max_component).await?;
    caller.must_hold()?;
    let package = crate::publish::examine(bytes.to_vec().into()).await?;
    crate::publish::publishable(&package)?;
    let (name, version) = (package.manifest.name.clone(), package.manifest.version.clone());
    let mut specification = Specification { title: Some(format!("{name} {version}, tried")), ..Default::default() };
    specification.decisions.from = since;
    specification.changes.versions.insert(name, version);
    let job = job(&caller, caller.bound_to.clone(), specification, None, true)?;
    Ok(accepted(&simulations::begin(&app, job, None, Some(bytes)).await?))
}

fn job(
    caller: &Caller,
    tenant: Option<String>,
    specification: Specification,
    mapping: Option<Mapping>,
    component: bool,
) -> Result<Job, Problem> {
    specification.check().map_err(JobError::from)?;
    Ok(Job {
        id: uuid::Uuid::now_v7().to_string(),
        tenant,
        owner: caller.bound_to.clone(),
        key: caller.key.clone(),
        role: caller.role.as_str().to_owned(),
        specification,
        mapping,
        component,
    })
}

fn accepted(progress: &Progress) -> Response {
    let location = format!("/v1/simulations/{}", progress.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(progress)).into_response()
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        use assize_rehearing::simulation::SimulationError;
        match error {
            JobError::Full | JobError::FullOfOwn => Self::busy(error),
            JobError::Simulation(SimulationError::Invalid { field, detail }) => {
                Self::invalid(format!("specification.{field}"), detail)
            }
            JobError::Simulation(SimulationError::Changes(error)) => Self::invalid("specification.changes", error),
            JobError::Io(error) => Self::storage(error),
            error => Self::internal(error),
        }
    }
}

/// Which part of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// 1 to 1000; 50 where left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<u64>,
}

/// A simulation that is on record.
#[derive(Serialize)]
struct Recorded {
    id: String,
    stage: Stage,
    tenant: Option<String>,
    digest: assize_ledger::Digest,
    bytes: u64,
    at: assize_ledger::Timestamp,
    seq: u64,
}

/// Simulations under way and those that ended, newest first.
#[utoipa::path(get, path = "/v1/simulations", tag = "simulations", params(ListQuery),
    responses((status = 200, description = "`running`, and a page of `simulations` with `next_cursor`")))]
pub(crate) async fn list(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::invalid("limit", format!("{limit}: use 1 to 1000")));
    }
    let page = app.store.simulations(caller.sees(), query.cursor, limit).await?;
    let recorded: Vec<Recorded> = page
        .rows
        .into_iter()
        .map(|row| Recorded {
            id: row.id,
            stage: Stage::Done,
            tenant: row.tenant,
            digest: row.digest,
            bytes: row.length,
            at: row.at,
            seq: row.seq,
        })
        .collect();
    let running = app.simulations.all(caller.sees());
    let body = serde_json::json!({ "running": running, "simulations": recorded, "next_cursor": page.next });
    Ok(Json(body).into_response())
}

/// How far it is; once it is done, with its report.
#[utoipa::path(get, path = "/v1/simulations/{id}", tag = "simulations", params(("id" = String, Path)),
    responses((status = 200, description = "`stage`, progress, and `report` at the end"), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    if let Some(told) = app.simulations.find(caller.sees(), &id) {
        return Ok(Json(told.borrow().clone()).into_response());
    }
    let (seq, report) = recorded(&app, &caller, &id).await?;
    let report: Box<RawValue> = serde_json::from_slice(&report).map_err(Problem::internal)?;
    Ok(Json(serde_json::json!({ "id": id, "stage": Stage::Done, "seq": seq, "report": report })).into_response())
}

async fn recorded(app: &App, caller: &Caller, id: &str) -> Result<(u64, Vec<u8>), Problem> {
    let found = app.store.simulation(caller.sees(), id).await?;
    found.ok_or_else(|| Problem::not_found(format!("simulation {id}")))
}

/// The report by itself: `report.json` is what the entry binds, `report.html` a page that needs nothing else, `report.csv` the
/// cases that would come out otherwise.
#[utoipa::path(get, path = "/v1/simulations/{id}/{file}", tag = "simulations",
    params(("id" = String, Path), ("file" = String, Path, description = "`report.json`, `report.html` or `report.csv`")),
    responses((status = 200, description = "The report"), (status = 404, body = Problem)))]
pub(crate) async fn report(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let (_, bytes) = recorded(&app, &caller, &id).await?;
    let read = || serde_json::from_slice::<Report>(&bytes).map_err(Problem::internal);
    let (kind, body) = match file.as_str() {
        "report.json" => ("application/json", bytes),
        "report.html" => ("text/html; charset=utf-8", read()?.html().into_bytes()),
        "report.csv" => ("text/csv; charset=utf-8", read()?.csv()),
        _ => {
            return Err(Problem::not_found(format!("{file}; there are report.json, report.html and report.csv")));
        }
    };
    // The page has no script, and none may get into it.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, policy)], body).into_response())
}

/// Progress as server-sent events of type `progress`, the last one with the final stage.
#[utoipa::path(get, path = "/v1/simulations/{id}/events", tag = "simulations", params(("id" = String, Path)),
    responses((status = 200, description = "`text/event-stream`"), (status = 404, body = Problem)))]
pub(crate) async fn events(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    if let Some(told) = app.simulations.find(caller.sees(), &id) {
        return Ok(Sse::new(follow(told)).keep_alive(KeepAlive::default()).into_response());
    }
    let (seq, _) = recorded(&app, &caller, &id).await?;
    let done = serde_json::json!({ "id": id, "stage": Stage::Done, "percent": 100, "seq": seq });
    let event = Event::default().event("progress").data(done.to_string());
    Ok(Sse::new(futures::stream::iter([Ok::<_, Infallible>(event)])).into_response())
}

fn follow(told: watch::Receiver<Progress>) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(Some((told, true)), |state| async move {
        let (mut told, first) = state?;
        if !first && told.changed().await.is_err() {
            return None;
        }
        let progress = told.borrow_and_update().clone();
        let data = serde_json::to_string(&progress).unwrap_or_default();
        let event = Event::default().event("progress").data(data);
        let over = matches!(progress.stage, Stage::Done | Stage::Cancelled | Stage::Failed);
        Some((Ok(event), (!over).then_some((told, false))))
    })
}

/// Ends a simulation; nothing of it is kept.
#[utoipa::path(delete, path = "/v1/simulations/{id}", tag = "simulations", params(("id" = String, Path)),
    responses((status = 204, description = "It ends"), (status = 404, body = Problem),
        (status = 409, description = "It is on record, where nothing is removed", body = Problem)))]
pub(crate) async fn cancel(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    if app.simulations.cancel(caller.sees(), &id) {
        return Ok(StatusCode::NO_CONTENT);
    }
    if app.simulations.find(caller.sees(), &id).is_some() {
        return Err(Problem::conflict(format!("simulation {id} has ended already")));
    }
    recorded(&app, &caller, &id).await?;
    Err(Problem::conflict(format!("simulation {id} is on record: what is recorded isn't removed")))
}
