//! What one call may use, and the accounting of it.

use serde::{Deserialize, Serialize};
use wasmtime::{ResourceLimiter, Result};

/// What one call may use. All of it is counted for the call as a whole, however many memories, tables or instances the
/// component has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Units of the cost table; the limit that decides, since it counts the same everywhere.
    pub fuel: u64,
    /// Bytes of all linear memories together.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Bytes of the answer as JSON.
    pub output_bytes: u64,
    /// Bytes of log lines, stdout and stderr together; what is beyond is dropped, and the drop is noted.
    pub log_bytes: u64,
    /// The backstop: a call that takes longer is aborted, and recorded as such. Generous on purpose, since wall clocks
    /// don't replay.
    pub wall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // About 30 ms of plain computation.
            fuel: 50_000_000,
            memory_bytes: 16 << 20,
            table_elements: 20_000,
            output_bytes: 256 << 10,
            log_bytes: 4 << 10,
            wall_ms: 2_000,
        }
    }
}

impl Limits {
    /// Field by field the smaller of both.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            fuel: self.fuel.min(other.fuel),
            memory_bytes: self.memory_bytes.min(other.memory_bytes),
            table_elements: self.table_elements.min(other.table_elements),
            output_bytes: self.output_bytes.min(other.output_bytes),
            log_bytes: self.log_bytes.min(other.log_bytes),
            wall_ms: self.wall_ms.min(other.wall_ms),
        }
    }
}

/// Counts memory and tables of a whole store: wasmtime's own `StoreLimits` counts each memory by itself, so a component
/// with ten of them would get ten times the limit.
pub(crate) struct Accounts {
    memory: u64,
    memory_limit: u64,
    tables: u64,
    table_limit: u64,
    /// Whether a growth was refused: it explains a trap that follows.
    pub(crate) refused: Option<&'static str>,
}

impl Accounts {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: 0,
            memory_limit: limits.memory_bytes,
            tables: 0,
            table_limit: limits.table_elements,
            refused: None,
        }
    }

    /// Memories never shrink, so what is in use at the end is the peak.
    pub(crate) const fn peak_memory(&self) -> u64 {
        self.memory
    }
}

impl ResourceLimiter for Accounts {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        if total > self.memory_limit {
            self.refused = Some("memory");
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let total = self.tables.saturating_add(desired.saturating_sub(current) as u64);
        if total > self.table_limit {
            self.refused = Some("tables");
            return Ok(false);
        }
        self.tables = total;
        Ok(true)
    }

    // A Python component has 38 core instances; nothing known needs more than 64 (see the pool in `engine`).
    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        16
    }

    fn memories(&self) -> usize {
        4
    }
}
