//! What came of one call.

use std::borrow::Cow;
use std::time::Duration;

use assize_ledger::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::contract::{Assessment, Effect, Failure, Finding, Ruling};

/// What came of one call. Everything but `duration` is the same whenever and wherever the call is repeated, unless it
/// was [`CallError::Aborted`].
#[derive(Debug)]
pub struct Call<T> {
    /// The checked answer, or why there is none.
    pub result: Result<T, CallError>,
    /// The answer as it is recorded; none where there is no answer.
    pub output: Option<Output>,
    /// Units of the cost table that were used up.
    pub fuel: u64,
    /// Bytes of linear memory at the end of the call; memories never shrink.
    pub peak_memory: u64,
    /// Wall-clock time of instantiation and call.
    pub duration: Duration,
    /// What the plugin logged, within its limit.
    pub log: Vec<LogLine>,
    /// Whether lines beyond the limit were dropped.
    pub log_dropped: bool,
}

/// An answer's JSON and its hash.
#[derive(Debug, Clone)]
pub struct Output {
    /// Fields in a fixed order: the same answer always has the same bytes.
    pub json: Box<RawValue>,
    /// SHA-256 of those bytes.
    pub hash: Digest,
}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: Cow<'static, str>,
    /// As the plugin wrote it.
    pub message: String,
}

/// Why a call gave no answer. Never a reason to allow anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin itself said that it can't answer.
    #[error("the plugin refused: {0}")]
    Failed(Failure),
    /// The plugin said that the case is none of its business. Nothing has failed: the others judge the case alone.
    #[error("abstained: {0}")]
    Abstained(String),
    /// Unreachable code, an access out of bounds, a stack overflow, …
    #[error("trapped: {0}")]
    Trapped(String),
    /// The fuel limit was reached.
    #[error("out of fuel after {0} units")]
    OutOfFuel(u64),
    /// It asked for more memory or table elements than its limit, and then gave up.
    #[error("out of {0}: growth beyond the limit was refused")]
    OutOfMemory(&'static str),
    /// The wall-clock backstop ended it. The one outcome that a replay needn't repeat.
    #[error("aborted by the wall clock after {0} ms")]
    Aborted(u64),
    /// It answered what the contract doesn't allow.
    #[error("invalid answer: {0}")]
    BadOutput(String),
    /// The host couldn't run it.
    #[error("the host could not run it: {0}")]
    Host(String),
}

impl<T> Call<T> {
    /// A call that never came about.
    pub const fn host_error(why: String) -> Self {
        Self {
            result: Err(CallError::Host(why)),
            output: None,
            fuel: 0,
            peak_memory: 0,
            duration: Duration::ZERO,
            log: Vec::new(),
            log_dropped: false,
        }
    }
}

/// An answer that the contract lets a plugin give; the same checks for all contract versions.
pub(crate) trait Answer: Serialize {
    /// Says what is wrong with it.
    fn check(&self) -> Result<(), String>;
}

/// More findings than anyone reads; a thousand of them would make every rule after it pay.
const MAX_FINDINGS: usize = 256;

fn check_findings(findings: &[Finding]) -> Result<(), String> {
    if findings.len() > MAX_FINDINGS {
        return Err(format!("{} findings, more than the {MAX_FINDINGS} allowed", findings.len()));
    }
    for finding in findings {
        if !finding.contribution.is_finite() {
            return Err(format!("finding {}: contribution {} is not finite", finding.code, finding.contribution));
        }
        for evidence in &finding.evidence {
            if !(evidence.pointer.is_empty() || evidence.pointer.starts_with('/')) {
                return Err(format!("finding {}: {:?} is no JSON Pointer", finding.code, evidence.pointer));
            }
            if evidence.span.is_some_and(|span| span.start > span.end) {
                return Err(format!("finding {}: a span ends before it starts", finding.code));
            }
        }
    }
    Ok(())
}

impl Answer for Assessment {
    fn check(&self) -> Result<(), String> {
        if !(0.0..=10.0).contains(&self.score) {
            return Err(format!("score {} is not within 0 to 10", self.score));
        }
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err(format!("confidence {} is not within 0 to 1", self.confidence));
        }
        check_findings(&self.findings)
    }
}

impl Answer for Ruling {
    fn check(&self) -> Result<(), String> {
        if self.code.is_empty() {
            return Err("the ruling has no code".into());
        }
        check_findings(&self.findings)
    }
}

impl Answer for Vec<Effect> {
    fn check(&self) -> Result<(), String> {
        if self.len() > 64 {
            return Err(format!("{} effects, more than the 64 allowed", self.len()));
        }
        Ok(())
    }
}

impl Answer for () {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
