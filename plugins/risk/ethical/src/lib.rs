//! Risk agent `assize/ethical`: what a case may do to people. Harm, discrimination and manipulation in its texts, protected
//! traits in its data, transparency towards those concerned (Art. 50 of the EU AI Act) and the assessment of the impact on
//! their rights (Art. 27).
//!
//! Words are signs, not proofs: a mention weighs little, and a protected trait weighs with what is said or decided about it.

use assize_sdk::phrases::{self, Phrases, count};
use assize_sdk::{Assessment, Case, Failure, Finding, Severity, System, members, risk_agent};
use core::ops::Range;
use serde::Deserialize;
use serde_json::Value;

/// How the agent is set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Phrases of the operator's own, in lowercase ASCII; `*` at the end matches any ending. Each adds two points.
    phrases: Vec<String>,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        let plain = |phrase: &String| {
            !phrase.is_empty() && phrase.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b' ' | b'*'))
        };
        let wrong = self.phrases.iter().find(|phrase| !plain(phrase));
        wrong.map_or(Ok(()), |phrase| {
            Err(format!("`phrases` holds `{phrase}`: lowercase ASCII letters, digits and spaces only"))
        })
    }
}

/// What words are signs of: the groups of [`GROUPS`], in order.
#[derive(Clone, Copy)]
enum Topic {
    Harm,
    Derogation,
    Manipulation,
    Privacy,
    Trait,
}

/// Phrases by [`Topic`]. English, with the commonest words in Portuguese, Spanish, German and French.
const GROUPS: &[&[&str]] = &[
    // Harm.
    &[
        "harm",
        "harming",
        "hurt",
        "kill",
        "killing",
        "murder",
        "torture",
        "poison",
        "abuse",
        "abusing",
        "suicide",
        "self harm",
        "kill myself",
        "beat up",
        "violence",
        "rape",
        "assault",
        "bully",
        "bullying",
        "harass",
        "harassing",
        "stalk",
        "matar",
        "suicidio",
        "violencia",
        "toten",
        "umbringen",
        "selbstmord",
        "tuer",
        "blesser",
    ],
    // Derogation.
    &[
        "discriminat*",
        "inferior",
        "subhuman",
        "stereotype*",
        "stupid",
        "lazy",
        "dirty",
        "backward*",
        "criminals",
        "violent",
        "hate",
        "ban",
        "exclude",
        "excluding",
        "reject",
        "deport",
        "segregat*",
        "terrorist*",
        "extremist*",
        "intolerant",
        "less capable",
        "less intelligent",
        "not hire",
        "refuse to hire",
        "inferiore*",
        "minderwertig",
        "discriminar",
    ],
    // Manipulation.
    &[
        "manipulat*",
        "deceiv*",
        "blackmail",
        "coerce",
        "gaslight*",
        "brainwash*",
        "disinformation",
        "fake news",
        "scam",
        "groom",
    ],
    // Privacy.
    &[
        "home address of",
        "address of",
        "phone number of",
        "social security number",
        "credit card number",
        "medical record*",
        "find out where",
        "track the location",
        "spy on",
        "private photos",
        "bank account of",
    ],
    // Trait.
    &[
        "race",
        "racial",
        "ethnic*",
        "religion",
        "religious",
        "gender",
        "sexual orientation",
        "disabilit*",
        "disabled",
        "nationality",
        "women",
        "woman",
        "men are",
        "muslim*",
        "jew",
        "jews",
        "jewish",
        "christian*",
        "hindu*",
        "buddhist*",
        "atheist*",
        "black people",
        "blacks",
        "white people",
        "african*",
        "asian*",
        "hispanic*",
        "latino*",
        "arab*",
        "middle eastern",
        "american indian*",
        "indigenous",
        "immigrant*",
        "refugee*",
        "gay",
        "gays",
        "lesbian*",
        "transgender",
        "elderly",
        "old people",
        "pregnan*",
        "mulheres",
        "negros",
        "imigrantes",
        "mujeres",
        "inmigrantes",
        "frauen",
        "auslander",
        "femmes",
        "etrangers",
    ],
];
static PHRASES: Phrases<{ count(GROUPS) }> = Phrases::new(GROUPS);

/// Members of structured data that hold a protected trait (Art. 21 of the EU Charter of Fundamental Rights).
const TRAIT_MEMBERS: &[&str] = &[
    "race",
    "ethnicity",
    "ethnic origin",
    "religion",
    "gender",
    "sex",
    "sexual orientation",
    "disability",
    "nationality",
    "personal status and sex",
    "foreign worker",
    "marital status",
    "skin colour",
    "skin color",
    "raca",
    "sexo",
    "genero",
];

fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
    let mut findings = texts(settings, case)?;
    // A prompt is one string; only structured cases have members worth a look.
    if case.kind != "prompt"
        && let Some(pointer) = trait_member(case.payload()?)
    {
        let message = "the data hold a protected trait: a decision that rests on it may discriminate";
        let finding = Finding::new("PROTECTED_TRAIT_IN_DATA", Severity::Medium, message).points(1.5).whole(pointer);
        findings.push(finding.citing("Charter of Fundamental Rights of the European Union, Art. 21"));
    }
    let system = case.registered_system()?;
    if let Some(system) = &system {
        findings.extend(duties(system));
    }
    Ok(Assessment::from_findings(findings, if system.is_some() { 0.7 } else { 0.5 }))
}

/// What the payload's strings say.
fn texts(settings: &Settings, case: &Case) -> Result<Vec<Finding>, Failure> {
    let mut findings: Vec<Finding> = Vec::new();
    let own: Vec<&str> = settings.phrases.iter().map(String::as_str).collect();
    for text in case.texts()? {
        let mut seen: [Option<Range<usize>>; GROUPS.len()] = [const { None }; GROUPS.len()];
        PHRASES.find(&text.text, |group, span| {
            if let Some(first) = seen.get_mut(group) {
                first.get_or_insert(span);
            }
        });
        let span_of = |topic: Topic| seen.get(topic as usize).cloned().flatten();
        let mut add = |code: &str, severity, points: f64, message: &str, spans: &[Range<usize>], norm: Option<&str>| {
            if findings.iter().any(|finding| finding.code == code) {
                return;
            }
            let mut finding = Finding::new(code, severity, message).points(points);
            for span in spans {
                finding = finding.at(text.pointer.as_str(), span.clone());
            }
            finding.citation = norm.map(str::to_owned);
            findings.push(finding);
        };
        if let Some(harm) = span_of(Topic::Harm) {
            add("HARM", Severity::Medium, 2.0, "speaks of harm to people", &[harm], None);
        }
        match (span_of(Topic::Trait), span_of(Topic::Derogation)) {
            (Some(protected), Some(derogation)) => add(
                "DISCRIMINATION",
                Severity::High,
                4.5,
                "speaks of a protected trait together with exclusion or contempt: may discriminate",
                &[protected, derogation],
                Some("Charter of Fundamental Rights of the European Union, Art. 21"),
            ),
            (Some(protected), None) => {
                add("PROTECTED_TRAIT", Severity::Info, 0.5, "speaks of a protected trait", &[protected], None);
            }
            _ => {}
        }
        if let Some(manipulation) = span_of(Topic::Manipulation) {
            add(
                "MANIPULATION",
                Severity::Medium,
                1.5,
                "speaks of manipulating or deceiving people",
                &[manipulation],
                None,
            );
        }
        if let Some(privacy) = span_of(Topic::Privacy) {
            let norm = Some("Charter of Fundamental Rights of the European Union, Art. 7 and 8");
            add("PRIVACY", Severity::Medium, 1.5, "may intrude upon somebody's private life", &[privacy], norm);
        }
        let mut first = None;
        if !own.is_empty() {
            phrases::find(&text.text, &own, |_, span| {
                first.get_or_insert(span);
            });
        }
        if let Some(span) = first {
            add("OPERATOR_PHRASE", Severity::Medium, 2.0, "holds a phrase that the operator listed", &[span], None);
        }
    }
    Ok(findings)
}

/// What a registry entry shows of duties towards the people concerned.
fn duties(system: &System) -> Vec<Finding> {
    let mut findings = Vec::new();
    if system.flag("transparency_notice") == Some(false) {
        let message = "people aren't told that they deal with an AI system; where they interact with it directly, they must be, \
            unless it is obvious";
        let finding = Finding::new("TRANSPARENCY_ABSENT", Severity::Medium, message).points(2.0);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 50(1)"));
    }
    let high_risk = system.risk_classification.as_deref() == Some("high");
    let assessed = system.flag("fundamental_rights_impact_assessment").or_else(|| system.flag("fria"));
    if high_risk && assessed != Some(true) {
        let message = "no assessment of the impact on fundamental rights is known; public bodies, providers of public services, \
            and deployers for credit scoring or life and health insurance need one before first use";
        let points = if assessed == Some(false) { 2.0 } else { 1.0 };
        let finding = Finding::new("RIGHTS_IMPACT_UNASSESSED", Severity::Low, message).points(points);
        findings.push(finding.citing("Regulation (EU) 2024/1689, Art. 27(1)"));
    }
    findings
}

/// The pointer of the first member that holds a protected trait.
fn trait_member(payload: &Value) -> Option<String> {
    let mut first = None;
    members::visit(payload, |pointer, name, member| {
        if first.is_none() && !member.is_null() {
            let name = name.replace(['_', '-'], " ");
            let is_trait = TRAIT_MEMBERS.iter().any(|known| known.eq_ignore_ascii_case(&name));
            first = is_trait.then(|| pointer.to_owned());
        }
    });
    first
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
