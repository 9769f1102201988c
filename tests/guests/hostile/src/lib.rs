//! A risk agent that misbehaves on request, or answers exactly what its settings say. The sandbox's tests run it to show
//! that nothing a plugin does harms its host, and to try any answer without writing a plugin for it.

use assize_sdk::{Assessment, Case, Evidence, Failure, Finding, Severity, Span, risk_agent};
use misbehaviour::{Misdeed, flood_of_findings, misbehave};
use serde::Deserialize;
use serde_json::{Value, json};

/// `{"do": …}`: a misdeed of any world by its name, or one of those that only an assessment can hold.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Settings {
    Assessment(Deed),
    Other(Other),
}

/// Misdeeds that are the same in every world.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    r#do: Misdeed,
}

/// What can be wrong with an assessment, and `answer`, where nothing is.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Deed {
    Answer {
        #[serde(default)]
        score: f64,
        #[serde(default = "certain")]
        confidence: f64,
        #[serde(default)]
        findings: Vec<Finding>,
        #[serde(default = "nothing")]
        attributes: Value,
    },
    Nan,
    Infinite,
    MinusInfinite,
    ScoreTooHigh,
    ScoreNegative,
    ConfidenceTooHigh,
    ConfidenceNan,
    ContributionNan,
    FloodFindings,
    FloodAttributes,
    DeepAttributes,
    BadAttributes,
    DuplicateKeys,
    BigInteger,
    BadPointer,
}

fn certain() -> f64 {
    1.0
}

fn nothing() -> Value {
    json!({})
}

fn assess(settings: &Settings, _: &Case) -> Result<Assessment, Failure> {
    let mut answer = Assessment::from_findings(Vec::new(), 1.0);
    let deed = match settings {
        Settings::Assessment(deed) => deed,
        Settings::Other(other) => return misbehave(other.r#do).map(|()| answer),
    };
    match deed {
        Deed::Answer { score, confidence, findings, attributes } => {
            return Ok(Assessment {
                score: *score,
                confidence: *confidence,
                findings: findings.clone(),
                attributes: attributes.to_string(),
            });
        }
        Deed::Nan => answer.score = f64::NAN,
        Deed::Infinite => answer.score = f64::INFINITY,
        Deed::MinusInfinite => answer.score = f64::NEG_INFINITY,
        Deed::ScoreTooHigh => answer.score = 10.000_001,
        Deed::ScoreNegative => answer.score = -0.000_001,
        Deed::ConfidenceTooHigh => answer.confidence = 1.5,
        Deed::ConfidenceNan => answer.confidence = f64::NAN,
        Deed::ContributionNan => {
            answer.findings.push(Finding::new("NAN", Severity::Low, "not a number").points(f64::NAN));
        }
        Deed::FloodFindings => answer.findings = flood_of_findings(),
        Deed::FloodAttributes => answer.attributes = format!("\"{}\"", "x".repeat(8 << 20)),
        Deed::DeepAttributes => answer.attributes = "[".repeat(100_000) + &"]".repeat(100_000),
        Deed::BadAttributes => answer.attributes = String::from("{not json"),
        Deed::DuplicateKeys => answer.attributes = String::from(r#"{"a": 1, "a": 2}"#),
        Deed::BigInteger => answer.attributes = String::from(r#"{"a": 9007199254740993}"#),
        Deed::BadPointer => {
            let mut finding =
                Finding::new("BAD_POINTER", Severity::Low, "evidence that points nowhere, and ends before it starts");
            finding
                .evidence
                .push(Evidence { pointer: "/no/such/place".to_owned(), span: Some(Span { start: 5, end: 2 }) });
            answer.findings.push(finding);
        }
    }
    Ok(answer)
}

risk_agent!(assess, Settings);

#[cfg(test)]
mod tests {
    use super::Plugin;

    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::risk_agent::<Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
