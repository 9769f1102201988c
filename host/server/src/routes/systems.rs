//! The registry of AI systems, and their emergency stop (BTV-1, BTV-10).

use std::sync::Arc;

use assize_ledger::Timestamp;
use assize_store::{Change, SystemEvent};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, SharedApp};
use crate::door::{Parameters, Path, StrictJson};
use crate::identity::{Caller, DEFAULT_TENANT, Role};
use crate::problem::Problem;
use crate::publish::by;
use crate::system::{Registration, System};
use crate::systems::Registered;
use crate::whose::{self, NamedSystem, WhoseSystem};

fn found(app: &App, tenant: &str, id: &str) -> Result<Arc<Registered>, Problem> {
    app.systems.get(tenant, id).ok_or_else(|| unknown(id))
}

/// As it is on record, for its next version to follow.
fn recorded(app: &App, tenant: &str, id: &str) -> Result<Arc<Registered>, Problem> {
    app.systems.recorded(tenant, id).ok_or_else(|| unknown(id))
}

/// The tenant whose system is meant.
fn owner(app: &App, caller: &Caller, id: &str, whose: &WhoseSystem) -> Result<String, Problem> {
    NamedSystem { id, tenant: whose.tenant.as_deref() }.owner(&app.systems, caller)
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("system {id:?}"))
}

fn shown(registered: &Registered) -> Result<Json<Value>, Problem> {
    let mut value = serde_json::to_value(&registered.system).map_err(Problem::internal)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("version".to_owned(), json!(registered.version));
    }
    Ok(Json(value))
}

/// Records a system's new data, then puts it in force.
async fn record(
    app: &App,
    caller: &Caller,
    system: &System,
    version: u64,
    event: SystemEvent,
    confidential: &[(&str, &str)],
) -> Result<(), Problem> {
    let change = Change::System {
        id: system.id.clone(),
        version,
        bytes: serde_json::to_vec(system).map_err(Problem::internal)?,
        event,
    };
    let mut draft = by(caller, Some(system.tenant.clone()), system.updated_at, change)?;
    draft.details.insert("operational_status".to_owned(), system.operational_status.as_str().to_owned());
    draft.confidential.extend(confidential.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
    app.store.change(draft).await?;
    Ok(())
}

/// Registers a system.
#[utoipa::path(post, path = "/v1/systems", tag = "systems", request_body = Registration,
    params(("tenant" = Option<String>, Query, description = "Whose, for a key of the host; `default` where left out")),
    responses((status = 201, description = "Registered"),
        (status = 404, description = "A tenant that isn't there, or isn't the caller's", body = Problem),
        (status = 409, description = "The id is taken", body = Problem)))]
pub(crate) async fn create(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(whose): Parameters<WhoseSystem>,
    body: StrictJson<Registration>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must_be(&[Role::Dev])?;
    let named = whose::named(&app, &caller, whose.tenant.as_deref()).await?;
    let tenant = named.unwrap_or(DEFAULT_TENANT).to_owned();
    let _changing = app.systems.changing.lock().await;
    let system = System::registered(body.value, &tenant, Timestamp::now())?;
    if app.systems.get(&tenant, &system.id).is_some() {
        return Err(
            Problem::conflict(format!("system {:?} is registered already: change it with PUT", system.id)).at("id")
        );
    }
    record(&app, &caller, &system, 1, SystemEvent::Registered, &[]).await?;
    let registered = app.systems.put(Registered::new(system, 1).map_err(Problem::internal)?);
    Ok((StatusCode::CREATED, shown(&registered)?))
}

/// All systems of the tenant; for a key of the host, of all tenants.
#[utoipa::path(get, path = "/v1/systems", tag = "systems",
    params(("tenant" = Option<String>, Query, description = "Whose, for a key of the host; all where left out")),
    responses((status = 200, description = "By id")))]
pub(crate) async fn list(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(whose): Parameters<WhoseSystem>,
) -> Result<Json<Value>, Problem> {
    let meant = app.systems.list(caller.means(whose.tenant.as_deref())?);
    let systems: Result<Vec<Value>, Problem> =
        meant.iter().map(|registered| shown(registered).map(|Json(value)| value)).collect();
    Ok(Json(json!({ "systems": systems? })))
}

