//! One plugin's part in a decision, as it is recorded.

use std::borrow::Cow;

use assize_ledger::Digest;
use assize_registry::{Kind, Outside, PackageName, serialize_version};
use assize_sandbox::{Call, CallError, LogLine, Output};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::snapshot::{Bound, Candidate};

/// What came of asking a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It answered.
    Ok,
    /// It said that the case is none of its business: the others judge alone. Since contract 1.1.0.
    Abstained,
    /// It said that it can't answer.
    Failed,
    /// It crashed.
    Trapped,
    /// It computed for too long, by the cost table.
    OutOfFuel,
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// The wall clock ended it; a replay may come to more.
    Aborted,
    /// It answered what the contract doesn't allow.
    BadOutput,
    /// The host couldn't run it.
    HostError,
    /// No active version matches the binding, or its component couldn't be loaded.
    Missing,
}

impl RunStatus {
    /// Whether the failure policy says what follows.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Abstained)
    }

    /// As records write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Abstained => "abstained",
            Self::Failed => "failed",
            Self::Trapped => "trapped",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfMemory => "out_of_memory",
            Self::Aborted => "aborted",
            Self::BadOutput => "bad_output",
            Self::HostError => "host_error",
            Self::Missing => "missing",
        }
    }
}

impl From<&CallError> for RunStatus {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Abstained(_) => Self::Abstained,
            CallError::Failed(_) => Self::Failed,
            CallError::Trapped(_) => Self::Trapped,
            CallError::OutOfFuel(_) => Self::OutOfFuel,
            CallError::OutOfMemory(_) => Self::OutOfMemory,
            CallError::Aborted(_) => Self::Aborted,
            CallError::BadOutput(_) => Self::BadOutput,
            CallError::Host(_) => Self::HostError,
        }
    }
}

/// One plugin's part in a decision. Fields in a fixed order: this is what records keep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The binding that it ran for …
    pub binding: String,
    /// … in the policy of this scope.
    pub layer: String,
    /// `namespace/name`.
    pub package: PackageName,
    /// None where the plugin is missing.
    #[serde(serialize_with = "serialize_version")]
    pub version: Option<Version>,
    /// SHA-256 of the component; none where it is missing.
    pub digest: Option<Digest>,
    /// The publisher's key that signed it, as `name+id`; left out where none did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_by: Option<String>,
    /// None where it is missing.
    pub kind: Option<Kind>,
    /// The contract's version that it was matched with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contract: Option<Cow<'static, str>>,
    /// SHA-256 of the settings' bytes.
    pub settings_hash: Digest,
    /// Its share.
    pub weight: f64,
    /// Whether it counted, where a trial decided that: a shadow's never does, a canary's does in its share of the cases and
    /// the live binding's in the rest. Left out everywhere else, where every run counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counted: Option<bool>,
    /// What came of it.
    pub status: RunStatus,
    /// Why there is no answer; where it abstained, its own words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Units of the cost table.
    pub fuel: u64,
    /// Bytes of linear memory.
    pub peak_memory: u64,
    /// Microseconds of wall-clock time: the one figure here that no replay repeats.
    pub duration_us: u64,
    /// SHA-256 of `output`.
    pub output_hash: Option<Digest>,
    /// The answer.
    pub output: Option<Box<RawValue>>,
    /// What it logged.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub log: Vec<LogLine>,
    /// Whether it logged more than was kept.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub log_dropped: bool,
}

impl Run {
    /// Whether the decision heeds it.
    pub fn counts(&self) -> bool {
        self.counted != Some(false)
    }

    fn empty(bound: &Bound, counted: Option<bool>, status: RunStatus, error: Option<String>) -> Self {
        Self {
            binding: bound.binding.name.clone(),
            layer: bound.layer.clone(),
            package: bound.binding.plugin.clone(),
            version: None,
            digest: None,
            signed_by: None,
            kind: None,
            contract: None,
            settings_hash: bound.settings_hash,
            weight: bound.binding.weight,
            counted,
            status,
            error,
            fuel: 0,
            peak_memory: 0,
            duration_us: 0,
            output_hash: None,
            output: None,
            log: Vec::new(),
            log_dropped: false,
        }
    }

