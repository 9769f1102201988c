//! What is on trial in a policy: how it goes, and how it ends.

use assize_kernel::{NoTrial, Policy};
use assize_ledger::Timestamp;
use assize_rehearing::World;
use assize_rehearing::trials::{MOST_DECISIONS, Trials, trials};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::policies::{self, PolicyView, Proposed};
use crate::app::{App, SharedApp};
use crate::door::{Parameters, Path, StrictJson, parsed};
use crate::identity::{Caller, Role};
use crate::problem::Problem;
use crate::whose::WhosePolicy;

/// Which decisions are looked at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialsQuery {
    /// Those judged at this moment or later (RFC 3339); else all since the trials began.
    since: Option<String>,
    /// The newest so many: 1 to 10000, which is also the default.
    limit: Option<u32>,
    /// The tenant whose policy is meant: for keys of the host, which see those of all. Left out, that of the one tenant
    /// which has the system is meant, or that of the only tenant that there is.
    tenant: Option<String>,
}

/// What is in shadow or canary in a scope's policy, beside what it is a candidate for: counted from the records of past decisions.
#[utoipa::path(get, path = "/v1/policies/{scope}/trials", tag = "policies",
    params(("scope" = String, Path, description = "`global`, `tenant` or `system:ID`"), TrialsQuery),
    responses((status = 200, description = "Each candidate with cases, agreement, flips, scores, failures and latency"),
        (status = 404, body = Problem),
        (status = 409, description = "It may be several tenants'", body = Problem)))]
pub(crate) async fn list(
    State(app): State<SharedApp>,
    caller: Caller,
    Path(text): Path<String>,
    Parameters(query): Parameters<TrialsQuery>,
) -> Result<Json<Trials>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Dev])?;
    let scope = policies::scope(&app, &caller, &text, query.tenant.as_deref()).await?;
    let most = query.limit.unwrap_or(MOST_DECISIONS);
    if !(1..=MOST_DECISIONS).contains(&most) {
        return Err(Problem::invalid("limit", format!("{most}: use 1 to {MOST_DECISIONS}")));
    }
    let since: Option<Timestamp> = query.since.as_deref().map(|text| parsed("since", text)).transpose()?;
    let found = trials(&app.store, &scope, caller.sees(), since, most).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("policy for {text}")))
}

/// Who ends a trial, and why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ending {
    /// For the record.
    reason: String,
    /// The person who answers for it.
    operator_id: Option<String>,
    /// The version of the policy that was looked at: with another in force by now, nothing is changed.
    version: Option<u64>,
}

/// A candidate of a scope's policy.
type Which = Path<(String, String)>;

/// Lets the candidate count in every case, and takes what it was instead of out of the policy.
#[utoipa::path(post, path = "/v1/policies/{scope}/trials/{binding}/promote", tag = "policies",
    params(("scope" = String, Path, description = "`global`, `tenant` or `system:ID`"), ("binding" = String, Path),
        WhosePolicy),
    request_body = Ending,
    responses((status = 200, description = "In force, as a new version of the policy"),
        (status = 404, description = "No such binding", body = Problem),
        (status = 409, description = "It isn't on trial, the policy has changed, or it may be several tenants'",
            body = Problem)))]
pub(crate) async fn promote(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    Parameters(whose): Parameters<WhosePolicy>,
    body: StrictJson<Ending>,
) -> Result<Json<PolicyView>, Problem> {
    end(&app, &caller, which, whose, body.value, Verb { details: "promoted", next: Policy::promoted }).await
}

/// Takes the candidate out of the policy.
#[utoipa::path(post, path = "/v1/policies/{scope}/trials/{binding}/roll-back", tag = "policies",
    params(("scope" = String, Path, description = "`global`, `tenant` or `system:ID`"), ("binding" = String, Path),
        WhosePolicy),
    request_body = Ending,
    responses((status = 200, description = "In force, as a new version of the policy"),
        (status = 404, description = "No such binding", body = Problem),
        (status = 409, description = "It isn't on trial, the policy has changed, or it may be several tenants'",
            body = Problem)))]
pub(crate) async fn roll_back(
    State(app): State<SharedApp>,
    caller: Caller,
    which: Which,
    Parameters(whose): Parameters<WhosePolicy>,
    body: StrictJson<Ending>,
) -> Result<Json<PolicyView>, Problem> {
    end(&app, &caller, which, whose, body.value, Verb { details: "rolled_back", next: Policy::rolled_back }).await
}

/// One of the two ways.
struct Verb {
    /// What the entry calls it.
    details: &'static str,
    next: fn(&Policy, &str) -> Result<Policy, NoTrial>,
}

async fn end(
    app: &App,
    caller: &Caller,
    Path((text, binding)): Which,
    whose: WhosePolicy,
    ending: Ending,
    verb: Verb,
) -> Result<Json<PolicyView>, Problem> {
    caller.must_be(&[Role::Dev])?;
    let scope = policies::scope(app, caller, &text, whose.tenant.as_deref()).await?;
    policies::may_change(app, caller, &scope)?;
    if ending.reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "say why: it goes on record"));
    }
    if ending.operator_id.as_deref().is_some_and(|operator| operator.trim().is_empty()) {
        return Err(Problem::invalid("operator_id", "name the person who answers for this, or leave it out"));
    }
    let propose = |world: &World| {
        let ruling = world.policy(&scope).ok_or_else(|| Problem::not_found(format!("policy for {text}")))?;
        if let Some(version) = ending.version.filter(|version| *version != ruling.version) {
            let detail = format!(
                "the policy is at version {}, not at {version}: look at its trials again before you change it",
                ruling.version
            );
            return Err(Problem::conflict(detail).at("version"));
        }
        let policy = (verb.next)(&ruling.policy, &binding).map_err(|error| match error {
            NoTrial::Unknown(name) => {
                Problem::not_found(format!("binding {name:?} in the policy of {text}")).at("binding")
            }
            error @ NoTrial::Live(_) => Problem::conflict(error).at("binding"),
        })?;
        let mut confidential = vec![("reason", ending.reason.clone())];
        confidential.extend(ending.operator_id.clone().map(|operator| ("operator_id", operator)));
        // What comes into force anew is checked as in any change. What stood before stands: a way back must not wait for a
        // version elsewhere in the policy that has been withdrawn since.
        let (only, details) = (Some(binding.clone()), vec![(verb.details, binding.clone())]);
        Ok(Proposed { policy, only, details, confidential })
    };
    policies::change(app, caller, &scope, propose).await.map(Json)
}