/// One system.
#[utoipa::path(get, path = "/v1/systems/{id}", tag = "systems", params(("id" = String, Path), WhoseSystem),
    responses((status = 200, description = "The system"), (status = 404, body = Problem),
        (status = 409, description = "Several tenants have one of this id", body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(whose): Parameters<WhoseSystem>,
) -> Result<Json<Value>, Problem> {
    let tenant = owner(&app, &caller, &id, &whose)?;
    shown(&*found(&app, &tenant, &id)?)
}

/// Changes a system's data; what is left out is unset.
#[utoipa::path(put, path = "/v1/systems/{id}", tag = "systems", params(("id" = String, Path), WhoseSystem),
    request_body = Registration,
    responses((status = 200, description = "Changed"), (status = 404, body = Problem),
        (status = 409, description = "No legal transition, or several tenants have one of this id", body = Problem)))]
pub(crate) async fn change(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(whose): Parameters<WhoseSystem>,
    body: StrictJson<Registration>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let _changing = app.systems.changing.lock().await;
    let tenant = owner(&app, &caller, &id, &whose)?;
    let before = recorded(&app, &tenant, &id)?;
    if body.value.id != id {
        return Err(Problem::invalid("id", format!("{:?} isn't the id in the address, {id:?}", body.value.id)));
    }
    if before.stopped {
        return Err(stopped(&before.system, &whose));
    }
    if found(&app, &tenant, &id)?.stopped {
        // Changes that keep coming mustn't keep a stop from being recorded.
        return Err(Problem::conflict(format!("system {id:?} is being stopped")).at("operational_status"));
    }
    let system = before.system.changed(body.value, Timestamp::now())?;
    let version = before.version + 1;
    record(&app, &caller, &system, version, SystemEvent::Changed, &[]).await?;
    app.systems.put(Registered::new(system, version).map_err(Problem::internal)?);
    shown(&*found(&app, &tenant, &id)?)
}

/// A stopped system is changed once it runs again.
fn stopped(system: &System, whose: &WhoseSystem) -> Problem {
    let of = whose.tenant.as_ref().map_or_else(String::new, |tenant| format!(" --tenant {tenant}"));
    let id = &system.id;
    Problem::conflict(format!(
        "system {id:?} is in emergency stop, and nothing of it changes before a person resumes it: first \
         `assize system resume {id}{of} --reason … --operator …` (POST /v1/systems/{id}/resume), then the change again"
    ))
    .at("operational_status")
}

/// Who stops or resumes a system, and why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Intervention {
    /// `emergency_stop`, where a system is stopped; may be left out.
    operational_status: Option<String>,
    /// For the record.
    reason: String,
    /// The person who answers for it.
    operator_id: String,
}

impl Intervention {
    fn check(&self, shortest_reason: usize) -> Result<(), Problem> {
        if self.reason.trim().chars().count() < shortest_reason {
            let detail = format!("say why, in at least {shortest_reason} characters: it goes on record");
            return Err(Problem::invalid("reason", detail));
        }
        if self.operator_id.trim().is_empty() {
            return Err(Problem::invalid("operator_id", "name the person who answers for this"));
        }
        Ok(())
    }

    fn confidential(&self) -> [(&str, &str); 2] {
        [("reason", &self.reason), ("operator_id", &self.operator_id)]
    }
}

/// A system as it is on record.
async fn stored(app: &App, tenant: &str, id: &str) -> Result<Registered, Problem> {
    let rows = app.store.systems(Some(tenant)).await?;
    let row = rows.iter().find(|row| row.id == id);
    Ok(Registered::read(row.ok_or_else(|| unknown(id))?)?)
}

/// As [`owner`]: from memory, since a stop waits for nothing. Only what isn't known here is looked for in the database.
async fn owner_to_stop(app: &App, caller: &Caller, id: &str, whose: &WhoseSystem) -> Result<String, Problem> {
    match owner(app, caller, id, whose) {
        // Another host may have registered it a moment ago.
        Err(problem) if !problem.is_conflict() => {
            let mut rows = app.store.systems(caller.means(whose.tenant.as_deref())?).await?;
            rows.retain(|row| row.id == id);
            app.systems.load(rows)?;
            owner(app, caller, id, whose)
        }
        known => known,
    }
}

