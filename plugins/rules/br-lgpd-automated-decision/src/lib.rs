//! Rule `br/lgpd-automated-decision`: automated decisions and sensitive personal data under Brazil's general data protection
//! law, Lei 13.709/2018 (LGPD), in force since 18 September 2020.
//!
//! Art. 20: whoever is concerned by a decision taken solely by automated means that affects their interests, among them those
//! that define a personal, professional, consumer or credit profile, may ask for its review; § 1: the controller explains, on
//! request, the criteria and procedures. Art. 11: sensitive data (Art. 5, II) may be processed only on the bases listed there,
//! among which legitimate interest and credit protection are not.
//!
//! | facts | verdict |
//! |---|---|
//! | a decision by automated means alone that affects interests, no channel for review | review |
//! | … no explanation of criteria | review |
//! | sensitive data on no basis, or on one that Art. 11 doesn't know | block |

use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Severity, System, Verdict, compliance_rule};
use serde::Deserialize;
use serde_json::Value;

mod data;

/// How the rule is set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// There is a channel for review outside the cases' own data, e.g. on the controller's site: its address.
    review_channel: Option<String>,
    /// Likewise for the explanation of criteria and procedures.
    explanation: Option<String>,
}

/// What a decision is about when it affects the interests of the person concerned.
const INTERESTS: &[&str] = &[
    "credit",
    "credito",
    "loan",
    "emprestimo",
    "employment",
    "hiring",
    "recruitment",
    "contratacao",
    "emprego",
    "profiling",
    "profile",
    "perfil",
    "insurance",
    "seguro",
    "education",
    "housing",
    "benefits",
    "pricing",
    "scoring",
    "score",
    "consumer",
    "health",
    "saude",
    "dismissal",
    "demissao",
];

fn rule(settings: &Settings, case: &Case, _: &Risk) -> Result<Ruling, Failure> {
    let payload = case.payload()?;
    let system = case.registered_system()?;
    let facts = Facts { case, payload, system: system.as_ref() };
    let mut findings = Vec::new();
    let mut verdict = Verdict::Allow;
    let mut code = "NO_OBJECTION";
    if let Some(finding) = data::without_basis(&facts) {
        (verdict, code) = (Verdict::Block, "SENSITIVE_DATA_WITHOUT_BASIS");
        findings.push(finding);
    }
    if facts.is_automated() && facts.affects_interests() {
        if settings.review_channel.is_none() && !facts.provides(&["review_channel", "human_review", "review"]) {
            let message = "a decision by automated means alone seems to affect somebody's interests, and no way to have it \
                reviewed is known";
            let finding = Finding::new("NO_REVIEW_CHANNEL", Severity::High, message);
            findings.push(finding.citing("Lei 13.709/2018 (LGPD), Art. 20, caput"));
        }
        if settings.explanation.is_none() && !facts.provides(&["explanation", "criteria", "reasons"]) {
            let message = "a decision by automated means alone seems to affect somebody's interests, and no explanation of its \
                criteria and procedures is known";
            let finding = Finding::new("NO_EXPLANATION", Severity::Medium, message);
            findings.push(finding.citing("Lei 13.709/2018 (LGPD), Art. 20, § 1º"));
        }
        if verdict == Verdict::Allow && !findings.is_empty() {
            (verdict, code) = (Verdict::Review, "AUTOMATED_DECISION_WITHOUT_REVIEW");
        }
    }
    Ok(Ruling::new(verdict, code, findings))
}

/// What is known of the decision and of the system that takes it.
struct Facts<'a> {
    case: &'a Case,
    payload: &'a Value,
    system: Option<&'a System>,
}

impl Facts<'_> {
    /// Whether a decision is taken by automated means alone: the case says so, or the system works without people.
    fn is_automated(&self) -> bool {
        for member in ["automated_decision", "automated", "solely_automated"] {
            if let Some(declared) = self.payload.get(member).and_then(Value::as_bool) {
                return declared;
            }
        }
        let Some(system) = self.system else { return false };
        let configuration = system.human_ai_configuration.as_ref().and_then(Value::as_str).unwrap_or_default();
        let without_people = ["out-of-the-loop", "out of the loop", "fully automated", "fully-automated", "autonomous"];
        system.flag("human_oversight") == Some(false)
            || without_people.iter().any(|words| configuration.to_ascii_lowercase().contains(words))
    }

    /// Whether the decision is about somebody's interests, by the case's sector, the system's, or the payload's own words.
    fn affects_interests(&self) -> bool {
        if let Some(declared) = self.payload.get("affects_interests").and_then(Value::as_bool) {
            return declared;
        }
        let members = ["purpose", "decision_type", "decision", "use_case"];
        let declared = members.iter().filter_map(|member| self.payload.get(*member)?.as_str());
        let sectors = [self.case.sector.as_deref(), self.system.and_then(|system| system.sector.as_deref())];
        declared.chain(sectors.into_iter().flatten()).any(|words| assize_sdk::phrases::contains(words, INTERESTS))
    }

    /// Whether the case or the system has one of the members, other than as a no.
    fn provides(&self, members: &[&str]) -> bool {
        let given = |value: &Value| match value {
            Value::Bool(yes) => *yes,
            Value::String(text) => !text.trim().is_empty(),
            Value::Null | Value::Number(_) => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
        };
        members.iter().any(|member| {
            self.payload.get(*member).is_some_and(given)
                || self.system.is_some_and(|system| system.attributes.get(*member).is_some_and(given))
        })
    }

    /// A text that the case or else the system declares.
    fn text(&self, member: &str) -> Option<&str> {
        self.payload.get(member).and_then(Value::as_str).or_else(|| self.system.and_then(|system| system.text(member)))
    }
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
