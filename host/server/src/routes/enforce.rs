//! BuildToValue's own door (BTV-8).

use assize_kernel::Record;
use assize_ledger::{Digest, Timestamp};
use assize_sandbox::contract::Verdict;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::decisions;
use crate::app::SharedApp;
use crate::door::StrictJson;
use crate::identity::{Caller, Role};
use crate::pipeline::{Decided, Request, judge};
use crate::problem::Problem;
use crate::view::Place;

/// A prompt to a system.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnforceBody {
    system_id: String,
    prompt: String,
    /// `development`, `staging` or `production`.
    env: String,
}

/// What to do with it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Enforced {
    /// `APPROVED`, `ESCALATED` or `BLOCKED`.
    outcome: &'static str,
    /// 0 to 10.
    risk_score: f64,
    reason: String,
    /// Codes of what was found in the prompt itself, each once. Findings about the system stand in the decision.
    detected_threats: Vec<String>,
    /// 0 to 1.
    confidence: f64,
    #[schema(value_type = String)]
    active_policy_hash: Digest,
    decision_id: String,
    /// When it was judged: not now, where the same request was judged before.
    #[schema(value_type = String)]
    decided_at: Timestamp,
    ledger: Place,
}

#[derive(Serialize)]
struct Payload<'a> {
    prompt: &'a str,
}

/// Enforces the policy on a prompt.
#[utoipa::path(post, path = "/v1/enforce", tag = "decisions", request_body = EnforceBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body give the same decision, until its record is erased")),
    responses((status = 200, description = "Judged and recorded, or judged before", body = Enforced,
            headers(("Idempotent-Replayed" = String, description = "`true`, where it was judged before"))),
        (status = 404, description = "Unknown system", body = Problem),
        (status = 409, description = "The key was used with another body, or before an emergency stop that lasts",
            body = Problem)))]
pub(crate) async fn enforce(
    State(app): State<SharedApp>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<EnforceBody>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::App, Role::Dev])?;
    let EnforceBody { system_id, prompt, env } = body.value;
    let request = Request {
        tenant: caller.tenant().to_owned(),
        system: Some(system_id),
        environment: decisions::environment("env", &env)?,
        kind: "prompt".to_owned(),
        jurisdictions: Vec::new(),
        sector: None,
        data_subject: None,
        actor: None,
        action: None,
        resource: None,
        occurred_at: None,
        rules_as_of: None,
        payload: serde_json::value::to_raw_value(&Payload { prompt: &prompt }).map_err(Problem::internal)?,
        context: None,
        idempotency: decisions::promise(&headers, &body.bytes)?,
        trace_id: decisions::trace_id(&headers),
        received: Timestamp::now(),
        anew: None,
    };
    let tenant = request.tenant.clone();
    let known = match decisions::known(&app, &request).await? {
        Some(stored) => stored,
        None => match judge(&app, request).await? {
            Decided::New(record, place) => return Ok(Json(enforced(&record, place)).into_response()),
            Decided::Before(id) => decisions::before(&app, &tenant, &id).await?,
        },
    };
    let place = Place { seq: known.row.seq, entry_hash: known.row.entry_hash };
    Ok(([decisions::REPLAYED], Json(enforced(&decisions::record(&known)?, place))).into_response())
}

fn enforced(record: &Record, ledger: Place) -> Enforced {
    let mut threats: Vec<String> = Vec::new();
    for named in &record.outcome.findings {
        if !named.finding.evidence.is_empty() && !threats.contains(&named.finding.code) {
            threats.push(named.finding.code.clone());
        }
    }
    Enforced {
        outcome: match record.outcome.verdict {
            Verdict::Allow | Verdict::Warn => "APPROVED",
            Verdict::Review => "ESCALATED",
            Verdict::Block => "BLOCKED",
        },
        risk_score: record.outcome.risk.score,
        reason: record.outcome.reason.clone(),
        detected_threats: threats,
        confidence: record.outcome.risk.confidence,
        active_policy_hash: record.policy.snapshot,
        decision_id: record.identity.id.clone(),
        decided_at: record.times.decided,
        ledger,
    }
}
