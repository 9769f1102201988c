//! Reading TOML strictly: nothing unknown passes, and each refusal names the field, the value and the remedy.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use assize_ledger::Timestamp;
use toml::{Table, Value};

/// A manifest is refused. Each variant says where and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The text is longer than a manifest may be.
    #[error("the manifest has {size} bytes, {limit} are allowed; move long texts behind a link in [[references]]")]
    TooLong {
        /// Its length in bytes.
        size: usize,
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// The text isn't TOML.
    #[error("the manifest isn't TOML: line {line}, column {column}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// The text is nested deeper than a manifest may be.
    #[error("the manifest is nested more than {limit} deep in line {line}; use $defs and $ref for what repeats")]
    TooDeep {
        /// Counted from 1.
        line: usize,
        /// The deepest allowed.
        limit: usize,
    },
    /// A field is missing, unknown or holds what it can't.
    #[error("manifest field {field}{}: {problem}; {remedy}", found.as_ref().map(|found| format!(" = {found}")).unwrap_or_default())]
    Field {
        /// Its path, e.g. `package.version` or `references[0].url`.
        field: String,
        /// The value that stands there, as TOML, cut if long. None where nothing does.
        found: Option<String>,
        /// What is wrong.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
}

/// Longest excerpt of a value in an error, in characters.
const EXCERPT: usize = 80;

fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn refused(field: &str, value: &Value, problem: impl Display, remedy: impl Display) -> ManifestError {
    ManifestError::Field {
        field: field.to_owned(),
        found: Some(excerpt(value)),
        problem: problem.to_string(),
        remedy: remedy.to_string(),
    }
}

/// The value as text, or a refusal.
fn text_of(field: &str, value: &Value, remedy: &str) -> Result<String, ManifestError> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        Value::String(_) => Err(refused(field, value, "it's empty", remedy)),
        _ => Err(refused(field, value, format_args!("a {} isn't a text", value.type_str()), remedy)),
    }
}

/// A moment: a TOML date is its start in UTC, an offset date-time is itself.
fn moment_of(field: &str, value: &Value) -> Result<Timestamp, ManifestError> {
    let remedy = "write a date (2026-06-01: the start of that day in UTC) or a date-time with its offset \
                  (2026-06-01T00:00:00-03:00), without quotes";
    let Value::Datetime(written) = value else {
        return Err(refused(field, value, format_args!("a {} isn't a date", value.type_str()), remedy));
    };
    match (written.date, written.time, written.offset) {
        (None, ..) => return Err(refused(field, value, "a time of day has no date", remedy)),
        (Some(_), Some(_), None) => {
            let remedy = format!("add its offset to UTC, e.g. {written}Z or {written}-03:00");
            return Err(refused(field, value, "a date-time without offset is another moment in each place", remedy));
        }
        _ => {}
    }
    if written.time.and_then(|time| time.nanosecond).is_some_and(|nanos| nanos % 1_000_000 != 0) {
        return Err(refused(field, value, "times are kept in milliseconds", "write at most three decimals"));
    }
    written.to_string().parse().map_err(|_| {
        refused(
            field,
            value,
            "no case lies outside the years 1970 to 9999",
            "leave the bound out: the period is then open",
        )
    })
}

/// One table of a manifest, whose keys are taken one by one.
pub(crate) struct Fields {
    path: String,
    table: Table,
}

