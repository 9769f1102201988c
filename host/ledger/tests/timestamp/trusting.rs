//! Whose word counts.

use assize_ledger::Timestamp;

use super::*;

/// The token's content with another `genTime`, of the same length.
fn stamped_at(time: &str) -> Vec<u8> {
    let info = info_of(&HOUSE.token);
    replaced(&info, &[4], &|old| element_of(old, time.as_bytes()))
}

#[test]
fn a_certificate_counts_while_it_is_valid() {
    let signer = HOUSE.issue(&Profile::stamper("Short-lived").valid("20210101000000Z", "20220101000000Z"));
    let at = |time| HOUSE.verify(&HOUSE.signed(&stamped_at(time), &[&signer], &["-cades"]));
    for time in ["20210101000000Z", "20210601000000.5Z", "20220101000000Z", "20220101000000.999Z"] {
        assert!(at(time).is_ok(), "{time}: what it said while it was valid stands");
    }
    for time in ["20201231235959Z", "20201231235959.999Z", "20220101000001Z", "20261122125028Z"] {
        let error = at(time).unwrap_err();
        let StampError::Validity { certificate, from, to, .. } = &error else { panic!("{time}: {error}") };
        assert_eq!(certificate, "CN=Short-lived,O=Assize tests");
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("2021-01-01T00:00:00.000Z".into(), "2022-01-01T00:00:00.000Z".into())
        );
    }
    assert_eq!(at("20210601000000.5Z").unwrap().gen_time, "2021-06-01T00:00:00.500Z".parse::<Timestamp>().unwrap());
}

#[test]
fn issuers_and_roots_count_while_they_are_valid() {
    let certificates = &HOUSE.certificates;
    let span = |profile: Profile| profile.valid("20210101000000Z", "20220101000000Z");
    let old_root = certificates.root(&span(Profile::issuer("Old root")));
    let signer = certificates.issue(&Profile::stamper("Stamper"), &old_root);
    let check = |root: &Issued, signer: &Issued, options: &[&str], time| {
        let token = HOUSE.signed(&stamped_at(time), &[signer], &[&["-cades"], options].concat());
        verify(&token, imprint(), &Trust::from_pem(&root.pem()).unwrap())
    };
    assert_eq!(check(&old_root, &signer, &[], "20210601000000Z").unwrap().chain.len(), 2);
    let error = check(&old_root, &signer, &[], "20220601000000Z").unwrap_err();
    assert!(matches!(error, StampError::Chain { roots: 0, .. }), "{error}");

    let old_issuer = HOUSE.issue(&span(Profile::issuer("Old issuer")));
    let signer = certificates.issue(&Profile::stamper("Stamper"), &old_issuer);
    let with = ["-certfile", text_of(&old_issuer.certificate)];
    assert_eq!(check(&HOUSE.root, &signer, &with, "20210601000000Z").unwrap().chain.len(), 3);
    let error = check(&HOUSE.root, &signer, &with, "20220601000000Z").unwrap_err();
    assert!(matches!(&error, StampError::Chain { roots: 1, reason, .. } if reason.contains("Expired")), "{error}");
}

#[test]
fn a_foreign_authority_is_not_believed_whatever_it_is_called() {
    let root = HOUSE.certificates.root(&Profile::issuer("Root"));
    let signer = HOUSE.certificates.issue(&Profile::stamper("Stamper"), &root);
    let error = HOUSE.verify(&ask(&HOUSE.certificates, &signer, "")).unwrap_err();
    assert!(matches!(error, StampError::Chain { .. }), "{error}");
}

