//! One decision in one file: made from the store, and judged again from the file alone.
//!
//! What the file is and what it proves is the ledger's ([`assize_ledger::Bundle`]). Judging is `assize_kernel::decide`, here as
//! everywhere.

mod judge;
mod make;

pub use self::judge::{Heard, Part, Rehearing, rehear};
pub use self::make::{MakeError, make_bundle};
