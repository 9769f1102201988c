//! A settings schema as the manifest writes it: TOML that means JSON.

use serde_json::{Map, Number, Value, json};

use crate::fields::ManifestError;

/// Deepest nesting of a schema. Enough for any form that a person fills in, and little enough to recurse into.
const DEEPEST: usize = 48;

/// The largest whole number that every reader of JSON keeps (RFC 8259, section 6; 2^53 − 1).
const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// The schema of a package that declares no settings: an object without members.
pub(crate) fn none() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// The JSON that the TOML at `field` means.
pub(crate) fn from_toml(field: &str, value: toml::Value) -> Result<Value, ManifestError> {
    if !value.is_table() {
        return Err(refuse(field, value.to_string(), "a schema is a table", "write it as a table, [settings.schema]"));
    }
    convert(field, value, 0)
}

fn convert(field: &str, value: toml::Value, depth: usize) -> Result<Value, ManifestError> {
    if depth > DEEPEST {
        let problem = format!("it's nested more than {DEEPEST} deep");
        return Err(refuse(field, String::new(), &problem, "use $defs and $ref for what repeats"));
    }
    match value {
        toml::Value::String(text) => Ok(Value::String(text)),
        toml::Value::Boolean(boolean) => Ok(Value::Bool(boolean)),
        toml::Value::Integer(number) if number.unsigned_abs() <= LARGEST_INTEGER => Ok(number.into()),
        toml::Value::Integer(number) => {
            let problem = "JSON's readers don't agree on whole numbers beyond 2^53 - 1";
            Err(refuse(field, number.to_string(), problem, "write a smaller number, or a text"))
        }
        toml::Value::Float(number) => Number::from_f64(number).map(Value::Number).ok_or_else(|| {
            refuse(
                field,
                number.to_string(),
                "JSON has no such number",
                "write a finite number, or leave the bound out",
            )
        }),
        toml::Value::Datetime(moment) => {
            Err(refuse(field, moment.to_string(), "JSON has no dates", "write it in quotes, as a text"))
        }
        toml::Value::Array(values) => {
            let item = |(position, value)| convert(&format!("{field}[{position}]"), value, depth + 1);
            values.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::Array)
        }
        toml::Value::Table(table) => {
            let member = |(key, value)| {
                let value = convert(&format!("{field}.{key}"), value, depth + 1)?;
                Ok((key, value))
            };
            table.into_iter().map(member).collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
    }
}

fn refuse(field: &str, found: String, problem: &str, remedy: &str) -> ManifestError {
    ManifestError::Field {
        field: field.to_owned(),
        found: (!found.is_empty()).then_some(found),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}
