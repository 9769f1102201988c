//! In what two decisions differ (ACT-17): what they were made from, and what followed from it.
//!
//! This lists; it doesn't say which difference mattered. That takes judging crosswise: see [`crate::cross`].

use std::collections::BTreeSet;

use assize_registry::Kind;
use serde::{Deserialize, Serialize};

use crate::Environment;
use crate::cross::Aspect;
use crate::explain::figure;
use crate::input::Input;
use crate::policy::Thresholds;
use crate::record::Record;
use crate::run::{Run, RunStatus};
use crate::snapshot::{Bound, Snapshot};

/// A decision to be contrasted.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// As it is on record.
    pub record: &'a Record,
    /// The snapshot that judged it.
    pub snapshot: &'a Snapshot,
    /// None once erased.
    pub input: Option<&'a Input>,
}

/// Something that two decisions were made from, and that isn't the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// What it belongs to.
    pub aspect: Aspect,
    /// Which one, where there are several: a binding, a field.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<String>,
    /// In the first decision; long values shortened.
    pub one: String,
    /// In the second.
    pub other: String,
}

/// Something that came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consequence {
    /// E.g. `verdict`, `score`, `version of br/election-content`.
    pub what: String,
    /// In the first decision.
    pub one: String,
    /// In the second.
    pub other: String,
}

/// In what two decisions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contrast {
    /// What they were made from, in the order of [`Aspect::ALL`].
    pub factors: Vec<Factor>,
    /// What followed.
    pub consequences: Vec<Consequence>,
}

impl Contrast {
    /// Each aspect that differs, once.
    pub fn aspects(&self) -> Vec<Aspect> {
        let all: BTreeSet<Aspect> = self.factors.iter().map(|factor| factor.aspect).collect();
        all.into_iter().collect()
    }
}

/// Lists everything that differs between two decisions. Of a case whose input was erased, only what its record tells.
pub fn contrast(one: Told<'_>, other: Told<'_>) -> Contrast {
    let mut factors = Factors::default();
    factors.cases(one, other);
    factors.policies(one, other);
    factors.0.sort_by_key(|factor| factor.aspect);
    Contrast { factors: factors.0, consequences: consequences(one.record, other.record) }
}

/// Payloads and settings are shown by their beginning.
const LONGEST_VALUE: usize = 160;

#[derive(Default)]
struct Factors(Vec<Factor>);

