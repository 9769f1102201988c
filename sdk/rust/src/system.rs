//! What the host knows of a registered AI system.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The registry entry of an AI system, as it stands in `context.system`. Members that are absent or null are `None` or empty;
/// members that this version doesn't know are left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct System {
    /// Id within its tenant.
    pub id: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// `design`, `active`, `degraded`, `maintenance`, `suspended` or `emergency_stop`.
    pub operational_status: Option<String>,
    /// Phase of the life cycle (NIST AI RMF, MAP 1.1).
    pub lifecycle_phase: Option<String>,
    /// `minimal`, `limited`, `high` or `unacceptable`.
    pub risk_classification: Option<String>,
    /// The area of Annex III of the EU AI Act, if any.
    pub sector: Option<String>,
    /// Id in the EU database (Art. 49 and 71 of the EU AI Act).
    pub eu_database_registration_id: Option<String>,
    /// Floating point operations spent on training, e.g. `1e25`.
    #[serde(deserialize_with = "number_or_text")]
    pub training_flops: Option<f64>,
    /// Models, services and data that the system depends on: names, or objects with more about them.
    #[serde(deserialize_with = "null_is_empty")]
    pub external_dependencies: Vec<Value>,
    /// How people and the system share the work, in the registrant's words or as an object.
    pub human_ai_configuration: Option<Value>,
    /// Whatever else its owner declared.
    #[serde(deserialize_with = "null_is_empty")]
    pub attributes: Map<String, Value>,
}

impl System {
    /// A declared yes or no, e.g. `logging`. None: not declared, or neither.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.attributes.get(name)?.as_bool()
    }

    /// A declared number, e.g. `parameters`.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.attributes.get(name)?.as_f64()
    }

    /// A declared text, e.g. `purpose`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// Numbers beyond 2^53 may travel as text.
fn number_or_text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    match Value::deserialize(value)? {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        Value::String(text) => text.trim().parse().map(Some).map_err(serde::de::Error::custom),
        other => Err(serde::de::Error::custom(format!("expected a number, found {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::System;

    #[test]
    fn absent_null_and_unknown_members_are_fine() {
        let system: System = serde_json::from_str(
            r#"{"id": "s", "training_flops": "3e25", "external_dependencies": null, "attributes": {"logging": true}, "new": 1}"#,
        )
        .unwrap();
        assert_eq!(system.training_flops, Some(3e25));
        assert_eq!(system.flag("logging"), Some(true));
        assert_eq!(system.flag("absent"), None);
        assert!(system.external_dependencies.is_empty());
    }
}
