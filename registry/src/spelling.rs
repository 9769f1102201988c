//! How jurisdictions, sectors and kinds are written: in a manifest's scope, and in what is compared with scopes.

use crate::countries;

/// ISO 3166-1 alpha-2 (and `EU`, which it reserves), or ISO 3166-2: two letters, or those with a subdivision's code.
pub(crate) fn is_jurisdiction(text: &str) -> bool {
    let (country, subdivision) = text.split_once('-').map_or((text, None), |(country, rest)| (country, Some(rest)));
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && subdivision.is_none_or(|code| {
            (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        })
}

/// Why nothing is under the law that is meant by `code`, and what to write instead: it isn't written as codes are, or names
/// nothing. None: it is fine.
///
/// Manifests and cases of before may have others, and are read as they are: this is asked of what comes in.
pub(crate) fn not_a_jurisdiction(code: &str) -> Option<String> {
    let country = code.split_once('-').map_or(code, |(country, _)| country);
    let remedy = match countries::meant(country) {
        Some(meant) => format!("write {meant}{}", code.strip_prefix(country).unwrap_or_default()),
        None if is_jurisdiction(code) && countries::is_named(country) => return None,
        None => "write an upper-case ISO 3166 code such as BR or US-CA, or EU".to_owned(),
    };
    Some(format!("{} is no jurisdiction: {remedy}", quoted(code)))
}

const LONGEST_WORD: usize = 64;
pub(crate) const WORD: &str = "a word has 1 to 64 of a to z, 0 to 9, hyphen, underscore and dot";

/// What sectors and kinds are called.
pub(crate) fn is_word(text: &str) -> bool {
    let letter = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    (1..=LONGEST_WORD).contains(&text.len()) && text.bytes().all(letter)
}

/// More than a case has laws.
const MOST_JURISDICTIONS: usize = 256;

/// A case or a system says where it belongs as no scope says it: no package would ever be for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Misspelt {
    /// E.g. `jurisdictions[0]`.
    pub field: String,
    /// The value, cut if long, and what to write instead.
    pub detail: String,
}

/// Whether what scopes are compared with is written as they write it. It is asked of what comes in, not of what is recorded:
/// a law that is misspelt would be passed over in silence, and the case allowed.
pub fn check_spelling(jurisdictions: &[String], sector: Option<&str>, kind: Option<&str>) -> Result<(), Misspelt> {
    if jurisdictions.len() > MOST_JURISDICTIONS {
        let count = jurisdictions.len();
        let detail = format!("{count} codes, {MOST_JURISDICTIONS} are allowed: name those whose law applies");
        return Err(Misspelt { field: "jurisdictions".to_owned(), detail });
    }
    let mut named = jurisdictions.iter().enumerate();
    if let Some((index, detail)) = named.find_map(|(index, code)| Some((index, not_a_jurisdiction(code)?))) {
        return Err(Misspelt { field: format!("jurisdictions[{index}]"), detail });
    }
    for (field, word, example) in [("sector", sector, "employment"), ("kind", kind, "agent-action")] {
        if let Some(word) = word.filter(|word| !is_word(word)) {
            let detail = format!("{}: {WORD}; write e.g. {example:?}", quoted(word));
            return Err(Misspelt { field: field.to_owned(), detail });
        }
    }
    Ok(())
}

/// In quotes, and cut if long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(2 * LONGEST_WORD) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(jurisdictions: &[&str], sector: Option<&str>, kind: Option<&str>) -> Misspelt {
        let codes: Vec<String> = jurisdictions.iter().map(ToString::to_string).collect();
        check_spelling(&codes, sector, kind).unwrap_err()
    }

    #[test]
    fn a_case_says_where_it_belongs_as_scopes_say_it() {
        let codes = ["BR", "EU", "US-CA", "GB-ENG", "FR-75", "BR"].map(str::to_owned);
        assert_eq!(check_spelling(&codes, Some("law_enforcement"), Some("agent-action.v2")), Ok(()));
        assert_eq!(check_spelling(&[], None, None), Ok(()));
        for code in ["br", "BRA", "Brazil", " BR", "BR ", "B", "", "BR-", "BR-sp", "BR-1234", "ＢＲ", "BR\0"] {
            let misspelt = refused(&["EU", code], None, None);
            assert_eq!(misspelt.field, "jurisdictions[1]");
            assert!(misspelt.detail.starts_with(&format!("{code:?} is no jurisdiction")), "{misspelt}");
            assert!(misspelt.detail.contains("upper-case ISO 3166"), "{misspelt}");
        }
        // Right in form, and nobody's: a rule for GB would be passed over.
        for (code, remedy) in [("UK", "write GB"), ("UK-ENG", "write GB-ENG"), ("EL", "write GR"), ("EN", "ISO 3166")] {
            let misspelt = refused(&[code], None, None);
            assert!(misspelt.detail.starts_with(&format!("{code:?} is no jurisdiction")), "{misspelt}");
            assert!(misspelt.detail.contains(remedy), "{misspelt}");
        }
        let long = "x".repeat(65);
        for word in ["Employment", "credit scoring", "saúde", " credit", "a/b", "", long.as_str()] {
            for misspelt in [refused(&[], Some(word), Some("prompt")), refused(&[], Some("credit"), Some(word))] {
                assert!(["sector", "kind"].contains(&misspelt.field.as_str()));
                assert!(misspelt.detail.contains(&format!("{word:?}")), "{misspelt}");
            }
        }
        assert_eq!(refused(&[], Some("A"), None).field, "sector");
        assert_eq!(refused(&[], None, Some("A")).field, "kind");
        assert!(refused(&["é".repeat(1 << 20).as_str()], None, None).detail.len() < 1_000);
    }

    #[test]
    fn codes_are_counted_before_they_are_looked_at() {
        let codes = vec!["BR".to_owned(); MOST_JURISDICTIONS];
        assert_eq!(check_spelling(&codes, None, None), Ok(()));
        let misspelt = refused(&["?"; MOST_JURISDICTIONS + 1], None, None);
        assert_eq!(misspelt.to_string().split(':').next(), Some("jurisdictions"));
        assert!(misspelt.detail.contains("257 codes, 256 are allowed"), "{misspelt}");
    }
}
