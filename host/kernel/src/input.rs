//! All that a judgment is made from, besides the snapshot. Its bytes are what the ledger commits to.

use assize_ledger::Timestamp;
use assize_sandbox::Subject;
use assize_sandbox::contract::Case;
use serde::{Deserialize, Serialize};

/// A system that is in emergency stop (BTV-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Which.
    pub system: String,
    /// When it was stopped.
    pub since: Timestamp,
}

/// A complete case, and whether its system is stopped.
pub struct Input {
    subject: Subject,
    halt: Option<Halt>,
}

/// Bytes that are no input.
#[derive(Debug, thiserror::Error)]
#[error("not an input of a decision: {0}")]
pub struct InputError(#[from] serde_json::Error);

#[derive(Serialize)]
struct Written<'a> {
    case: &'a Case,
    halt: &'a Option<Halt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    case: Case,
    halt: Option<Halt>,
}

impl Input {
    /// From a case that nothing will be added to.
    pub const fn new(case: Case, halt: Option<Halt>) -> Self {
        Self { subject: Subject::new(case), halt }
    }

    /// The same case under the rules of another day.
    #[must_use]
    pub fn under_rules_of(self, day: Timestamp) -> Self {
        let case = Case { rules_as_of: day, ..self.subject.into_case() };
        Self::new(case, self.halt)
    }

    /// The case.
    pub const fn case(&self) -> &Case {
        self.subject.case()
    }

    /// The case, ready for plugins.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Set where the system is stopped: then nothing else is looked at.
    pub const fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// The bytes that are recorded, and that [`Input::from_bytes`] takes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InputError> {
        let case = self.case();
        // Its documents, and room for the rest of most cases.
        let mut bytes = Vec::with_capacity(case.payload.get().len() + case.context.get().len() + 768);
        serde_json::to_writer(&mut bytes, &Written { case, halt: &self.halt })?;
        Ok(bytes)
    }

    /// From recorded bytes. `payload` and `context` keep theirs exactly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InputError> {
        let Read { case, halt } = serde_json::from_slice(bytes)?;
        Ok(Self::new(case, halt))
    }
}
