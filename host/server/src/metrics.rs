//! What Prometheus reads.

use std::time::Duration;

use assize_kernel::{Record, Run};
use assize_ledger::Timestamp;
use assize_sandbox::CompiledCounts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerdict {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFailure {
    package: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTrial {
    package: String,
    status: &'static str,
    counted: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEvidence {
    what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFate {
    fate: &'static str,
}

/// The host's metrics.
pub(crate) struct Metrics {
    registry: Registry,
    decisions: Family<ByVerdict, Counter>,
    failures: Family<ByFailure, Counter>,
    trials: Family<ByTrial, Counter>,
    seconds: Histogram,
    outside_failures: Family<ByEvidence, Counter>,
    outside_last: Family<ByEvidence, Gauge>,
    compiled: Family<ByFate, Counter>,
    pub(crate) waiting: Gauge,
    pub(crate) in_flight: Gauge,
    pub(crate) entries: Gauge,
    pub(crate) systems: Gauge,
    pub(crate) stopped: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("assize");
        // 0.1 ms to 3 s.
        let seconds = Histogram::new((0..16).map(|step| 0.0001 * 2_f64.powi(step)));
        let metrics = Self {
            decisions: Family::default(),
            failures: Family::default(),
            trials: Family::default(),
            seconds,
            outside_failures: Family::default(),
            outside_last: Family::default(),
            compiled: Family::default(),
            waiting: Gauge::default(),
            in_flight: Gauge::default(),
            entries: Gauge::default(),
            systems: Gauge::default(),
            stopped: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("decisions", "Recorded decisions by verdict", metrics.decisions.clone());
        let help = "Calls that gave no answer, and counted; tenants' bindings under the package `tenant`";
        registry.register("plugin_failures", help, metrics.failures.clone());
        let help = "Calls for bindings that a shadow or a canary concerns; tenants' under the package `tenant`";
        registry.register("trial_calls", help, metrics.trials.clone());
        registry.register("decision_seconds", "From admission to durable record", metrics.seconds.clone());
        let help = "Times that no evidence could be had from outside";
        registry.register("outside_failures", help, metrics.outside_failures.clone());
        let help = "When evidence from outside was had last, in seconds since 1970";
        registry.register("outside_last_success", help, metrics.outside_last.clone());
        let help = "Compiled components: found (hit), compiled (miss), refused, evicted, or not to be kept (unkept)";
        registry.register("compiled_components", help, metrics.compiled.clone());
        registry.register("sequencer_waiting", "Requests waiting for the sequencer", metrics.waiting.clone());
        registry.register("decisions_in_flight", "Decisions under way", metrics.in_flight.clone());
        registry.register("ledger_entries", "Entries in the ledger", metrics.entries.clone());
        registry.register("systems", "Registered systems", metrics.systems.clone());
        registry.register("systems_stopped", "Systems in emergency stop", metrics.stopped.clone());
        Self { registry, ..metrics }
    }

    pub(crate) fn decided(&self, record: &Record, took: Duration) {
        self.decisions.get_or_create(&ByVerdict { verdict: record.outcome.verdict.as_str() }).inc();
        self.seconds.observe(took.as_secs_f64());
        for run in record.plugins.iter().filter(|run| run.status.is_failure() && run.counts()) {
            let label = ByFailure { package: package(run), status: run.status.as_str() };
            self.failures.get_or_create(&label).inc();
        }
        for run in &record.plugins {
            let Some(counted) = run.counted else { continue };
            let (package, status) = (package(run), run.status.as_str());
            let label = ByTrial { package, status, counted: if counted { "yes" } else { "no" } };
            self.trials.get_or_create(&label).inc();
        }
    }

    /// How it went with the components that are kept compiled, since the start.
    pub(crate) fn compiled(&self, counts: CompiledCounts) {
        let CompiledCounts { hits, misses, refused, evicted, unkept } = counts;
        let fates = [("hit", hits), ("miss", misses), ("refused", refused), ("evicted", evicted), ("unkept", unkept)];
        for (fate, count) in fates {
            let counter = self.compiled.get_or_create(&ByFate { fate });
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// How it went with somebody outside.
    pub(crate) fn outside(&self, what: &str, had: bool) {
        let label = ByEvidence { what: what.to_owned() };
        if had {
            let now = Timestamp::now().as_millis() / 1_000;
            self.outside_last.get_or_create(&label).set(i64::try_from(now).unwrap_or(i64::MAX));
        } else {
            self.outside_failures.get_or_create(&label).inc();
        }
    }

    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The package, where the global policy binds it, which binds the host's own alone; `tenant` for what a tenant binds. Anybody may
/// read metrics, and neither the names of a tenant's packages nor its choice among the host's are for everybody.
fn package(run: &Run) -> String {
    if run.layer == "global" { run.package.to_string() } else { "tenant".to_owned() }
}
