//! Why a decision came out as it did, why another one didn't, and the same case ruled anew on purpose.

use assize_kernel::{Environment, Input, Occasion, ReEvaluates};
use assize_ledger::Timestamp;
use assize_rehearing::{ReplayError, Unreplayable};
use assize_store::StoredDecision;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::decisions;
use crate::app::SharedApp;
use crate::door::{Path, StrictJson};
use crate::identity::{Caller, Role};
use crate::pipeline::{Anew, Request};
use crate::problem::Problem;

/// Why a decision came out as it did: one sentence (`summary`), how the score came about (`score.layers`: each agent's points
/// and what the cap took off add up to the score), which threshold was met, rules with their periods and citations, what didn't
/// apply and why, failures, passages quoted from the input, the layer of policy that decided. Nothing is judged.
#[utoipa::path(get, path = "/v1/decisions/{id}/explanation", tag = "decisions", params(("id" = String, Path)),
    responses((status = 200, description = "The explanation"), (status = 404, body = Problem),
        (status = 410, description = "The record was erased", body = Problem)))]
pub(crate) async fn explanation(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::App, Role::Dev, Role::Auditor])?;
    let explanation = app.archive().explain(caller.sees(), &id).await.map_err(problem)?;
    Ok(Json(explanation).into_response())
}

/// Why two decisions came out differently: everything that differs (`factors`, `consequences`), and which of it made the
/// difference (`decisive`), found by judging the case of one with an aspect of the other (`trials`). Nothing is recorded.
#[utoipa::path(get, path = "/v1/decisions/{id}/compare/{other}", tag = "decisions",
    params(("id" = String, Path), ("other" = String, Path)),
    responses((status = 200, description = "What differs, and what made the difference"), (status = 404, body = Problem),
        (status = 410, description = "A record was erased", body = Problem)))]
pub(crate) async fn comparison(
    State(app): State<SharedApp>,
    caller: Caller,
    Path((id, other)): Path<(String, String)>,
) -> Result<Response, Problem> {
    // As for a replay: it judges again, many times over.
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let compared = app.archive().compare(caller.sees(), &id, &other).await.map_err(problem)?;
    Ok(Json(compared).into_response())
}

fn problem(error: ReplayError) -> Problem {
    match error {
        ReplayError::NotFound(id) => Problem::not_found(format!("decision {id}")),
        ReplayError::Impossible(Unreplayable::Erased { id, what }) => Problem::gone(format!(
            "the {what} of decision {id} was erased, so there is nothing left to explain; its entry and receipt are still there"
        )),
        ReplayError::Impossible(Unreplayable::Altered(altered)) => Problem::altered(&altered),
        ReplayError::Store(error) => error.into(),
        error @ ReplayError::Impossible(_) => Problem::internal(error),
    }
}

/// Why a case is ruled anew.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReEvaluateBody {
    /// `new_law`, `new_model`, `new_policy`, `court_order`, `correction` or `request` (of the person concerned).
    reason: Option<String>,
    /// More on why, e.g. the court's file number. It is kept in the record, and goes with it when it is erased.
    note: Option<String>,
    /// The day whose law is applied (RFC 3339 or a date); that of the earlier decision where left out.
    rules_as_of: Option<String>,
}

/// Longer notes are documents, and belong into the case's file.
const LONGEST_NOTE: usize = 4_096;

/// Rules the case of a decision anew, on purpose: a new decision on the recorded case, by the policy, versions and emergency
/// stops that are in force now. It names the earlier one, which stays as it is.
#[utoipa::path(post, path = "/v1/decisions/{id}/re-evaluate", tag = "decisions", request_body = ReEvaluateBody,
    params(("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body give the same decision, until its record is erased"),
        ("Prefer" = Option<String>, Header, description = "`receipt`: with the proof that a signed checkpoint covers it")),
    responses((status = 201, description = "Judged anew and recorded"), (status = 200, description = "Judged anew before"),
        (status = 404, body = Problem), (status = 410, description = "The input was erased", body = Problem),
        (status = 409, description = "The key was used for something else", body = Problem),
        (status = 422, description = "There is no such reason", body = Problem)))]
