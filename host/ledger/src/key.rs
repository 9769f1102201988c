//! Ed25519 keys (RFC 8032) in the encodings of C2SP signed notes, which tools of other projects read and write.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// How a key signs. The number is the first byte of its encoding (C2SP signed-note, "Signature types").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 over the note's text.
    Ed25519,
    /// A witness's: Ed25519 over a time and the text (C2SP tlog-cosignature, `cosignature/v1`).
    Cosignature,
}

/// The first four bytes of a hash over a key and its name: enough to find the key, not to trust it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

/// A public key with the name that it signs under: `name+id+base64`, as C2SP writes a *vkey*.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    key: [u8; 32],
}

/// A private key with the name that it signs under. Its text (`PRIVATE+KEY+name+id+base64`) is a secret.
pub struct SignerKey {
    public: VerifierKey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// The text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of the form.
    #[error("not a key: {0}; expected name+id+base64, and PRIVATE+KEY+ before it for a private key")]
    Form(&'static str),
    /// A kind of key that this version doesn't know.
    #[error("algorithm: found {0}, expected 1 (Ed25519) or 4 (cosignature)")]
    Algorithm(u8),
    /// The id isn't that of the key.
    #[error("key id: found {found}, expected {expected}")]
    Id {
        /// What the text says.
        found: String,
        /// What the key hashes to.
        expected: KeyId,
    },
    /// The name can't stand in a note.
    #[error("name: found {0:?}, expected some characters, none of them a space or a plus")]
    Name(String),
    /// The system gives no randomness.
    #[error("no random bytes for a key: {0}")]
    Random(String),
}

impl Algorithm {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names stand between spaces in a note, and between pluses in a key.
fn check_name(name: &str) -> Result<(), KeyError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(bad) { Err(KeyError::Name(name.to_owned())) } else { Ok(()) }
}

impl VerifierKey {
    /// A public key of 32 bytes.
    pub fn new(name: &str, algorithm: Algorithm, key: [u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), algorithm, key })
    }

    /// The name that it signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The 32 bytes of the public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// SHA-256(name ‖ newline ‖ algorithm ‖ key), its first four bytes.
    pub fn id(&self) -> KeyId {
        let mut hash = Sha256::new();
        hash.update(self.name.as_bytes());
        hash.update([b'\n', self.algorithm.byte()]);
        hash.update(self.key);
        let hash: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, ..] = hash;
        KeyId([a, b, c, d])
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.algorithm.byte()];
        bytes.extend_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.name, self.id(), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Name, id as written, algorithm and 32 bytes of a key's text.
fn parse(text: &str) -> Result<(&str, &str, Algorithm, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form("fewer than three parts"));
    };
    let bytes = STANDARD.decode(key).map_err(|_| KeyError::Form("the last part isn't base64"))?;
    let Some((&algorithm, key)) = bytes.split_first() else { return Err(KeyError::Form("the last part is empty")) };
    let algorithm = match algorithm {
        1 => Algorithm::Ed25519,
        4 => Algorithm::Cosignature,
        other => return Err(KeyError::Algorithm(other)),
    };
    let key = key.try_into().map_err(|_| KeyError::Form("the last part isn't 33 bytes long"))?;
    Ok((name, id, algorithm, key))
}

fn check_id(found: &str, public: &VerifierKey) -> Result<(), KeyError> {
    let expected = public.id();
    if found == expected.to_string() { Ok(()) } else { Err(KeyError::Id { found: found.to_owned(), expected }) }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, algorithm, key) = parse(text.trim())?;
        let public = Self::new(name, algorithm, key)?;
        check_id(id, &public)?;
        Ok(public)
    }
}

impl SignerKey {
    /// A new key, from the operating system's randomness.
    pub fn generate(name: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
        Self::from_seed(name, algorithm, seed)
    }

    /// The key that 32 secret bytes make (RFC 8032, 5.1.5).
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Form("the seed is refused"))?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Form("no public key"))?;
        Ok(Self { public: VerifierKey::new(name, algorithm, public)?, seed, pair })
    }

    /// The public half.
    pub const fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// 64 bytes over the message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// The text to keep in a file that nobody else can read.
    pub fn to_secret(&self) -> String {
        let mut bytes = vec![self.public.algorithm.byte()];
        bytes.extend_from_slice(&self.seed);
        format!("PRIVATE+KEY+{}+{}+{}", self.public.name, self.public.id(), STANDARD.encode(bytes))
    }
}

impl FromStr for SignerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().strip_prefix("PRIVATE+KEY+");
        let text = text.ok_or(KeyError::Form("it doesn't begin with PRIVATE+KEY+"))?;
        let (name, id, algorithm, seed) = parse(text)?;
        let signer = Self::from_seed(name, algorithm, seed)?;
        check_id(id, &signer.public)?;
        Ok(signer)
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_text() {
        for algorithm in [Algorithm::Ed25519, Algorithm::Cosignature] {
            let signer = SignerKey::generate("example.org/log", algorithm).unwrap();
            let again: SignerKey = signer.to_secret().parse().unwrap();
            assert_eq!(again.public(), signer.public());
            assert_eq!(signer.public().to_string().parse::<VerifierKey>().unwrap(), *signer.public());
            assert!(signer.public().verifies(b"message", &again.sign(b"message")));
            assert!(!format!("{signer:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn what_is_no_key_is_named() {
        let signer = SignerKey::from_seed("example.org/log", Algorithm::Ed25519, [7; 32]).unwrap();
        let (text, secret) = (signer.public().to_string(), signer.to_secret());
        let error = |text: &str| text.parse::<VerifierKey>().unwrap_err().to_string();
        assert!(error("name").contains("fewer than three parts"));
        assert!(error(&text.replace("org", "com")).starts_with("key id: found"));
        assert!(error("n+00000000+AgAA").starts_with("algorithm: found 2"));
        assert!(text.parse::<SignerKey>().unwrap_err().to_string().contains("PRIVATE+KEY+"));
        assert!(secret.parse::<VerifierKey>().is_err());
        assert!(SignerKey::from_seed("a b", Algorithm::Ed25519, [7; 32]).is_err());
    }
}
