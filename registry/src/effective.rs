//! When a version is law.

use std::fmt;

use assize_ledger::Timestamp;
use serde::{Deserialize, Serialize};

/// The period in which a version applies: from its first moment to just before its last. A bound that isn't there is
/// open: [`Effective::ALWAYS`] has neither.
///
/// Half-open, so that versions with adjoining periods leave neither a gap nor a moment that both claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Bounds")]
pub struct Effective {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// A period would hold no moment: it ends when it begins, or before. Time begins with 1970 (see [`Timestamp`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the period from {from} to {to} (exclusive) holds no moment")]
pub struct EmptyPeriod {
    /// The first moment; where none was given, the beginning of time.
    pub from: Timestamp,
    /// The first moment after, as given.
    pub to: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl TryFrom<Bounds> for Effective {
    type Error = EmptyPeriod;

    fn try_from(bounds: Bounds) -> Result<Self, Self::Error> {
        Self::new(bounds.from, bounds.to)
    }
}

impl Effective {
    /// Without beginning or end.
    pub const ALWAYS: Self = Self { from: None, to: None };

    /// The period from `from` (inclusive) to `to` (exclusive).
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Self, EmptyPeriod> {
        let first = from.unwrap_or_default();
        match to {
            Some(to) if to <= first => Err(EmptyPeriod { from: first, to }),
            _ => Ok(Self { from, to }),
        }
    }

    /// The first moment, if it has a beginning.
    pub const fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// The first moment after it, if it has an end.
    pub const fn to(&self) -> Option<Timestamp> {
        self.to
    }

    /// Whether `at` lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether some moment lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_in_time = |one: &Self, two: &Self| match (one.from, two.to) {
            (Some(from), Some(to)) => from < to,
            _ => true,
        };
        begins_in_time(self, other) && begins_in_time(other, self)
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => f.write_str("always"),
            (Some(from), None) => write!(f, "from {from}"),
            (None, Some(to)) => write!(f, "until {to}"),
            (Some(from), Some(to)) => write!(f, "from {from} until {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn bound() -> impl Strategy<Value = Option<Timestamp>> {
        proptest::option::of((0_u64..12).prop_map(moment))
    }

    fn period() -> impl Strategy<Value = Effective> {
        (bound(), bound()).prop_filter_map("empty", |(from, to)| Effective::new(from, to).ok())
    }

    #[test]
    fn an_empty_period_is_refused_in_json_too() {
        let same = Some(moment(5));
        let beginning = Timestamp::default();
        assert!(Effective::new(None, Some(beginning)).is_err());
        assert_eq!(Effective::new(same, same), Err(EmptyPeriod { from: moment(5), to: moment(5) }));
        let json = serde_json::json!({ "from": "2025-01-02", "to": "2025-01-01" });
        assert!(serde_json::from_value::<Effective>(json).unwrap_err().to_string().contains("holds no moment"));
    }

    proptest! {
        #[test]
        fn periods_overlap_where_they_share_a_moment(one in period(), two in period()) {
            // Bounds lie in 0..12, so that 0..=12 holds a representative of every moment.
            let shared = (0..=12).map(moment).any(|at| one.contains(at) && two.contains(at));
            prop_assert_eq!(one.overlaps(&two), shared);
            prop_assert_eq!(two.overlaps(&one), shared);
        }

        #[test]
        fn adjoining_periods_leave_no_gap_and_no_moment_to_both(at in 0_u64..12, border in 1_u64..12) {
            let before = Effective::new(None, Some(moment(border))).unwrap();
            let after = Effective::new(Some(moment(border)), None).unwrap();
            prop_assert!(before.contains(moment(at)) != after.contains(moment(at)));
            prop_assert!(!before.overlaps(&after));
        }

        #[test]
        fn a_period_survives_json(period in period()) {
            let json = serde_json::to_string(&period).unwrap();
            prop_assert_eq!(serde_json::from_str::<Effective>(&json).unwrap(), period);
        }
    }
}
