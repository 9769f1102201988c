//! What a version needs before it may serve in a scope.

use assize_ledger::{Algorithm, VerifierKey};
use serde::{Deserialize, Serialize};

/// What a version needs before it may serve in a scope, and in those below it. Nothing, where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admission {
    /// Somebody else than its author approved it: four eyes. Looked at when it is activated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// A key that is registered for its namespace signed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    /// One of these keys signed it, each as `name+id+base64`. Empty: whichever is registered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// What is wrong with an admission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum AdmissionError {
    #[error("admission.keys[{index}] {key:?}: {problem}; write it as `assize plugin keygen` shows it")]
    Key { index: usize, key: String, problem: String },
    #[error("admission.keys: {0} keys, more than the {MOST_KEYS} that one policy may name")]
    TooMany(usize),
}

/// More publishers than one scope trusts by name.
const MOST_KEYS: usize = 64;

impl Admission {
    /// Checks what the types can't.
    pub fn check(&self) -> Result<(), AdmissionError> {
        if self.keys.len() > MOST_KEYS {
            return Err(AdmissionError::TooMany(self.keys.len()));
        }
        for (index, key) in self.keys.iter().enumerate() {
            let problem = match key.parse::<VerifierKey>() {
                Ok(parsed) if parsed.algorithm() == Algorithm::Ed25519 => continue,
                Ok(_) => "it is a witness's key".to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(AdmissionError::Key { index, key: key.clone(), problem });
        }
        Ok(())
    }

    /// Whether a version without a signature is refused.
    pub const fn wants_signature(&self) -> bool {
        self.signed || !self.keys.is_empty()
    }

    /// Whether a version that these keys signed has the signature that is wanted.
    pub fn admits(&self, signed_by: &[String]) -> bool {
        match (self.wants_signature(), self.keys.as_slice()) {
            (false, _) => true,
            (true, []) => !signed_by.is_empty(),
            (true, keys) => signed_by.iter().any(|key| keys.contains(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_what_admits() {
        let signed = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let any = Admission { signed: true, ..Admission::default() };
        let one = Admission { keys: signed(&["a"]), ..Admission::default() };
        assert!(Admission::default().admits(&[]) && !Admission::default().wants_signature());
        assert!(!any.admits(&[]) && any.admits(&signed(&["b"])));
        assert!(!one.admits(&[]) && !one.admits(&signed(&["b"])) && one.admits(&signed(&["b", "a"])));
    }

    #[test]
    fn a_key_that_is_none_is_named() {
        let admission: Admission = serde_json::from_str(r#"{"keys":["acme"]}"#).unwrap();
        assert!(admission.check().unwrap_err().to_string().starts_with("admission.keys[0] \"acme\": not a key"));
        assert!(serde_json::from_str::<Admission>(r#"{"four_eyes":true}"#).is_err());
    }
}
