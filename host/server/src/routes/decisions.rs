//! Cases in, decisions out.

use assize_kernel::{Environment, Record};
use assize_ledger::{Digest, Receipt, Timestamp};
use assize_registry::check_spelling;
use assize_rehearing::{MakeError, ReplayError, Unreplayable, make_bundle};
use assize_store::{DecisionFilter, DecisionRow, Idempotency, StoredDecision};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::app::{App, SharedApp};
use crate::door::{Parameters, Path, StrictJson, parsed};
use crate::identity::{Caller, Role};
use crate::pipeline::{Decided, Request, judge};
use crate::problem::Problem;
use crate::systems::Registered;
use crate::view::{DecisionView, Place};

/// A case.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseBody {
    /// A registered system's id.
    system: Option<String>,
    /// `development`, `staging` or `production`.
    environment: String,
    /// What sort of thing is judged: `prompt`, `content`, `agent-action`, … (in lower case, as in scopes).
    kind: String,
    /// The thing itself: any JSON.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
    /// Upper-case ISO 3166 codes and `EU`, at most 256, beside the system's.
    #[serde(default)]
    jurisdictions: Vec<String>,
    /// E.g. an area of Annex III of the EU AI Act; the system's where left out, and no other where it has one.
    sector: Option<String>,
    /// Whom the case is about, so that their data can be found and erased: a name of yours for them, not shown to plugins.
    data_subject: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    /// When the facts took place (RFC 3339); now where left out.
    occurred_at: Option<String>,
    /// The day whose law is applied; the facts' date where left out. Another than that is for admins and devs.
    rules_as_of: Option<String>,
    /// Anything more to consider; plugins find it in `context.caller`.
    #[schema(value_type = Option<Object>)]
    context: Option<Box<RawValue>>,
}

/// Longer words than these are no identifiers.
pub(super) const LONGEST_WORD: usize = 256;

fn word(field: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.len() > LONGEST_WORD || text.chars().any(char::is_control) {
        let detail = format!("use 1 to {LONGEST_WORD} bytes without control characters");
        return Err(Problem::invalid(field, detail));
    }
    Ok(())
}

/// Another law than that of the facts' day. Whoever asks for decisions could leave out the rule that is in their way; see
/// decision 0015 for the same in re-evaluations.
fn chooses_law(caller: &Caller) -> Result<(), Problem> {
    let why = "another day's law than that of the facts is asked for: leave rules_as_of out";
    caller.must_be(&[Role::Dev]).map_err(|problem| problem.because(why).at("rules_as_of"))
}

/// Asks for a decision.
#[utoipa::path(post, path = "/v1/decisions", tag = "decisions", request_body = CaseBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body give the same decision, until its record is erased"),
        ("Prefer" = Option<String>, Header, description = "`receipt`: with the proof that a signed checkpoint covers it")),
    responses((status = 201, description = "Judged and recorded"),
        (status = 403, description = "The key's role doesn't allow this, or not this `rules_as_of`", body = Problem),
        (status = 200, description = "Judged before",
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 409, description = "The key was used with another body, or before an emergency stop that lasts",
            body = Problem)))]
