//! Are these the settings that a package asks for?

use std::collections::HashMap;
use std::fmt;

use jsonschema::{Draft, PatternOptions, Validator};
use serde::Serialize;
use serde_json::Value;

/// Most parts of a schema that settings may be checked against, references followed. Without a bound, ten definitions that
/// each refer twice to the one before make a thousand checks, and forty never end.
const MOST_PARTS: u64 = 10_000;

/// Deepest nesting, references followed: checking recurses into it.
const DEEPEST: u64 = 128;

/// Longest chain of references that lead to references.
const LONGEST_CHAIN: usize = 32;

/// The only dialect, so that the walk over references and the check agree on what a reference is.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Largest compiled `pattern`, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// Most violations that are listed, and the longest text of one, in characters: an answer is for people.
const MOST_VIOLATIONS: usize = 50;
const LONGEST_PROBLEM: usize = 300;

/// A package's JSON Schema (dialect 2020-12), ready to check settings.
#[derive(Debug)]
pub struct SettingsSchema {
    validator: Validator,
}

/// The schema itself is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It isn't an object.
    #[error("the schema isn't a JSON object; write e.g. type = \"object\"")]
    NotAnObject,
    /// A keyword refers to what isn't in the schema, or may not.
    #[error(
        "{keyword} = {target:?} can't be followed: {problem}; put what repeats under $defs and refer to it as \
         \"#/$defs/NAME\""
    )]
    Reference {
        /// E.g. `$ref`.
        keyword: &'static str,
        /// Where it points.
        target: String,
        /// Why it isn't followed.
        problem: &'static str,
    },
    /// With its references followed, it's too large or too deep.
    #[error(
        "with its references followed, the schema has more than {MOST_PARTS} parts, or is nested more than {DEEPEST} deep; simplify it"
    )]
    TooLarge,
    /// It breaks the rules of JSON Schema.
    #[error("it isn't a JSON Schema, at {pointer:?}: {problem}; see json-schema.org")]
    Invalid {
        /// JSON Pointer (RFC 6901) into the schema.
        pointer: String,
        /// What is wrong there.
        problem: String,
    },
}

/// The settings break the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct SettingsError {
    /// At least one, at most 50.
    pub violations: Vec<Violation>,
}

/// One thing that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON Pointer (RFC 6901) into the settings; empty: the whole.
    pub pointer: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings don't fit the package's schema")?;
        for (position, Violation { pointer, problem }) in self.violations.iter().enumerate() {
            let place = if pointer.is_empty() { "as a whole" } else { pointer };
            write!(f, "{} {place}: {problem}", if position == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl SettingsSchema {
    /// Checks and prepares a schema. Nothing is fetched: references lead into the schema itself, and not in circles.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        if !schema.is_object() {
            return Err(SchemaError::NotAnObject);
        }
        Weigher { root: schema, known: HashMap::new(), open: Vec::new() }.weigh(schema)?;
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            // Linear in the length of the text, whatever the pattern: the other engine backtracks.
            .with_pattern_options(PatternOptions::regex().size_limit(LARGEST_PATTERN))
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .build(schema)
            .map(|validator| Self { validator })
            .map_err(|error| SchemaError::Invalid {
                pointer: error.instance_path().to_string(),
                problem: cut(&error.to_string()),
            })
    }

    /// Checks settings. They are an object, whatever the schema says.
    pub fn validate(&self, settings: &Value) -> Result<(), SettingsError> {
        if !settings.is_object() {
            let problem = "settings are a JSON object".to_owned();
            return Err(SettingsError { violations: vec![Violation { pointer: String::new(), problem }] });
        }
        let violations: Vec<_> = self
            .validator
            .iter_errors(settings)
            .take(MOST_VIOLATIONS)
            .map(|error| Violation { pointer: error.instance_path().to_string(), problem: cut(&error.to_string()) })
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(SettingsError { violations }) }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_PROBLEM) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What a part of a schema comes to, with each reference replaced by what it refers to.
#[derive(Clone, Copy)]
struct Weight {
    parts: u64,
    height: u64,
}

