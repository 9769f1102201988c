//! The check of a whole log or of a range of it, wherever its rows come from.

mod fault;
mod report;
mod verifier;

pub use fault::{Fault, Faults};
pub use report::{Outside, Report, TimeRange};
pub use verifier::{Link, Start, StoredEntry, Verifier};
