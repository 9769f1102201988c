//! Time-stamp tokens: those of others, those made to deceive, and those of a real authority.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::missing_panics_doc)]

// The end-to-end tests' helpers, by their path: their crate needs the whole product, this one shouldn't.
#[path = "../../../../tests/src/authority.rs"]
#[allow(dead_code, unreachable_pub)]
mod authority;
#[path = "../../../../tests/src/certificates.rs"]
#[allow(dead_code, unreachable_pub)]
mod certificates;

mod asking;
mod flipping;
mod forging;
mod signing;
mod trusting;
mod vectors;

use std::fs;
use std::sync::LazyLock;

use assize_ledger::Digest;
use assize_ledger::timestamp::{Query, Stamp, StampError, Trust, verify};
use authority::stamp;
use certificates::{Certificates, Issued, Profile, text_of};
use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, Reader as _, SliceReader};

/// What is stamped in these tests: the body of a checkpoint.
const MESSAGE: &[u8] = b"example.org/log\n1\nDBEFoxlkN/8lu95bZ8H4F6GPpRAh/YY5Ln5mAHkibTg=\n";

fn imprint() -> Digest {
    Digest::of(MESSAGE)
}

/// A root and a signer that it vouches for, for the tests that need no others.
struct House {
    certificates: Certificates,
    root: Issued,
    stamper: Issued,
    /// A token for [`MESSAGE`].
    token: Vec<u8>,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let certificates = Certificates::new();
    let root = certificates.root(&Profile::issuer("Root"));
    let stamper = certificates.issue(&Profile::stamper("Stamper"), &root);
    let token = ask(&certificates, &stamper, "");
    House { certificates, root, stamper, token }
});

impl House {
    fn trust(&self) -> Trust {
        Trust::from_pem(&self.root.pem()).unwrap()
    }

    /// Checks a token for [`MESSAGE`].
    fn verify(&self, token: &[u8]) -> Result<Stamp, StampError> {
        verify(token, imprint(), &self.trust())
    }

    /// A certificate that its root vouches for.
    fn issue(&self, profile: &Profile) -> Issued {
        self.certificates.issue(profile, &self.root)
    }

    /// The token's content, signed by whom `openssl ts` wouldn't let sign it.
    fn signed_by(&self, signer: &Issued) -> Vec<u8> {
        self.signed(&info_of(&self.token), &[signer], &["-cades"])
    }

    /// What `openssl cms -sign` makes of a `TSTInfo`.
    fn signed(&self, info: &[u8], signers: &[&Issued], options: &[&str]) -> Vec<u8> {
        let (content, token) = (self.certificates.file("info"), self.certificates.file("tst"));
        fs::write(&content, info).unwrap();
        let mut arguments = vec!["cms", "-sign", "-binary", "-nodetach", "-outform", "DER"];
        arguments.extend(["-in", text_of(&content), "-out", text_of(&token)]);
        if !options.contains(&"-econtent_type") {
            arguments.extend(["-econtent_type", "1.2.840.113549.1.9.16.1.4"]);
        }
        for signer in signers {
            arguments.extend(["-signer", text_of(&signer.certificate), "-inkey", text_of(&signer.key)]);
        }
        arguments.extend(options);
        self.certificates.openssl(&arguments);
        fs::read(token).unwrap()
    }
}

/// A token for [`MESSAGE`] from `openssl ts`, with these lines in its configuration.
fn ask(certificates: &Certificates, signer: &Issued, options: &str) -> Vec<u8> {
    token_of(&stamp(certificates, signer, &Query::new(imprint(), 1).to_der().unwrap(), options))
}

/// SHA-256 of a certificate.
fn digest_of(certificates: &Certificates, issued: &Issued) -> Digest {
    Digest::of(&certificates.openssl(&["x509", "-in", text_of(&issued.certificate), "-outform", "DER"]))
}

/// The token in a response: what follows the status.
fn token_of(response: &[u8]) -> Vec<u8> {
    children(response)[1].to_vec()
}

/// DER of the `TSTInfo` in a token.
fn info_of(token: &[u8]) -> Vec<u8> {
    let data = children(children(token)[1])[0];
    let content = children(children(children(data)[2])[1])[0];
    AnyRef::from_der(content).unwrap().value().to_vec()
}

/// The elements of a constructed element.
fn children(element: &[u8]) -> Vec<&[u8]> {
    let mut reader = SliceReader::new(AnyRef::from_der(element).unwrap().value()).unwrap();
    let mut children = Vec::new();
    while !reader.is_finished() {
        children.push(reader.tlv_bytes().unwrap());
    }
    children
}

/// The element with the one at `path` (the place among its parent's elements, from the outside in) replaced.
fn replaced(element: &[u8], path: &[usize], new: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let Some((first, rest)) = path.split_first() else { return new(element) };
    let parts = children(element).into_iter().enumerate();
    let parts = parts.map(|(n, part)| if n == *first { replaced(part, rest, new) } else { part.to_vec() });
    element_of(element, &parts.collect::<Vec<_>>().concat())
}

/// An element with the tag of `like`.
fn element_of(like: &[u8], content: &[u8]) -> Vec<u8> {
    let tag = der::Tagged::tag(&AnyRef::from_der(like).unwrap());
    AnyRef::new(tag, content).unwrap().to_der().unwrap()
}

/// Where in a token the certificates are.
const CERTIFICATES: &[usize] = &[1, 0, 3];
/// Where in a token the signers are, and the first of them.
const SIGNERS: &[usize] = &[1, 0, 4];
const SIGNER: &[usize] = &[1, 0, 4, 0];
