//! The agent that is written in every language, in Rust: what it does stands in `tests/same/README.md`.

use assize_sdk::{Assessment, Case, Failure, Finding, Severity, risk_agent};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    phrases: Vec<Phrase>,
    /// Rust guests without imports have none.
    #[serde(default, rename = "world")]
    _world: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrase {
    phrase: String,
    code: String,
    points: f64,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        if self.phrases.iter().any(|phrase| phrase.phrase.is_empty()) {
            return Err("phrases: an empty phrase".to_owned());
        }
        Ok(())
    }
}

const MOST_PLACES: usize = 20;

fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let texts = case.texts()?;
    // Lowercase in ASCII has as many bytes.
    let folded: Vec<String> = texts.iter().map(|text| text.text.to_ascii_lowercase()).collect();
    let mut findings = Vec::new();
    for Phrase { phrase, code, points } in &settings.phrases {
        let wanted = phrase.to_ascii_lowercase();
        for (text, folded) in texts.iter().zip(&folded) {
            let places: Vec<usize> = folded.match_indices(&wanted).map(|(start, _)| start).collect();
            if places.is_empty() {
                continue;
            }
            let message = format!("\"{phrase}\" stands here {} times", places.len());
            let mut finding = Finding::new(code.as_str(), Severity::Low, message).points(points * places.len() as f64);
            for start in places.into_iter().take(MOST_PLACES) {
                finding = finding.at(text.pointer.as_str(), start..start + wanted.len());
            }
            findings.push(finding);
        }
    }
    let bytes: usize = texts.iter().map(|text| text.text.len()).sum();
    Ok(Assessment::from_findings(findings, 0.75).with_attributes(&json!({ "bytes": bytes, "texts": texts.len() })))
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
