//! A token's bytes may change without its meaning changing; its meaning may not change.

use proptest::prelude::*;

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
fn no_flipped_bit_changes_what_a_token_says() {
    let rsa = HOUSE.issue(&Profile::stamper("Stamper").key("RSA"));
    let by_sha1 = ask(&HOUSE.certificates, &HOUSE.stamper, "ess_cert_id_alg = sha1");
    let tokens = [("P-256", HOUSE.token.clone()), ("RSA", ask(&HOUSE.certificates, &rsa, "")), ("by SHA-1", by_sha1)];
    for (name, token) in tokens {
        let (refused, accepted) = flip_all(&token);
        println!("{name}: {refused} flips refused, {} accepted with an equal stamp", accepted.len());
        let start = |part: &[u8]| part.as_ptr() as usize - token.as_ptr() as usize;
        let data = children(children(children(&token)[1])[0]);
        let signer = children(data[4])[0];
        // Those that the documentation names: versions, digest algorithms.
        let free = [data[0], data[1], children(signer)[0]];
        for byte in accepted {
            assert!(
                free.iter().any(|part| (start(part)..start(part) + part.len()).contains(&byte)),
                "{name}: byte {byte} isn't covered, nor said to be free"
            );
        }
    }
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
