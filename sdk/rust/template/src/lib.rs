//! An agent that finds listed words.

use assize_sdk::{Assessment, Case, Failure, Finding, Severity, risk_agent};

/// Settings come as JSON and are parsed with serde.
#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    words: Vec<String>,
}

impl Settings {
    /// Refuses settings when they are set, rather than when a case comes.
    fn check(&self) -> Result<(), String> {
        if self.words.iter().any(String::is_empty) {
            return Err("words: an empty word".to_owned());
        }
        Ok(())
    }
}

fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let mut findings = Vec::new();
    for text in case.texts()? {
        for word in &settings.words {
            if let Some(start) = text.text.find(word.as_str()) {
                let finding = Finding::new("WORD", Severity::Low, format!("the word `{word}`")).points(2.0);
                findings.push(finding.at(text.pointer.as_str(), start..start + word.len()));
            }
        }
    }
    Ok(Assessment::from_findings(findings, 0.9))
}

risk_agent!(assess, Settings);

#[cfg(test)]
mod tests {
    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::risk_agent::<super::Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
