//! JSON as the contract allows it: what two readers can't read differently.
//!
//! RFC 8259 leaves duplicate keys and large integers to the reader; `serde_json` keeps the last of the former, and
//! doubles round the latter. What is judged, hashed and rerun must mean the same to everyone, so both are refused at
//! the door (cf. RFC 7493, I-JSON). The bytes themselves are never changed.

use std::borrow::Cow;
use std::collections::HashSet;

/// Arrays and objects may stand in each other this deep.
pub const MAX_DEPTH: usize = 64;

/// 2^53 − 1: the largest integer up to which every integer is exactly a double.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at {}", if pointer.is_empty() { "the document's root" } else { pointer })]
pub struct JsonError {
    /// JSON Pointer (RFC 6901) to the value concerned, as far as it was read.
    pub pointer: String,
    /// What is wrong, with the value and the remedy.
    pub problem: Problem,
}

/// The ways in which a document can be refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not UTF-8 (RFC 8259, section 8.1).
    #[error("invalid UTF-8 (byte {0})")]
    NotUtf8(usize),
    /// Not JSON.
    #[error("invalid JSON: {0}")]
    Syntax(String),
    /// RFC 8259 says that names should be unique; here they must.
    #[error("duplicate key {0:?}: give each key once")]
    DuplicateKey(String),
    /// Beyond ±(2^53 − 1).
    #[error("integer {0} lies beyond 2^53 - 1 and would be rounded by many readers: send it as a string")]
    UnsafeInteger(String),
    /// Deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Checks one whole document; the text it returns is the bytes given.
pub fn check(bytes: &[u8]) -> Result<&str, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError { pointer: String::new(), problem: Problem::NotUtf8(error.valid_up_to()) })?;
    // serde_json knows the grammar; the scan below then only has to find its way through a valid document.
    let _: serde::de::IgnoredAny = serde_json::from_str(text)
        .map_err(|error| JsonError { pointer: String::new(), problem: Problem::Syntax(error.to_string()) })?;
    let mut scan = Scan { text, at: 0, path: Vec::new() };
    scan.value().map_err(|problem| JsonError { pointer: scan.pointer(), problem })?;
    Ok(text)
}

enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

/// A walk through a document that `serde_json` has found valid.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    path: Vec<Step<'a>>,
}

impl<'a> Scan<'a> {
    fn pointer(&self) -> String {
        self.path.iter().fold(String::new(), |pointer, step| match step {
            Step::Key(key) => pointer + "/" + &key.replace('~', "~0").replace('/', "~1"),
            Step::Index(index) => format!("{pointer}/{index}"),
        })
    }

    /// The next byte that isn't white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn value(&mut self) -> Result<(), Problem> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(drop),
            _ => self.scalar(),
        }
    }

    fn enter(&mut self, step: Step<'a>) -> Result<(), Problem> {
        self.path.push(step);
        if self.path.len() > MAX_DEPTH { Err(Problem::TooDeep) } else { Ok(()) }
    }

    fn object(&mut self) -> Result<(), Problem> {
        self.at += 1;
        let mut keys = Keys::default();
        while self.peek() == Some(b'"') {
            let key = self.string()?;
            if !keys.insert(key.clone()) {
                return Err(Problem::DuplicateKey(key.into_owned()));
            }
            self.peek();
            self.at += 1; // the colon
            self.enter(Step::Key(key))?;
            self.value()?;
            self.path.pop();
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Problem> {
        self.at += 1;
        let mut index = 0;
        while self.peek().is_some_and(|byte| byte != b']') {
            self.enter(Step::Index(index))?;
            self.value()?;
            self.path.pop();
            index += 1;
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A string with its escapes resolved: `"a"` and `"\u0061"` are one key.
    fn string(&mut self) -> Result<Cow<'a, str>, Problem> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        let mut escapes = false;
        while let Some(byte) = bytes.get(self.at) {
            escapes |= *byte == b'\\';
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        if !escapes && let Some(plain) = self.text.get(start + 1..self.at - 1) {
            return Ok(Cow::Borrowed(plain));
        }
        let literal = self.text.get(start..self.at).unwrap_or_default();
        // `IgnoredAny` doesn't look at surrogates; reading the string does.
        serde_json::from_str(literal).map(Cow::Owned).map_err(|error| Problem::Syntax(error.to_string()))
    }

    fn scalar(&mut self) -> Result<(), Problem> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find([',', ']', '}', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
        let literal = rest.get(..end).unwrap_or_default();
        self.at += end;
        if !literal.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Ok(());
        }
        let digits = literal.trim_start_matches('-');
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match digits.parse::<u64>() {
                Ok(integer) if integer <= MAX_SAFE_INTEGER => Ok(()),
                _ => Err(Problem::UnsafeInteger(literal.to_owned())),
            };
        }
        // A fraction or exponent is a double by intent; it only has to be one.
        match literal.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(()),
            _ => Err(Problem::Syntax(format!("number {literal} is out of a double's range"))),
        }
    }
}

/// The keys of one object. Most objects are small: a set pays off only past a dozen keys.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// False where the key was there already.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if self.few.len() < 12 {
            let new = !self.few.contains(&key);
            self.few.push(key);
            return new;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().cloned());
        }
        self.many.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        check(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn takes_what_is_unambiguous() {
        for text in [
            r#"{"a":[1,-2.5e3,1e25,{"b":null}],"ü":"\ud83d\ude00","c":[]}"#,
            "9007199254740991",
            " [ ] ",
            r#""x""#,
            "{}",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(text));
        }
    }

    #[test]
    fn names_the_place_of_a_duplicate_key_even_when_escaped() {
        assert_eq!(
            problem(r#"{"a":[{"x/y":{"k":1,"\u006b":2}}]}"#),
            "duplicate key \"k\": give each key once at /a/0/x~1y"
        );
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":0", n % 39)).collect();
        assert!(problem(&format!("{{{}}}", many.join(","))).contains("\"k0\""));
    }

    #[test]
    fn refuses_integers_that_doubles_round() {
        assert!(problem(r#"{"amount":9007199254740993}"#).contains("/amount"));
        assert!(problem("-9007199254740992").contains("2^53"));
        assert!(problem("123456789012345678901234567890").contains("string"));
    }

    #[test]
    fn refuses_broken_documents() {
        assert!(problem("{\"a\":").contains("invalid JSON"));
        assert!(problem(r#""\ud800""#).contains("invalid JSON"));
        assert!(problem("1e999").contains("range"));
        assert_eq!(check(b"\"\xff\"").unwrap_err().problem, Problem::NotUtf8(1));
        assert_eq!(check(&"[".repeat(100_000).into_bytes()).map(drop).map_err(|e| e.pointer), Err(String::new()));
        let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
        assert_eq!(check(deep.as_bytes()).unwrap_err().problem, Problem::TooDeep);
    }
}
