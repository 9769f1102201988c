//! Who signed a token, and how.

use super::*;

#[test]
fn every_way_to_sign_is_checked() {
    for (key, hash) in [
        ("P-256", "sha256"),
        ("P-384", "sha256"),
        ("P-256", "sha384"),
        ("P-384", "sha384"),
        ("RSA", "sha256"),
        ("RSA", "sha384"),
        ("RSA", "sha512"),
    ] {
        let signer = HOUSE.issue(&Profile::stamper(&format!("{key} {hash}")).key(key));
        let token = ask(&HOUSE.certificates, &signer, &format!("signer_digest = {hash}"));
        let stamp = HOUSE.verify(&token).unwrap_or_else(|error| panic!("{key} {hash}: {error}"));
        assert_eq!(stamp.signer, digest_of(&HOUSE.certificates, &signer));
        assert_eq!(stamp.authority, format!("CN={key} {hash},O=Assize tests"));
        assert_eq!((stamp.accuracy_ms, stamp.policy.as_str()), (Some(1_500), "1.2.3.4.1"));
    }
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let sign = |options: &[&str]| HOUSE.verify(&HOUSE.signed(&info_of(&HOUSE.token), &[&HOUSE.stamper], options));
    let error = sign(&["-cades", "-md", "sha1"]).unwrap_err();
    assert!(matches!(error, StampError::Algorithm { what: "signer's digest algorithm", .. }), "{error}");
    let error = sign(&["-cades", "-md", "sha512"]).unwrap_err();
    assert!(matches!(error, StampError::Algorithm { what: "signature algorithm", .. }), "{error}");
}

#[test]
fn the_signer_may_be_named_by_sha_1_or_any_sha_2() {
    for hash in ["sha1", "sha256", "sha384", "sha512"] {
        let token = ask(&HOUSE.certificates, &HOUSE.stamper, &format!("ess_cert_id_alg = {hash}"));
        let stamp = HOUSE.verify(&token).unwrap_or_else(|error| panic!("{hash}: {error}"));
        assert_eq!(stamp.signer, digest_of(&HOUSE.certificates, &HOUSE.stamper));
    }
}

#[test]
fn the_signer_may_be_identified_by_its_key() {
    let token = HOUSE.signed(&info_of(&HOUSE.token), &[&HOUSE.stamper], &["-cades", "-keyid"]);
    assert!(HOUSE.verify(&token).is_ok());
}

#[test]
fn the_signed_attributes_have_to_name_the_signer() {
    let token = HOUSE.signed(&info_of(&HOUSE.token), &[&HOUSE.stamper], &[]);
    let expected = StampError::Count { what: "signing-certificate attributes", found: 0 };
    assert_eq!(HOUSE.verify(&token), Err(expected));
}

#[test]
fn without_signed_attributes_nothing_is_named() {
    let token = HOUSE.signed(&info_of(&HOUSE.token), &[&HOUSE.stamper], &["-noattr"]);
    assert_eq!(HOUSE.verify(&token), Err(StampError::Count { what: "content-type attribute", found: 0 }));
}

#[test]
fn a_token_has_one_signer() {
    let other = HOUSE.issue(&Profile::stamper("Second"));
    let token = HOUSE.signed(&info_of(&HOUSE.token), &[&HOUSE.stamper, &other], &["-cades"]);
    assert_eq!(HOUSE.verify(&token), Err(StampError::Count { what: "signers", found: 2 }));
    let token = replaced(&HOUSE.token, SIGNERS, &|signers| element_of(signers, &[]));
    assert_eq!(HOUSE.verify(&token), Err(StampError::Count { what: "signers", found: 0 }));
}

#[test]
fn the_signature_is_over_a_token_and_nothing_else() {
    let options = ["-cades", "-econtent_type", "1.2.840.113549.1.7.1"];
    let token = HOUSE.signed(&info_of(&HOUSE.token), &[&HOUSE.stamper], &options);
    let error = HOUSE.verify(&token).unwrap_err();
    assert!(matches!(error, StampError::Field { .. }), "{error}");
    // Relabelled: the signed attributes still say what it was.
    let kind = children(children(children(children(&HOUSE.token)[1])[0])[2])[0].to_vec();
    let relabelled = replaced(&token, &[1, 0, 2, 0], &|_| kind.clone());
    let relabelled = replaced(&relabelled, &[1, 0, 0], &|_| vec![0x02, 0x01, 0x03]);
    let error = HOUSE.verify(&relabelled).unwrap_err();
    assert!(matches!(error, StampError::Field { what: "content-type attribute", .. }), "{error}");
}
