//! Rule `br/election-content` 1.2: electoral content in Brazil from January 2022 to February 2024.
//!
//! Res.-TSE 23.610/2019, as amended by Res.-TSE 23.671/2021, knew no rule on artificial intelligence. It presumed that whoever
//! uses content in electoral advertising has checked that it can be relied on (Art. 9), and it forbade facts known to be untrue
//! or gravely out of context that harm the integrity of the electoral process (Art. 9-A). So nothing is blocked here without a
//! person: a synthetic piece without a label is a warning, a manipulated candidate is for review.

use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Severity, Verdict, compliance_rule};
use br_election::{Certainty, content, with_places};
use serde::Deserialize;

/// How the rule is set: there is nothing to set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

const ART_9: &str = "Res.-TSE 23.610/2019, Art. 9 (as amended by Res.-TSE 23.671/2021)";
const ART_9_A: &str = "Res.-TSE 23.610/2019, Art. 9-A (included by Res.-TSE 23.671/2021)";

fn rule(_: &Settings, case: &Case, _: &Risk) -> Result<Ruling, Failure> {
    let content = content(case)?;
    if !content.electoral {
        return Ok(Ruling::allow("NOT_ELECTORAL"));
    }
    let (mut verdict, mut code, mut findings) = (Verdict::Allow, "ELECTORAL_CONTENT_FINE", Vec::new());
    let mut demand = |demanded: Verdict, name: &'static str, finding: Finding| {
        if demanded > verdict {
            (verdict, code) = (demanded, name);
        }
        findings.push(finding);
    };
    if content.deepfake > Certainty::No {
        let message = "appears to show somebody saying or doing what they didn't; may be a fact known to be untrue or gravely \
            out of context";
        let finding = Finding::new("MANIPULATED_PERSON", Severity::High, message).citing(format!("{ART_9}; {ART_9_A}"));
        demand(Verdict::Review, "MANIPULATED_PERSON", with_places(finding, &content.places));
    }
    if let Some(place) = &content.claim_about_process {
        let message = "makes a claim about the electoral process that may be known to be untrue and harm its integrity";
        let finding = Finding::new("CLAIM_ABOUT_PROCESS", Severity::High, message).citing(ART_9_A);
        demand(Verdict::Review, "CLAIM_ABOUT_PROCESS", with_places(finding, core::slice::from_ref(place)));
    }
    if content.synthetic > Certainty::No && !content.labelled {
        let message = "made by artificial intelligence and doesn't say so; whoever uses it in electoral advertising must have \
            checked that it can be relied on";
        let finding = Finding::new("SYNTHETIC_UNLABELLED", Severity::Medium, message).citing(ART_9);
        demand(Verdict::Warn, "SYNTHETIC_UNLABELLED", with_places(finding, &content.places));
    }
    Ok(Ruling::new(verdict, code, findings))
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
