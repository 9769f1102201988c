//! Risk agent `assize/threat-taxonomy`: recognises prompt injection, jailbreaks and misuse in the texts of a case.
//!
//! ```text
//!   each string of the payload ─► read: words with concepts ─► scan: signals near each other ─► weigh ─► assessment
//!                                 (disguises undone)
//! ```
//!
//! It judges words, not intentions: a text about jailbreaks scores as well. That is why it is one agent among several, why
//! each finding says what was found where, and why its confidence is never 1. The weights were set on one half of a labelled
//! collection and checked on the other (`cargo run --release -p threat-taxonomy --example evaluate -- FILE`).

mod decode;
#[cfg(not(target_arch = "wasm32"))]
pub mod evaluation;
mod fold;
mod lookup;
mod read;
mod scan;
mod signals;
mod taxonomy;
mod units;
mod words;

use assize_sdk::{Assessment, Case, Failure, Finding, risk_agent};
pub use scan::{Hit, scan};
use serde::Deserialize;
use serde_json::json;
pub use taxonomy::Class;

/// How the agent is set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Codes of classes that don't count for this binding, e.g. `MISUSE_WEAPONS` for a games company.
    ignore: Vec<String>,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        let unknown = self.ignore.iter().find(|code| !Class::ALL.iter().any(|class| class.code() == code.as_str()));
        unknown.map_or(Ok(()), |code| Err(format!("`ignore` names `{code}`, which is no class of this taxonomy")))
    }
}

/// Points that disguised words add: nobody writes a threat in leetspeak by accident.
const DISGUISE_POINTS: f64 = 4.0;
/// Points for orders to the system inside a tool's arguments.
const TOOL_POINTS: f64 = 4.0;

fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let is_action = case.kind == "agent-action";
    let mut safe = 1.0;
    let mut findings = Vec::new();
    let mut disguised: Option<Finding> = None;
    let mut misused: Option<Finding> = None;
    for text in case.texts()? {
        for hit in scan(&text.text) {
            if settings.ignore.iter().any(|code| code == hit.class.code()) {
                continue;
            }
            let mut finding = Finding::new(hit.class.code(), hit.class.severity(hit.points), hit.message);
            finding = finding.points(take(&mut safe, hit.points));
            finding.citation = hit.class.citation().map(str::to_owned);
            for span in &hit.spans {
                finding = finding.at(text.pointer.as_str(), span.clone());
            }
            // The task is what the user asked for; the arguments are what the tool gets.
            if is_action && text.pointer.starts_with("/args") && hit.class <= Class::DataExfiltration {
                let told = misused.get_or_insert_with(|| {
                    of_class(Class::ToolMisuse, TOOL_POINTS, "a tool's arguments give orders to a system")
                });
                told.evidence.extend(finding.evidence.iter().cloned());
            }
            if hit.disguised {
                let told = disguised.get_or_insert_with(|| {
                    of_class(Class::Obfuscation, DISGUISE_POINTS, "telling words are disguised")
                });
                told.evidence.extend(finding.evidence.iter().cloned());
            }
            findings.push(finding);
        }
    }
    for extra in [disguised, misused].into_iter().flatten() {
        let points = extra.contribution;
        findings.push(extra.points(take(&mut safe, points)));
    }
    findings.sort_by(|one, other| other.contribution.total_cmp(&one.contribution));
    let mut threats: Vec<&str> = Vec::new();
    for finding in &findings {
        if !threats.contains(&finding.code.as_str()) {
            threats.push(&finding.code);
        }
    }
    let attributes = json!({ "threats": threats });
    // With no sign there is little to go by; with many there is hardly a doubt.
    let confidence = if findings.is_empty() { 0.6 } else { 0.95 - 0.35 * safe };
    let mut assessment = Assessment::from_findings(findings, confidence).with_attributes(&attributes);
    assessment.score = ((1.0 - safe) * 10.0_f64).clamp(0.0, 10.0);
    Ok(assessment)
}

fn of_class(class: Class, points: f64, message: &str) -> Finding {
    let finding = Finding::new(class.code(), class.severity(points), message).points(points);
    match class.citation() {
        Some(citation) => finding.citing(citation),
        None => finding,
    }
}

/// What one more signal adds to the score: its share of what is still safe, which it takes away.
fn take(safe: &mut f64, points: f64) -> f64 {
    let share = *safe * points;
    *safe *= 1.0 - points / 10.0;
    share
}

risk_agent!(assess, Settings);

/// The agent's score for one prompt, 0 to 10, as the component would give it.
#[cfg(not(target_arch = "wasm32"))]
pub fn score(prompt: &str) -> f64 {
    scan(prompt)
        .iter()
        .fold((1.0, false), |(safe, disguised), hit| {
            let extra = if hit.disguised && !disguised { 1.0 - DISGUISE_POINTS / 10.0 } else { 1.0 };
            (safe * (1.0 - hit.points / 10.0) * extra, disguised || hit.disguised)
        })
        .0
        .mul_add(-10.0, 10.0)
}

#[cfg(test)]
mod tests;
