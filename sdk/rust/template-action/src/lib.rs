//! An action that raises an alert.

use assize_sdk::{Alert, Case, Effect, Failure, Outcome, Severity, Verdict, action};

/// Settings come as JSON and are parsed with serde.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    title: String,
}

impl Settings {
    /// Refuses settings when they are set, rather than when a case comes.
    fn check(&self) -> Result<(), String> {
        if self.title.is_empty() {
            return Err("title: it is empty".to_owned());
        }
        Ok(())
    }
}

fn plan(settings: &Settings, case: &Case, outcome: &Outcome) -> Result<Vec<Effect>, Failure> {
    if outcome.verdict < Verdict::Review {
        return Ok(Vec::new());
    }
    let body = format!("{:?} of a case of kind {}: {}", outcome.verdict, case.kind, outcome.reason);
    Ok(vec![Effect::Alert(Alert { severity: Severity::High, title: settings.title.clone(), body })])
}

action!(plan, Settings);

#[cfg(test)]
mod tests {
    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::action::<super::Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
