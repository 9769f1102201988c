//! From a request to a recorded decision: enrich, decide, record, answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use assize_kernel::{Environment, Halt, Identity, Input, ReEvaluates, Record, decide, with_unions};
use assize_ledger::Timestamp;
use assize_sandbox::contract::Case;
use assize_store::{DecisionDraft, EffectDraft, Idempotency, Outcome, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;
use crate::problem::Problem;
use crate::system::System;
use crate::systems::Registered;
use crate::view::Place;

/// A case as it comes in at any of the doors.
pub(crate) struct Request {
    pub(crate) tenant: String,
    pub(crate) system: Option<String>,
    pub(crate) environment: Environment,
    pub(crate) kind: String,
    pub(crate) jurisdictions: Vec<String>,
    pub(crate) sector: Option<String>,
    pub(crate) data_subject: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) rules_as_of: Option<Timestamp>,
    pub(crate) payload: Box<RawValue>,
    pub(crate) context: Option<Box<RawValue>>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) trace_id: Option<String>,
    pub(crate) received: Timestamp,
    /// Set where the case of an earlier decision is ruled anew.
    pub(crate) anew: Option<Anew>,
}

/// The recorded case of an earlier decision, to be judged by what is in force now.
pub(crate) struct Anew {
    /// As it was judged then: the host adds nothing to it.
    pub(crate) case: Case,
    pub(crate) link: ReEvaluates,
}

/// What became of it.
pub(crate) enum Decided {
    /// It was judged and is on record.
    New(Box<Record>, Place),
    /// The same request was judged before, as this decision.
    Before(String),
}

/// An emergency stop between judging and recording makes us judge again. Each of them is a person's act: more than a
/// few within one decision don't happen.
const ATTEMPTS: usize = 5;

/// What plugins find in `context`.
#[derive(Serialize)]
struct Context<'a> {
    system: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a RawValue>,
}