pub(crate) async fn create(
    State(app): State<SharedApp>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<CaseBody>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::App, Role::Dev])?;
    let received = Timestamp::now();
    let case = body.value;
    check_spelling(&case.jurisdictions, case.sector.as_deref(), Some(case.kind.as_str()))
        .map_err(|misspelt| Problem::invalid(misspelt.field, misspelt.detail))?;
    let words = [
        ("data_subject", &case.data_subject),
        ("actor", &case.actor),
        ("action", &case.action),
        ("resource", &case.resource),
    ];
    for (field, text) in words {
        text.as_ref().map_or(Ok(()), |text| word(field, text))?;
    }
    if case.context.as_ref().is_some_and(|context| !context.get().starts_with('{')) {
        return Err(Problem::invalid("context", "must be a JSON object"));
    }
    let occurred_at = moment("occurred_at", case.occurred_at.as_deref())?;
    let rules_as_of = moment("rules_as_of", case.rules_as_of.as_deref())?;
    if rules_as_of.is_some_and(|day| day != occurred_at.unwrap_or(received)) {
        chooses_law(&caller)?;
    }
    let request = Request {
        tenant: caller.tenant().to_owned(),
        system: case.system,
        environment: environment("environment", &case.environment)?,
        kind: case.kind,
        jurisdictions: case.jurisdictions,
        sector: case.sector,
        data_subject: case.data_subject,
        actor: case.actor,
        action: case.action,
        resource: case.resource,
        occurred_at,
        rules_as_of,
        payload: case.payload,
        context: case.context,
        idempotency: promise(&headers, &body.bytes)?,
        trace_id: trace_id(&headers),
        received,
        anew: None,
    };
    let wants_receipt = prefers_receipt(&headers);
    if let Some(known) = known(&app, &request).await? {
        let receipt = receipt_of(&app, &known, wants_receipt).await?;
        return answer(&known, StatusCode::OK, receipt);
    }
    match judged_or_known(&app, request, wants_receipt).await? {
        Ok(answer) => Ok(answer),
        Err(known) => {
            let receipt = receipt_of(&app, &known, wants_receipt).await?;
            answer(&known, StatusCode::OK, receipt)
        }
    }
}

/// Judges and records. The answer, or what the same request came to when it was judged a moment before.
pub(super) async fn judged_or_known(
    app: &App,
    request: Request,
    wants_receipt: bool,
) -> Result<Result<Response, StoredDecision>, Problem> {
    let tenant = request.tenant.clone();
    match judge(app, request).await? {
        Decided::New(record, place) => {
            let receipt = if wants_receipt {
                let stored = stored(app, Some(&tenant), &record.identity.id).await?;
                receipt_of(app, &stored, true).await?
            } else {
                None
            };
            let view = DecisionView::new(&record, place).with_receipt(receipt);
            let location = format!("/v1/decisions/{}", record.identity.id);
            Ok(Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response()))
        }
        Decided::Before(id) => Ok(Err(before(app, &tenant, &id).await?)),
    }
}

/// Whether the caller asks for the receipt at once (`Prefer: receipt`, RFC 7240).
pub(super) fn prefers_receipt(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|preference| preference.trim().eq_ignore_ascii_case("receipt"))
}

pub(super) async fn receipt_of(app: &App, stored: &StoredDecision, wanted: bool) -> Result<Option<Receipt>, Problem> {
    if !wanted {
        return Ok(None);
    }
    Ok(Some(app.signer.receipt(stored.row.seq, &stored.entry).await?))
}

/// The proof that a signed checkpoint covers a decision. Anyone can check it, with `assize ledger verify --receipt` or
/// without us.
#[utoipa::path(get, path = "/v1/decisions/{id}/receipt", tag = "decisions", params(("id" = String, Path)),
    responses((status = 200, description = "Entry, place, proof of inclusion and checkpoint"),
        (status = 404, body = Problem)))]
pub(crate) async fn receipt(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::App, Role::Dev, Role::Auditor])?;
    let stored = stored(&app, caller.sees(), &id).await?;
    Ok(Json(app.signer.receipt(stored.row.seq, &stored.entry).await?).into_response())
}

/// One decision in one file, with everything that is needed to check it and to judge it again: `assize bundle verify` does both
/// without us.
#[utoipa::path(get, path = "/v1/decisions/{id}/bundle", tag = "decisions", params(("id" = String, Path)),
    responses((status = 200, description = "A file after docs/bundle-format.md", content_type = "application/zstd"),
        (status = 404, body = Problem)))]
pub(crate) async fn bundle(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let made = match make_bundle(&app.store, caller.sees(), &id).await {
        // A checkpoint is signed for it, as for a receipt.
        Err(MakeError::NotCovered { needed, .. }) => {
            app.signer.covering(needed).await?;
            make_bundle(&app.store, caller.sees(), &id).await
        }
        made => made,
    };
    let bundle = made.map_err(|error| match error {
        MakeError::NotFound(id) => Problem::not_found(format!("decision {id}")),
        MakeError::Store(error) => error.into(),
        error => Problem::internal(error),
    })?;
    // Compressing megabytes isn't for a thread that serves.
    let written = tokio::task::spawn_blocking(move || bundle.write(Vec::new())).await.map_err(Problem::internal)?;
    let headers = [
        (header::CONTENT_TYPE, "application/zstd"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"decision.bundle\""),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    Ok((headers, written.map_err(Problem::internal)?).into_response())
}

pub(super) fn environment(field: &str, text: &str) -> Result<Environment, Problem> {
    parsed(field, text)
}

pub(super) fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| parsed(field, text)).transpose()
}