impl Factors {
    fn add(&mut self, aspect: Aspect, about: Option<&str>, one: &str, other: &str) {
        let short = |text: &str| match text.char_indices().nth(LONGEST_VALUE) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.to_owned(),
        };
        let about = about.map(str::to_owned);
        self.0.push(Factor { aspect, about, one: short(one), other: short(other) });
    }

    fn differ(&mut self, aspect: Aspect, about: Option<&str>, one: &str, other: &str) {
        if one != other {
            self.add(aspect, about, one, other);
        }
    }

    fn cases(&mut self, one: Told<'_>, other: Told<'_>) {
        let (a, b) = (one.record, other.record);
        self.differ(Aspect::Stop, None, &stop(one), &stop(other));
        let (then, now) = (a.times.rules_as_of.to_string(), b.times.rules_as_of.to_string());
        self.differ(Aspect::RulesAsOf, None, &then, &now);
        let (then, now) = (a.times.occurred_at.to_string(), b.times.occurred_at.to_string());
        self.differ(Aspect::OccurredAt, None, &then, &now);
        self.differ(Aspect::Environment, None, &a.identity.environment, &b.identity.environment);
        self.differ(Aspect::Kind, None, &a.identity.kind, &b.identity.kind);
        self.differ(Aspect::Circumstances, Some("tenant"), &a.identity.tenant, &b.identity.tenant);
        let systems = (a.identity.system.as_deref(), b.identity.system.as_deref());
        self.differ(Aspect::Circumstances, Some("system"), or_none(systems.0), or_none(systems.1));
        let (Some(a), Some(b)) = (one.input, other.input) else { return };
        let (a, b) = (a.case(), b.case());
        let list = |codes: &[String]| if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
        self.differ(Aspect::Jurisdictions, None, &list(&a.jurisdictions), &list(&b.jurisdictions));
        self.differ(Aspect::Sector, None, or_none(a.sector.as_deref()), or_none(b.sector.as_deref()));
        self.differ(Aspect::Payload, None, a.payload.get(), b.payload.get());
        for (field, a, b) in
            [("actor", &a.actor, &b.actor), ("action", &a.action, &b.action), ("resource", &a.resource, &b.resource)]
        {
            self.differ(Aspect::Circumstances, Some(field), or_none(a.as_deref()), or_none(b.as_deref()));
        }
        self.differ(Aspect::Circumstances, Some("context"), a.context.get(), b.context.get());
    }

    fn policies(&mut self, one: Told<'_>, other: Told<'_>) {
        let (a, b) = (one.snapshot, other.snapshot);
        if a.hash() == b.hash() {
            return;
        }
        let hashes = (a.hash().to_string(), b.hash().to_string());
        self.add(Aspect::Policy, Some("snapshot"), &hashes.0, &hashes.1);
        let scopes: BTreeSet<&str> = a.layers().iter().chain(b.layers()).map(|layer| layer.scope.as_str()).collect();
        for scope in scopes {
            let version = |snapshot: &Snapshot| {
                let layer = snapshot.layers().iter().find(|layer| layer.scope == scope);
                layer.map_or_else(|| "none".to_owned(), |layer| format!("version {} ({})", layer.version, layer.hash))
            };
            self.differ(Aspect::Policy, Some(scope), &version(a), &version(b));
        }
        // Those of the two environments alone: what holds elsewhere made no difference.
        let environments: BTreeSet<Environment> =
            [one, other].iter().filter_map(|told| told.record.identity.environment.parse().ok()).collect();
        for environment in environments {
            let (a, b) = (a.policy().thresholds(environment), b.policy().thresholds(environment));
            self.differ(Aspect::Thresholds, Some(environment.as_str()), &thresholds(a), &thresholds(b));
        }
        let failure = |snapshot: &Snapshot| verdict_of(snapshot.policy().on_failure);
        self.differ(Aspect::FailurePolicy, None, &failure(a), &failure(b));
        for bound in a.bindings() {
            match b.bindings().iter().find(|theirs| theirs.is(bound)) {
                Some(theirs) => self.bindings(bound, theirs),
                None => self.add(Aspect::Bindings, Some(&name(bound)), bound.binding.plugin.as_str(), "not bound"),
            }
        }
        for bound in b.bindings() {
            if !a.bindings().iter().any(|ours| ours.is(bound)) {
                self.add(Aspect::Bindings, Some(&name(bound)), "not bound", bound.binding.plugin.as_str());
            }
        }
    }

    fn bindings(&mut self, a: &Bound, b: &Bound) {
        let name = name(a);
        let about = Some(name.as_str());
        let weight = |bound: &Bound| {
            let how = if bound.binding.adds { " (added on top)" } else { "" };
            format!("{}{how}", bound.binding.weight)
        };
        self.differ(Aspect::Weights, about, &weight(a), &weight(b));
        self.differ(Aspect::Settings, about, a.binding.settings.get(), b.binding.settings.get());
        self.differ(Aspect::Versions, about, &candidates(a), &candidates(b));
        let on = |bound: &Bound| {
            let on: Vec<&str> = bound.binding.on.iter().map(|verdict| verdict.as_str()).collect();
            format!("plans on {}", on.join(", "))
        };
        self.differ(Aspect::Bindings, about, &on(a), &on(b));
        let failure = |bound: &Bound| bound.binding.on_failure.map_or_else(|| "as the policy".to_owned(), verdict_of);
        self.differ(Aspect::FailurePolicy, about, &failure(a), &failure(b));
        let limits = |bound: &Bound| {
            bound.limits.map_or_else(
                || "the manifest's".to_owned(),
                |limits| format!("fuel {}, {} bytes", limits.fuel, limits.memory_bytes),
            )
        };
        self.differ(Aspect::Limits, about, &limits(a), &limits(b));
    }
}

