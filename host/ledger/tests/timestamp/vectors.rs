//! Tokens that other software made: OpenSSL, Sigstore, and a commercial authority.

use std::path::{Path, PathBuf};

use assize_ledger::timestamp::{HashAlgorithm, Imprint, accept};

use super::*;

/// The folder of vectors; none where the shared data is absent.
fn vectors(name: &str) -> Option<PathBuf> {
    let shared = std::env::var("ASSIZE_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let path = Path::new(&shared).join("vectors").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").is_err(), "{} is missing", path.display());
    println!("skipped: {} is missing", path.display());
    None
}

struct Case<'a> {
    folder: &'a Path,
    good: u32,
    bad: u32,
}

impl Case<'_> {
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn trust(&self, name: &str) -> Trust {
        let bytes = self.read(name);
        let trust = if bytes.starts_with(&[0x30]) { Trust::from_der([bytes]) } else { Trust::from_pem(&bytes) };
        trust.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn check(&self, response: &str, imprint: Imprint, trust: &Trust) -> Result<Stamp, StampError> {
        verify(&token_of(&self.read(response)), imprint, trust)
    }

    fn good(&mut self, response: &str, imprint: Imprint, trust: &Trust) -> Stamp {
        self.good += 1;
        self.check(response, imprint, trust).unwrap_or_else(|error| panic!("{response}: {error}"))
    }

    fn bad(&mut self, response: &str, imprint: Imprint, trust: &Trust) -> StampError {
        self.bad += 1;
        let error = self.check(response, imprint, trust).expect_err(response);
        println!("refused {response}: {error}");
        error
    }
}

#[test]
fn tokens_of_others_are_told_apart() {
    let Some(folder) = vectors("rfc3161-trailofbits/test/fixtures") else { return };
    let mut case = Case { folder: &folder, good: 0, bad: 0 };
    let hello = |algorithm| Imprint::of(algorithm, b"hello");
    let (sha256, sha384, sha512) =
        (hello(HashAlgorithm::Sha256), hello(HashAlgorithm::Sha384), hello(HashAlgorithm::Sha512));

    // Sigstore's staging authority: a signer right under a root, both in one file.
    let stage = case.trust("sigstage/ts_chain.pem");
    for (name, imprint) in [("sha256", &sha256), ("sha384", &sha384), ("sha512", &sha512)] {
        let stamp = case.good(&format!("sigstage/response-{name}.tsr"), imprint.clone(), &stage);
        assert_eq!(stamp.authority, "CN=sigstore-tsa,O=sigstore.dev");
        assert_eq!(stamp.policy, "1.3.6.1.4.1.57264.2");
        assert_eq!(stamp.accuracy_ms, Some(1_000));
        assert_eq!(stamp.chain.len(), 2);
        assert_eq!(stamp.imprint, *imprint);
    }
    let stamp = case.good("sigstage/response-sha256.tsr", sha256.clone(), &stage);
    assert_eq!(stamp.serial, "784b4c5e57aaa63b570f15cba4df95251668ae9e");
    assert_eq!(stamp.gen_time.to_string(), "2025-05-09T11:58:55.000Z");
    // Its signer's certificate isn't in the token, but beside the root; then it's nowhere.
    case.good("sigstage/response-no-embedded-cert.tsr", sha256.clone(), &stage);
    let test = case.trust("test_tsa/ts_chain.pem");
    let error = case.bad("sigstage/response-no-embedded-cert.tsr", sha256.clone(), &test);
    assert!(matches!(error, StampError::NoSigner { found: 2, .. }), "{error}");
    let error = case.bad("sigstage/response-invalid-signature.tsr", sha256.clone(), &stage);
    assert!(matches!(error, StampError::Signature { .. }), "{error}");
    let error = case.bad("sigstage/response-sha512.tsr", sha256.clone(), &stage);
    assert!(matches!(error, StampError::Imprint { .. }), "{error}");
    let error = case.bad("sigstage/response-sha256.tsr", sha256, &test);
    assert!(matches!(error, StampError::Chain { .. }), "{error}");

    // A local authority with an issuer in between.
    let stamp = case.good("test_tsa/response.tsr", sha512.clone(), &test);
    assert_eq!((stamp.gen_time.as_millis(), stamp.chain.len()), (1_728_402_032_000, 3));
    let injected = case.good("test_tsa/response-injected-certs.tsr", sha512.clone(), &test);
    assert_eq!(injected, stamp);
    // What was put beside the signer's certificate can be pinned, and doesn't help.
    let token = token_of(&case.read("test_tsa/response-injected-certs.tsr"));
    let strangers: Vec<Digest> = certificates_of(&token).into_iter().filter(|one| *one != stamp.signer).collect();
    assert_eq!(strangers.len(), 2);
    let error = case.bad("test_tsa/response-injected-certs.tsr", sha512.clone(), &test.clone().pinned(strangers));
    assert!(matches!(error, StampError::NotPinned { found, .. } if found == stamp.signer), "{error}");
    let error = case.bad("test_tsa/other_response.tsr", sha512.clone(), &test);
    assert!(matches!(error, StampError::Chain { .. }), "{error}");

    // A commercial authority: RSA, a root in DER, a token over SHA-512.
    let identrust = case.trust("identrust/ts_chain.pem");
    let stamp = case.good("identrust/issue-104.tsr", sha512.clone(), &identrust);
    assert_eq!((stamp.gen_time.as_millis(), stamp.accuracy_ms), (1_741_683_128_000, None));
    let error = case.bad("identrust/issue-104.tsr", sha512, &test);
    assert!(matches!(error, StampError::Chain { .. }), "{error}");

    // Its certificate was over at the end of 2023, long before anybody checks it here; the token is from before that.
    let mock = case.trust("sigstore.mock/ts_chain.pem");
    let payload = Imprint::of(HashAlgorithm::Sha256, &case.read("sigstore.mock/payload"));
    let stamp = case.good("sigstore.mock/response-expired.tsr", payload, &mock);
    assert_eq!((stamp.gen_time.to_string().as_str(), stamp.serial.as_str()), ("2023-02-01T00:00:00.000Z", "-21524111"));
    println!("trailofbits/rfc3161-client: {} accepted, {} refused", case.good, case.bad);
}

