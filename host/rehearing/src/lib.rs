//! Past cases, judged again or counted: what was in force when, replay, simulation, how trials go.
//!
//! Rows come from the store, judging is `assize_kernel::decide` as it is live, and nothing here writes: history is read only.
//! HTTP, jobs and files are the server's and the command line's.

mod archive;
mod replay;
mod trials;
mod world;

pub use archive::{Archive, ArchiveError};
pub use replay::{Replay, ReplayError, Replays, State as ReplayState, Unreplayable};
pub use trials::{Beginning, Distance, Flip, MOST_DECISIONS, Side, Trial, Trials, trials};
pub use world::{Published, Ruling, Scope, State, World};