/// Walks a schema as if each reference were replaced by what it refers to.
struct Weigher<'s> {
    root: &'s Value,
    /// Weights of targets that were weighed.
    known: HashMap<&'s str, Weight>,
    /// Targets that are being weighed: to meet one again is a circle.
    open: Vec<&'s str>,
}

impl<'s> Weigher<'s> {
    fn weigh(&mut self, part: &'s Value) -> Result<Weight, SchemaError> {
        let mut weight = Weight { parts: 1, height: 1 };
        let mut add = |inner: Weight| {
            weight.parts = weight.parts.saturating_add(inner.parts);
            weight.height = weight.height.max(inner.height.saturating_add(1));
        };
        match part {
            Value::Object(members) => {
                for (key, value) in members {
                    add(self.member(key, value)?);
                }
            }
            Value::Array(items) => {
                for item in items {
                    add(self.weigh(item)?);
                }
            }
            _ => {}
        }
        let fits = weight.parts <= MOST_PARTS && weight.height <= DEEPEST;
        if fits { Ok(weight) } else { Err(SchemaError::TooLarge) }
    }

    fn member(&mut self, key: &str, value: &'s Value) -> Result<Weight, SchemaError> {
        let refused = |keyword, target: &str, problem| {
            Err(SchemaError::Reference { keyword, target: target.to_owned(), problem })
        };
        let one_document = "a settings schema is one document";
        match (key, value) {
            ("$ref", Value::String(target)) => self.follow(target),
            // Each of these would change where `$ref` leads, so that what was weighed isn't what is run.
            ("$id", Value::String(target)) => refused("$id", target, one_document),
            ("$dynamicRef", Value::String(target)) => refused("$dynamicRef", target, one_document),
            ("$schema", Value::String(target)) if target.trim_end_matches('#') != DIALECT => {
                refused("$schema", target, "settings schemas are of the 2020-12 dialect")
            }
            _ => self.weigh(value),
        }
    }

    fn follow(&mut self, target: &'s str) -> Result<Weight, SchemaError> {
        let refused = |problem| Err(SchemaError::Reference { keyword: "$ref", target: target.to_owned(), problem });
        let Some(pointer) = target.strip_prefix('#') else {
            return refused("nothing outside the schema is fetched");
        };
        if let Some(weight) = self.known.get(pointer) {
            return Ok(*weight);
        }
        if self.open.contains(&pointer) || pointer.is_empty() {
            return refused("it leads back to itself");
        }
        if self.open.len() >= LONGEST_CHAIN {
            return refused("it ends too long a chain of references");
        }
        let Some(part) = self.root.pointer(pointer) else {
            return refused("there is nothing at this place of the schema");
        };
        self.open.push(pointer);
        let weight = self.weigh(part)?;
        self.open.pop();
        self.known.insert(pointer, weight);
        Ok(weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn refusal(schema: &Value) -> String {
        SettingsSchema::compile(schema).unwrap_err().to_string()
    }

    #[test]
    fn each_violation_is_listed_with_its_place() {
        let schema = SettingsSchema::compile(&json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["threshold"],
            "properties": {
                "threshold": { "type": "number", "minimum": 0, "maximum": 10 },
                "words/phrases": { "type": "array", "items": { "$ref": "#/$defs/word" } },
            },
            "$defs": { "word": { "type": "string", "minLength": 2, "pattern": "^[a-z]+$" } },
        }))
        .unwrap();
        assert_eq!(schema.validate(&json!({ "threshold": 4.5, "words/phrases": ["ab"] })), Ok(()));
        let error = schema.validate(&json!({ "threshold": 11, "words/phrases": ["ab", "X"], "x": 1 })).unwrap_err();
        let mut pointers: Vec<_> = error.violations.iter().map(|violation| violation.pointer.as_str()).collect();
        pointers.sort_unstable();
        pointers.dedup();
        assert_eq!(pointers, ["", "/threshold", "/words~1phrases/1"]);
        assert!(error.to_string().contains("/threshold: 11 is greater than the maximum of 10"), "{error}");
        let error = schema.validate(&json!({})).unwrap_err().to_string();
        assert!(error.contains("\"threshold\" is a required property"), "{error}");
    }

