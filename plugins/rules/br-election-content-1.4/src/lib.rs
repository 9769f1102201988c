//! Rule `br/election-content` 1.4: electoral content in Brazil since 1 March 2024, the day on which Res.-TSE 23.732/2024 was
//! published.
//!
//! It amended Res.-TSE 23.610/2019. Art. 9-B: synthetic multimedia in electoral advertising must say, explicitly, prominently
//! and accessibly, that it was made or manipulated, and with which technology. Art. 9-C: manipulated content that spreads
//! notoriously untrue facts is forbidden, and by its § 1 any deep fake (synthetic audio or video that creates, replaces or alters
//! a person's image or voice, to harm or favour a candidacy), even with that person's consent and whatever its label.

use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Severity, Verdict, compliance_rule};
use br_election::{Certainty, Content, Form, content, with_places};
use serde::Deserialize;

/// How the rule is set: there is nothing to set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

const LABEL: &str = "Res.-TSE 23.610/2019, Art. 9-B, caput (included by Res.-TSE 23.732/2024)";
const UNTRUE: &str = "Res.-TSE 23.610/2019, Art. 9-C, caput (included by Res.-TSE 23.732/2024)";
const DEEP_FAKE: &str = "Res.-TSE 23.610/2019, Art. 9-C, § 1º (included by Res.-TSE 23.732/2024)";

fn rule(_: &Settings, case: &Case, _: &Risk) -> Result<Ruling, Failure> {
    let content = content(case)?;
    if !content.electoral {
        return Ok(Ruling::allow("NOT_ELECTORAL"));
    }
    let (mut verdict, mut code, mut findings) = (Verdict::Allow, "ELECTORAL_CONTENT_FINE", Vec::new());
    let mut demand = |(demanded, finding): (Verdict, Finding), name: &'static str| {
        if demanded > verdict {
            (verdict, code) = (demanded, name);
        }
        findings.push(finding);
    };
    if content.deepfake > Certainty::No {
        demand(deepfake(&content), "DEEPFAKE_IN_ELECTION");
    }
    if let Some(place) = &content.claim_about_process {
        let message = "makes a claim about the electoral process that may be notoriously untrue and harm its integrity";
        let finding = Finding::new("CLAIM_ABOUT_PROCESS", Severity::High, message).citing(UNTRUE);
        demand((Verdict::Review, with_places(finding, core::slice::from_ref(place))), "CLAIM_ABOUT_PROCESS");
    }
    if content.synthetic > Certainty::No && !content.labelled {
        demand(unlabelled(&content), "SYNTHETIC_UNLABELLED");
    }
    Ok(Ruling::new(verdict, code, findings))
}

/// Art. 9-C, § 1.
fn deepfake(content: &Content) -> (Verdict, Finding) {
    let covered = matches!(content.form, Form::Video | Form::Audio | Form::Unknown);
    let (verdict, severity, message) = match content.deepfake {
        Certainty::Declared if covered => (
            Verdict::Block,
            Severity::Critical,
            "synthetic audio or video that creates, replaces or alters a person's image or voice in electoral advertising is \
             forbidden, even with consent and with a label",
        ),
        Certainty::Declared => (
            Verdict::Review,
            Severity::High,
            "a manipulated likeness outside audio and video; the ban on deep fakes names these two, but it may spread untrue facts",
        ),
        _ => (Verdict::Review, Severity::High, "speaks of a manipulated image or voice: may be a deep fake"),
    };
    let citation = if content.deepfake == Certainty::Declared && !covered { UNTRUE } else { DEEP_FAKE };
    let finding = Finding::new("DEEPFAKE_IN_ELECTION", severity, message).citing(citation);
    (verdict, with_places(finding, &content.places))
}

/// Art. 9-B, which is about multimedia: words alone are outside it.
fn unlabelled(content: &Content) -> (Verdict, Finding) {
    let (verdict, severity, message) = match (content.form, content.synthetic) {
        (Form::Text, _) => (
            Verdict::Warn,
            Severity::Low,
            "words made by artificial intelligence without a label; the duty to label names multimedia",
        ),
        (Form::Video | Form::Audio | Form::Image, Certainty::Declared) => (
            Verdict::Block,
            Severity::High,
            "synthetic multimedia in electoral advertising must say explicitly that it was made or manipulated, and how",
        ),
        _ => (
            Verdict::Review,
            Severity::Medium,
            "may be synthetic multimedia without the label that electoral advertising needs",
        ),
    };
    let finding = Finding::new("SYNTHETIC_UNLABELLED", severity, message).citing(LABEL);
    (verdict, with_places(finding, &content.places))
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
