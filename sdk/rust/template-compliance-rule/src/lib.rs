//! A rule that sends a case to review where it holds a listed word.

use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Severity, Verdict, compliance_rule};

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

fn rule(settings: &Settings, case: &Case, _risk: &Risk) -> Result<Ruling, Failure> {
    let mut findings = Vec::new();
    for text in case.texts()? {
        for word in &settings.words {
            if let Some(start) = text.text.find(word.as_str()) {
                let finding = Finding::new("WORD", Severity::High, format!("the word `{word}`"));
                findings.push(finding.at(text.pointer.as_str(), start..start + word.len()));
            }
        }
    }
    if findings.is_empty() {
        return Ok(Ruling::allow("NO_LISTED_WORD"));
    }
    Ok(Ruling::new(Verdict::Review, "LISTED_WORD", findings))
}

compliance_rule!(rule, Settings);

#[cfg(test)]
mod tests {
    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::compliance_rule::<super::Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
