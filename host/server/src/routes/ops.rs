//! For those who run the host.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::identity::DEFAULT_TENANT;
use crate::problem::Problem;

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "Alive")), security(()))]
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// Whether it can judge and record now; else a problem that says why not.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "Ready"), (status = 503, body = Problem)), security(()))]
pub(crate) async fn readyz(State(app): State<SharedApp>) -> Result<Json<Value>, Problem> {
    app.world.load().snapshot(DEFAULT_TENANT, None).map_err(Problem::internal)?;
    // Through the sequencer, as a decision would go: what it can't write, it says.
    app.store.probe().await.map_err(Problem::busy)?;
    let head = app.store.head().await?;
    let missing: Vec<String> = app.world.load().missing().iter().map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(Problem::busy(format!("active components aren't loaded: {}", missing.join(", "))));
    }
    Ok(Json(json!({
        "status": "ready",
        "ledger": head.map(|head| json!({ "size": head.size, "root": head.root, "time": head.time })),
        "engine": app.sandbox.id(),
    })))
}

/// Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Metrics", content_type = "text/plain")), security(()))]
pub(crate) async fn metrics(State(app): State<SharedApp>) -> Result<impl IntoResponse, Problem> {
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (systems, stopped) = app.systems.count();
    app.metrics.systems.set(number(systems));
    app.metrics.stopped.set(number(stopped));
    app.metrics.waiting.set(number(app.store.waiting()));
    app.metrics.in_flight.set(number(app.config.max_in_flight.saturating_sub(app.in_flight.available_permits())));
    if let Some(counts) = app.sandbox.compiled() {
        app.metrics.compiled(counts);
    }
    let size = app.store.head().await?.map_or(0, |head| head.size);
    app.metrics.entries.set(i64::try_from(size).unwrap_or(i64::MAX));
    let text = app.metrics.text().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
