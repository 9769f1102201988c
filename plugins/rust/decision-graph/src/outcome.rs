//! From what a graph gives to what a rule says.

use assize_sdk::{Failure, Finding, Severity, Verdict};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A place in the graph's output: a JSON Pointer (RFC 6901).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    at: String,
}

impl Place {
    /// The text that stands there.
    pub(crate) fn text(&self, output: &Value) -> Result<String, Failure> {
        match output.pointer(&self.at) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
            other => Err(unmapped("code", &self.at, other, "a text that isn't empty")),
        }
    }
}

/// Where the verdict stands, and what the values there mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictPlace {
    at: String,
    /// By the value as text: `red`, `true`, `3`. None: the value is a verdict's name.
    values: Option<BTreeMap<String, Verdict>>,
}

impl VerdictPlace {
    /// The verdict that `output` means.
    ///
    /// # Errors
    /// Where nothing stands there, or a value that means nothing; and where the graph's `input` has something at the same
    /// place: a graph that passes its input through would otherwise let the case write its own verdict.
    pub(crate) fn read(&self, input: &Value, output: &Value) -> Result<Verdict, Failure> {
        if input.pointer(&self.at).is_some() {
            return Err(Failure::InvalidCase(format!(
                "the graph's input already has something at `{}`, where `verdict.at` expects what the graph says; let the graph \
                 write elsewhere, or give it `\"input\": \"case\"`",
                self.at
            )));
        }
        let given = output.pointer(&self.at);
        let word =
            given.and_then(word).ok_or_else(|| unmapped("verdict", &self.at, given, "a text, number or bool"))?;
        let Some(values) = &self.values else {
            return named(&word).ok_or_else(|| unmapped("verdict", &self.at, given, "allow, warn, review or block"));
        };
        values.get(&word).copied().ok_or_else(|| {
            let known: Vec<&str> = values.keys().map(String::as_str).collect();
            unmapped("verdict", &self.at, given, &format!("one of `verdict.values`: {}", known.join(", ")))
        })
    }
}

fn named(word: &str) -> Option<Verdict> {
    match word {
        "allow" => Some(Verdict::Allow),
        "warn" => Some(Verdict::Warn),
        "review" => Some(Verdict::Review),
        "block" => Some(Verdict::Block),
        _ => None,
    }
}

/// What is found where the graph says something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    at: String,
    /// None: anything but null and false.
    values: Option<Vec<Value>>,
    code: String,
    severity: Severity,
    message: String,
    /// JSON Pointers into the payload.
    #[serde(default)]
    evidence: Vec<String>,
    citation: Option<String>,
}

impl Found {
    pub(crate) fn in_output(&self, output: &Value) -> Option<Finding> {
        let given = output.pointer(&self.at)?;
        let holds = match &self.values {
            None => !matches!(given, Value::Null | Value::Bool(false)),
            Some(values) => {
                word(given).is_some_and(|given| values.iter().any(|value| word(value).as_deref() == Some(&given)))
            }
        };
        let mut finding = Finding::new(self.code.as_str(), self.severity, self.message.as_str());
        finding.citation.clone_from(&self.citation);
        holds.then(|| self.evidence.iter().fold(finding, |finding, pointer| finding.whole(pointer.as_str())))
    }
}

/// A scalar as text. A number without digits that say nothing: 3 and 3.0 are one value.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(held) => Some(held.to_string()),
        Value::Number(number) => Some(number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())),
        _ => None,
    }
}

fn unmapped(what: &str, at: &str, given: Option<&Value>, wanted: &str) -> Failure {
    let given = given.map_or_else(|| "nothing".to_owned(), |given| short(&given.to_string()));
    Failure::Internal(format!("the graph gave {given} at `{at}`; `{what}` wants {wanted}"))
}

/// The beginning of a text that may be long.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 200;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}
