//! How a decision is shown.

use assize_kernel::{Layer, NamedFinding, Outcome, PlannedEffect, ReEvaluates, Record, Run, Skipped, Thresholds};
use assize_ledger::{Digest, Receipt, Timestamp};
use assize_registry::Written;
use assize_sandbox::contract::Verdict;
use assize_store::ReEvaluationRow;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::problem::Problem;

/// Where it stands in the ledger.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub(crate) struct Place {
    /// From 0, without gaps.
    pub(crate) seq: u64,
    /// SHA-256(0x00 ‖ entry).
    #[schema(value_type = String)]
    pub(crate) entry_hash: Digest,
}

#[derive(Serialize)]
pub(crate) struct RiskView {
    score: f64,
    confidence: f64,
}

/// A plugin's part, without its output: that is in the record.
#[derive(Serialize)]
pub(crate) struct PluginView<'a> {
    package: &'a str,
    version: Option<Written<'a>>,
    digest: Option<Digest>,
    kind: Option<&'static str>,
    binding: &'a str,
    layer: &'a str,
    weight: f64,
    /// Where a trial decided whether it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<bool>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    fuel: u64,
    peak_memory: u64,
    duration_us: u64,
    output_hash: Option<Digest>,
}

impl<'a> From<&'a Run> for PluginView<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            package: run.package.as_str(),
            version: run.version.as_ref().map(Written),
            digest: run.digest,
            kind: run.kind.map(assize_registry::Kind::as_str),
            binding: &run.binding,
            layer: &run.layer,
            weight: run.weight,
            counted: run.counted,
            status: run.status.as_str(),
            error: run.error.as_deref(),
            fuel: run.fuel,
            peak_memory: run.peak_memory,
            duration_us: run.duration_us,
            output_hash: run.output_hash,
        }
    }
}

/// A planned effect, and what became of it.
#[derive(Serialize)]
pub(crate) struct EffectView<'a> {
    #[serde(flatten)]
    planned: &'a PlannedEffect,
    state: &'static str,
}

#[derive(Serialize)]
struct PolicyView<'a> {
    snapshot: Digest,
    layers: &'a [Layer],
}

#[derive(Serialize)]
struct TimesView {
    received: Timestamp,
    decided: Timestamp,
    occurred_at: Timestamp,
    rules_as_of: Timestamp,
}

/// A later decision that rules the same case anew.
#[derive(Serialize)]
struct LaterView {
    id: String,
    verdict: String,
    /// Why the case was ruled anew.
    reason: String,
    time: Timestamp,
    ledger: Place,
}

/// A decision.
#[derive(Serialize)]
pub(crate) struct DecisionView<'a> {
    id: &'a str,
    verdict: Verdict,
    reason: &'a str,
    risk: RiskView,
    findings: &'a [NamedFinding],
    plugins: Vec<PluginView<'a>>,
    skipped: &'a [Skipped],
    effects: Vec<EffectView<'a>>,
    policy: PolicyView<'a>,
    thresholds: Thresholds,
    kill_switch: bool,
    tenant: &'a str,
    system: Option<&'a str>,
    environment: &'a str,
    kind: &'a str,
    times: TimesView,
    ledger: Place,
    /// The earlier decision on the same case, where this one rules it anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    re_evaluates: Option<&'a ReEvaluates>,
    /// Later decisions that rule this one's case anew, oldest first; where one decision is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    re_evaluated_by: Option<Vec<LaterView>>,
    /// The exact record, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
    /// The exact input, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a RawValue>,
    /// The proof that a checkpoint covers it, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

impl<'a> DecisionView<'a> {
    pub(crate) fn new(record: &'a Record, ledger: Place) -> Self {
        let Outcome { verdict, reason, risk, thresholds, kill_switch, findings, .. } = &record.outcome;
        Self {
            id: &record.identity.id,
            verdict: *verdict,
            reason,
            risk: RiskView { score: risk.score, confidence: risk.confidence },
            findings,
            plugins: record.plugins.iter().map(PluginView::from).collect(),
            skipped: &record.skipped,
            effects: record.effects.iter().map(|planned| EffectView { planned, state: "planned" }).collect(),
            policy: PolicyView { snapshot: record.policy.snapshot, layers: &record.policy.layers },
            thresholds: *thresholds,
            kill_switch: *kill_switch,
            tenant: &record.identity.tenant,
            system: record.identity.system.as_deref(),
            environment: &record.identity.environment,
            kind: &record.identity.kind,
            times: TimesView {
                received: record.times.received,
                decided: record.times.decided,
                occurred_at: record.times.occurred_at,
                rules_as_of: record.times.rules_as_of,
            },
            ledger,
            re_evaluates: record.identity.re_evaluates.as_ref(),
            re_evaluated_by: None,
            record: None,
            input: None,
            receipt: None,
        }
    }

    /// As JSON.
    pub(crate) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        // What most answers take; growing to it in steps would copy it five times.
        let mut bytes = Vec::with_capacity(6 << 10);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }

    pub(crate) fn with_receipt(self, receipt: Option<Receipt>) -> Self {
        Self { receipt, ..self }
    }

    pub(crate) fn re_evaluated_by(self, later: Vec<ReEvaluationRow>) -> Self {
        let view = |row: ReEvaluationRow| LaterView {
            id: row.id,
            verdict: row.verdict,
            reason: row.reason,
            time: row.time,
            ledger: Place { seq: row.seq, entry_hash: row.entry_hash },
        };
        Self { re_evaluated_by: Some(later.into_iter().map(view).collect()), ..self }
    }

    pub(crate) fn with_bytes(self, record: &'a RawValue, input: Option<&'a RawValue>) -> Self {
        Self { record: Some(record), input, ..self }
    }
}

impl IntoResponse for DecisionView<'_> {
    fn into_response(self) -> Response {
        match self.to_bytes() {
            Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}
