//! Rule `eu/ai-act-prohibited`: Article 5(1)(a) to (h) of the EU AI Act, applicable since 2 February 2025 (Art. 113(a)).
//!
//! | evidence | verdict |
//! |---|---|
//! | the system or the case declares a prohibited practice, or the system is registered as unacceptable | block |
//! | … and claims an exception that the point itself names | review |
//! | a text asks for a prohibited practice to be carried out | review |
//! | a text speaks of one | warn (a setting) |
//!
//! Only a declared practice blocks: whether a text's author means what the Article prohibits is for a person to say.

use article_5::{Practice, Sign, declared_by_system, in_payload};
use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Severity, System, Verdict, compliance_rule, phrases};
use serde::Deserialize;
use serde_json::Value;

/// How the rule is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Verdict on a text that merely speaks of a prohibited practice: `allow`, `warn` or `review`.
    on_mention: Verdict,
}

impl Default for Settings {
    fn default() -> Self {
        Self { on_mention: Verdict::Warn }
    }
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        if self.on_mention == Verdict::Block {
            return Err("`on_mention` can't be `block`: a mention doesn't prove a practice".to_owned());
        }
        Ok(())
    }
}

/// What turns a mention into a request: to make, run or apply something.
const REQUESTS: &[&str] = &[
    "build",
    "building",
    "design",
    "create",
    "develop",
    "deploy",
    "implement",
    "train",
    "write",
    "code",
    "set up",
    "help me",
    "help us",
    "we want",
    "i want",
    "score",
    "rank",
    "rate",
    "classify",
    "detect",
    "infer",
    "identify",
    "predict",
    "scrape",
    "monitor",
    "assign",
    "crie",
    "criar",
    "desenvolva",
    "crea",
    "desarrolla",
    "erstelle",
    "entwickle",
    "creez",
    "developpe",
];

fn rule(settings: &Settings, case: &Case, _: &Risk) -> Result<Ruling, Failure> {
    let system = case.registered_system()?;
    let exception = exception(case, system.as_ref())?;
    let mut verdict = Verdict::Allow;
    let mut findings = Vec::new();
    if system.as_ref().is_some_and(|system| system.risk_classification.as_deref() == Some("unacceptable")) {
        verdict = Verdict::Block;
        let message = "the system is registered as one of unacceptable risk, that is, as a prohibited practice";
        let finding = Finding::new("CLASSIFIED_UNACCEPTABLE", Severity::Critical, message);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 5(1)"));
    }
    let mut signs = system.as_ref().map(declared_by_system).unwrap_or_default();
    signs.extend(in_payload(case)?);
    for sign in &signs {
        let demanded = verdict_on(settings, case, sign, exception.as_deref())?;
        verdict = verdict.max(demanded);
        findings.push(finding(sign, demanded, exception.as_deref()));
    }
    let code = match verdict {
        Verdict::Block => "PROHIBITED_PRACTICE",
        Verdict::Review => "PROHIBITED_PRACTICE_SUSPECTED",
        Verdict::Warn => "PROHIBITED_PRACTICE_MENTIONED",
        Verdict::Allow => "NO_PROHIBITED_PRACTICE",
    };
    Ok(Ruling::new(verdict, code, findings))
}

fn verdict_on(settings: &Settings, case: &Case, sign: &Sign, exception: Option<&str>) -> Result<Verdict, Failure> {
    if sign.declared {
        let excepted = sign.practice.has_exceptions && exception.is_some();
        return Ok(if excepted { Verdict::Review } else { Verdict::Block });
    }
    let Some((pointer, _)) = &sign.place else { return Ok(settings.on_mention) };
    let text = case.payload()?.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Ok(if phrases::contains(text, REQUESTS) { Verdict::Review } else { settings.on_mention })
}

fn finding(sign: &Sign, demanded: Verdict, exception: Option<&str>) -> Finding {
    let Practice { code, summary, .. } = sign.practice;
    let (severity, message) = match demanded {
        Verdict::Block => (Severity::Critical, format!("declared as a prohibited practice: {summary}")),
        Verdict::Review if sign.declared => (
            Severity::High,
            format!(
                "declared as a practice that is prohibited with exceptions: {summary}; the exception claimed ({}) needs to be \
                 examined",
                exception.unwrap_or_default()
            ),
        ),
        Verdict::Review => (Severity::Medium, format!("asks for what may fall under a prohibition: {summary}")),
        _ => (Severity::Low, format!("speaks of what may fall under a prohibition: {summary}")),
    };
    let finding = Finding::new(*code, severity, message).citing(sign.practice.citation());
    match &sign.place {
        Some((pointer, span)) => finding.at(pointer.as_str(), span.clone()),
        None => finding,
    }
}

/// The exception that the case or the system claims, in its own words.
fn exception(case: &Case, system: Option<&System>) -> Result<Option<String>, Failure> {
    let claimed = case.payload()?.get("exception").and_then(Value::as_str);
    let claimed = claimed.or_else(|| system.and_then(|system| system.text("exception")));
    Ok(claimed.filter(|words| !words.trim().is_empty()).map(str::to_owned))
}

compliance_rule!(rule, Settings);

#[cfg(test)]
mod tests {
    use super::Plugin;

    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::compliance_rule::<Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
