//! From a case to a judgment.
//!
//! [`decide`] is the one function that judges, live and in a replay alike. It takes all it needs as arguments: a [`Snapshot`] (the merged
//! policy with every candidate plugin) and an [`Input`] (the case, and whether its system is stopped). It reads no
//! clock, does no I/O but call plugins, and gives a [`Judged`], from which a [`Record`] is made.
//!
//! Storing, numbering and answering are the server's and the store's; what a plugin may do is the sandbox's.

mod admission;
mod binding;
mod changes;
mod contrast;
mod cross;
mod decide;
mod environment;
mod explain;
mod input;
mod jurisdiction;
mod merge;
mod outcome;
mod policy;
mod record;
mod replay;
mod risk;
mod run;
mod snapshot;
mod trial;

pub use admission::{Admission, AdmissionError};
pub use binding::{Binding, BindingError};
pub use changes::{Changes, ChangesError};
pub use contrast::{Consequence, Contrast, Factor, Told, contrast};
pub use cross::{Aspect, Side, cross};
pub use decide::{Beside, Heard, Judged, NamedFinding, ask_alone, decide};
pub use environment::{Environment, UnknownEnvironment};
pub use explain::{
    Applied, Deciding, Explanation, Failed, KillSwitch, Met, NotApplied, OnTrial, Passage, Point, ScoreAccount,
    VersionPeriod, explain, in_words,
};
pub use input::{Halt, Input, InputError};
pub use jurisdiction::with_unions;
pub use merge::{Layer, Merged, merge};
pub use outcome::{Conclusion, Reason, Source, conclude};
pub use policy::{FailurePolicy, Policy, PolicyError, Thresholds};
pub use record::{
    Clocks, Identity, Occasion, Outcome, PlannedEffect, PolicyRecord, ReEvaluates, Record, RiskRecord, UnknownOccasion,
};
pub use replay::{Comparison, Difference, OutputPair, compare, differing};
pub use risk::{Scorecard, Share, Tally, Weighed, counted, tally, weigh};
pub use run::{Run, RunStatus, Skipped, WhySkipped};
pub use snapshot::{Bound, Candidate, Snapshot, SnapshotError};
pub use trial::{Mode, NoTrial, TrialError};
