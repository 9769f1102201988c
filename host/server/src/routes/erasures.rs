//! Taking away what may quote a person, with the legal basis; the proof that it was there stays.

use std::collections::{BTreeMap, BTreeSet};

use assize_ledger::Timestamp;
use assize_store::{Change, ChangeDraft, Outcome};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::door::StrictJson;
use crate::identity::Caller;
use crate::pipeline::details;
use crate::problem::Problem;
use crate::retention::{self, Retention};
use crate::view::Place;

/// What is to be erased, and why that is lawful.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureBody {
    /// Decisions by id.
    #[serde(default)]
    decisions: Vec<String>,
    /// All decisions about this person, as their cases named them.
    data_subject: Option<String>,
    /// The legal basis, e.g. `GDPR Art. 17(1)(b)`. It stays readable for ever: no personal data.
    basis: String,
    /// In a person's words; kept in the record.
    reason: Option<String>,
}

/// Decisions that one entry erases at most.
const MOST: usize = 10_000;

/// Erases input, record, planned effects and salts. The entries, and every proof over them, stay as they are.
#[utoipa::path(post, path = "/v1/erasures", tag = "ledger", request_body = ErasureBody,
    responses((status = 201, description = "Erased"), (status = 200, description = "Nothing was left to erase"),
        (status = 409, description = "A legal hold is in force", body = Problem)))]
pub(crate) async fn create(
    State(app): State<SharedApp>,
    caller: Caller,
    body: StrictJson<ErasureBody>,
) -> Result<Response, Problem> {
    caller.must_be(&[])?;
    let ErasureBody { decisions, data_subject, basis, reason } = body.value;
    if basis.trim().is_empty() || basis.len() > 256 {
        return Err(Problem::invalid("basis", "name the legal basis in 1 to 256 bytes, e.g. GDPR Art. 17(1)(b)"));
    }
    if decisions.is_empty() == data_subject.is_none() {
        return Err(Problem::invalid("decisions", "give either decisions or a data_subject"));
    }
    let too_many = |count: usize| Problem::invalid("decisions", format!("{count}: at most {MOST} at a time"));
    // Before any of them is looked up.
    if decisions.len() > MOST {
        return Err(too_many(decisions.len()));
    }
    let tenant = caller.tenant();
    if retention::of(&app, tenant).await? == Retention::LegalHold {
        let detail = "a legal hold is in force: nothing may be erased before it is lifted (PUT /v1/retention)";
        return Err(Problem::conflict(detail));
    }
    let mut targets = BTreeSet::new();
    for (index, id) in decisions.iter().enumerate() {
        let found = app.store.decision(Some(tenant), id).await?;
        let found =
            found.ok_or_else(|| Problem::not_found(format!("decision {id}")).at(format!("decisions[{index}]")))?;
        targets.insert(found.row.seq);
    }
    if let Some(subject) = &data_subject {
        targets.extend(app.store.decisions_about(tenant, subject).await?);
    }
    if targets.len() > MOST {
        return Err(too_many(targets.len()));
    }
    caller.must_hold()?;
    let draft = ChangeDraft {
        tenant: Some(tenant.to_owned()),
        time: Timestamp::now(),
        details: details([("key", &caller.key)]),
        confidential: reason.into_iter().map(|reason| ("reason".to_owned(), reason)).collect(),
        // The request names the person: it isn't kept.
        input: None,
        change: Change::Erase { id: uuid::Uuid::now_v7().to_string(), basis, targets },
    };
    match app.store.change(draft).await? {
        Outcome::Appended(entry) => {
            let ledger = Place { seq: entry.seq, entry_hash: entry.entry_hash };
            let row = app.store.erased_by(entry.seq).await?;
            Ok((StatusCode::CREATED, Json(json!({ "erased": row, "ledger": ledger }))).into_response())
        }
        Outcome::Existing(_) => Ok(Json(json!({ "erased": 0, "ledger": null })).into_response()),
    }
}

/// How long payloads are kept.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionBody {
    /// Days, e.g. `30d`, or `legal_hold`.
    payloads: String,
}

/// How long the tenant's inputs and records are kept.
#[utoipa::path(get, path = "/v1/retention", tag = "ledger",
    responses((status = 200, description = "`payloads`: days, or `legal_hold`")))]
pub(crate) async fn show(State(app): State<SharedApp>, caller: Caller) -> Result<Json<Value>, Problem> {
    use crate::identity::Role;
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    Ok(Json(json!({ "payloads": retention::of(&app, caller.tenant()).await?.to_string() })))
}

/// Changes how long the tenant's inputs and records are kept; what is older is erased within the hour.
#[utoipa::path(put, path = "/v1/retention", tag = "ledger", request_body = RetentionBody,
    responses((status = 200, description = "In force, and an entry")))]
pub(crate) async fn put(
    State(app): State<SharedApp>,
    caller: Caller,
    body: StrictJson<RetentionBody>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let retention = Retention::parse(&body.value.payloads)?;
    let payloads = retention.to_string();
    caller.must_hold()?;
    let draft = ChangeDraft {
        tenant: Some(caller.tenant().to_owned()),
        time: Timestamp::now(),
        details: details([("key", &caller.key), ("payloads", &payloads)]),
        confidential: BTreeMap::new(),
        input: None,
        change: Change::Retain { payloads: payloads.clone() },
    };
    app.store.change(draft).await?;
    Ok(Json(json!({ "payloads": payloads })))
}