/// The caller's promise that two requests are one.
pub(super) fn promise(headers: &HeaderMap, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= LONGEST_WORD);
    let Some(key) = key else {
        let detail = format!("use 1 to {LONGEST_WORD} visible ASCII characters");
        return Err(Problem::invalid("Idempotency-Key", detail));
    };
    Ok(Some(Idempotency { key: key.to_owned(), body_hash: Digest::of(body) }))
}

/// The trace id of a W3C `traceparent`.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// Says that an answer is what was judged before.
pub(super) const REPLAYED: (&str, &str) = ("idempotent-replayed", "true");

/// The decision that the idempotency key stands for already.
pub(super) async fn known(app: &App, request: &Request) -> Result<Option<StoredDecision>, Problem> {
    let Some(promise) = &request.idempotency else { return Ok(None) };
    let Some((id, body_hash)) = app.store.find_idempotent(&request.tenant, &promise.key).await? else {
        return Ok(None);
    };
    if body_hash != promise.body_hash {
        let detail = format!("the key {:?} was used for decision {id} with another body: take a new key", promise.key);
        return Err(Problem::conflict(detail).at("Idempotency-Key"));
    }
    before(app, &request.tenant, &id).await.map(Some)
}

/// A decision that was made before, to answer the same request with. While its system is stopped, only what the stop
/// itself decided is one: whoever asks now would take an approval for leave to go on.
pub(super) async fn before(app: &App, tenant: &str, id: &str) -> Result<StoredDecision, Problem> {
    let known = stored(app, Some(tenant), id).await?;
    let Some(system) = known.row.system.as_deref().filter(|_| !known.row.kill_switch) else { return Ok(known) };
    // Another host may have stopped it a moment ago. The sequencer fences off new decisions from that, not old ones.
    if let Some(row) = app.store.system_history(Some(tenant), system).await?.last() {
        app.systems.put(Registered::read(row)?);
    }
    match app.systems.get(tenant, system).and_then(|registered| registered.stopped_since()) {
        None => Ok(known),
        Some(since) => Err(Problem::conflict(format!(
            "system {system:?} is stopped since {since}; this request was judged before that, as decision {id}, which \
             GET /v1/decisions/{id} shows: it is given in answer again when the system was resumed"
        ))
        .at("system")),
    }
}

pub(super) async fn stored(app: &App, tenant: Option<&str>, id: &str) -> Result<StoredDecision, Problem> {
    let found = app.store.decision(tenant, id).await?;
    found.ok_or_else(|| Problem::not_found(format!("decision {id}")))
}

/// The record of a stored decision, if it is the one that its entry binds, as is the input; none once it is erased.
pub(super) fn record(stored: &StoredDecision) -> Result<Record, Problem> {
    if let Some(altered) = &stored.altered {
        return Err(Problem::altered(altered));
    }
    let Some(bytes) = &stored.record else {
        let detail = format!(
            "input and record of decision {} were erased; entry {} and its receipt are still there",
            stored.row.id, stored.row.seq
        );
        return Err(Problem::gone(detail));
    };
    serde_json::from_slice(bytes).map_err(|error| Problem::internal(format!("the record can't be read: {error}")))
}

pub(super) fn answer(
    stored: &StoredDecision,
    status: StatusCode,
    receipt: Option<Receipt>,
) -> Result<Response, Problem> {
    let record = record(stored)?;
    let place = Place { seq: stored.row.seq, entry_hash: stored.row.entry_hash };
    Ok((status, [REPLAYED], DecisionView::new(&record, place).with_receipt(receipt)).into_response())
}

