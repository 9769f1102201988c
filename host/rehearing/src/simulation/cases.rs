//! Files of cases: JSON Lines or CSV, a case a line, or any rows with a mapping that says what is what.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use assize_kernel::{Environment, Input, with_unions};
use assize_ledger::{Digest, Timestamp};
use assize_registry::check_spelling;
use assize_sandbox::contract::Case;
use assize_sandbox::json;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// How rows that aren't cases become some: the whole row is the payload, and these say the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// What sort of thing a row is; without it, each line is a case as `POST /v1/decisions` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `production` where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of every row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<String>,
    /// Of every row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector: Option<String>,
    /// The field that names a row; its number where left out. Names of rows that come out otherwise stand in the report, which stays for
    /// ever: no personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The field with the day of the facts (`2023`, `2023-04`, a date or RFC 3339); the same fixed day for all where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The field with the known truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
    /// What stands there where a case is bad, and should be caught.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<String>,
}

/// What is wrong with a file of cases.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CaseError {
    #[error("the file of cases can't be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("row {row}: {detail}")]
    Row { row: u64, detail: String },
    #[error("mapping.{field}: {detail}")]
    Mapping { field: String, detail: String },
}

impl Mapping {
    /// Checks what the types can't.
    pub fn check(&self) -> Result<(), CaseError> {
        let invalid =
            |field: &str, detail: &str| Err(CaseError::Mapping { field: field.to_owned(), detail: detail.to_owned() });
        if let Some(Err(error)) = self.environment.as_deref().map(str::parse::<Environment>) {
            return invalid("environment", &error.to_string());
        }
        let nothing = Self::default();
        if self.kind.is_none() && *self != nothing {
            return invalid("kind", "say what sort of thing a row is, so that the row becomes the payload");
        }
        if self.truth.is_some() != self.bad.is_some() {
            return invalid("truth", "give the field and what stands there where a case is bad, both");
        }
        check_spelling(&self.jurisdictions, self.sector.as_deref(), self.kind.as_deref())
            .map_err(|misspelt| CaseError::Mapping { field: misspelt.field, detail: misspelt.detail })
    }
}

/// A longer line is no case: a host takes bodies of a megabyte.
const LONGEST: usize = 16 << 20;
/// The facts' day of rows that have none: the same in every year, so that a report can be made again.
const NO_DAY: &str = "2026-01-01";

/// A file of cases, read row by row.
pub struct CaseFile {
    rows: Rows,
    row: u64,
}

enum Rows {
    Lines(Box<dyn BufRead + Send>),
    Csv(Box<csv::Reader<Box<dyn Read + Send>>>, csv::StringRecord),
}

impl CaseFile {
    /// JSON Lines: a JSON object a line; empty lines don't count.
    pub fn json_lines(file: impl BufRead + Send + 'static) -> Self {
        Self { rows: Rows::Lines(Box::new(file)), row: 0 }
    }

    /// CSV after RFC 4180, with a heading: each row becomes an object of texts.
    pub fn csv(file: impl Read + Send + 'static) -> Result<Self, CaseError> {
        let mut reader = csv::Reader::from_reader(Box::new(file) as Box<dyn Read + Send>);
        let heading = reader.headers().map_err(|error| row_error(0, &error))?.clone();
        Ok(Self { rows: Rows::Csv(Box::new(reader), heading), row: 0 })
    }

    /// The next row as JSON, and its number from 1; none at the end.
    pub fn next_row(&mut self) -> Result<Option<(u64, Vec<u8>)>, CaseError> {
        match &mut self.rows {
            Rows::Lines(file) => loop {
                let mut line = Vec::new();
                let read = file.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
                if read == 0 {
                    return Ok(None);
                }
                self.row += 1;
                if read > LONGEST {
                    let detail = format!("longer than {LONGEST} bytes");
                    return Err(CaseError::Row { row: self.row, detail });
                }
                if !line.trim_ascii().is_empty() {
                    return Ok(Some((self.row, line)));
                }
            },
            Rows::Csv(reader, heading) => {
                let mut record = csv::StringRecord::new();
                let row = self.row + 1;
                if !reader.read_record(&mut record).map_err(|error| row_error(row, &error))? {
                    return Ok(None);
                }
                self.row = row;
                let object: BTreeMap<&str, &str> = heading.iter().zip(record.iter()).collect();
                let bytes =
                    serde_json::to_vec(&object).map_err(|error| CaseError::Row { row, detail: error.to_string() })?;
                Ok(Some((row, bytes)))
            }
        }
    }

    /// Passes over rows that were read before.
    pub fn skip(&mut self, to: u64) -> Result<(), CaseError> {
        while self.row < to && self.next_row()?.is_some() {}
        Ok(())
    }
}

fn row_error(row: u64, error: &csv::Error) -> CaseError {
    CaseError::Row { row, detail: error.to_string() }
}

