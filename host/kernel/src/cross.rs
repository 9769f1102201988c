//! A case of one decision with an aspect of another: what it would have come to is for [`crate::decide`] to say.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::input::Input;
use crate::snapshot::{Snapshot, SnapshotError};

/// Something that can make a difference between two decisions, and can be taken from one to the other by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Whether the system is in emergency stop.
    Stop,
    /// The day whose rules apply.
    RulesAsOf,
    /// When the facts took place.
    OccurredAt,
    /// Where the system runs.
    Environment,
    /// Whose law applies.
    Jurisdictions,
    /// The sector.
    Sector,
    /// The kind of case.
    Kind,
    /// What is judged.
    Payload,
    /// Tenant, system, actor, action, resource and what the host or the caller added.
    Circumstances,
    /// Which bindings there are, and for which verdicts their actions plan.
    Bindings,
    /// Which versions a binding may choose from.
    Versions,
    /// What the bindings give their plugins.
    Settings,
    /// How much agents count.
    Weights,
    /// What a score amounts to.
    Thresholds,
    /// What a plugin's failure amounts to.
    FailurePolicy,
    /// What calls may use.
    Limits,
    /// All of the policy at once.
    Policy,
}

impl Aspect {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 17] = [
        Self::Stop,
        Self::RulesAsOf,
        Self::OccurredAt,
        Self::Environment,
        Self::Jurisdictions,
        Self::Sector,
        Self::Kind,
        Self::Payload,
        Self::Circumstances,
        Self::Bindings,
        Self::Versions,
        Self::Settings,
        Self::Weights,
        Self::Thresholds,
        Self::FailurePolicy,
        Self::Limits,
        Self::Policy,
    ];

    /// Whether it is a part of [`Aspect::Policy`].
    pub const fn is_of_policy(self) -> bool {
        matches!(
            self,
            Self::Bindings
                | Self::Versions
                | Self::Settings
                | Self::Weights
                | Self::Thresholds
                | Self::FailurePolicy
                | Self::Limits
        )
    }
}

/// In words that a sentence can hold.
impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stop => "the emergency stop",
            Self::RulesAsOf => "the day whose rules apply",
            Self::OccurredAt => "the time of the facts",
            Self::Environment => "the environment",
            Self::Jurisdictions => "the jurisdictions",
            Self::Sector => "the sector",
            Self::Kind => "the kind of case",
            Self::Payload => "the payload",
            Self::Circumstances => "the circumstances",
            Self::Bindings => "the choice of bindings",
            Self::Versions => "the versions there were",
            Self::Settings => "the settings",
            Self::Weights => "the weights",
            Self::Thresholds => "the thresholds",
            Self::FailurePolicy => "the failure policy",
            Self::Limits => "the limits on calls",
            Self::Policy => "the policy",
        })
    }
}

/// What a decision is made from.
#[derive(Clone)]
pub struct Side {
    /// The policy and its plugins.
    pub snapshot: Arc<Snapshot>,
    /// The case.
    pub input: Arc<Input>,
}

/// `base`, but for these aspects, which are as in `other`. The case keeps its id: what plugins take for chance stays.
///
/// # Errors
/// Where the snapshot can't be put together; both were read from the record, so that would be a bug.
pub fn cross(base: &Side, aspects: &[Aspect], other: &Side) -> Result<Side, SnapshotError> {
    let of_policy = aspects.iter().any(|aspect| aspect.is_of_policy() || *aspect == Aspect::Policy);
    let snapshot =
        if of_policy { Arc::new(base.snapshot.crossed(aspects, &other.snapshot)?) } else { Arc::clone(&base.snapshot) };
    Ok(Side { snapshot, input: Arc::new(crossed(&base.input, aspects, &other.input)) })
}

fn crossed(base: &Input, aspects: &[Aspect], other: &Input) -> Input {
    let (mut case, theirs) = (base.case().clone(), other.case());
    let mut halt = base.halt();
    for aspect in aspects {
        match aspect {
            Aspect::Stop => halt = other.halt(),
            Aspect::RulesAsOf => case.rules_as_of = theirs.rules_as_of,
            Aspect::OccurredAt => case.occurred_at = theirs.occurred_at,
            Aspect::Environment => case.environment.clone_from(&theirs.environment),
            Aspect::Jurisdictions => case.jurisdictions.clone_from(&theirs.jurisdictions),
            Aspect::Sector => case.sector.clone_from(&theirs.sector),
            Aspect::Kind => case.kind.clone_from(&theirs.kind),
            Aspect::Payload => case.payload.clone_from(&theirs.payload),
            Aspect::Circumstances => {
                case.tenant.clone_from(&theirs.tenant);
                case.system.clone_from(&theirs.system);
                case.actor.clone_from(&theirs.actor);
                case.action.clone_from(&theirs.action);
                case.resource.clone_from(&theirs.resource);
                case.context.clone_from(&theirs.context);
            }
            Aspect::Bindings
            | Aspect::Versions
            | Aspect::Settings
            | Aspect::Weights
            | Aspect::Thresholds
            | Aspect::FailurePolicy
            | Aspect::Limits
            | Aspect::Policy => {}
        }
    }
    Input::new(case, halt.cloned())
}
