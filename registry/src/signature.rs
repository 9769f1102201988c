//! Publishers' signatures: a signed note (C2SP signed-note) beside the package, over what it is called and its digest.
//!
//! ```text
//! assize.dev/package/v1
//! acme/law@1.0.0
//! sha256:…
//!
//! — acme …
//! ```
//!
//! The first line keeps it apart from all else that such keys may sign. The key's name is the namespace: whose it is stands in
//! the signature itself, and a key of one namespace says nothing in another. Beside the package and not inside: the
//! digest is of its bytes, and further publishers may sign the same.

use assize_ledger::{Algorithm, Digest, KeyId, Note, NoteError, NoteSignature, SignerKey, VerifierKey};
use semver::Version;

use crate::PackageName;

/// What is signed begins with this.
const DOMAIN: &str = "assize.dev/package/v1";

/// Why a signature isn't one, or not over this package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key belongs to another namespace.
    #[error("the key is for namespace {key:?}, and the package in {namespace:?}: sign with a key of {namespace:?}")]
    Namespace {
        /// The key's name.
        key: String,
        /// The package's.
        namespace: String,
    },
    /// It signs otherwise than publishers do.
    #[error("it is a witness's key: make one with `assize plugin keygen NAMESPACE`")]
    Algorithm,
    /// It isn't a signed note.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// It is over something else.
    #[error("it is over {found:?}, not over {expected:?}: sign the file that is published")]
    Other {
        /// What it is over.
        found: String,
        /// What it should be over.
        expected: String,
    },
    /// Nobody, or more than one, signed.
    #[error("it has {0} signatures: give it one")]
    Count(usize),
}

/// The text that is signed.
fn statement(name: &PackageName, version: &Version, digest: Digest) -> String {
    format!("{DOMAIN}\n{name}@{version}\nsha256:{digest}\n")
}

/// Whether a key may sign packages of a namespace.
pub fn check_publisher_key(key: &VerifierKey, namespace: &str) -> Result<(), SignatureError> {
    if key.name() != namespace {
        let (key, namespace) = (key.name().to_owned(), namespace.to_owned());
        return Err(SignatureError::Namespace { key, namespace });
    }
    if key.algorithm() == Algorithm::Ed25519 { Ok(()) } else { Err(SignatureError::Algorithm) }
}

/// Signs a package.
pub fn sign(key: &SignerKey, name: &PackageName, version: &Version, digest: Digest) -> Result<Note, SignatureError> {
    check_publisher_key(key.public(), name.namespace())?;
    let mut note = Note::new(statement(name, version, digest))?;
    note.sign(key);
    Ok(note)
}

/// Who says that they signed, by name and key id: to find the key by. Nothing is verified yet.
pub fn signer(note: &[u8]) -> Result<(String, KeyId), SignatureError> {
    match Note::parse(note)?.signatures() {
        [one] => Ok((one.name.clone(), one.key)),
        all => Err(SignatureError::Count(all.len())),
    }
}

/// Whether the note is this key's signature over this package.
pub fn verify_signature(
    note: &[u8],
    key: &VerifierKey,
    name: &PackageName,
    version: &Version,
    digest: Digest,
) -> Result<(), SignatureError> {
    check_publisher_key(key, name.namespace())?;
    over(note, name, version, digest)?.verify(key)?;
    Ok(())
}

/// A note over this package. Who signed isn't verified.
fn over(note: &[u8], name: &PackageName, version: &Version, digest: Digest) -> Result<Note, SignatureError> {
    let note = Note::parse(note)?;
    let expected = statement(name, version, digest);
    if note.text() == expected {
        Ok(note)
    } else {
        Err(SignatureError::Other { found: note.text().to_owned(), expected })
    }
}

