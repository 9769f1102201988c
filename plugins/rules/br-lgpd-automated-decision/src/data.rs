//! Sensitive personal data (LGPD, Art. 5, II) and the bases on which they may be processed (Art. 11).

use crate::Facts;
use assize_sdk::{Finding, Severity, members};
use serde_json::Value;

/// Kinds of sensitive data with the names of members and categories that hold them (compared as `plain` writes them).
const SENSITIVE: &[(&str, &[&str])] = &[
    ("racial or ethnic origin", &["race", "raca", "ethnicity", "ethnic_origin", "racial_origin", "etnia", "cor_raca"]),
    ("religious conviction", &["religion", "religiao", "religious_conviction", "religious_belief"]),
    ("political opinion", &["political_opinion", "opiniao_politica", "political_views", "party_membership"]),
    (
        "union or organisation membership",
        &["union_membership", "trade_union_membership", "filiacao_sindical", "sindicato"],
    ),
    (
        "health",
        &["health", "health_data", "saude", "medical_history", "diagnosis", "disease", "hiv_status", "disability"],
    ),
    ("sex life", &["sex_life", "sexual_life", "vida_sexual", "sexual_orientation", "orientacao_sexual"]),
    ("genetic data", &["genetic", "genetic_data", "dna", "dado_genetico", "dados_geneticos"]),
    (
        "biometric data",
        &[
            "biometric",
            "biometrics",
            "biometric_data",
            "fingerprint",
            "face_template",
            "biometria",
            "dados_biometricos",
        ],
    ),
];

/// Names of the bases of Art. 11: I, consent, specific and highlighted; II, (a) to (g).
const BASES: &[&str] = &[
    "consent",
    "specific_consent",
    "consentimento",
    "legal_obligation",
    "obrigacao_legal",
    "public_policy",
    "politica_publica",
    "research",
    "pesquisa",
    "exercise_of_rights",
    "exercicio_de_direitos",
    "protection_of_life",
    "life_protection",
    "protecao_da_vida",
    "health_protection",
    "tutela_da_saude",
    "fraud_prevention",
    "prevencao_a_fraude",
];

/// A finding where sensitive data are processed on no basis of Art. 11.
pub(crate) fn without_basis(facts: &Facts<'_>) -> Option<Finding> {
    let (pointer, kind) = sensitive(facts.payload)?;
    let consents = facts.payload.get("specific_consent").and_then(Value::as_bool) == Some(true);
    let message = match facts.text("legal_basis").map(plain) {
        _ if consents => return None,
        Some(basis) if BASES.contains(&basis.as_str()) => return None,
        Some(basis) => {
            format!("sensitive data ({kind}) on the basis `{basis}`, which isn't among those for sensitive data")
        }
        None => format!("sensitive data ({kind}), and no basis for processing them is declared"),
    };
    let finding = Finding::new("SENSITIVE_DATA_WITHOUT_BASIS", Severity::Critical, message).whole(pointer);
    Some(finding.citing("Lei 13.709/2018 (LGPD), Art. 11 (with Art. 5, II)"))
}

/// The pointer and kind of the first sensitive datum: a member that holds one, or a category in `data_categories`.
fn sensitive(payload: &Value) -> Option<(String, &'static str)> {
    let mut first = None;
    members::visit(payload, |pointer, name, member| {
        if first.is_some() {
            return;
        }
        let name = plain(name);
        first = if name == "data_categories" {
            category(member, pointer)
        } else {
            kind_of(&name).filter(|_| holds_something(member)).map(|kind| (pointer.to_owned(), kind))
        };
    });
    first
}

fn category(categories: &Value, pointer: &str) -> Option<(String, &'static str)> {
    let mut names = categories.as_array()?.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_str()?)));
    names.find_map(|(index, name)| kind_of(&plain(name)).map(|kind| (format!("{pointer}/{index}"), kind)))
}

fn kind_of(name: &str) -> Option<&'static str> {
    SENSITIVE.iter().find(|(_, names)| names.contains(&name)).map(|(kind, _)| *kind)
}

fn holds_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// Lowercase, without diacritics, words joined by underscores.
fn plain(name: &str) -> String {
    let letter = |character: char| match character {
        ' ' | '-' | '_' => '_',
        other => assize_sdk::phrases::plain_letter(other).map_or_else(|| other.to_ascii_lowercase(), char::from),
    };
    name.trim().chars().map(letter).collect()
}
