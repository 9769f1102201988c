//! What a package may use.

use serde::{Deserialize, Serialize};

/// What one call of a plugin may use. The sandbox enforces it; the manifest can only lower what the host allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Units of fuel per call. One is about one WebAssembly instruction.
    pub fuel: u64,
    /// Bytes, all memories of the instance together.
    pub memory_bytes: u64,
}

impl Limits {
    /// The most that the host allows. 10^10 units of fuel run for seconds: nothing that answers a request needs more.
    /// 256 MiB is what one slot of the instance pool holds; Python with its standard library starts with 6 MiB.
    pub const MOST: Self = Self { fuel: 10_000_000_000, memory_bytes: 256 << 20 };
}

impl Default for Limits {
    /// What a manifest that says nothing gets: some 50 ms, and a memory that Rust, C and Go guests fit in.
    fn default() -> Self {
        Self { fuel: 100_000_000, memory_bytes: 16 << 20 }
    }
}
