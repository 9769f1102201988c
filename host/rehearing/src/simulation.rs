//! Other plugins, another policy or another date over many cases: what would have come out, kept apart from rulings.
//!
//! A [`Specification`] says what is swapped and over which cases; a [`Simulation`] judges them by the same `decide`, on all
//! cores, in the order of the cases and in constant memory; its [`Tally`] can be put aside and taken up again at any
//! moment, and ends as the same [`Report`].

mod cases;
mod csv;
mod html;
mod report;
mod run;
mod tally;
mod worlds;

use assize_kernel::{Changes, ChangesError, Policy};
use assize_ledger::Timestamp;
use assize_sandbox::contract::Verdict;
use assize_store::{DecisionFilter, StoreError};
use serde::{Deserialize, Serialize};

pub use self::cases::{CaseError, CaseFile, Mapping};
pub use self::report::{Covered, Report};
pub use self::run::{Simulation, State};
pub use self::tally::{Confusion, Flip, Matrix, PluginCount, Tally, Truth};
use crate::archive::ArchiveError;

/// What a simulation swaps, and over which cases.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Specification {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Which past decisions; all where left out. Without meaning where cases are given.
    pub decisions: Selection,
    /// What is swapped in.
    pub base: Base,
    /// What is swapped.
    pub changes: Changes,
    /// A policy that takes the place of a scope's; the base is `now`, then, unless it is a moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySwap>,
    /// From which verdict on a case counts as caught, where cases carry a known truth.
    pub alarm: Alarm,
    /// Flips that are listed one by one; all are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flips: Option<usize>,
}

/// A verdict that counts as a catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Alarm(pub Verdict);

impl Default for Alarm {
    fn default() -> Self {
        Self(Verdict::Review)
    }
}

/// Which past decisions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Selection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Judged at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Judged before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl Selection {
    pub(crate) fn filter(&self) -> DecisionFilter {
        DecisionFilter {
            system: self.system.clone(),
            verdict: self.verdict.map(|verdict| verdict.as_str().to_owned()),
            environment: self.environment.clone(),
            from: self.from,
            before: self.to,
        }
    }
}

/// What changes are made to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// For a past decision, the snapshot that judged it; for a case of a file, what is in force now.
    #[default]
    Recorded,
    /// What is in force now.
    Now,
    /// What was in force at a moment of ours.
    KnownAt(Timestamp),
}

/// A policy in the place of a scope's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySwap {
    /// `global`, `tenant` or `system:ID`.
    pub scope: String,
    /// The whole policy.
    pub policy: Policy,
}

/// Why there is no simulation.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SimulationError {
    #[error("{field}: {detail}")]
    Invalid { field: String, detail: String },
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{0}")]
    Changes(#[from] ChangesError),
    #[error("judging failed: {0}")]
    Judging(String),
}

impl From<StoreError> for SimulationError {
    fn from(error: StoreError) -> Self {
        Self::Archive(error.into())
    }
}

/// Flips that are listed where nothing else is said: enough to look through, few enough to send.
const FLIPS: usize = 1000;
/// Flips that can be listed at most.
const MOST_FLIPS: usize = 100_000;

impl Specification {
    /// Checks what the types can't.
    pub fn check(&self) -> Result<(), SimulationError> {
        self.changes.check()?;
        let invalid = |field: &str, detail: String| SimulationError::Invalid { field: field.to_owned(), detail };
        if let Some(swap) = &self.policy {
            swap.policy.check().map_err(|error| invalid("policy", error.to_string()))?;
        }
        if let Some(flips) = self.flips.filter(|&flips| flips > MOST_FLIPS) {
            return Err(invalid("flips", format!("{flips}: use at most {MOST_FLIPS}")));
        }
        if let (Some(from), Some(to)) = (self.decisions.from, self.decisions.to)
            && from >= to
        {
            return Err(invalid("decisions.from", format!("{from} is not before {to}: no decision lies between")));
        }
        Ok(())
    }

    /// What changes are made to, where a policy is swapped too.
    pub(crate) fn base(&self) -> Base {
        match self.base {
            Base::Recorded if self.policy.is_some() => Base::Now,
            base => base,
        }
    }

    /// Whether every case would come out as it did.
    pub fn changes_nothing(&self) -> bool {
        self.changes.is_empty() && self.policy.is_none() && self.base == Base::Recorded
    }

    pub(crate) fn listed(&self) -> usize {
        self.flips.unwrap_or(FLIPS)
    }
}
