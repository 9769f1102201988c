//! Action `assize/webhook`: sends a decision to another system. HTTPS only, to hosts on a list; the body names the decision, its
//! verdict and its findings' codes, never the case's payload.

use assize_sdk::{Case, Effect, Failure, Outcome, Verdict, Webhook, action};
use serde::Deserialize;
use serde_json::{Value, json};

mod address;

/// How the action is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where to send: an `https` URL whose host is on the list.
    url: String,
    /// Hosts that may be sent to: `hooks.example.org`, or `.example.org` for everything below it.
    allow_hosts: Vec<String>,
    /// The least restrictive verdict that is worth sending.
    #[serde(default = "warn")]
    min_verdict: Verdict,
    /// Members added to the body as they stand, e.g. a channel.
    #[serde(default)]
    extra: serde_json::Map<String, Value>,
}

fn warn() -> Verdict {
    Verdict::Warn
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        let host = address::host(&self.url)?;
        if self.allow_hosts.iter().any(|allowed| address::is_within(host, allowed)) {
            Ok(())
        } else {
            Err(format!("`url` names the host `{host}`, which isn't on `allow_hosts`"))
        }
    }
}

fn plan(settings: &Settings, case: &Case, outcome: &Outcome) -> Result<Vec<Effect>, Failure> {
    // Settings are checked when they are set; an action that reaches out doesn't rely on it.
    settings.check().map_err(Failure::InvalidSettings)?;
    if outcome.verdict < settings.min_verdict {
        return Ok(Vec::new());
    }
    let mut body = settings.extra.clone();
    let findings: Vec<Value> = outcome
        .judgments
        .iter()
        .flat_map(|judgment| {
            judgment.ruling.findings.iter().map(move |finding| (&judgment.plugin, &judgment.version, finding))
        })
        .chain(outcome.risk.opinions.iter().flat_map(|opinion| {
            opinion.assessment.findings.iter().map(move |finding| (&opinion.plugin, &opinion.version, finding))
        }))
        .map(|(plugin, version, finding)| {
            json!({
                "code": finding.code, "severity": finding.severity, "citation": finding.citation,
                "plugin": plugin, "version": version,
            })
        })
        .collect();
    let decision = json!({
        "decision": case.id, "kind": case.kind, "system": case.system, "environment": case.environment,
        "occurred_at": case.occurred_at, "verdict": outcome.verdict, "reason": outcome.reason,
        "risk": { "score": outcome.risk.score, "confidence": outcome.risk.confidence },
        "findings": findings,
    });
    // The decision's own members win over any of the same name.
    if let Value::Object(members) = decision {
        body.extend(members);
    }
    Ok(vec![Effect::Webhook(Webhook { url: settings.url.clone(), body: Value::Object(body).to_string() })])
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
