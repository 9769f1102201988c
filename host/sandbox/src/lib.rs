//! Runs one plugin call in a fresh, deterministic sandbox.
//!
//! wasmtime lives here and nowhere else. A [`Sandbox`] owns the engine; a [`Plugin`] is a component compiled by it; a
//! [`Call`] is what came of calling it once. Every call gets an instance of its own from the pool, with fuel, memory,
//! output and log limits, a virtual clock and virtual randomness, and leaves nothing behind.
//!
//! Compiling is slow, so what comes of it is kept on disk (`compiled`), and it may be done in a process of its own
//! ([`compile`]), which can be ended.
//!
//! The words of the contract with plugins are here too ([`contract`]), free of any contract version: the module of a
//! version translates at the edge, and all versions pass through the same limits and checks.
//!
//! What to run, with which settings, and what follows from an answer is the kernel's.

mod call;
mod compiled;
mod compiler;
pub mod contract;
mod engine;
mod exported;
mod guest;
pub mod json;
mod limits;
mod plugin;
mod since_v1_0_0;
mod since_v1_1_0;
mod virtual_wasi;

pub use call::{Call, CallError, LogLine, Output};
pub use compiled::{CompiledConfig, CompiledCounts};
pub use compiler::{bound_memory, compile};
pub use engine::{EngineId, Sandbox, SandboxConfig, SandboxError};
pub use limits::Limits;
pub use plugin::{Advice, Held, LoadError, Plugin, Settings, Subject};