/// Judges and records. It answers when the record is durable.
pub(crate) async fn judge(app: &App, request: Request) -> Result<Decided, Problem> {
    let Ok(_place) = app.in_flight.try_acquire() else {
        let limit = app.config.max_in_flight;
        return Err(Problem::busy(format!("{limit} decisions are under way already; try again in a second")));
    };
    let started = Instant::now();
    let _announced = app.store.announce();
    for _ in 0..ATTEMPTS {
        // Read before the kill switch is looked at: see `Store::halt_epoch`.
        let halt_epoch = app.store.halt_epoch();
        let system = system_of(app, &request)?;
        let snapshot =
            app.world.load().snapshot(&request.tenant, request.system.as_deref()).map_err(Problem::internal)?;
        let input = Arc::new(enrich(&request, system.as_deref())?);
        let judged = decide(&snapshot, &input).await.map_err(|error| Problem::invalid("environment", error))?;
        let identity = identity(&request, &input);
        let engine = app.sandbox.id().clone();
        let decided = Timestamp::now();
        let record = Record::of(identity, request.received, decided, engine, &snapshot, &input, judged);
        let draft = DecisionDraft {
            id: record.identity.id.clone(),
            facts: record.facts(),
            kind: record.identity.kind.clone(),
            received_at: request.received,
            decided_at: decided,
            idempotency: request.idempotency.clone(),
            input: input.to_bytes().map_err(Problem::internal)?,
            record: record.to_bytes().map_err(Problem::internal)?,
            effects: effects(&record),
            data_subject: request.data_subject.clone(),
            snapshot: Some(Arc::clone(snapshot.bytes())),
            halt_epoch,
        };
        match app.store.decide(draft).await {
            Ok(Outcome::Appended(appended)) => {
                app.metrics.decided(&record, started.elapsed());
                let place = Place { seq: appended.seq, entry_hash: appended.entry_hash };
                return Ok(Decided::New(Box::new(record), place));
            }
            Ok(Outcome::Existing(id)) => return Ok(Decided::Before(id)),
            // It may be another host's stop, which must be known here before the case is judged again.
            Err(StoreError::Stale { .. }) => crate::reload::systems(app).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::busy("emergency stops keep coming in; try again"))
}

fn system_of(app: &App, request: &Request) -> Result<Option<Arc<Registered>>, Problem> {
    let Some(id) = &request.system else { return Ok(None) };
    match app.systems.get(&request.tenant, id) {
        Some(system) => Ok(Some(system)),
        None => Err(Problem::not_found(format!("system {id:?}; register it with POST /v1/systems")).at("system")),
    }
}

/// Whether the system is stopped now.
fn halt_of(system: Option<&Registered>) -> Option<Halt> {
    system.filter(|registered| registered.stopped).map(|registered| Halt {
        system: registered.system.id.clone(),
        since: registered.system.stopped.as_ref().map_or(registered.system.updated_at, |stop| stop.since),
    })
}

/// Completes the case: from here on nothing is added.
fn enrich(request: &Request, system: Option<&Registered>) -> Result<Input, Problem> {
    if let Some(Anew { case, .. }) = &request.anew {
        let rules_as_of = request.rules_as_of.unwrap_or(case.rules_as_of);
        return Ok(Input::new(Case { id: new_id(), rules_as_of, ..case.clone() }, halt_of(system)));
    }
    let registered = system.map(|registered| &registered.system);
    let mut jurisdictions = request.jurisdictions.clone();
    // What a caller says adds to what is registered, and can't take a law away.
    jurisdictions.extend(registered.into_iter().flat_map(|system| system.jurisdictions.iter().cloned()));
    let context = Context { system: system.map(|registered| &*registered.json), caller: request.context.as_deref() };
    let occurred_at = request.occurred_at.unwrap_or(request.received);
    let case = Case {
        id: new_id(),
        kind: request.kind.clone(),
        tenant: request.tenant.clone(),
        system: request.system.clone(),
        environment: request.environment.as_str().to_owned(),
        jurisdictions: with_unions(&jurisdictions),
        sector: sector_of(request, registered)?,
        actor: request.actor.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        occurred_at,
        rules_as_of: request.rules_as_of.unwrap_or(occurred_at),
        payload: request.payload.clone(),
        context: serde_json::value::to_raw_value(&context).map_err(Problem::internal)?,
    };
    Ok(Input::new(case, halt_of(system)))
}

/// The sector whose rules apply. As with jurisdictions, what a caller says can't take the system's away.
fn sector_of(request: &Request, registered: Option<&System>) -> Result<Option<String>, Problem> {
    let own = registered.and_then(|system| system.sector.as_ref().map(|sector| (system, sector)));
    match (&request.sector, own) {
        (Some(said), Some((system, own))) if said != own => {
            let id = &system.id;
            let remedy = format!("leave it out, or change the system with PUT /v1/systems/{id}");
            Err(Problem::invalid("sector", format!("{said:?} isn't {own:?}, the sector of system {id:?}: {remedy}")))
        }
        (said, own) => Ok(said.as_ref().or(own.map(|(_, own)| own)).cloned()),
    }
}

/// A `UUIDv7` of now.
fn new_id() -> String {
    use rand::Rng as _;
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    uuid::Builder::from_unix_timestamp_millis(Timestamp::now().as_millis(), &random).into_uuid().to_string()
}

fn identity(request: &Request, input: &Input) -> Identity {
    let case = input.case();
    Identity {
        id: case.id.clone(),
        tenant: case.tenant.clone(),
        system: case.system.clone(),
        environment: case.environment.clone(),
        kind: case.kind.clone(),
        idempotency_key: request.idempotency.as_ref().map(|promise| promise.key.clone()),
        body_hash: request.idempotency.as_ref().map(|promise| promise.body_hash),
        trace_id: request.trace_id.clone(),
        data_subject: request.data_subject.clone(),
        re_evaluates: request.anew.as_ref().map(|anew| anew.link.clone()),
    }
}

fn effects(record: &Record) -> Vec<EffectDraft> {
    let draft = |planned: &assize_kernel::PlannedEffect| EffectDraft {
        binding: planned.binding.clone(),
        kind: planned.kind.as_str().to_owned(),
        body: planned.body.get().as_bytes().to_vec(),
    };
    record.effects.iter().map(draft).collect()
}

/// Facts of an administrative entry.
pub(crate) fn details<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