/// One decision with its exact record and input.
#[utoipa::path(get, path = "/v1/decisions/{id}", tag = "decisions", params(("id" = String, Path)),
    responses((status = 200, description = "The decision"), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::App, Role::Dev, Role::Auditor])?;
    let stored = stored(&app, caller.sees(), &id).await?;
    let record = record(&stored)?;
    let place = Place { seq: stored.row.seq, entry_hash: stored.row.entry_hash };
    let exact = |bytes: &Option<Vec<u8>>| -> Result<Option<Box<RawValue>>, Problem> {
        bytes.as_deref().map(|bytes| serde_json::from_slice(bytes).map_err(Problem::internal)).transpose()
    };
    let (record_bytes, input) = (exact(&stored.record)?, exact(&stored.input)?);
    let later = app.store.re_evaluations(&stored.row).await?;
    let view = DecisionView::new(&record, place).re_evaluated_by(later);
    let Some(record_bytes) = record_bytes else { return Ok(view.into_response()) };
    Ok(view.with_bytes(&record_bytes, input.as_deref()).into_response())
}

/// Which decisions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// 1 to 1000; 50 where left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<u64>,
    system: Option<String>,
    environment: Option<String>,
    verdict: Option<String>,
    /// Judged at this moment or later.
    from: Option<String>,
    /// Judged before this moment.
    to: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    id: String,
    verdict: String,
    reason: String,
    risk_score: f64,
    confidence: f64,
    system: Option<String>,
    environment: String,
    kind: String,
    tenant: String,
    kill_switch: bool,
    occurred_at: Timestamp,
    decided_at: Timestamp,
    snapshot: Digest,
    ledger: Place,
}

impl From<DecisionRow> for Summary {
    fn from(row: DecisionRow) -> Self {
        Self {
            id: row.id,
            verdict: row.verdict,
            reason: row.reason,
            risk_score: row.risk_score,
            confidence: row.confidence,
            system: row.system,
            environment: row.environment,
            kind: row.kind,
            tenant: row.tenant,
            kill_switch: row.kill_switch,
            occurred_at: row.occurred_at,
            decided_at: row.decided_at,
            snapshot: row.snapshot,
            ledger: Place { seq: row.seq, entry_hash: row.entry_hash },
        }
    }
}

/// Decisions, newest first.
#[utoipa::path(get, path = "/v1/decisions", tag = "decisions", params(ListQuery),
    responses((status = 200, description = "A page of decisions, with `next_cursor`")))]
pub(crate) async fn list(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::App, Role::Dev, Role::Auditor])?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::invalid("limit", format!("{limit}: use 1 to 1000")));
    }
    if let Some(text) = &query.environment {
        environment("environment", text)?;
    }
    if let Some(text) = query.verdict.as_deref().filter(|text| !["allow", "warn", "review", "block"].contains(text)) {
        return Err(Problem::invalid("verdict", format!("unknown verdict {text:?}: use allow, warn, review or block")));
    }
    let filter = DecisionFilter {
        system: query.system,
        verdict: query.verdict,
        environment: query.environment,
        from: moment("from", query.from.as_deref())?,
        before: moment("to", query.to.as_deref())?,
    };
    let page = app.store.decisions(caller.sees(), &filter, query.cursor, limit).await?;
    let decisions: Vec<Summary> = page.rows.into_iter().map(Summary::from).collect();
    Ok(Json(serde_json::json!({ "decisions": decisions, "next_cursor": page.next })).into_response())
}

/// Judges it again from the archive, and compares.
#[utoipa::path(post, path = "/v1/decisions/{id}/replay", tag = "decisions", params(("id" = String, Path)),
    responses((status = 200, description = "Whether it is identical, or what differs"), (status = 404, body = Problem)))]
pub(crate) async fn replay(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    match app.archive().replay(caller.sees(), &id).await {
        Ok(replayed) => Ok(Json(replayed).into_response()),
        Err(ReplayError::NotFound(id)) => Err(Problem::not_found(format!("decision {id}"))),
        Err(ReplayError::Impossible(error @ Unreplayable::Erased { .. })) => Err(Problem::conflict(error)),
        Err(ReplayError::Impossible(Unreplayable::Altered(altered))) => Err(Problem::altered(&altered)),
        Err(ReplayError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::internal(error)),
    }
}
