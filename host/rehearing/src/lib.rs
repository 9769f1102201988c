//! Past cases, judged again: what was in force when, replay, simulation.
//!
//! Rows come from the store, judging is `assize_kernel::decide` as it is live, and nothing here writes: history is read only.
//! HTTP, jobs and files are the server's and the command line's.

mod archive;
mod compare;
mod explain;
mod in_force;
mod replay;
pub mod simulation;
mod world;

pub use archive::{Archive, ArchiveError};
pub use compare::{Compared, Decisive, InShort, Trial, Which};
pub use in_force::{BindingInForce, BindingState, InForce, InForceError, VersionInForce};
pub use replay::{Replay, ReplayError, Replays, State as ReplayState, Unreplayable};
pub use world::{Published, Ruling, Scope, State, World, unpublished};
