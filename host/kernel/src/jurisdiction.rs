//! Whose law applies where.

use std::collections::BTreeSet;

/// Member states of the European Union (ISO 3166-1), as of 2020-02-01 (27).
const EUROPEAN_UNION: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The codes given, without repetition, and `EU` where one of them is a member state or a part of one.
pub fn with_unions(codes: &[String]) -> Vec<String> {
    // Doors take few, but what was recorded before they counted has as many as a body holds.
    let mut seen = BTreeSet::new();
    let mut all: Vec<String> = codes.iter().filter(|code| seen.insert(code.as_str())).cloned().collect();
    let member = |code: &String| {
        let country = code.split('-').next().unwrap_or_default();
        EUROPEAN_UNION.contains(&country)
    };
    if all.iter().any(member) && !all.iter().any(|code| code == "EU") {
        all.push("EU".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_from_bavaria_is_one_from_the_union() {
        let codes = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(with_unions(&codes(&["DE-BY", "DE-BY"])), codes(&["DE-BY", "EU"]));
        assert_eq!(with_unions(&codes(&["EU", "FR"])), codes(&["EU", "FR"]));
        assert_eq!(with_unions(&codes(&["US-DE"])), codes(&["US-DE"]));
        // In the order in which they were first said.
        assert_eq!(with_unions(&codes(&["US", "FR", "BR", "FR", "US"])), codes(&["US", "FR", "BR", "EU"]));
    }

    #[test]
    fn as_many_codes_as_a_body_holds_are_gone_through_once() {
        // Each held against all before it, these would take minutes.
        let mut codes: Vec<String> = (0..300_000).map(|part| format!("US-{part}")).collect();
        codes.push("US-0".to_owned());
        let all = with_unions(&codes);
        assert_eq!(all, codes[..300_000]);
    }
}
