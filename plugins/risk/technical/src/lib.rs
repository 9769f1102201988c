//! Risk agent `assize/technical`: how a system is built. Training compute, logging, size and dependencies, as its registry
//! entry declares them.
//!
//! What isn't declared weighs less than what is declared to be missing, and lowers the confidence instead.

use assize_sdk::{Assessment, Case, Failure, Finding, Severity, System, risk_agent};
use serde::Deserialize;

/// How the agent is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Training compute above which high-impact capabilities are presumed, in floating point operations.
    flops_limit: f64,
    /// External dependencies up to which a system counts as simple.
    dependencies: usize,
    /// Parameters of a model up to which a system counts as simple.
    parameters: f64,
    /// Bytes of payload up to which a case counts as ordinary.
    payload_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        // 10^25 is the law's figure (Art. 51(2)); the others are ours.
        Self { flops_limit: 1e25, dependencies: 5, parameters: 1e11, payload_bytes: 32 * 1024 }
    }
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        if self.flops_limit > 0.0 && self.parameters > 0.0 {
            Ok(())
        } else {
            Err("`flops_limit` and `parameters` must be positive".to_owned())
        }
    }
}

fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let mut findings = Vec::new();
    if case.payload.len() > settings.payload_bytes {
        let message =
            format!("the payload has {} bytes, more than the ordinary {}", case.payload.len(), settings.payload_bytes);
        findings.push(Finding::new("LARGE_PAYLOAD", Severity::Low, message).points(0.5).whole(""));
    }
    let Some(system) = case.registered_system()? else {
        // A score of 0 for want of anything to look at would halve what the other agents found.
        return if findings.is_empty() {
            Err(Failure::Abstains("the case is of no registered system".to_owned()))
        } else {
            Ok(Assessment::from_findings(findings, 0.3))
        };
    };
    findings.extend(compute(settings, &system));
    findings.extend(logging(&system));
    findings.extend(complexity(settings, &system));
    let declared =
        [system.training_flops.is_some(), system.flag("logging").is_some(), system.number("parameters").is_some()];
    let share = declared.iter().filter(|known| **known).count() as f64 / declared.len() as f64;
    Ok(Assessment::from_findings(findings, 0.5 + 0.45 * share))
}

/// Art. 51(2): above 10^25 operations, high-impact capabilities are presumed.
fn compute(settings: &Settings, system: &System) -> Option<Finding> {
    let flops = system.training_flops?;
    if flops > settings.flops_limit {
        let message = format!(
            "{flops:e} floating point operations of training exceed {:e}: a general-purpose model of that size is presumed to \
             have high-impact capabilities and so systemic risk",
            settings.flops_limit
        );
        let finding = Finding::new("SYSTEMIC_RISK_COMPUTE", Severity::High, message).points(4.0);
        return Some(finding.citing("Regulation (EU) 2024/1689, Art. 51(1)(a) and 51(2)"));
    }
    if flops > settings.flops_limit / 10.0 {
        let message = format!(
            "{flops:e} floating point operations of training come near the limit of {:e}",
            settings.flops_limit
        );
        let finding = Finding::new("COMPUTE_NEAR_LIMIT", Severity::Low, message).points(1.0);
        return Some(finding.citing("Regulation (EU) 2024/1689, Art. 51(2)"));
    }
    None
}

/// Art. 12: high-risk systems record events over their lifetime.
fn logging(system: &System) -> Option<Finding> {
    let high_risk = is_high_risk(system);
    let finding = match (system.flag("logging"), high_risk) {
        (Some(true), _) | (None, false) => return None,
        (Some(false), true) => {
            let message = "the system is declared to keep no logs, which a high-risk system must be able to";
            Finding::new("LOGGING_ABSENT", Severity::High, message).points(3.0)
        }
        (Some(false), false) => {
            Finding::new("LOGGING_ABSENT", Severity::Low, "the system is declared to keep no logs").points(1.0)
        }
        (None, true) => {
            let message = "the high-risk system doesn't declare that it keeps logs";
            Finding::new("LOGGING_UNDECLARED", Severity::Medium, message).points(1.5)
        }
    };
    Some(if high_risk { finding.citing("Regulation (EU) 2024/1689, Art. 12(1)") } else { finding })
}

fn complexity(settings: &Settings, system: &System) -> Vec<Finding> {
    let mut findings = Vec::new();
    let dependencies = system.external_dependencies.len();
    if dependencies > settings.dependencies {
        let message = format!("{dependencies} external dependencies, more than {}", settings.dependencies);
        let beyond = (dependencies - settings.dependencies) as f64;
        let finding = Finding::new("MANY_DEPENDENCIES", Severity::Low, message).points((0.25 * beyond).min(2.0));
        // Art. 25(4): a high-risk system's suppliers and provider agree in writing on what compliance takes.
        let cited = is_high_risk(system);
        findings.push(if cited { finding.citing("Regulation (EU) 2024/1689, Art. 25(4)") } else { finding });
    }
    if let Some(parameters) = system.number("parameters").filter(|parameters| *parameters > settings.parameters) {
        let message = format!("{parameters:e} parameters, more than {:e}", settings.parameters);
        findings.push(Finding::new("LARGE_MODEL", Severity::Low, message).points(1.0));
    }
    findings
}

fn is_high_risk(system: &System) -> bool {
    matches!(system.risk_classification.as_deref(), Some("high" | "unacceptable"))
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