/// Stops a system: every case of its is blocked from here on, after a restart too.
#[utoipa::path(put, path = "/v1/systems/{id}/emergency-stop", tag = "systems",
    params(("id" = String, Path), WhoseSystem), request_body = Intervention,
    responses((status = 200, description = "Stopped"), (status = 403, description = "Admins only", body = Problem),
        (status = 404, body = Problem),
        (status = 409, description = "Several tenants have one of this id: none of them is stopped", body = Problem)))]
pub(crate) async fn stop(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(whose): Parameters<WhoseSystem>,
    body: StrictJson<Intervention>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let intervention = body.value;
    if let Some(status) = intervention.operational_status.as_deref().filter(|status| *status != "emergency_stop") {
        let detail = format!("{status:?}: this address only stops; use \"emergency_stop\"");
        return Err(Problem::invalid("operational_status", detail));
    }
    // A stop must not wait for a long reason.
    intervention.check(1)?;
    let tenant = owner_to_stop(&app, &caller, &id, &whose).await?;
    match recorded_stop(&app, &caller, (&tenant, &id), &intervention).await {
        Ok(()) => {}
        // Never in force, and so nothing to repeat.
        Err(problem) if !found(&app, &tenant, &id)?.stopped => return Err(problem),
        Err(problem) => {
            tracing::error!(tenant, system = id, problem = problem.detail(), "stopped in memory, but not on record");
            return Err(problem.because("the system is stopped, but that isn't on record yet: repeat the request"));
        }
    }
    tracing::warn!(tenant, system = id, operator = intervention.operator_id, "emergency stop");
    shown(&*found(&app, &tenant, &id)?)
}

/// Puts a stop in force, and on record next: should that fail, the system stays stopped.
async fn recorded_stop(
    app: &App,
    caller: &Caller,
    (tenant, id): (&str, &str),
    intervention: &Intervention,
) -> Result<(), Problem> {
    loop {
        caller.must_hold()?;
        let before = app.systems.halt(tenant, id).map_err(Problem::internal)?;
        let before = before.ok_or_else(|| unknown(id))?;
        let (system, version) = if before.stopped {
            // As far as is known here; another host may have resumed it. Recording it again does no harm.
            (before.system.clone(), before.version)
        } else {
            (before.system.stop(Timestamp::now()), before.version + 1)
        };
        let event = SystemEvent::EmergencyStop;
        match record(app, caller, &system, version, event, &intervention.confidential()).await {
            Ok(()) => {
                app.systems.put(Registered::new(system, version).map_err(Problem::internal)?);
                return Ok(());
            }
            // It was on record already, or somebody has changed the system meanwhile.
            Err(problem) if problem.is_conflict() => {
                if app.systems.put_stopped(stored(app, tenant, id).await?).stopped {
                    return Ok(());
                }
            }
            Err(problem) => return Err(problem),
        }
    }
}

/// Lets a stopped system run again, as it was before. A person's act: admins only, with a reason.
#[utoipa::path(post, path = "/v1/systems/{id}/resume", tag = "systems", params(("id" = String, Path), WhoseSystem),
    request_body = Intervention,
    responses((status = 200, description = "Resumed"), (status = 404, body = Problem),
        (status = 409, description = "It isn't stopped, or several tenants have one of this id", body = Problem)))]
pub(crate) async fn resume(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(whose): Parameters<WhoseSystem>,
    body: StrictJson<Intervention>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let intervention = body.value;
    // PQS-13.
    intervention.check(10)?;
    let _changing = app.systems.changing.lock().await;
    let tenant = owner(&app, &caller, &id, &whose)?;
    let before = recorded(&app, &tenant, &id)?;
    let Some(system) = before.system.resume(Timestamp::now()) else {
        if found(&app, &tenant, &id)?.stopped {
            let detail = format!("system {id:?} is stopped, but that isn't on record: repeat the emergency stop first");
            return Err(Problem::conflict(detail));
        }
        return Err(Problem::conflict(format!("system {id:?} isn't in emergency stop")));
    };
    let version = before.version + 1;
    record(&app, &caller, &system, version, SystemEvent::Resumed, &intervention.confidential()).await?;
    tracing::warn!(tenant, system = id, operator = intervention.operator_id, "resumed");
    app.systems.put(Registered::new(system, version).map_err(Problem::internal)?);
    shown(&*found(&app, &tenant, &id)?)
}