impl Fields {
    /// The table at `path` (empty: the root), with no key that isn't among `known`.
    pub(crate) fn open(path: &str, table: Table, known: &[&str]) -> Result<Self, ManifestError> {
        let fields = Self { path: path.to_owned(), table };
        match fields.table.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, value)) => {
                let remedy = format!("remove it (known here: {})", known.join(", "));
                Err(refused(&fields.at(key), value, "there is no such field", remedy))
            }
            None => Ok(fields),
        }
    }

    /// The path of the field `key`.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Takes the value of `key` as it stands.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.table.remove(key)
    }

    /// Takes a text that may be absent.
    pub(crate) fn text(&mut self, key: &str, remedy: &str) -> Result<Option<String>, ManifestError> {
        self.take(key).map(|value| text_of(&self.at(key), &value, remedy)).transpose()
    }

    /// Takes a text that must be there.
    pub(crate) fn required(&mut self, key: &str, remedy: &str) -> Result<String, ManifestError> {
        self.text(key, remedy)?.ok_or_else(|| self.missing(key, remedy))
    }

    /// Takes a text that must be there and mean a `T`.
    pub(crate) fn parsed<T>(&mut self, key: &str, remedy: &str) -> Result<T, ManifestError>
    where
        T: FromStr<Err: Display>,
    {
        let text = self.required(key, remedy)?;
        text.parse().map_err(|error: T::Err| self.refuse(key, text.as_str(), error, remedy))
    }

    /// Takes a list of texts, each parsed by `parse`, which says what is wrong. Absent: empty. Nothing may stand in it twice.
    pub(crate) fn list<T: Clone + Ord>(
        &mut self,
        key: &str,
        remedy: &str,
        parse: impl Fn(String) -> Result<T, String>,
    ) -> Result<Vec<T>, ManifestError> {
        let field = self.at(key);
        let values = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(other) => {
                return Err(refused(&field, &other, format_args!("a {} isn't a list", other.type_str()), remedy));
            }
        };
        let mut list = Vec::with_capacity(values.len());
        // A manifest has room for tens of thousands.
        let mut seen = BTreeSet::new();
        for (position, value) in values.iter().enumerate() {
            let field = format!("{field}[{position}]");
            let parsed =
                parse(text_of(&field, value, remedy)?).map_err(|problem| refused(&field, value, problem, remedy))?;
            if !seen.insert(parsed.clone()) {
                return Err(refused(&field, value, "it stands there twice", "remove one of them"));
            }
            list.push(parsed);
        }
        Ok(list)
    }

    /// Takes a whole number from 1 to `most`.
    pub(crate) fn number(&mut self, key: &str, most: u64, unit: &str) -> Result<Option<u64>, ManifestError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let field = self.at(key);
        let remedy = format!("write a whole number of {unit} from 1 to {most}");
        match value {
            Value::Integer(number) => match u64::try_from(number) {
                Ok(number) if number > most => {
                    Err(refused(&field, &value, format_args!("the host allows at most {most} {unit}"), remedy))
                }
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(refused(&field, &value, "it's less than 1", remedy)),
            },
            _ => Err(refused(&field, &value, format_args!("a {} isn't a whole number", value.type_str()), remedy)),
        }
    }

    /// Takes a date or date-time that may be absent.
    pub(crate) fn moment(&mut self, key: &str) -> Result<Option<Timestamp>, ManifestError> {
        self.take(key).map(|value| moment_of(&self.at(key), &value)).transpose()
    }

    /// Takes the table `key`. Absent: none.
    pub(crate) fn table(&mut self, key: &str, known: &[&str]) -> Result<Option<Self>, ManifestError> {
        let field = self.at(key);
        match self.take(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Self::open(&field, table, known).map(Some),
            Some(other) => {
                let remedy = format!("write it as a table, [{field}]");
                Err(refused(&field, &other, format_args!("a {} isn't a table", other.type_str()), remedy))
            }
        }
    }

    /// Takes the tables under `key`. Absent: none.
    pub(crate) fn tables(&mut self, key: &str, known: &[&str]) -> Result<Vec<Self>, ManifestError> {
        let field = self.at(key);
        let values = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(other) => vec![other],
        };
        let open = |(position, value): (usize, Value)| {
            let path = format!("{field}[{position}]");
            match value {
                Value::Table(table) => Self::open(&path, table, known),
                other => {
                    let remedy = format!("write each as a table, [[{field}]]");
                    Err(refused(&path, &other, format_args!("a {} isn't a table", other.type_str()), remedy))
                }
            }
        };
        values.into_iter().enumerate().map(open).collect()
    }

    /// The refusal of `key`, which isn't there.
    pub(crate) fn missing(&self, key: &str, remedy: &str) -> ManifestError {
        ManifestError::Field {
            field: self.at(key),
            found: None,
            problem: "it's missing".to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    /// The refusal of `key`, whose value was `found`.
    pub(crate) fn refuse(
        &self,
        key: &str,
        found: impl Into<Value>,
        problem: impl Display,
        remedy: impl Display,
    ) -> ManifestError {
        refused(&self.at(key), &found.into(), problem, remedy)
    }
}