pub(crate) async fn re_evaluate(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: StrictJson<ReEvaluateBody>,
) -> Result<Response, Problem> {
    // See decision 0015: whoever rules anew answers for it, as for an emergency stop.
    caller.must_be(&[])?;
    let received = Timestamp::now();
    let ReEvaluateBody { reason, note, rules_as_of } = body.value;
    let reason = occasion(reason.as_deref())?;
    let note = note.map(|note| checked_note(&note)).transpose()?;
    let rules_as_of = decisions::moment("rules_as_of", rules_as_of.as_deref())?;
    let earlier = decisions::stored(&app, caller.sees(), &id).await?;
    let (case, data_subject) = recorded(&earlier)?;
    let environment: Environment = case.environment.parse().map_err(Problem::internal)?;
    let link = ReEvaluates {
        id: earlier.row.id.clone(),
        seq: earlier.row.seq,
        entry_hash: earlier.row.entry_hash,
        reason,
        note,
        by: caller.key.clone(),
    };
    let request = Request {
        tenant: case.tenant.clone(),
        system: case.system.clone(),
        environment,
        kind: case.kind.clone(),
        jurisdictions: case.jurisdictions.clone(),
        sector: case.sector.clone(),
        // So that whoever erases what is about a person finds this decision, too.
        data_subject,
        actor: case.actor.clone(),
        action: case.action.clone(),
        resource: case.resource.clone(),
        occurred_at: Some(case.occurred_at),
        rules_as_of,
        payload: case.payload.clone(),
        context: None,
        idempotency: decisions::promise(&headers, &body.bytes)?,
        trace_id: decisions::trace_id(&headers),
        received,
        anew: Some(Anew { case, link }),
    };
    let wants_receipt = decisions::prefers_receipt(&headers);
    let known = match decisions::known(&app, &request).await? {
        Some(known) => known,
        None => match decisions::judged_or_known(&app, request, wants_receipt).await? {
            Ok(answer) => return Ok(answer),
            Err(known) => known,
        },
    };
    // Bodies of re-evaluations are alike: it is the address that says what is ruled anew.
    let of = decisions::record(&known)?.identity.re_evaluates;
    if of.is_none_or(|link| link.id != id) {
        let detail =
            format!("the key was used for decision {}, which doesn't re-evaluate {id}: take a new key", known.row.id);
        return Err(Problem::conflict(detail).at("Idempotency-Key"));
    }
    let receipt = decisions::receipt_of(&app, &known, wants_receipt).await?;
    decisions::answer(&known, StatusCode::OK, receipt)
}

fn occasion(reason: Option<&str>) -> Result<Occasion, Problem> {
    let Some(reason) = reason else {
        let known: Vec<&str> = Occasion::ALL.into_iter().map(Occasion::as_str).collect();
        let detail = format!("is missing: nothing is ruled anew without a reason; give one of {}", known.join(", "));
        return Err(Problem::invalid("reason", detail));
    };
    reason.parse().map_err(|error| Problem::invalid("reason", error))
}

fn checked_note(note: &str) -> Result<String, Problem> {
    let note = note.trim();
    if note.is_empty() || note.len() > LONGEST_NOTE {
        let detail = format!("{} bytes: use 1 to {LONGEST_NOTE}, or leave it out", note.len());
        return Err(Problem::invalid("note", detail));
    }
    Ok(note.to_owned())
}

/// The case as it was judged, and whom it is about.
fn recorded(earlier: &StoredDecision) -> Result<(assize_sandbox::contract::Case, Option<String>), Problem> {
    let (Some(input), Some(_)) = (&earlier.input, &earlier.record) else {
        return Err(Problem::gone(format!(
            "the input of decision {} was erased, so there is no case left to rule on; send the case anew with POST /v1/decisions",
            earlier.row.id
        )));
    };
    let input = Input::from_bytes(input).map_err(Problem::internal)?;
    Ok((input.case().clone(), decisions::record(earlier)?.identity.data_subject))
}
