//! Which version applies.

use assize_ledger::Timestamp;
use semver::{Version, VersionReq};
use serde::Serialize;

use crate::Effective;

/// What a range of versions comes to at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The candidate at this position (from 0) applies.
    InForce(usize),
    /// Versions match, but none of them is in force at that moment.
    NotInForce,
    /// No version matches.
    Missing,
}

/// Chooses among `candidates` the highest version that `range` matches and whose period holds `at`.
///
/// A pre-release matches only where the range names one of the same version (`>=2.0.0-rc.1`), as in Cargo. Where two
/// candidates are equal, the first is chosen; the order is otherwise without meaning.
pub fn choose<'a>(
    range: &VersionReq,
    candidates: impl IntoIterator<Item = (&'a Version, &'a Effective)>,
    at: Timestamp,
) -> Choice {
    let mut best: Option<(usize, &Version)> = None;
    let mut matches = false;
    for (position, (version, effective)) in candidates.into_iter().enumerate() {
        if !range.matches(version) {
            continue;
        }
        matches = true;
        if effective.contains(at) && best.is_none_or(|(_, highest)| version > highest) {
            best = Some((position, version));
        }
    }
    match best {
        Some((position, _)) => Choice::InForce(position),
        None if matches => Choice::NotInForce,
        None => Choice::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn period(from: Option<&str>, to: Option<&str>) -> Effective {
        Effective::new(from.map(moment), to.map(moment)).unwrap()
    }

    fn chosen(range: &str, candidates: &[(&str, Effective)], at: &str) -> Choice {
        let candidates: Vec<(Version, Effective)> =
            candidates.iter().map(|(version, effective)| (version.parse().unwrap(), *effective)).collect();
        choose(&range.parse().unwrap(), candidates.iter().map(|(version, effective)| (version, effective)), moment(at))
    }

    #[test]
    fn the_date_decides_between_versions_with_adjoining_periods() {
        let border = "2024-03-01T00:00:00-03:00";
        let candidates = [("1.2.0", period(Some("2022-01-01"), Some(border))), ("1.4.0", period(Some(border), None))];
        assert_eq!(chosen("1", &candidates, "2024-02-29T23:59:59.999-03:00"), Choice::InForce(0));
        assert_eq!(chosen("1", &candidates, border), Choice::InForce(1));
        assert_eq!(chosen("1", &candidates, "2021-12-31"), Choice::NotInForce);
        assert_eq!(chosen("2", &candidates, border), Choice::Missing);
        assert_eq!(chosen("=1.2.0", &candidates, border), Choice::NotInForce);
    }

    #[test]
    fn a_pre_release_is_chosen_only_when_named() {
        let candidates = [("1.0.0", Effective::ALWAYS), ("2.0.0-rc.1", Effective::ALWAYS)];
        assert_eq!(chosen("*", &candidates, "2026-01-01"), Choice::InForce(0));
        assert_eq!(chosen(">=1", &candidates, "2026-01-01"), Choice::InForce(0));
        assert_eq!(chosen("2", &candidates, "2026-01-01"), Choice::Missing);
        assert_eq!(chosen(">=2.0.0-rc.1", &candidates, "2026-01-01"), Choice::InForce(1));
    }

    fn candidate() -> impl Strategy<Value = (Version, Effective)> {
        let bound = || proptest::option::of((0_u64..8).prop_map(|millis| Timestamp::from_millis(millis).unwrap()));
        let pre = proptest::option::weighted(0.2, 0_u64..3);
        let version = (0_u64..3, 0_u64..3, 0_u64..2, pre).prop_map(|(major, minor, patch, pre)| {
            let mut version = Version::new(major, minor, patch);
            if let Some(pre) = pre {
                version.pre = semver::Prerelease::new(&format!("rc.{pre}")).unwrap();
            }
            version
        });
        (version, (bound(), bound()).prop_filter_map("empty", |(from, to)| Effective::new(from, to).ok()))
    }

    proptest! {
        #[test]
        fn the_choice_is_the_highest_of_those_that_match_and_are_in_force(
            candidates in proptest::collection::vec(candidate(), 0..12),
            range in proptest::sample::select(vec!["*", "1", "^1.1", "<2", ">=1.0.0-rc.1", "=2.1.0", "~1.2"]),
            at in 0_u64..8,
        ) {
            let (range, at) = (range.parse::<VersionReq>().unwrap(), Timestamp::from_millis(at).unwrap());
            let matching = || candidates.iter().filter(|(version, _)| range.matches(version));
            let in_force = matching().filter(|(_, effective)| effective.contains(at)).map(|(version, _)| version);
            match choose(&range, candidates.iter().map(|(version, effective)| (version, effective)), at) {
                Choice::InForce(position) => {
                    let (version, effective) = &candidates[position];
                    prop_assert!(range.matches(version) && effective.contains(at));
                    prop_assert_eq!(Some(version), in_force.max());
                }
                Choice::NotInForce => prop_assert!(matching().count() > 0 && in_force.count() == 0),
                Choice::Missing => prop_assert_eq!(matching().count(), 0),
            }
        }

        #[test]
        fn the_order_of_candidates_has_no_meaning(
            candidates in proptest::collection::vec(candidate(), 0..12),
            at in 0_u64..8,
        ) {
            let (range, at) = (VersionReq::STAR, Timestamp::from_millis(at).unwrap());
            let version = |list: &[(Version, Effective)]| {
                match choose(&range, list.iter().map(|(version, effective)| (version, effective)), at) {
                    Choice::InForce(position) => Ok(list[position].0.clone()),
                    other => Err(other),
                }
            };
            let reversed: Vec<_> = candidates.iter().cloned().rev().collect();
            prop_assert_eq!(version(&candidates), version(&reversed));
        }
    }
}
