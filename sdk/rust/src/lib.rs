//! Write an Assize plugin in Rust: one function and a manifest.
//!
//! A plugin is a pure function of its settings and a case. This crate gives that function its types, makes a small component
//! without imports of it, and runs its fixtures natively.
//!
//! ```
//! use assize_sdk::{Assessment, Case, Failure, Finding, Severity, risk_agent};
//!
//! #[derive(serde::Deserialize, Default)]
//! #[serde(deny_unknown_fields, default)]
//! struct Settings {
//!     words: Vec<String>,
//! }
//!
//! fn assess(settings: &Settings, case: &Case) -> Result<Assessment, Failure> {
//!     let mut findings = Vec::new();
//!     for text in case.texts()? {
//!         for word in &settings.words {
//!             if let Some(start) = text.text.find(word.as_str()) {
//!                 let finding = Finding::new("WORD", Severity::Low, format!("the word `{word}`")).points(2.0);
//!                 findings.push(finding.at(text.pointer.as_str(), start..start + word.len()));
//!             }
//!         }
//!     }
//!     Ok(Assessment::from_findings(findings, 0.9))
//! }
//!
//! risk_agent!(assess, Settings);
//! # fn main() {}
//! ```
//!
//! What lives here: the bindings of every world ([`bindings`]; [`v1_0_0`] for the contract before), the macros, the typed view of a case ([`Case`], [`System`]),
//! the arena allocator of components, and the fixture runner ([`testing`], native only).
//! What doesn't: anything that a host does. The README takes a newcomer from nothing to a packed plugin.

#[cfg(any(all(target_arch = "wasm32", target_os = "unknown", feature = "arena"), test))]
mod arena;
pub mod bindings;
mod build;
mod case;
#[doc(hidden)]
pub mod export;
pub mod log;
pub mod members;
pub mod phrases;
mod system;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod texts;
pub mod v1_0_0;

pub use bindings::action::exports::assize::plugin::planner::{
    Adjustment, Alert, Effect, Money, Outcome, Request, TemporaryRule, Webhook,
};
pub use bindings::risk_agent::assize::plugin::types::{
    Assessment, Evidence, Failure, Finding, Judgment, Opinion, Risk, Ruling, Severity, Span, Verdict,
};
pub use case::{Case, Text};
pub use system::System;

/// Types exactly as they cross the boundary.
pub mod wire {
    pub use crate::bindings::risk_agent::assize::plugin::types::Case;
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "arena"))]
#[global_allocator]
static ALLOCATOR: arena::Arena = arena::Arena::new();
