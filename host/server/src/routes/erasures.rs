//! Taking away what may quote a person, with the legal basis; the proof that it was there stays.

use std::collections::{BTreeMap, BTreeSet};

use assize_ledger::Timestamp;
use assize_store::{Change, ChangeDraft, ErasureCause, Outcome};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, SharedApp};
use crate::door::{Parameters, StrictJson};
use crate::identity::{Caller, DEFAULT_TENANT, Role};
use crate::pipeline::details;
use crate::problem::Problem;
use crate::retention::{self, Retention};
use crate::view::Place;
use crate::whose::{self, WhoseRecords};

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

/// Decisions that one request erases at most.
const MOST: usize = 10_000;

/// Erases input, record, planned effects and salts. The entries, and every proof over them, stay as they are. Many decisions are erased by
/// several entries, of which `ledger` names the last; should one of them be refused, the problem says how many were erased before.
#[utoipa::path(post, path = "/v1/erasures", tag = "ledger", params(WhoseRecords), request_body = ErasureBody,
    responses((status = 201, description = "Erased"), (status = 200, description = "Nothing was left to erase"),
        (status = 404, description = "No such decision or tenant", body = Problem),
        (status = 409, description = "A legal hold is in force, or they are several tenants'", body = Problem)))]
pub(crate) async fn create(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(whose): Parameters<WhoseRecords>,
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
    let named = whose::named(&app, &caller, whose.tenant.as_deref()).await?;
    let (tenant, targets) = match &data_subject {
        Some(subject) => about(&app, named, subject).await?,
        None => by_id(&app, named, &decisions).await?,
    };
    if retention::of(&app, &tenant).await? == Retention::LegalHold {
        let detail = format!(
            "a legal hold is in force for tenant {tenant:?}: nothing of it may be erased before that is lifted \
             (PUT /v1/retention)"
        );
        return Err(Problem::conflict(detail));
    }
    if targets.len() > MOST {
        return Err(too_many(targets.len()));
    }
    caller.must_hold()?;
    let (mut erased, mut ledger) = (0, None::<Place>);
    let targets: Vec<u64> = targets.into_iter().collect();
    for part in targets.chunks(retention::BATCH as usize) {
        let draft = ChangeDraft {
            tenant: Some(tenant.clone()),
            time: Timestamp::now(),
            details: details([("key", &caller.key)]),
            confidential: reason.iter().map(|reason| ("reason".to_owned(), reason.clone())).collect(),
            // The request names the person: it isn't kept.
            input: None,
            change: Change::Erase {
                id: uuid::Uuid::now_v7().to_string(),
                basis: basis.clone(),
                cause: ErasureCause::Request,
                targets: part.iter().copied().collect(),
            },
        };
        match (app.store.change(draft).await, &ledger) {
            (Ok(Outcome::Appended(entry)), _) => {
                // It is done: a failure to count it is none of the erasure.
                erased += app.store.erased_by(entry.seq).await.unwrap_or(part.len() as u64);
                ledger = Some(Place { seq: entry.seq, entry_hash: entry.entry_hash });
            }
            (Ok(Outcome::Existing(_)), _) => {}
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(last)) => {
                let before =
                    format!("{erased} decisions were erased before this, the last of them by entry {}", last.seq);
                return Err(Problem::from(error).because(&before));
            }
        }
    }
    let status = if ledger.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "tenant": tenant, "erased": erased, "ledger": ledger }))).into_response())
}

/// Decisions by id, of a tenant or of all: whose they are, and their entries.
async fn by_id(app: &App, named: Option<&str>, decisions: &[String]) -> Result<(String, BTreeSet<u64>), Problem> {
    let (mut owners, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for (index, id) in decisions.iter().enumerate() {
        let found = app.store.decision(named, id).await?;
        let found =
            found.ok_or_else(|| Problem::not_found(format!("decision {id}")).at(format!("decisions[{index}]")))?;
        owners.insert(found.row.tenant);
        targets.insert(found.row.seq);
    }
    let owners: Vec<String> = owners.into_iter().collect();
    match owners.as_slice() {
        [owner] => Ok((owner.clone(), targets)),
        several => {
            let list = whose::listed(several);
            let detail = format!("they are of several tenants, {list}, and an erasure is one tenant's: ask for each");
            Err(Problem::conflict(detail).at("decisions"))
        }
    }
}

/// Decisions about a person, of a tenant or of the one that has any: whose they are, and their entries. Where nobody
/// has any, nothing is erased, and the default tenant stands for nobody.
async fn about(app: &App, named: Option<&str>, subject: &str) -> Result<(String, BTreeSet<u64>), Problem> {
    let tenants = match named {
        Some(tenant) => vec![tenant.to_owned()],
        None => app.store.tenants().await?,
    };
    let (mut owners, mut targets) = (Vec::new(), BTreeSet::new());
    for tenant in tenants {
        let found = app.store.decisions_about(&tenant, subject).await?;
        if !found.is_empty() {
            owners.push(tenant);
            targets.extend(found);
        }
    }
    match owners.as_slice() {
        [] => Ok((named.unwrap_or(DEFAULT_TENANT).to_owned(), targets)),
        [owner] => Ok((owner.clone(), targets)),
        several => Err(whose::ambiguous("there are decisions about this person of each of the tenants", several)),
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
#[utoipa::path(get, path = "/v1/retention", tag = "ledger", params(WhoseRecords),
    responses((status = 200, description = "`payloads`: days, or `legal_hold`"),
        (status = 404, description = "No such tenant", body = Problem),
        (status = 409, description = "There are several tenants", body = Problem)))]
pub(crate) async fn show(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(whose): Parameters<WhoseRecords>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let tenant = whose::tenant(&app, &caller, whose.tenant.as_deref()).await?;
    let payloads = retention::of(&app, &tenant).await?.to_string();
    Ok(Json(json!({ "tenant": tenant, "payloads": payloads })))
}

/// Changes how long the tenant's inputs and records are kept; what is older is erased within the hour.
#[utoipa::path(put, path = "/v1/retention", tag = "ledger", params(WhoseRecords), request_body = RetentionBody,
    responses((status = 200, description = "In force, and an entry"),
        (status = 404, description = "No such tenant", body = Problem),
        (status = 409, description = "There are several tenants: nothing is changed", body = Problem)))]
pub(crate) async fn put(
    State(app): State<SharedApp>,
    caller: Caller,
    Parameters(whose): Parameters<WhoseRecords>,
    body: StrictJson<RetentionBody>,
) -> Result<Json<Value>, Problem> {
    caller.must_be(&[])?;
    let tenant = whose::tenant(&app, &caller, whose.tenant.as_deref()).await?;
    let retention = Retention::parse(&body.value.payloads)?;
    let payloads = retention.to_string();
    caller.must_hold()?;
    let draft = ChangeDraft {
        tenant: Some(tenant.clone()),
        time: Timestamp::now(),
        details: details([("key", &caller.key), ("payloads", &payloads)]),
        confidential: BTreeMap::new(),
        input: None,
        change: Change::Retain { payloads: payloads.clone() },
    };
    app.store.change(draft).await?;
    Ok(Json(json!({ "tenant": tenant, "payloads": payloads })))
}
