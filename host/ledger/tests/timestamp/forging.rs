//! Tokens that were altered, or put together, to say something else.

use super::*;

fn der_of(issued: &Issued) -> Vec<u8> {
    HOUSE.certificates.openssl(&["x509", "-in", text_of(&issued.certificate), "-outform", "DER"])
}

#[test]
fn certificates_put_beside_the_signers_change_nothing() {
    let stamp = HOUSE.verify(&HOUSE.token).unwrap();
    let foreign = HOUSE.certificates.root(&Profile::issuer("Root"));
    let namesake = HOUSE.certificates.issue(&Profile::stamper("Stamper"), &foreign);
    let strangers = [der_of(&namesake), der_of(&foreign)].concat();
    let inject = |before: bool| {
        replaced(&HOUSE.token, CERTIFICATES, &|set| {
            let (own, strangers) = (children(set).concat(), strangers.clone());
            element_of(set, &if before { [strangers, own] } else { [own, strangers] }.concat())
        })
    };
    assert_eq!(HOUSE.verify(&inject(true)), Ok(stamp.clone()));
    assert_eq!(HOUSE.verify(&inject(false)), Ok(stamp));
}

#[test]
fn the_signers_certificate_cannot_be_exchanged() {
    let namesake = HOUSE.issue(&Profile::stamper("Stamper"));
    let exchanged = replaced(&HOUSE.token, CERTIFICATES, &|set| element_of(set, &der_of(&namesake)));
    let error = HOUSE.verify(&exchanged).unwrap_err();
    assert!(matches!(error, StampError::NoSigner { found: 1, .. }), "{error}");
    // The identifier that the signature doesn't cover names the one, the signed attributes the other.
    let other = ask(&HOUSE.certificates, &namesake, "");
    let identifier = children(children(children(children(children(&other)[1])[0])[4])[0])[1].to_vec();
    let path = [SIGNER, &[1]].concat();
    let error = HOUSE.verify(&replaced(&HOUSE.token, &path, &|_| identifier.clone())).unwrap_err();
    assert!(matches!(error, StampError::Field { what: "signer identifier", .. }), "{error}");
}

#[test]
fn another_content_is_noticed() {
    let content = |token: &[u8]| children(children(token)[1])[0].to_vec();
    let other = ask(&HOUSE.certificates, &HOUSE.stamper, "accuracy = secs:2");
    let encapsulated = children(&content(&other))[2].to_vec();
    let error = HOUSE.verify(&replaced(&HOUSE.token, &[1, 0, 2], &|_| encapsulated.clone())).unwrap_err();
    assert!(matches!(error, StampError::MessageDigest { .. }), "{error}");
}

#[test]
fn another_hash_is_noticed() {
    let expected = StampError::Imprint { found: imprint().into(), expected: Digest::ZERO.into() };
    assert_eq!(verify(&HOUSE.token, Digest::ZERO, &HOUSE.trust()), Err(expected));
}

#[test]
fn nothing_follows_a_token_nor_what_is_in_it() {
    let error = HOUSE.verify(&[HOUSE.token.as_slice(), &[0]].concat()).unwrap_err();
    assert!(matches!(error, StampError::Malformed { what: "token", .. }), "{error}");
    // Signed as it is.
    let info = [info_of(&HOUSE.token), vec![0x05, 0x00]].concat();
    let error = HOUSE.verify(&HOUSE.signed(&info, &[&HOUSE.stamper], &["-cades"])).unwrap_err();
    assert!(matches!(error, StampError::Malformed { what: "TSTInfo", .. }), "{error}");
    for path in [&[1][..], &[1, 0], &[1, 0, 2], SIGNER, CERTIFICATES, SIGNERS] {
        let longer = |part: &[u8]| element_of(part, &[children(part).concat(), vec![0x05]].concat());
        let error = HOUSE.verify(&replaced(&HOUSE.token, path, &longer)).unwrap_err();
        assert!(matches!(error, StampError::Malformed { .. }), "{path:?}: {error}");
    }
}

#[test]
fn lengths_have_one_form() {
    assert_eq!(HOUSE.token[..2], [0x30, 0x82]);
    let longer = [&[0x30, 0x83, 0x00], &HOUSE.token[2..]].concat();
    assert!(matches!(HOUSE.verify(&longer), Err(StampError::Malformed { .. })));
    let indefinite = [&[0x30, 0x80], &HOUSE.token[4..], &[0, 0]].concat();
    assert!(matches!(HOUSE.verify(&indefinite), Err(StampError::Malformed { .. })));
}

#[test]
fn attributes_said_twice_are_refused() {
    let attributes = [SIGNER, &[3]].concat();
    for n in 0..children(children(children(children(children(children(&HOUSE.token)[1])[0])[4])[0])[3]).len() {
        let twice = replaced(&HOUSE.token, &attributes, &|set| {
            let mut parts = children(set);
            parts.push(parts[n]);
            element_of(set, &parts.concat())
        });
        let error = HOUSE.verify(&twice).unwrap_err();
        assert!(matches!(error, StampError::Count { found: 2, .. } | StampError::Signature { .. }), "{error}");
    }
}

#[test]
fn what_the_content_says_is_understood_or_refused() {
    let info = info_of(&HOUSE.token);
    let with = |path: &[usize], new: &dyn Fn(&[u8]) -> Vec<u8>| {
        HOUSE.verify(&HOUSE.signed(&replaced(&info, path, new), &[&HOUSE.stamper], &["-cades"]))
    };
    let error = with(&[0], &|_| vec![0x02, 0x01, 0x02]).unwrap_err();
    assert!(matches!(error, StampError::Field { what: "TSTInfo version", .. }), "{error}");
    for time in ["20261122125028.50Z", "202611221250Z", "20261122125028+0100", "20261122125060Z"] {
        let error = with(&[4], &|old| element_of(old, time.as_bytes())).unwrap_err();
        assert_eq!(error, StampError::GenTime { found: time.to_owned() });
    }
    // [1] with an extension 1.2.3.4 that is critical, and one that isn't.
    let extended =
        |extension: &[u8]| with(&[], &|info| element_of(info, &[&children(info).concat(), extension].concat()));
    let critical = [0xa1, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x01, 0x01, 0xff, 0x04, 0x00];
    let found = "1.2.3.4".to_owned();
    assert_eq!(extended(&critical), Err(StampError::CriticalExtension { of: "TSTInfo", found }));
    let other = [0xa1, 0x09, 0x30, 0x07, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x04, 0x00];
    assert!(extended(&other).is_ok());
}