/// Each signature of a note over this package, as a note of its own: a file may carry those of several keys. Which of
/// them hold is for whoever knows the keys.
pub fn apart(note: &[u8], name: &PackageName, version: &Version, digest: Digest) -> Result<Vec<Note>, SignatureError> {
    let note = over(note, name, version, digest)?;
    let alone = |signature: &NoteSignature| {
        let mut one = Note::new(note.text())?;
        one.add(signature.clone());
        Ok(one)
    };
    note.signatures().iter().map(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, seed: u8) -> SignerKey {
        SignerKey::from_seed(namespace, Algorithm::Ed25519, [seed; 32]).unwrap()
    }

    #[test]
    fn a_signature_holds_for_one_package_and_one_key() {
        let (name, version): (PackageName, Version) = ("acme/law".parse().unwrap(), Version::new(1, 0, 0));
        let (key, digest) = (key("acme", 1), Digest::of(b"component"));
        let note = sign(&key, &name, &version, digest).unwrap().to_string();
        let verify = |note: &str, key: &VerifierKey, name: &PackageName, version: &Version, digest| {
            verify_signature(note.as_bytes(), key, name, version, digest)
        };
        verify(&note, key.public(), &name, &version, digest).unwrap();
        assert_eq!(signer(note.as_bytes()).unwrap(), ("acme".to_owned(), key.public().id()));
        let other = |error: SignatureError| matches!(error, SignatureError::Other { .. });
        assert!(other(verify(&note, key.public(), &name, &Version::new(1, 0, 1), digest).unwrap_err()));
        assert!(other(verify(&note, key.public(), &name, &version, Digest::of(b"other")).unwrap_err()));
        assert!(other(verify(&note, key.public(), &"acme/other".parse().unwrap(), &version, digest).unwrap_err()));
        let stranger = self::key("acme", 2);
        let error = verify(&note, stranger.public(), &name, &version, digest).unwrap_err().to_string();
        assert!(error.starts_with("no signature of acme"), "{error}");
        // Its line says that it is of the key, and it isn't.
        let mut forged = sign(&stranger, &name, &version, digest).unwrap();
        let line = forged.signatures()[0].clone();
        forged.add(assize_ledger::NoteSignature { key: key.public().id(), ..line });
        let forged = forged.to_string();
        assert_eq!(signer(forged.as_bytes()), Err(SignatureError::Count(2)));
        assert!(matches!(
            verify(&forged, key.public(), &name, &version, digest),
            Err(SignatureError::Note(NoteError::Signature { .. }))
        ));
    }

    #[test]
    fn signatures_of_one_file_come_apart() {
        let (name, version): (PackageName, Version) = ("acme/law".parse().unwrap(), Version::new(1, 0, 0));
        let digest = Digest::of(b"component");
        let mut both = sign(&key("acme", 1), &name, &version, digest).unwrap();
        both.sign(&key("acme", 2));
        let parts = apart(both.to_string().as_bytes(), &name, &version, digest).unwrap();
        assert_eq!(parts.len(), 2);
        for (part, seed) in parts.iter().zip([1, 2]) {
            let (bytes, key) = (part.to_string(), key("acme", seed));
            verify_signature(bytes.as_bytes(), key.public(), &name, &version, digest).unwrap();
            assert_eq!(signer(bytes.as_bytes()).unwrap().1, key.public().id());
        }
        let error = apart(both.to_string().as_bytes(), &name, &version, Digest::ZERO).unwrap_err();
        assert!(matches!(error, SignatureError::Other { .. }), "{error}");
    }

    #[test]
    fn a_key_of_one_namespace_signs_in_no_other() {
        let (name, version): (PackageName, Version) = ("acme/law".parse().unwrap(), Version::new(1, 0, 0));
        let error = sign(&key("other", 1), &name, &version, Digest::ZERO).unwrap_err();
        assert!(matches!(error, SignatureError::Namespace { .. }), "{error}");
        let witness = SignerKey::from_seed("acme", Algorithm::Cosignature, [1; 32]).unwrap();
        assert_eq!(sign(&witness, &name, &version, Digest::ZERO).unwrap_err(), SignatureError::Algorithm);
    }
}
