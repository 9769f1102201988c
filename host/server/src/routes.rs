//! All addresses, and the answer where there is none.

pub(crate) mod decisions;
pub(crate) mod enforce;
pub(crate) mod erasures;
pub(crate) mod explaining;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod life;
pub(crate) mod namespaces;
pub(crate) mod ops;
pub(crate) mod plugins;
pub(crate) mod policies;
pub(crate) mod proofs;
pub(crate) mod simulations;
pub(crate) mod systems;
pub(crate) mod trials;

use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::{delete, get, post, put};

use crate::app::SharedApp;
use crate::openapi;
use crate::problem::Problem;

/// The whole service, but for what surrounds it: see [`crate::around`].
pub(crate) fn all(app: SharedApp) -> Router {
    // Not nested: each level would take the address apart and copy the service once more, with every request.
    Router::new()
        .route("/v1/decisions", post(decisions::create).get(decisions::list))
        .route("/v1/decisions/{id}", get(decisions::show))
        .route("/v1/decisions/{id}/receipt", get(decisions::receipt))
        .route("/v1/decisions/{id}/bundle", get(decisions::bundle))
        .route("/v1/decisions/{id}/replay", post(decisions::replay))
        .route("/v1/decisions/{id}/explanation", get(explaining::explanation))
        .route("/v1/decisions/{id}/compare/{other}", get(explaining::comparison))
        .route("/v1/decisions/{id}/re-evaluate", post(explaining::re_evaluate))
        .route("/v1/enforce", post(enforce::enforce))
        .route("/v1/systems", post(systems::create).get(systems::list))
        .route("/v1/systems/{id}", get(systems::show).put(systems::change))
        .route("/v1/systems/{id}/emergency-stop", put(systems::stop))
        .route("/v1/systems/{id}/resume", post(systems::resume))
        .route("/v1/plugins", post(plugins::publish).get(plugins::list))
        .route("/v1/plugins/by-digest/{digest}", get(plugins::by_digest))
        .route("/v1/plugins/by-digest/{digest}/component", get(plugins::component))
        .route("/v1/plugins/{namespace}/{name}", get(plugins::versions))
        .route("/v1/plugins/{namespace}/{name}/{version}", get(plugins::show))
        .route("/v1/plugins/{namespace}/{name}/roll-back", post(life::roll_back))
        .route("/v1/plugins/{namespace}/{name}/{version}/submit", post(life::submit))
        .route("/v1/plugins/{namespace}/{name}/{version}/approve", post(life::approve))
        .route("/v1/plugins/{namespace}/{name}/{version}/reject", post(life::reject))
        .route("/v1/plugins/{namespace}/{name}/{version}/activate", post(life::activate))
        .route("/v1/plugins/{namespace}/{name}/{version}/deactivate", post(life::deactivate))
        .route("/v1/plugins/{namespace}/{name}/{version}/retire", post(life::retire))
        .route("/v1/plugins/{namespace}/{name}/{version}/yank", post(life::yank))
        .route("/v1/plugins/{namespace}/{name}/{version}/signatures", post(plugins::sign).get(plugins::signatures))
        .route("/v1/namespaces", post(namespaces::claim).get(namespaces::list))
        .route("/v1/namespaces/{namespace}/keys", post(namespaces::register))
        .route("/v1/namespaces/{namespace}/keys/{id}/revoke", post(namespaces::revoke))
        .route("/v1/policies/{scope}", get(policies::show).put(policies::put))
        .route("/v1/policies/{scope}/effective", get(policies::effective))
        .route("/v1/policies/{scope}/trials", get(trials::list))
        .route("/v1/policies/{scope}/trials/{binding}/promote", post(trials::promote))
        .route("/v1/policies/{scope}/trials/{binding}/roll-back", post(trials::roll_back))
        .route("/v1/ledger/entries", get(ledger::entries))
        .route("/v1/ledger/verify", get(ledger::verify))
        .route("/v1/ledger/export", get(ledger::export))
        .route("/v1/erasures", post(erasures::create))
        .route("/v1/retention", get(erasures::show).put(erasures::put))
        .route("/v1/ledger/checkpoint", get(proofs::checkpoint))
        .route("/v1/ledger/keys", get(proofs::keys))
        .route("/v1/ledger/keys/rotate", post(proofs::rotate))
        .route("/v1/ledger/proof/inclusion", get(proofs::inclusion))
        .route("/v1/ledger/proof/consistency", get(proofs::consistency))
        .route("/v1/simulations", post(simulations::create).get(simulations::list))
        .route("/v1/simulations/package", post(simulations::package))
        .route("/v1/simulations/{id}", get(simulations::show).delete(simulations::cancel))
        .route("/v1/simulations/{id}/events", get(simulations::events))
        .route("/v1/simulations/{id}/{file}", get(simulations::report))
        .route("/v1/keys", post(keys::create).get(keys::list))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/me", get(keys::me))
        // Paths of C2SP tlog-tiles, for monitors and witnesses that know nothing of us.
        .route("/log/checkpoint", get(proofs::checkpoint))
        .route("/log/tile/entries/{*index}", get(proofs::entries))
        .route("/log/tile/{level}/{*index}", get(proofs::tile))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .merge(openapi::router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::not_found(format!("{}; the API is described at /docs", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(format!("{method} isn't for {}; the API is described at /docs", uri.path()))
}