#[test]
fn a_signer_is_for_time_stamping_and_nothing_else() {
    let usage = |extensions| {
        let signer = HOUSE.issue(&Profile::new("Signer", extensions));
        HOUSE.verify(&HOUSE.signed_by(&signer)).unwrap_err()
    };
    for (extensions, expected) in [
        ("keyUsage = critical, digitalSignature", "none"),
        ("extendedKeyUsage = timeStamping", "not critical 1.3.6.1.5.5.7.3.8"),
        ("extendedKeyUsage = critical, serverAuth", "critical 1.3.6.1.5.5.7.3.1"),
        ("extendedKeyUsage = critical, timeStamping, serverAuth", "critical 1.3.6.1.5.5.7.3.8, 1.3.6.1.5.5.7.3.1"),
    ] {
        let error = usage(extensions);
        let StampError::ExtendedKeyUsage { found, .. } = &error else { panic!("{extensions}: {error}") };
        assert_eq!(found, expected);
    }
    let error = usage("keyUsage = critical, keyEncipherment\nextendedKeyUsage = critical, timeStamping");
    assert!(matches!(error, StampError::KeyUsage { .. }), "{error}");
    let error = usage("basicConstraints = critical, CA:true\nextendedKeyUsage = critical, timeStamping");
    assert!(matches!(error, StampError::Chain { .. }), "{error}");
}

#[test]
fn an_issuer_may_issue_what_it_issued() {
    let check = |extensions: &str| {
        let issuer = HOUSE.issue(&Profile::new("Issuer", extensions));
        let signer = HOUSE.certificates.issue(&Profile::stamper("Stamper"), &issuer);
        let options = ["-cades", "-certfile", text_of(&issuer.certificate)];
        HOUSE.verify(&HOUSE.signed(&info_of(&HOUSE.token), &[&signer], &options))
    };
    let issuer = "basicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign";
    assert_eq!(check(issuer).unwrap().chain.len(), 3);
    assert_eq!(check(&format!("{issuer}\nextendedKeyUsage = timeStamping")).unwrap().chain.len(), 3);
    let error = check(&format!("{issuer}\nextendedKeyUsage = serverAuth")).unwrap_err();
    assert!(matches!(error, StampError::Chain { .. }), "{error}");
    let error = check("basicConstraints = critical, CA:false\nkeyUsage = critical, keyCertSign").unwrap_err();
    assert!(matches!(error, StampError::Chain { .. }), "{error}");
    let error = check("basicConstraints = critical, CA:true\nkeyUsage = critical, digitalSignature").unwrap_err();
    assert!(matches!(error, StampError::KeyUsage { expected: "keyCertSign", .. }), "{error}");
}

#[test]
fn a_signer_and_a_policy_can_be_demanded() {
    let signer = digest_of(&HOUSE.certificates, &HOUSE.stamper);
    let check = |trust: Trust| verify(&HOUSE.token, imprint(), &trust);
    assert!(check(HOUSE.trust().pinned(vec![Digest::ZERO, signer])).is_ok());
    assert!(check(HOUSE.trust().policies(vec!["1.2.3.4.1".into()])).is_ok());
    let expected = StampError::NotPinned { found: signer, expected: vec![Digest::ZERO] };
    assert_eq!(check(HOUSE.trust().pinned(vec![Digest::ZERO])), Err(expected));
    let expected = StampError::Policy { found: "1.2.3.4.1".into(), expected: vec!["1.2.3.4".into()] };
    assert_eq!(check(HOUSE.trust().policies(vec!["1.2.3.4".into()])), Err(expected));
    assert!(check(HOUSE.trust().pinned(vec![])).is_err(), "no signer is allowed, not any");
}

#[test]
fn something_has_to_be_trusted() {
    assert_eq!(Trust::from_pem(b"").unwrap_err(), StampError::NoRoot { found: 0 });
    assert_eq!(Trust::from_pem(&HOUSE.stamper.pem()).unwrap_err(), StampError::NoRoot { found: 1 });
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = Trust::from_pem(&[HOUSE.root.pem(), broken.to_vec()].concat()).unwrap_err();
    assert!(matches!(error, StampError::Trusted { number: 2, .. }), "{error}");
    let error = verify(&HOUSE.token, imprint(), &Trust::default()).unwrap_err();
    assert!(matches!(error, StampError::Chain { roots: 0, .. }), "{error}");
}
