//! Salted commitments: an entry binds bytes that may be erased one day, without saying what they are.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Digest;

/// 32 random bytes, one for each commitment. Erased together with what was committed to: a hash of a phone number
/// without a salt *is* the phone number.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

/// HMAC-SHA256 (RFC 2104) of exact bytes, keyed by a [`Salt`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment([u8; 32]);

impl Salt {
    /// Takes 32 bytes from a cryptographic random source.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Commitment {
    /// Commits to `bytes`.
    pub fn to(salt: &Salt, bytes: &[u8]) -> Self {
        Self(mac(salt, bytes).finalize().into_bytes().into())
    }

    /// Whether this is the commitment to `bytes` under `salt`; takes the same time wherever they differ.
    pub fn verify(&self, salt: &Salt, bytes: &[u8]) -> bool {
        mac(salt, bytes).verify_slice(&self.0).is_ok()
    }

    /// Takes 32 bytes that are already a commitment.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// HMAC keyed by the salt, which it pads with zeros to a block of 64 bytes (RFC 2104, 2).
fn mac(salt: &Salt, bytes: &[u8]) -> Hmac<Sha256> {
    let mut key = [0; 64];
    for (to, from) in key.iter_mut().zip(salt.0) {
        *to = from;
    }
    let mut mac = Hmac::<Sha256>::new(&key.into());
    mac.update(bytes);
    mac
}

/// A salt is a secret until it is erased.
impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Digest::from_bytes(self.0), f)
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_rfc_4231() {
        // Case 1's key is 20 bytes; HMAC pads keys with zeros to a block, so as a salt it is followed by 12 of them.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let commitment = Commitment::to(&Salt::from_bytes(key), b"Hi There");
        assert_eq!(commitment.to_string(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    #[test]
    fn binds_salt_and_bytes() {
        let (salt, other) = (Salt::from_bytes([1; 32]), Salt::from_bytes([2; 32]));
        let commitment = Commitment::to(&salt, b"+55 11 91234-5678");
        assert!(commitment.verify(&salt, b"+55 11 91234-5678"));
        assert!(!commitment.verify(&other, b"+55 11 91234-5678"));
        assert!(!commitment.verify(&salt, b"+55 11 91234-5679"));
    }
}
