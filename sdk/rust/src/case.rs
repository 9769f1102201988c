//! A case with its JSON parsed when first asked for, and what can be read off it without knowing its schema.

use crate::bindings::risk_agent::assize::plugin::types;
use crate::{Failure, System};
use core::cell::OnceCell;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// The case under judgment. Its plain facts (`kind`, `action`, `jurisdictions`, `occurred_at`, …) are fields, reached
/// through `Deref`; the fields `payload` and `context` hold JSON text, the methods of the same name parse it once.
#[derive(Debug)]
pub struct Case {
    facts: types::Case,
    payload: OnceCell<Value>,
    context: OnceCell<Value>,
}

/// A string of the payload and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// JSON Pointer (RFC 6901) into the payload, as evidence wants it.
    pub pointer: String,
    /// The string with its JSON escapes resolved: spans of evidence are byte offsets into it.
    pub text: Cow<'a, str>,
}

impl From<types::Case> for Case {
    fn from(facts: types::Case) -> Self {
        Self { facts, payload: OnceCell::new(), context: OnceCell::new() }
    }
}

impl core::ops::Deref for Case {
    type Target = types::Case;

    fn deref(&self) -> &types::Case {
        &self.facts
    }
}

impl Case {
    /// The payload as a JSON value.
    ///
    /// # Errors
    /// `Failure::InvalidCase` where it isn't JSON.
    pub fn payload(&self) -> Result<&Value, Failure> {
        parsed(&self.payload, &self.facts.payload, "payload")
    }

    /// What the host added before judging, as a JSON value.
    ///
    /// # Errors
    /// `Failure::InvalidCase` where it isn't JSON.
    pub fn context(&self) -> Result<&Value, Failure> {
        parsed(&self.context, &self.facts.context, "context")
    }

    /// What the host knows of the AI system that the case comes from (`context.system`), read without building the whole
    /// context. None: the case names no registered system.
    ///
    /// # Errors
    /// `Failure::InvalidCase` where the context isn't JSON or a field has another type than [`System`] says.
    pub fn registered_system(&self) -> Result<Option<System>, Failure> {
        #[derive(Deserialize)]
        struct Context {
            #[serde(default)]
            system: Option<System>,
        }
        let context: Option<Context> =
            serde_json::from_str(&self.facts.context).map_err(|error| invalid("context", &error))?;
        Ok(context.and_then(|context| context.system))
    }

    /// All strings of the payload (values, not keys) with their pointers, in the order in which they stand, without
    /// building a tree.
    ///
    /// # Errors
    /// `Failure::InvalidCase` where the payload isn't JSON or is nested deeper than 127 levels.
    pub fn texts(&self) -> Result<Vec<Text<'_>>, Failure> {
        crate::texts::of(&self.facts.payload).map_err(|error| invalid("payload", &error))
    }

    /// Whether the case lists the jurisdiction `code`, e.g. `EU`.
    pub fn is_in(&self, code: &str) -> bool {
        self.facts.jurisdictions.iter().any(|listed| listed == code)
    }
}

fn parsed<'a>(cell: &'a OnceCell<Value>, json: &str, part: &str) -> Result<&'a Value, Failure> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = serde_json::from_str(json).map_err(|error| invalid(part, &error))?;
    Ok(cell.get_or_init(|| value))
}

fn invalid(part: &str, error: &serde_json::Error) -> Failure {
    Failure::InvalidCase(format!("the case's {part} can't be read: {error}"))
}
