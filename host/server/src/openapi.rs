//! The API's description at `/openapi.json`, and a page to read and try it at `/docs`.

use axum::Router;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use crate::app::SharedApp;
use crate::problem::Problem;
use crate::routes::{
    decisions, enforce, erasures, explaining, keys, ledger, life, namespaces, ops, plugins, policies, proofs,
    simulations, systems, trials,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Assize",
        description = "A host for WebAssembly plugins that hold rules, and a record of every judgment that anyone can \
            check and try again. Errors are problem details after RFC 9457."
    ),
    paths(
        decisions::create, decisions::list, decisions::show, decisions::replay, decisions::receipt,
        explaining::explanation, explaining::comparison, explaining::re_evaluate, decisions::bundle,
        enforce::enforce,
        systems::create, systems::list, systems::show, systems::change, systems::stop, systems::resume,
        plugins::publish, plugins::list, plugins::versions, plugins::show, plugins::by_digest, plugins::component,
        plugins::sign, plugins::signatures, life::submit, life::approve, life::reject, life::activate, life::deactivate, life::retire, life::yank,
        life::roll_back, namespaces::claim, namespaces::list, namespaces::register, namespaces::revoke,
        policies::show, policies::put, policies::effective, trials::list, trials::promote, trials::roll_back,
        ledger::entries, ledger::verify, ledger::export, erasures::create, erasures::show, erasures::put, proofs::checkpoint, proofs::keys, proofs::rotate, proofs::inclusion,
        proofs::consistency,
        simulations::create, simulations::package, simulations::list, simulations::show, simulations::report, simulations::events,
        simulations::cancel,
        keys::create, keys::list, keys::revoke, keys::me, ops::healthz, ops::readyz, ops::metrics,
    ),
    components(schemas(Problem)),
    security(("key" = [])),
    modifiers(&Bearer),
)]
pub(crate) struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Both addresses.
pub(crate) fn router() -> Router<SharedApp> {
    SwaggerUi::new("/docs").url("/openapi.json", Description::openapi()).into()
}
