//! Signed notes (C2SP signed-note): a text for people, and signatures under it that name their keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Timestamp;
use crate::key::{Algorithm, KeyId, SignerKey, VerifierKey};

/// A text with signatures; nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Lines that each end with a newline: what is signed.
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A line under a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who signed.
    pub name: String,
    /// With which key.
    pub key: KeyId,
    /// What follows the key's id: 64 bytes of Ed25519; in a cosignature, 8 bytes of time before them.
    pub bytes: Vec<u8>,
}

/// The longest note that is read, in bytes.
pub const MAX_NOTE: usize = 1 << 20;
/// The most signatures that are read.
pub const MAX_SIGNATURES: usize = 128;

/// Why a note isn't one, or isn't signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It isn't of the form.
    #[error("not a signed note: {0}")]
    Form(String),
    /// The key that was asked for didn't sign.
    #[error("no signature of {name} (key {key}); signed by {found}")]
    Unsigned {
        /// The key's name.
        name: String,
        /// The key's id.
        key: KeyId,
        /// Who did sign.
        found: String,
    },
    /// The signature isn't over this text.
    #[error("the signature of {name} (key {key}) doesn't match the text")]
    Signature {
        /// The key's name.
        name: String,
        /// The key's id.
        key: KeyId,
    },
}

impl Note {
    /// A note to be signed. The text must end with a newline, and be free of other control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        check_text(&text)?;
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let form = |why: &str| NoteError::Form(why.to_owned());
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::Form(format!("{} bytes long, more than {MAX_NOTE}", bytes.len())));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| form("it isn't UTF-8"))?;
        let (text, lines) = note.rsplit_once("\n\n").ok_or_else(|| form("no empty line before the signatures"))?;
        let text = format!("{text}\n");
        check_text(&text)?;
        let lines = lines.strip_suffix('\n').ok_or_else(|| form("it doesn't end with a newline"))?;
        let signatures: Result<Vec<_>, _> = lines.split('\n').map(NoteSignature::parse).collect();
        let signatures = signatures?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Form(format!("{} signatures, more than {MAX_SIGNATURES}", signatures.len())));
        }
        Ok(Self { text, signatures })
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines under it.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature over the text.
    pub fn sign(&mut self, key: &SignerKey) {
        let bytes = key.sign(self.text.as_bytes());
        self.add(NoteSignature { name: key.public().name().to_owned(), key: key.public().id(), bytes });
    }

    /// Adds a witness's signature, which says that it saw the text at this time (C2SP tlog-cosignature).
    pub fn cosign(&mut self, key: &SignerKey, time: Timestamp) {
        let seconds = time.as_millis() / 1_000;
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(&key.sign(&cosigned(&self.text, seconds)));
        self.add(NoteSignature { name: key.public().name().to_owned(), key: key.public().id(), bytes });
    }

    /// Adds a signature, in place of an earlier one of the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.retain(|other| (&other.name, other.key) != (&signature.name, signature.key));
        self.signatures.push(signature);
    }

    /// The same text with the signatures of one key alone.
    #[must_use]
    pub fn signed_by(&self, key: &VerifierKey) -> Self {
        let signatures = self.signatures.iter().filter(|line| line.is_by(key)).cloned().collect();
        Self { text: self.text.clone(), signatures }
    }

    /// Checks that `key` signed this text. Says when, for a cosignature.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<Timestamp>, NoteError> {
        let mut signatures = self.signatures.iter().filter(|line| line.is_by(key));
        let signature = signatures.next().ok_or_else(|| NoteError::Unsigned {
            name: key.name().to_owned(),
            key: key.id(),
            found: match self.signatures.as_slice() {
                [] => "nobody".to_owned(),
                lines => {
                    lines.iter().map(|line| format!("{} ({})", line.name, line.key)).collect::<Vec<_>>().join(", ")
                }
            },
        })?;
        // A second one of the same key must hold, too: what one reader looks at must not be another's choice.
        for other in signatures {
            other.verify(&self.text, key)?;
        }
        signature.verify(&self.text, key)
    }
}

impl NoteSignature {
    /// Reads a line, without its newline.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let form = |why: &str| NoteError::Form(format!("signature line {line:?}: {why}"));
        let rest = line.strip_prefix("— ").ok_or_else(|| form("it doesn't begin with an em dash and a space"))?;
        let (name, signature) = rest.split_once(' ').ok_or_else(|| form("no space after the name"))?;
        let bytes = STANDARD.decode(signature).map_err(|_| form("not base64"))?;
        let (key, bytes) = bytes.split_first_chunk().ok_or_else(|| form("shorter than a key's id"))?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') || bytes.is_empty() {
            return Err(form("no name, or no signature"));
        }
        Ok(Self { name: name.to_owned(), key: KeyId(*key), bytes: bytes.to_vec() })
    }

    /// Whether it says that it is `key`'s.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.key == key.id() && self.name == key.name()
    }

    fn verify(&self, text: &str, key: &VerifierKey) -> Result<Option<Timestamp>, NoteError> {
        let wrong = || NoteError::Signature { name: self.name.clone(), key: self.key };
        match key.algorithm() {
            Algorithm::Ed25519 => {
                if key.verifies(text.as_bytes(), &self.bytes) {
                    Ok(None)
                } else {
                    Err(wrong())
                }
            }
            Algorithm::Cosignature => {
                let (seconds, signature) = self.bytes.split_first_chunk().ok_or_else(wrong)?;
                let seconds = u64::from_be_bytes(*seconds);
                let time = seconds.checked_mul(1_000).and_then(Timestamp::from_millis).ok_or_else(wrong)?;
                if key.verifies(&cosigned(text, seconds), signature) { Ok(Some(time)) } else { Err(wrong()) }
            }
        }
    }
}

/// What a witness signs.
fn cosigned(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Form("the text doesn't end with a newline".into()));
    }
    match text.chars().find(|&c| c.is_control() && c != '\n') {
        Some(control) => Err(NoteError::Form(format!("control character {control:?} in the text"))),
        None => Ok(()),
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = self.key.0.iter().chain(&self.bytes).copied().collect();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