/// A case of a file.
pub(super) struct FileCase {
    pub(super) id: String,
    pub(super) input: Input,
    pub(super) bad: Option<bool>,
}

/// A line as `POST /v1/decisions` takes it, with what only a file knows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: Option<String>,
    system: Option<String>,
    environment: String,
    kind: String,
    payload: Box<RawValue>,
    #[serde(default)]
    jurisdictions: Vec<String>,
    sector: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    occurred_at: Option<String>,
    rules_as_of: Option<String>,
    context: Option<Box<RawValue>>,
    /// Whether the case is bad, and should be caught.
    bad: Option<bool>,
}

#[derive(Serialize)]
struct Context {
    system: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Box<RawValue>>,
}

/// Makes a case of a row.
pub(super) fn case_of(row: u64, bytes: &[u8], mapping: &Mapping, tenant: &str) -> Result<FileCase, String> {
    let text = json::check(bytes).map_err(|error| error.to_string())?;
    let (body, bad) = match &mapping.kind {
        None => {
            let body: Body = serde_json::from_str(text).map_err(|error| error.to_string())?;
            let bad = body.bad;
            (body, bad)
        }
        Some(kind) => mapped(text.trim_ascii(), kind, mapping)?,
    };
    check_words(&body)?;
    let environment: Environment = body.environment.parse().map_err(|error| format!("environment: {error}"))?;
    let occurred_at = day("occurred_at", body.occurred_at.as_deref().unwrap_or(NO_DAY))?;
    let rules_as_of = body.rules_as_of.as_deref().map_or(Ok(occurred_at), |text| day("rules_as_of", text))?;
    let context = Context { system: None, caller: body.context };
    let id = body.id.unwrap_or_else(|| row.to_string());
    let case = Case {
        // Guests draw their randomness from it: it must be the same in every run.
        id: format!("{id}/{}", Digest::of(text.trim_ascii().as_bytes())),
        kind: body.kind,
        tenant: tenant.to_owned(),
        system: body.system,
        environment: environment.as_str().to_owned(),
        jurisdictions: with_unions(&body.jurisdictions),
        sector: body.sector,
        actor: body.actor,
        action: body.action,
        resource: body.resource,
        occurred_at,
        rules_as_of,
        payload: body.payload,
        context: to_raw_value(&context).map_err(|error| error.to_string())?,
    };
    Ok(FileCase { id, input: Input::new(case, None), bad })
}

/// Longer words are no identifiers, as at the door; here they would also swell the counts.
const LONGEST_WORD: usize = 256;

fn check_words(body: &Body) -> Result<(), String> {
    let words = [("id", &body.id), ("system", &body.system), ("actor", &body.actor)];
    let words = words.into_iter().chain([("action", &body.action), ("resource", &body.resource)]);
    let mut words = words.filter_map(|(field, word)| word.as_deref().map(|word| (field, word)));
    let too_long = |word: &str| word.is_empty() || word.len() > LONGEST_WORD || word.chars().any(char::is_control);
    if let Some((field, _)) = words.find(|(_, word)| too_long(word)) {
        return Err(format!("{field}: use 1 to {LONGEST_WORD} bytes without control characters"));
    }
    let spelling = check_spelling(&body.jurisdictions, body.sector.as_deref(), Some(body.kind.as_str()));
    spelling.map_err(|misspelt| misspelt.to_string())
}

fn mapped(text: &str, kind: &str, mapping: &Mapping) -> Result<(Body, Option<bool>), String> {
    let row: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("not an object: {error}"))?;
    let field = |name: &Option<String>| -> Result<Option<String>, String> {
        let Some(name) = name else { return Ok(None) };
        match row.get(name) {
            Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Ok(Some(other.to_string())),
            None => {
                let known: Vec<&str> = row.keys().map(String::as_str).collect();
                Err(format!("there is no field {name:?}; there are {}", known.join(", ")))
            }
        }
    };
    let truth = field(&mapping.truth)?;
    let bad = truth.zip(mapping.bad.as_ref()).map(|(found, bad)| found == *bad);
    // What the truth is must not be seen by whoever is to guess it.
    let payload = match &mapping.truth {
        None => RawValue::from_string(text.to_owned()).map_err(|error| error.to_string())?,
        Some(truth) => {
            let rest: BTreeMap<&String, &serde_json::Value> = row.iter().filter(|(name, _)| *name != truth).collect();
            to_raw_value(&rest).map_err(|error| error.to_string())?
        }
    };
    let body = Body {
        id: field(&mapping.id)?,
        system: None,
        environment: mapping.environment.clone().unwrap_or_else(|| "production".to_owned()),
        kind: kind.to_owned(),
        payload,
        jurisdictions: mapping.jurisdictions.clone(),
        sector: mapping.sector.clone(),
        actor: None,
        action: None,
        resource: None,
        occurred_at: field(&mapping.date)?,
        rules_as_of: None,
        context: None,
        bad: None,
    };
    Ok((body, bad))
}

