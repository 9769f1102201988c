//! A risk agent for credit applications: a scorecard of four points, as coarse as they are in textbooks. It looks at nothing that
//! a person is born with.

use assize_sdk::{Assessment, Case, Failure, Finding, Severity, risk_agent};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Months from which on a duration counts as long.
    long: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { long: 24 }
    }
}

/// What the scorecard reads; other members are left alone.
#[derive(Deserialize)]
struct Application {
    status_of_existing_checking_account: String,
    duration_in_month: String,
    credit_amount: String,
    credit_history: String,
}

fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let application: Application =
        serde_json::from_str(&case.payload).map_err(|error| Failure::InvalidCase(error.to_string()))?;
    let number = |field: &str, text: &str| -> Result<u32, Failure> {
        text.parse().map_err(|_| Failure::InvalidCase(format!("{field}: {text:?} is no number")))
    };
    let months = number("duration_in_month", &application.duration_in_month)?;
    let amount = number("credit_amount", &application.credit_amount)?;
    let account = application.status_of_existing_checking_account.as_str();
    let points = [
        (account.starts_with("... < 0"), 3.0, "ACCOUNT_OVERDRAWN", "/status_of_existing_checking_account"),
        (account.starts_with("0 <="), 2.0, "ACCOUNT_LOW", "/status_of_existing_checking_account"),
        (months >= settings.long, 2.0, "LONG_DURATION", "/duration_in_month"),
        (amount >= 4000, 1.5, "LARGE_AMOUNT", "/credit_amount"),
        (
            application.credit_history.starts_with("no credits taken")
                || application.credit_history.starts_with("all credits at this bank"),
            2.0,
            "THIN_HISTORY",
            "/credit_history",
        ),
    ];
    let findings = points.into_iter().filter(|(holds, ..)| *holds).map(|(_, points, code, pointer)| {
        Finding::new(code, Severity::Medium, code.to_lowercase().replace('_', " ")).points(points).whole(pointer)
    });
    Ok(Assessment::from_findings(findings.collect(), 0.8))
}

risk_agent!(assess, Settings);
