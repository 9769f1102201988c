//! What a check found wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that isn't as it was recorded: where, and both values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The entry that it belongs to, if it belongs to one.
    pub seq: Option<u64>,
    /// Which record, e.g. `entry 17`, `decision 0192…`, `tile 0/3`, `head 512`.
    pub record: String,
    /// Which field of it.
    pub field: String,
    /// What stands there; long values are cut.
    pub found: String,
    /// What should stand there; long values are cut.
    pub expected: String,
}

/// The longest value that a fault quotes, in characters.
const QUOTED: usize = 160;

impl Fault {
    /// A fault in a record that belongs to the entry `seq`.
    pub fn new(
        seq: impl Into<Option<u64>>,
        record: impl fmt::Display,
        field: impl fmt::Display,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self {
            seq: seq.into(),
            record: record.to_string(),
            field: field.to_string(),
            found: quoted(&found),
            expected: quoted(&expected),
        }
    }
}

/// Cuts a long value, and says so. An empty one is written so that it is seen.
fn quoted(value: &dyn fmt::Display) -> String {
    let text = value.to_string();
    if text.is_empty() {
        return String::from("\"\"");
    }
    match text.char_indices().nth(QUOTED) {
        None => text,
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, field, found, expected, .. } = self;
        write!(f, "{record}: {field}: found {found}, expected {expected}")
    }
}

/// The faults found so far, in order. After [`Faults::LIMIT`] they are only counted: a log that is wrong from end to
/// end shouldn't take the memory of all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// The first ones.
    pub first: Vec<Fault>,
    /// How many there are in all.
    pub count: u64,
}

impl Faults {
    /// How many faults are kept.
    pub const LIMIT: usize = 1_000;

    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.count += 1;
        if self.first.len() < Self::LIMIT {
            self.first.push(fault);
        }
    }

    /// Adds one if two values differ.
    pub fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        (seq, record): (Option<u64>, &dyn fmt::Display),
        field: &str,
        found: &T,
        expected: &T,
    ) {
        if found != expected {
            self.push(Fault::new(seq, record, field, found, expected));
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Moves all of `other` to the end of these.
    pub fn append(&mut self, other: &mut Self) {
        self.count += other.count;
        let room = Self::LIMIT.saturating_sub(self.first.len());
        self.first.extend(other.first.drain(..).take(room));
        other.count = 0;
    }
}