    /// A binding that nothing could be run for.
    pub(crate) fn missing(bound: &Bound, candidate: Option<&Candidate>, counted: Option<bool>) -> Self {
        let error = match candidate {
            Some(candidate) => format!("{} {} is active but not loaded", bound.binding.plugin, candidate.version),
            None => format!("no active version of {} matches {}", bound.binding.plugin, bound.binding.version),
        };
        Self {
            version: candidate.map(|candidate| candidate.version.clone()),
            digest: candidate.map(|candidate| candidate.digest),
            signed_by: candidate.and_then(|candidate| candidate.signed_by.clone()),
            kind: candidate.map(|candidate| candidate.kind),
            ..Self::empty(bound, counted, RunStatus::Missing, Some(error))
        }
    }

    /// A call that was made. The answer itself is given back beside it.
    pub(crate) fn of<T>(
        bound: &Bound,
        candidate: &Candidate,
        contract: &'static str,
        counted: Option<bool>,
        call: Call<T>,
    ) -> (Self, Option<T>) {
        let (status, error, answer) = match call.result {
            Ok(answer) => (RunStatus::Ok, None, Some(answer)),
            Err(CallError::Abstained(why)) => (RunStatus::Abstained, Some(why), None),
            Err(error) => (RunStatus::from(&error), Some(error.to_string()), None),
        };
        let (output, output_hash) = match call.output {
            Some(Output { json, hash }) => (Some(json), Some(hash)),
            None => (None, None),
        };
        let run = Self {
            version: Some(candidate.version.clone()),
            digest: Some(candidate.digest),
            signed_by: candidate.signed_by.clone(),
            kind: Some(candidate.kind),
            contract: Some(contract.into()),
            fuel: call.fuel,
            peak_memory: call.peak_memory,
            duration_us: u64::try_from(call.duration.as_micros()).unwrap_or(u64::MAX),
            output_hash,
            output,
            log: call.log,
            log_dropped: call.log_dropped,
            ..Self::empty(bound, counted, status, error)
        };
        (run, answer)
    }

    /// Turns an answer that went beyond what the manifest lets the plugin plan into a failure.
    pub(crate) fn overstepped(&mut self, effect: &str) {
        self.status = RunStatus::BadOutput;
        self.error = Some(format!("planned the effect {effect}, which its manifest doesn't list in effects.may"));
    }
}

/// Why a binding was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhySkipped {
    /// Versions match, none of them in force on the case's date.
    NotInForce,
    /// The case is of another jurisdiction.
    OtherJurisdiction,
    /// The case is of another sector.
    OtherSector,
    /// The case is of another kind.
    OtherKind,
    /// The action doesn't plan for this verdict.
    OtherVerdict,
    /// It was asked, and said that the case is none of its business. Explanations say so; records keep the run.
    Abstained,
}

impl From<Outside> for WhySkipped {
    fn from(outside: Outside) -> Self {
        match outside {
            Outside::Jurisdiction => Self::OtherJurisdiction,
            Outside::Sector => Self::OtherSector,
            Outside::Kind => Self::OtherKind,
        }
    }
}

/// A binding that was passed over: the law says that it doesn't apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The binding …
    pub binding: String,
    /// … in the policy of this scope.
    pub layer: String,
    /// `namespace/name`.
    pub package: PackageName,
    /// The version that would have run, where one was in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Version>,
    /// Why not.
    pub reason: WhySkipped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_before_there_were_trials_keeps_its_bytes_and_counts() {
        let hash = Digest::of(b"x").to_string();
        let released = format!(
            r#"{{"binding":"rules","layer":"global","package":"x/y","version":"1.0.0","digest":"{hash}","kind":"compliance-rule","contract":"1.0.0","settings_hash":"{hash}","weight":1.0,"status":"ok","fuel":1,"peak_memory":2,"duration_us":3,"output_hash":"{hash}","output":{{"verdict":"allow"}}}}"#
        );
        let run: Run = serde_json::from_str(&released).unwrap();
        assert!(run.counts());
        assert_eq!(serde_json::to_string(&run).unwrap(), released);
    }
}