    #[test]
    fn settings_are_an_object_whatever_the_schema_says() {
        let anything = SettingsSchema::compile(&json!({})).unwrap();
        assert_eq!(anything.validate(&json!({ "x": 1 })), Ok(()));
        for settings in [json!(null), json!([]), json!(1), json!("x")] {
            assert!(anything.validate(&settings).is_err(), "{settings}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        for target in ["https://example.org/s.json", "file:///etc/passwd", "other.json", "#anchor", "#/$defs/none"] {
            let error = refusal(&json!({ "properties": { "x": { "$ref": target } } }));
            assert!(error.contains(target) && error.contains("can't be followed"), "{error}");
        }
        assert!(refusal(&json!({ "$schema": "https://example.org/meta" })).contains("2020-12"));
        assert!(refusal(&json!({ "$id": "https://example.org/s" })).contains("one document"));
        assert!(SettingsSchema::compile(&json!({ "$schema": DIALECT })).is_ok());
    }

    #[test]
    fn a_schema_that_never_ends_is_refused() {
        assert!(refusal(&json!({ "$ref": "#" })).contains("back to itself"));
        let circle = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "not": { "$ref": "#/$defs/a" } } } });
        assert!(refusal(&circle).contains("back to itself"));
    }

    #[test]
    fn a_schema_that_doubles_with_each_definition_is_refused() {
        let mut definitions = serde_json::Map::new();
        definitions.insert("d0".to_owned(), json!({ "type": "object" }));
        for level in 1..30 {
            let below = format!("#/$defs/d{}", level - 1);
            definitions.insert(format!("d{level}"), json!({ "allOf": [{ "$ref": below }, { "$ref": below }] }));
        }
        assert_eq!(refusal(&json!({ "$ref": "#/$defs/d29", "$defs": definitions })), SchemaError::TooLarge.to_string());
    }

    #[test]
    fn what_is_no_schema_is_refused_with_its_place() {
        assert_eq!(SettingsSchema::compile(&json!(true)).unwrap_err(), SchemaError::NotAnObject);
        let error = refusal(&json!({ "properties": { "x": { "type": "strin" } } }));
        assert!(error.contains("/properties/x/type"), "{error}");
        assert!(SettingsSchema::compile(&json!({ "properties": { "x": { "pattern": "(" } } })).is_err());
        assert!(SettingsSchema::compile(&json!({ "properties": { "x": { "format": "emial" } } })).is_err());
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let schema = json!({ "properties": { "x": { "type": "string", "pattern": "^(a+)+$" } } });
        let text = "a".repeat(100_000) + "!";
        assert!(SettingsSchema::compile(&schema).unwrap().validate(&json!({ "x": text })).is_err());
    }

    #[test]
    fn the_deepest_schema_that_passes_can_be_run() {
        let nested = |levels: usize| {
            let schema = (0..levels).fold(json!({ "type": "object" }), |inner, _| json!({ "not": inner }));
            SettingsSchema::compile(&schema)
        };
        let deepest = (0..200).rev().find_map(|levels| nested(levels).ok()).unwrap();
        let _ = deepest.validate(&json!({}));
        assert!(nested(200).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let words = proptest::sample::select(vec![
            "$ref",
            "$defs",
            "type",
            "properties",
            "items",
            "allOf",
            "not",
            "enum",
            "pattern",
            "#/$defs/a",
            "a",
            "object",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            words.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(words.clone().prop_map(str::to_owned), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_schema_and_no_settings_make_it_panic(schema in any_json(), settings in any_json()) {
            if let Ok(schema) = SettingsSchema::compile(&schema) {
                let _ = schema.validate(&settings);
            }
        }
    }
}