fn certificates_of(token: &[u8]) -> Vec<Digest> {
    let data = children(children(token)[1])[0];
    children(children(data)[3]).into_iter().map(Digest::of).collect()
}

#[test]
fn tokens_of_openssl_are_accepted_for_their_query() {
    let Some(folder) = vectors("rfc3161-openssl") else { return };
    let mut case = Case { folder: &folder, good: 0, bad: 0 };
    let digest = Digest::of(&case.read("data.bin"));
    let nonces = [("rsa", 0xcd14_c061_95a8_de92), ("p256", 0xf1e7_dafb_2544_2e87)];
    for (name, nonce) in nonces {
        let (query, trust) = (Query::new(digest, nonce), case.trust(&format!("root-{name}.pem")));
        assert_eq!(query.to_der().unwrap(), case.read(&format!("{name}.tsq")), "the query that openssl writes");
        let response = case.read(&format!("{name}.tsr"));
        let accepted = accept(&response, &query, &trust).unwrap();
        assert_eq!(accepted.token, case.read(&format!("{name}.tst")));
        let stamp = case.good(&format!("{name}.tsr"), digest.into(), &trust);
        assert_eq!(stamp, accepted.stamp);
        assert_eq!((stamp.authority, stamp.policy.as_str()), (format!("CN=Test TSA {name}"), "1.2.3.4.1"));
        assert_eq!(stamp.gen_time.to_string(), "2026-11-22T12:50:28.000Z");

        let error = accept(&response, &Query::new(digest, nonce + 1), &trust).unwrap_err();
        assert!(matches!(error, StampError::Nonce { found: Some(_), .. }), "{error}");
        let error = case.bad(&format!("{name}.tsr"), Digest::ZERO.into(), &trust);
        assert!(matches!(error, StampError::Imprint { .. }), "{error}");
        let other = if name == "rsa" { "p256" } else { "rsa" };
        let error = case.bad(&format!("{name}.tsr"), digest.into(), &case.trust(&format!("root-{other}.pem")));
        assert!(matches!(error, StampError::Chain { .. }), "{error}");
    }
    // Asked for without certificates.
    let root = case.trust("root-p256.pem");
    let error = case.bad("nocert.tsr", digest.into(), &root);
    assert!(matches!(error, StampError::NoSigner { found: 0, .. }), "{error}");
    let both = [case.read("root-p256.pem"), case.read("tsa-p256.pem")].concat();
    let trust = Trust::from_pem(&both).unwrap();
    assert_eq!(case.good("nocert.tsr", digest.into(), &trust).serial, "04");
    let error = accept(&case.read("nocert.tsr"), &Query::new(digest, 1), &trust).unwrap_err();
    assert!(matches!(error, StampError::Nonce { found: None, .. }), "{error}");
    println!("openssl ts: {} accepted, {} refused", case.good, case.bad);
}
