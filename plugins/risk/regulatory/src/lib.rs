//! Risk agent `assize/regulatory`: where a system stands under the EU AI Act. Its area (Annex III), its registration
//! (Art. 49 and 71), human oversight (Art. 14), and signs of prohibited practices (Art. 5).
//!
//! It weighs; whether something is prohibited is for the rule `eu/ai-act-prohibited` to say. Outside the EU (the case lists
//! jurisdictions, and `EU` is none of them) the duties of the Act count for nothing here, but its prohibited practices still
//! count as signs of harm.

use article_5::{Sign, declared_by_system, in_payload};
use assize_sdk::{Assessment, Case, Failure, Finding, Severity, System, risk_agent};
use serde::Deserialize;

/// How the agent is set: there is nothing to set as yet.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// The areas of Annex III by point, with the names by which sectors are known.
const AREAS: &[(u8, &str, &[&str])] = &[
    (1, "biometrics", &["biometrics", "biometric"]),
    (2, "critical infrastructure", &["critical-infrastructure", "energy", "water", "traffic", "utilities"]),
    (3, "education and vocational training", &["education", "vocational-training", "training"]),
    (4, "employment and workers' management", &["employment", "hiring", "recruitment", "workers-management", "hr"]),
    (
        5,
        "access to essential services",
        &[
            "essential-services",
            "credit",
            "credit-scoring",
            "insurance",
            "public-benefits",
            "emergency-services",
            "healthcare",
            "health",
        ],
    ),
    (6, "law enforcement", &["law-enforcement", "police"]),
    (7, "migration, asylum and border control", &["migration", "asylum", "border-control", "immigration"]),
    (8, "justice and democratic processes", &["justice", "democratic-processes", "elections", "judiciary"]),
];

fn assess(_: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let under_the_act = case.jurisdictions.is_empty() || case.is_in("EU");
    let system = case.registered_system()?;
    let mut findings = Vec::new();
    let mut signs = in_payload(case)?;
    if let Some(system) = &system {
        signs.extend(declared_by_system(system));
        if system.risk_classification.as_deref() == Some("unacceptable") {
            let message = "the system is registered as one of unacceptable risk";
            let finding = Finding::new("CLASSIFIED_UNACCEPTABLE", Severity::Critical, message).points(9.0);
            findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 5(1)"));
        }
    }
    findings.extend(practices(&signs));
    let area = area(system.as_ref().and_then(|system| system.sector.as_deref()).or(case.sector.as_deref()));
    if under_the_act {
        findings.extend(duties(system.as_ref(), area));
    }
    let confidence = if system.is_some() { 0.85 } else { 0.4 };
    Ok(Assessment::from_findings(findings, confidence))
}

/// One finding for each practice; a declared one outweighs any number of mentions.
fn practices(signs: &[Sign]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for sign in signs {
        let at = findings.iter().position(|finding| finding.code == sign.practice.code).unwrap_or_else(|| {
            let message = format!("may fall under a prohibition: {}", sign.practice.summary);
            let finding = Finding::new(sign.practice.code, Severity::Medium, message).points(3.0);
            findings.push(finding.citing(sign.practice.citation()));
            findings.len() - 1
        });
        let Some(finding) = findings.get_mut(at) else { continue };
        if sign.declared {
            (finding.severity, finding.contribution) = (Severity::Critical, 8.0);
        }
        if let Some((pointer, span)) = &sign.place {
            let evidence = Finding::new("", Severity::Info, "").at(pointer.as_str(), span.clone()).evidence;
            finding.evidence.extend(evidence);
        }
    }
    findings
}

/// The duties of high-risk systems that a registry entry can show to be unmet.
fn duties(system: Option<&System>, area: Option<(u8, &str)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((point, name)) = area {
        let message = format!("the sector may make the system a high-risk one: {name}");
        let finding = Finding::new("HIGH_RISK_AREA", Severity::Medium, message).points(1.5);
        findings.push(finding.citing(format!("Regulation (EU) 2024/1689, Art. 6(2) and Annex III, point {point}")));
    }
    let Some(system) = system else { return findings };
    let classified = system.risk_classification.as_deref();
    if classified != Some("high") && area.is_none() {
        return findings;
    }
    if classified == Some("high") && area.is_none() {
        let finding =
            Finding::new("HIGH_RISK", Severity::Low, "the system is registered as a high-risk one").points(1.0);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 6"));
    }
    if classified.is_some_and(|class| class != "high" && class != "unacceptable") {
        let message = "the sector is one of Annex III, but the system is registered with a lower risk; such a derogation must \
            be documented and registered";
        let finding = Finding::new("CLASSIFICATION_DOUBTFUL", Severity::Medium, message).points(1.0);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 6(3) and 6(4), Art. 49(2)"));
    }
    let registered = system.eu_database_registration_id.as_deref().is_some_and(|id| !id.trim().is_empty());
    if !registered {
        // Critical infrastructure (point 2) registers nationally: Art. 49(5).
        let citation = if area.is_some_and(|(point, _)| point == 2) {
            "Regulation (EU) 2024/1689, Art. 49(5)"
        } else {
            "Regulation (EU) 2024/1689, Art. 49(1) and 71"
        };
        let message = "no registration in the EU database is known for a system that may need one";
        findings.push(Finding::new("REGISTRATION_MISSING", Severity::Medium, message).points(2.0).citing(citation));
    }
    if system.flag("human_oversight") == Some(false) {
        let message = "the system is declared to work without human oversight, which high-risk systems must allow";
        let finding = Finding::new("OVERSIGHT_ABSENT", Severity::High, message).points(3.0);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 14(1)"));
    } else if system.flag("human_oversight").is_none() && system.human_ai_configuration.is_none() {
        let message = "the system doesn't declare who oversees it";
        let finding = Finding::new("OVERSIGHT_UNDECLARED", Severity::Low, message).points(0.5);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 14(1)"));
    }
    findings
}

/// The point and title of the area that a sector belongs to.
fn area(sector: Option<&str>) -> Option<(u8, &'static str)> {
    let sector = sector?.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let found = AREAS.iter().find(|(_, _, names)| names.contains(&sector.as_str()))?;
    Some((found.0, found.1))
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
