//! Rule `assize/decision-graph`: judges a case by a decision graph in the JSON Decision Model (JDM), as business people draw
//! them. The graph stands in the binding's settings, and so in every decision's record; it is run by the engine of the
//! model's authors, which is compiled in, JavaScript functions included.
//!
//! | the graph | the rule |
//! |---|---|
//! | doesn't parse, or holds a table's cell, expression or node that the engine couldn't run | refuses the settings |
//! | asks for other graphs, custom nodes or imports, which settings don't hold | refuses the settings |
//! | fails, or gives nothing at the verdict's place, or a value without a meaning | fails; the binding's policy decides |
//! | gives a value that means a verdict | gives that verdict, with the graph's whole output among its findings |
//!
//! There is no verdict for *anything else*: what a graph's author didn't foresee is for a person to see.

mod graph;
mod outcome;

use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Severity, Verdict, compliance_rule};
use graph::Graph;
use outcome::{Found, Place, VerdictPlace};
use serde::Deserialize;
use serde_json::{Value, json};

/// How the rule is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    graph: Graph,
    #[serde(default)]
    input: Input,
    verdict: VerdictPlace,
    code: Option<Place>,
    #[serde(default)]
    findings: Vec<Found>,
}

/// What the graph gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Input {
    /// The case's payload.
    #[default]
    Payload,
    /// All of the case, and the risk that agents see in it.
    Case,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        self.graph.check()
    }
}

impl Input {
    fn of(self, case: &Case, risk: &Risk) -> Result<Value, Failure> {
        let payload = case.payload()?;
        if self == Self::Payload {
            return Ok(payload.clone());
        }
        let risk = serde_json::to_value(risk).map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(json!({
            "payload": payload,
            "context": case.context()?,
            "risk": risk,
            "id": case.id,
            "kind": case.kind,
            "tenant": case.tenant,
            "system": case.system,
            "environment": case.environment,
            "jurisdictions": case.jurisdictions,
            "sector": case.sector,
            "actor": case.actor,
            "action": case.action,
            "resource": case.resource,
            // Milliseconds since 1970, UTC.
            "occurred_at": case.occurred_at,
            "rules_as_of": case.rules_as_of,
        }))
    }
}

fn rule(settings: &Settings, case: &Case, risk: &Risk) -> Result<Ruling, Failure> {
    // Settings are checked when they are set; a graph that was bound by other means must fail all the same.
    settings.graph.check().map_err(Failure::InvalidSettings)?;
    let input = settings.input.of(case, risk)?;
    let output = settings.graph.run(&input)?;
    let verdict = settings.verdict.read(&input, &output)?;
    let code = match &settings.code {
        Some(place) => place.text(&output)?,
        None => said(verdict).to_owned(),
    };
    let mut findings: Vec<Finding> = settings.findings.iter().filter_map(|found| found.in_output(&output)).collect();
    let severity = if verdict == Verdict::Allow { Severity::Info } else { Severity::Medium };
    findings.push(Finding::new("GRAPH_OUTPUT", severity, output.to_string()));
    Ok(Ruling::new(verdict, code, findings))
}

const fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "GRAPH_ALLOWS",
        Verdict::Warn => "GRAPH_WARNS",
        Verdict::Review => "GRAPH_REVIEWS",
        Verdict::Block => "GRAPH_BLOCKS",
    }
}

compliance_rule!(rule, Settings);
