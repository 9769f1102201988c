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
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::SharedApp;
use crate::leftover;
use crate::openapi;
use crate::problem::Problem;

/// The whole service.
pub(crate) fn all(app: SharedApp) -> Router {
    let v1 = Router::new()
        .route("/decisions", post(decisions::create).get(decisions::list))
        .route("/decisions/{id}", get(decisions::show))
        .route("/decisions/{id}/receipt", get(decisions::receipt))
        .route("/decisions/{id}/bundle", get(decisions::bundle))
        .route("/decisions/{id}/replay", post(decisions::replay))
        .route("/decisions/{id}/explanation", get(explaining::explanation))
        .route("/decisions/{id}/compare/{other}", get(explaining::comparison))
        .route("/decisions/{id}/re-evaluate", post(explaining::re_evaluate))
        .route("/enforce", post(enforce::enforce))
        .route("/systems", post(systems::create).get(systems::list))
        .route("/systems/{id}", get(systems::show).put(systems::change))
        .route("/systems/{id}/emergency-stop", put(systems::stop))
        .route("/systems/{id}/resume", post(systems::resume))
        .route("/plugins", post(plugins::publish).get(plugins::list))
        .route("/plugins/by-digest/{digest}", get(plugins::by_digest))
        .route("/plugins/by-digest/{digest}/component", get(plugins::component))
        .route("/plugins/{namespace}/{name}", get(plugins::versions))
        .route("/plugins/{namespace}/{name}/{version}", get(plugins::show))
        .route("/plugins/{namespace}/{name}/roll-back", post(life::roll_back))
        .route("/plugins/{namespace}/{name}/{version}/submit", post(life::submit))
        .route("/plugins/{namespace}/{name}/{version}/approve", post(life::approve))
        .route("/plugins/{namespace}/{name}/{version}/reject", post(life::reject))
        .route("/plugins/{namespace}/{name}/{version}/activate", post(life::activate))
        .route("/plugins/{namespace}/{name}/{version}/deactivate", post(life::deactivate))
        .route("/plugins/{namespace}/{name}/{version}/retire", post(life::retire))
        .route("/plugins/{namespace}/{name}/{version}/yank", post(life::yank))
        .route("/plugins/{namespace}/{name}/{version}/signatures", post(plugins::sign).get(plugins::signatures))
        .route("/namespaces", post(namespaces::claim).get(namespaces::list))
        .route("/namespaces/{namespace}/keys", post(namespaces::register))
        .route("/namespaces/{namespace}/keys/{id}/revoke", post(namespaces::revoke))
        .route("/policies/{scope}", get(policies::show).put(policies::put))
        .route("/policies/{scope}/effective", get(policies::effective))
        .route("/policies/{scope}/trials", get(trials::list))
        .route("/policies/{scope}/trials/{binding}/promote", post(trials::promote))
        .route("/policies/{scope}/trials/{binding}/roll-back", post(trials::roll_back))
        .route("/ledger/entries", get(ledger::entries))
        .route("/ledger/verify", get(ledger::verify))
        .route("/ledger/export", get(ledger::export))
        .route("/erasures", post(erasures::create))
        .route("/retention", get(erasures::show).put(erasures::put))
        .route("/ledger/checkpoint", get(proofs::checkpoint))
        .route("/ledger/keys", get(proofs::keys))
        .route("/ledger/keys/rotate", post(proofs::rotate))
        .route("/ledger/proof/inclusion", get(proofs::inclusion))
        .route("/ledger/proof/consistency", get(proofs::consistency))
        .route("/simulations", post(simulations::create).get(simulations::list))
        .route("/simulations/package", post(simulations::package))
        .route("/simulations/{id}", get(simulations::show).delete(simulations::cancel))
        .route("/simulations/{id}/events", get(simulations::events))
        .route("/simulations/{id}/{file}", get(simulations::report))
        .route("/keys", post(keys::create).get(keys::list))
        .route("/keys/{id}", delete(keys::revoke))
        .route("/me", get(keys::me));
    Router::new()
        .nest("/v1", v1)
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
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(leftover::read))
        .with_state(app)
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::not_found(format!("{}; the API is described at /docs", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(format!("{method} isn't for {}; the API is described at /docs", uri.path()))
}

/// A bug: the request fails, the host goes on.
fn panicked(cause: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    let text =
        cause.downcast_ref::<&str>().map(ToString::to_string).or_else(|| cause.downcast_ref::<String>().cloned());
    Problem::internal(text.unwrap_or_else(|| "panicked".to_owned())).into_response()
}