/// A moment, a day, a month or a year: the first moment of it.
fn day(field: &str, text: &str) -> Result<Timestamp, String> {
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    whole.parse().map_err(|error| format!("{field} {text:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(mut file: CaseFile) -> Vec<(u64, String)> {
        let mut rows = Vec::new();
        while let Some((row, bytes)) = file.next_row().unwrap() {
            rows.push((row, String::from_utf8(bytes).unwrap().trim().to_owned()));
        }
        rows
    }

    #[test]
    fn lines_and_rows_are_numbered_from_one() {
        let lines = rows(CaseFile::json_lines(&b"{\"a\":1}\n\n{\"a\":2}"[..]));
        assert_eq!(lines, [(1, "{\"a\":1}".to_owned()), (3, "{\"a\":2}".to_owned())]);
        let table = rows(CaseFile::csv(&b"a,b\n1,\"x, \"\"y\"\"\n\"\n2,z\n"[..]).unwrap());
        assert_eq!(table[0], (1, r#"{"a":"1","b":"x, \"y\"\n"}"#.to_owned()));
        assert_eq!(table[1].0, 2);
    }

    #[test]
    fn a_row_becomes_a_payload_without_the_truth() {
        let mapping = Mapping {
            kind: Some("credit-application".into()),
            id: Some("n".into()),
            date: Some("when".into()),
            truth: Some("outcome".into()),
            bad: Some("bad".into()),
            ..Mapping::default()
        };
        mapping.check().unwrap();
        let row = br#"{"n": 7, "when": "2023-04", "outcome": "bad", "amount": "1169"}"#;
        let made = case_of(1, row, &mapping, "t").unwrap();
        assert_eq!((made.id.as_str(), made.bad), ("7", Some(true)));
        let case = made.input.case();
        assert_eq!(case.payload.get(), r#"{"amount":"1169","n":7,"when":"2023-04"}"#);
        assert_eq!(case.occurred_at, "2023-04-01".parse().unwrap());
        let wrong = Mapping { date: Some("day".into()), ..mapping };
        assert!(case_of(1, row, &wrong, "t").err().unwrap().starts_with("there is no field \"day\"; there are amount"));
    }

    #[test]
    fn a_case_is_as_the_door_takes_it() {
        let line = br#"{"environment": "staging", "kind": "prompt", "payload": {"x": 1}, "bad": false, "jurisdictions": ["DE"]}"#;
        let made = case_of(3, line, &Mapping::default(), "t").unwrap();
        assert_eq!((made.id.as_str(), made.bad), ("3", Some(false)));
        assert_eq!(made.input.case().jurisdictions, ["DE", "EU"]);
        for (line, said) in [
            (&br#"{"environment": "moon", "kind": "a", "payload": 1}"#[..], "environment"),
            (br#"{"environment": "staging", "kind": "a"}"#, "missing field `payload`"),
            (br#"{"environment": "staging", "kind": "a", "payload": 1, "x": 1}"#, "unknown field `x`"),
            (
                br#"{"environment": "staging", "kind": "a", "payload": 1, "occurred_at": "soon"}"#,
                "occurred_at \"soon\"",
            ),
            (
                br#"{"environment": "staging", "kind": "a", "payload": 1, "jurisdictions": ["EU", "br"]}"#,
                "jurisdictions[1]: \"br\" is no jurisdiction",
            ),
            (
                br#"{"environment": "staging", "kind": "a", "payload": 1, "sector": "Employment"}"#,
                "sector: \"Employment\"",
            ),
            (br#"{"environment": "staging", "kind": "A prompt", "payload": 1}"#, "kind: \"A prompt\""),
        ] {
            let error = case_of(1, line, &Mapping::default(), "t").err().unwrap();
            assert!(error.contains(said), "{error}");
        }
        let codes: Vec<String> = (0..257).map(|part| format!("US-{part}")).collect();
        let line = serde_json::json!({ "environment": "staging", "kind": "a", "payload": 1, "jurisdictions": codes });
        let error = case_of(1, line.to_string().as_bytes(), &Mapping::default(), "t").err().unwrap();
        assert!(error.starts_with("jurisdictions: 257 codes, 256 are allowed"), "{error}");
    }

    #[test]
    fn a_mapping_that_no_package_could_mean_is_refused_before_any_row() {
        let mapping = Mapping { kind: Some("prompt".into()), jurisdictions: vec!["BR".into()], ..Mapping::default() };
        mapping.check().unwrap();
        for (mapping, said) in [
            (Mapping { kind: Some("Prompt".into()), ..mapping.clone() }, "mapping.kind: \"Prompt\""),
            (Mapping { sector: Some("Employment".into()), ..mapping.clone() }, "mapping.sector: \"Employment\""),
            (Mapping { jurisdictions: vec!["Brazil".into()], ..mapping }, "mapping.jurisdictions[0]: \"Brazil\""),
        ] {
            let error = mapping.check().unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
