//! Where a package applies.

use serde::{Deserialize, Serialize};

use crate::spelling::not_a_jurisdiction;

/// Where a package applies. An empty list doesn't restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// `EU`, an ISO 3166-1 code (`BR`) or an ISO 3166-2 code (`US-CA`). A country covers its subdivisions.
    pub jurisdictions: Vec<String>,
    /// E.g. areas of Annex III of the EU AI Act: `employment`, `credit`, …
    pub sectors: Vec<String>,
    /// Kinds of cases: `prompt`, `content`, `agent-action`, …
    pub kinds: Vec<String>,
}

/// Entries of each list at most, in what is published from now on: a case's jurisdictions are compared with all of them.
const MOST: usize = 256;

/// Why a case lies outside a scope: the first of the three lists that excluded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// None of the case's jurisdictions is covered.
    #[error("the case is of another jurisdiction")]
    Jurisdiction,
    /// The case's sector isn't listed, or it names none.
    #[error("the case is of another sector")]
    Sector,
    /// The case's kind isn't listed.
    #[error("the case is of another kind")]
    Kind,
}

impl Scope {
    /// Why no package with this scope is published, with the field's name in front: a list is longer than it may be, or a code
    /// names no jurisdiction, so that the package would never be asked. What was published before is read as it is.
    pub fn unpublishable(&self) -> Option<String> {
        let lists = [("jurisdictions", &self.jurisdictions), ("sectors", &self.sectors), ("kinds", &self.kinds)];
        if let Some((name, list)) = lists.into_iter().find(|(_, list)| list.len() > MOST) {
            return Some(format!("scope.{name}: {} entries, at most {MOST} are allowed", list.len()));
        }
        let mut named = self.jurisdictions.iter().enumerate();
        named.find_map(|(index, code)| Some(format!("scope.jurisdictions[{index}]: {}", not_a_jurisdiction(code)?)))
    }

    /// Whether a case with these jurisdictions, this sector and this kind lies in the scope. One covered jurisdiction
    /// is enough. A scope that lists jurisdictions (or sectors) leaves out a case that names none.
    pub fn applies(&self, jurisdictions: &[String], sector: Option<&str>, kind: &str) -> Result<(), Outside> {
        let lists = |list: &[String], word: &str| list.is_empty() || list.iter().any(|listed| listed == word);
        let covered = |of_case: &String| self.jurisdictions.iter().any(|listed| covers(listed, of_case));
        if !self.jurisdictions.is_empty() && !jurisdictions.iter().any(covered) {
            return Err(Outside::Jurisdiction);
        }
        if !self.sectors.is_empty() && !sector.is_some_and(|sector| lists(&self.sectors, sector)) {
            return Err(Outside::Sector);
        }
        if lists(&self.kinds, kind) { Ok(()) } else { Err(Outside::Kind) }
    }
}

/// Whether the law of `listed` applies in `of_case`: the same place, or a subdivision of it.
fn covers(listed: &str, of_case: &str) -> bool {
    of_case.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_list_has_a_bound_where_it_is_published() {
        let scope = |count: usize| Scope { kinds: (0..count).map(|n| n.to_string()).collect(), ..Scope::default() };
        assert_eq!(scope(MOST).unpublishable(), None);
        assert_eq!(scope(MOST + 1).unpublishable().unwrap(), "scope.kinds: 257 entries, at most 256 are allowed");
    }

    #[test]
    fn a_code_that_names_nothing_is_not_published() {
        let scope = |codes: &[&str]| Scope { jurisdictions: list(codes), ..Scope::default() };
        assert_eq!(scope(&["EU", "BR", "US-CA", "XK"]).unpublishable(), None);
        let why = scope(&["EU", "UK"]).unpublishable().unwrap();
        assert_eq!(why, r#"scope.jurisdictions[1]: "UK" is no jurisdiction: write GB"#);
    }

    #[test]
    fn an_empty_scope_is_everywhere() {
        assert_eq!(Scope::default().applies(&[], None, "prompt"), Ok(()));
        assert_eq!(Scope::default().applies(&list(&["BR"]), Some("credit"), "content"), Ok(()));
    }

    #[test]
    fn a_country_covers_its_states_but_not_the_other_way_round() {
        let us = Scope { jurisdictions: list(&["US"]), ..Scope::default() };
        assert_eq!(us.applies(&list(&["EU", "US-CA"]), None, "prompt"), Ok(()));
        assert_eq!(us.applies(&list(&["USA"]), None, "prompt"), Err(Outside::Jurisdiction));
        let california = Scope { jurisdictions: list(&["US-CA"]), ..Scope::default() };
        assert_eq!(california.applies(&list(&["US"]), None, "prompt"), Err(Outside::Jurisdiction));
        assert_eq!(california.applies(&list(&["US-CA"]), None, "prompt"), Ok(()));
    }

    #[test]
    fn outside_says_which_list_excluded_the_case() {
        let scope = Scope { jurisdictions: list(&["EU"]), sectors: list(&["credit"]), kinds: list(&["prompt"]) };
        assert_eq!(scope.applies(&[], Some("credit"), "prompt"), Err(Outside::Jurisdiction));
        assert_eq!(scope.applies(&list(&["EU"]), None, "prompt"), Err(Outside::Sector));
        assert_eq!(scope.applies(&list(&["EU"]), Some("employment"), "prompt"), Err(Outside::Sector));
        assert_eq!(scope.applies(&list(&["EU"]), Some("credit"), "content"), Err(Outside::Kind));
        assert_eq!(scope.applies(&list(&["EU"]), Some("credit"), "prompt"), Ok(()));
    }
}
