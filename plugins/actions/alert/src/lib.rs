//! Action `assize/alert`: tells people about a decision. One alert for each decision at or above a verdict, in words made from a
//! template; who gets it is the host's business.

use assize_sdk::{Alert, Case, Effect, Failure, Outcome, Severity, Verdict, action};
use serde::Deserialize;

/// How the action is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The least restrictive verdict that is worth an alert.
    min_verdict: Verdict,
    /// Severity by verdict.
    severities: Severities,
    /// The alert's title; see `TEMPLATE_WORDS`.
    title: String,
    /// The alert's body; see `TEMPLATE_WORDS`.
    body: String,
}

/// Severity by verdict.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Severities {
    allow: Severity,
    warn: Severity,
    review: Severity,
    block: Severity,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_verdict: Verdict::Review,
            severities: Severities::default(),
            title: "{verdict}: {reason}".to_owned(),
            body:
                "Decision {id} on {kind} of system {system} ({environment}): {verdict}, risk {score} of 10.\n{findings}"
                    .to_owned(),
        }
    }
}

impl Default for Severities {
    fn default() -> Self {
        Self { allow: Severity::Info, warn: Severity::Low, review: Severity::Medium, block: Severity::High }
    }
}

/// What a template may hold, in braces. The case's payload isn't among it: an alert leaves the record's protection.
const TEMPLATE_WORDS: &[&str] =
    &["id", "kind", "system", "tenant", "environment", "action", "verdict", "reason", "score", "findings"];

impl Settings {
    fn check(&self) -> Result<(), String> {
        for (field, template) in [("title", &self.title), ("body", &self.body)] {
            for word in template.split('{').skip(1) {
                match word.split_once('}') {
                    Some((word, _)) if TEMPLATE_WORDS.contains(&word) => {}
                    Some((word, _)) => {
                        return Err(format!("`{field}` names `{{{word}}}`; known are {}", TEMPLATE_WORDS.join(", ")));
                    }
                    None => return Err(format!("`{field}` opens a brace that isn't closed")),
                }
            }
        }
        Ok(())
    }
}

#[allow(clippy::unnecessary_wraps, reason = "actions may fail; this one has no cause to")]
fn plan(settings: &Settings, case: &Case, outcome: &Outcome) -> Result<Vec<Effect>, Failure> {
    if outcome.verdict < settings.min_verdict {
        return Ok(Vec::new());
    }
    let severity = match outcome.verdict {
        Verdict::Allow => settings.severities.allow,
        Verdict::Warn => settings.severities.warn,
        Verdict::Review => settings.severities.review,
        Verdict::Block => settings.severities.block,
    };
    let alert =
        Alert { severity, title: filled(&settings.title, case, outcome), body: filled(&settings.body, case, outcome) };
    Ok(vec![Effect::Alert(alert)])
}

/// The template with its words replaced, in one pass: what replaces a word is never read as a template.
fn filled(template: &str, case: &Case, outcome: &Outcome) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (word, rest) = piece.split_once('}').unwrap_or((piece, ""));
        text.push_str(&value(word, case, outcome));
        text.push_str(rest);
    }
    text
}

fn value(word: &str, case: &Case, outcome: &Outcome) -> String {
    match word {
        "id" => case.id.clone(),
        "kind" => case.kind.clone(),
        "system" => case.system.clone().unwrap_or_else(|| "none".to_owned()),
        "tenant" => case.tenant.clone(),
        "environment" => case.environment.clone(),
        "action" => case.action.clone().unwrap_or_else(|| "none".to_owned()),
        "verdict" => name(outcome.verdict).to_owned(),
        "reason" => outcome.reason.clone(),
        "score" => format!("{:.1}", outcome.risk.score),
        "findings" => findings(outcome),
        _ => String::new(),
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Warn => "warn",
        Verdict::Review => "review",
        Verdict::Block => "block",
    }
}

/// One line for each finding of rules and agents.
fn findings(outcome: &Outcome) -> String {
    let rules = outcome.judgments.iter().flat_map(|judgment| {
        judgment.ruling.findings.iter().map(move |finding| (&judgment.plugin, &judgment.version, finding))
    });
    let agents = outcome.risk.opinions.iter().flat_map(|opinion| {
        opinion.assessment.findings.iter().map(move |finding| (&opinion.plugin, &opinion.version, finding))
    });
    let line = |(plugin, version, finding): (&String, &String, &assize_sdk::Finding)| {
        let norm = finding.citation.as_ref().map(|norm| format!(" [{norm}]")).unwrap_or_default();
        format!("- {}: {}{norm} ({plugin}@{version})", finding.code, finding.message)
    };
    rules.chain(agents).map(line).collect::<Vec<_>>().join("\n")
}

action!(plan, Settings);

#[cfg(test)]
mod tests {
    use super::Plugin;

    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::action::<Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
