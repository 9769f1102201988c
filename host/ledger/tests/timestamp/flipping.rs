//! A token's bytes may change without its meaning changing; its meaning may not change.

use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::*;

/// Flips every bit of a token; how many flips were refused, and at which bytes one wasn't.
fn flip_all(token: &[u8]) -> (u32, Vec<usize>) {
    let trust = HOUSE.trust();
    let stamp = verify(token, imprint(), &trust).unwrap();
    let (mut refused, mut accepted) = (0, Vec::new());
    let mut flipped = token.to_vec();
    for bit in 0..token.len() * 8 {
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        flipped[byte] ^= mask;
        match verify(&flipped, imprint(), &trust) {
            Ok(other) => {
                assert_eq!(other, stamp, "bit {bit}");
                accepted.push(byte);
            }
            Err(_) => refused += 1,
        }
        flipped[byte] ^= mask;
    }
    (refused, accepted)
}

#[test]
fn a_flipped_bit_is_noticed() {
    let rsa = HOUSE.issue(&Profile::stamper("Stamper").key("RSA"));
    let by_sha1 = ask(&HOUSE.certificates, &HOUSE.stamper, "ess_cert_id_alg = sha1");
    let tokens = [("P-256", HOUSE.token.clone()), ("RSA", ask(&HOUSE.certificates, &rsa, "")), ("by SHA-1", by_sha1)];
    for (name, token) in tokens {
        let (refused, accepted) = flip_all(&token);
        println!("{name}: {refused} flips refused, {} accepted", accepted.len());
        assert!(accepted.is_empty(), "{name}: flips at {accepted:?} go unnoticed");
    }
}

#[test]
fn a_bit_flipped_outside_the_chain_changes_nothing() {
    let root = HOUSE.root.pem();
    let token = HOUSE.signed(
        &info_of(&HOUSE.token),
        &[&HOUSE.stamper],
        &["-cades", "-certfile", text_of(&HOUSE.root.certificate)],
    );
    let (refused, accepted) = flip_all(&token);
    println!("with the root in it: {refused} flips refused, {} accepted with an equal stamp", accepted.len());
    let certificates = children(children(children(&token)[1])[0])[3];
    let root = CertificateDer::from_pem_slice(&root).unwrap();
    let stranger = children(certificates).into_iter().find(|one| *one == root.as_ref()).unwrap();
    let start = stranger.as_ptr() as usize - token.as_ptr() as usize;
    assert!(!accepted.is_empty());
    let outside = |byte: &&usize| !(start..start + stranger.len()).contains(*byte);
    assert_eq!(accepted.iter().find(outside), None, "only the embedded root isn't used");
}

/// The order of P-256 (SEC 2, 2.4.2).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// `ORDER − number`, without zeros before it but for one that a first bit demands.
fn negated(number: &[u8]) -> Vec<u8> {
    let order = hex::decode(ORDER).unwrap();
    let mut borrow = 0;
    let mut result: Vec<u8> = (0..order.len())
        .map(|n| {
            let digit = number.len().checked_sub(n + 1).map_or(0, |at| number[at]);
            let difference = i16::from(order[order.len() - n - 1]) - i16::from(digit) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).unwrap()
        })
        .collect();
    while result.last() == Some(&0) {
        result.pop();
    }
    if result.last().is_some_and(|byte| *byte >= 0x80) {
        result.push(0);
    }
    result.reverse();
    result
}

#[test]
fn the_other_signature_of_an_ecdsa_signer_says_the_same() {
    let signature = [SIGNER, &[5]].concat();
    let other = replaced(&HOUSE.token, &signature, &|octets| {
        let value = AnyRef::from_der(octets).unwrap().value();
        element_of(octets, &replaced(value, &[1], &|s| element_of(s, &negated(AnyRef::from_der(s).unwrap().value()))))
    });
    assert_ne!(other, HOUSE.token);
    assert_eq!(HOUSE.verify(&other), HOUSE.verify(&HOUSE.token));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_damage_changes_what_a_token_says(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let stamp = HOUSE.verify(&HOUSE.token).unwrap();
        let mut token = HOUSE.token.clone();
        for (place, byte, kind) in damage {
            let at = place.index(token.len());
            match kind {
                0 => token[at] = byte,
                1 => token.insert(at, byte),
                _ => drop(token.remove(at)),
            }
        }
        if let Ok(other) = HOUSE.verify(&token) {
            prop_assert_eq!(other, stamp);
        }
    }
}