fn stop(told: Told<'_>) -> String {
    let since = told.input.and_then(Input::halt).map(|halt| format!(" since {}", halt.since));
    if told.record.outcome.kill_switch {
        format!("stopped{}", since.unwrap_or_default())
    } else {
        "not stopped".to_owned()
    }
}

fn or_none(text: Option<&str>) -> &str {
    text.unwrap_or("none")
}

fn verdict_of(policy: crate::FailurePolicy) -> String {
    assize_sandbox::contract::Verdict::from(policy).to_string()
}

fn name(bound: &Bound) -> String {
    format!("{} in {}", bound.binding.name, bound.layer)
}

fn thresholds(thresholds: Thresholds) -> String {
    let named = [("warn", thresholds.warn), ("review", thresholds.review), ("block", thresholds.block)];
    let set: Vec<String> =
        named.iter().filter_map(|(name, from)| from.map(|from| format!("{name} from {from}"))).collect();
    if set.is_empty() { "none".to_owned() } else { set.join(", ") }
}

fn candidates(bound: &Bound) -> String {
    let candidates = bound.candidates.iter();
    let list: Vec<String> = candidates
        .map(|candidate| format!("{} ({}; {})", candidate.version, candidate.effective, candidate.digest))
        .collect();
    if list.is_empty() { format!("none that matches {}", bound.binding.version) } else { list.join(", ") }
}

fn consequences(one: &Record, other: &Record) -> Vec<Consequence> {
    let mut found = Vec::new();
    let mut differ = |what: &str, one: String, other: String| {
        if one != other {
            found.push(Consequence { what: what.to_owned(), one, other });
        }
    };
    let (a, b) = (&one.outcome, &other.outcome);
    differ("verdict", a.verdict.to_string(), b.verdict.to_string());
    differ("reason", a.reason.clone(), b.reason.clone());
    differ("score", a.risk.score.to_string(), b.risk.score.to_string());
    let key = |run: &Run| (run.layer.clone(), run.binding.clone(), run.package.clone());
    let mut keys: Vec<_> = one.plugins.iter().map(key).collect();
    for key in other.plugins.iter().map(key) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for wanted in &keys {
        let run = |record: &'_ Record| record.plugins.iter().find(|run| key(run) == *wanted).cloned();
        let (a, b) = (run(one), run(other));
        let name = format!("{} ({} in {})", wanted.2, wanted.1, wanted.0);
        let version = |run: &Option<Run>| match run {
            None => "not asked".to_owned(),
            Some(run) => run.version.as_ref().map_or_else(|| "no version".to_owned(), ToString::to_string),
        };
        differ(&format!("version of {name}"), version(&a), version(&b));
        let (Some(a), Some(b)) = (a, b) else { continue };
        // How long a call took isn't a consequence; what it said is.
        if a.output_hash != b.output_hash || a.status != b.status {
            differ(&format!("answer of {name}"), said(&a), said(&b));
        }
    }
    found
}

/// What a plugin said, in a few words.
fn said(run: &Run) -> String {
    #[derive(Deserialize)]
    struct Said {
        score: Option<f64>,
        verdict: Option<String>,
        code: Option<String>,
    }
    let output = run.output.as_ref().filter(|_| run.status == RunStatus::Ok);
    let said: Option<Said> = output.and_then(|output| serde_json::from_str(output.get()).ok());
    match (run.kind, said) {
        (Some(Kind::RiskAgent), Some(Said { score: Some(score), .. })) => format!("score {}", figure(score)),
        (Some(Kind::ComplianceRule), Some(Said { verdict: Some(verdict), code: Some(code), .. })) => {
            format!("{verdict} ({code})")
        }
        _ => run.error.clone().unwrap_or_else(|| run.status.as_str().to_owned()),
    }
}
