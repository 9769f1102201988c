//! Past cases, judged again or counted: what was in force when, replay, simulation, how trials go; and one case in a bundle,
//! to be judged again by whoever holds it.
//!
//! Rows come from the store, judging is `assize_kernel::decide` as it is live, and nothing here writes: history is read only.
//! HTTP, jobs and files are the server's and the command line's.

mod archive;
mod bundle;
mod compare;
mod explain;
mod in_force;
mod life;
mod replay;
mod scope;
pub mod simulation;
mod task;
pub mod trials;
mod world;

pub use archive::{Archive, ArchiveError};
pub use bundle::{Heard, MakeError, Part, Rehearing, make_bundle, rehear};
pub use compare::{Compared, Decisive, InShort, Trial, Which};
pub use in_force::{BindingInForce, BindingState, InForce, InForceError, VersionInForce};
pub use life::{Published, State, served, short_key};
pub use replay::{Replay, ReplayError, Replays, State as ReplayState, Unreplayable};
pub use scope::{Ruling, Scope};
pub use world::{World, candidate, unpublished};
