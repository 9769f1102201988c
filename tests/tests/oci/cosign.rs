//! cosign's signatures: made by us and verified by others, made by others and verified by us.

use std::fs;

use assize_ledger::Digest;
use serde_json::{Value, json};

use crate::room::{Room, get, manifest, open_registry, openssl, put, upload};

const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const TYPE: &str = "cosign container image signature";

/// A key pair as `openssl` makes it: the files of the private and the public key.
fn pair(room: &Room, name: &str, algorithm: &[&str]) -> (String, String) {
    let (private, public) = (room.path(&format!("{name}.key")), room.path(&format!("{name}.pub")));
    openssl(&[&["genpkey", "-out", &private], algorithm].concat());
    openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
    (private, public)
}

const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn digits(digest: &Value) -> String {
    digest.as_str().unwrap().replacen("sha256:", "sha256-", 1)
}

/// Base64 by `openssl`, which knows nothing of us.
fn decoded(room: &Room, text: &str) -> String {
    let (from, to) = (room.write("signature.b64", text), room.path("signature.bin"));
    openssl(&["base64", "-d", "-A", "-in", &from, "-out", &to]);
    to
}

#[test]
fn a_signature_at_push_is_verified_at_pull_and_by_openssl() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let to = format!("{host}/acme/law");
    let ed25519 = ["-algorithm", "ED25519"];
    for (version, algorithm) in [("1.0.0", &P256[..]), ("1.1.0", &ed25519[..])] {
        let (private, public) = pair(&room, version, algorithm);
        let (_, stranger) = pair(&room, &format!("{version}-stranger"), algorithm);
        let (file, bytes) = room.law(version);
        let push = ["plugin", "push", &file, &to, "--plain-http", "--cosign-key", &private, "--json"];
        let pushed = room.run(&push).expect(0).json();
        let pinned = pushed[0]["reference"].as_str().unwrap();
        let (out, out_of_stranger) = (room.path(&format!("{version}.out")), room.path("never.wasm"));
        let pull = |key: &str, out: &str| {
            room.run(&["plugin", "pull", pinned, "--plain-http", "--cosign-key", key, "-o", out])
        };
        let pulled = pull(&public, &out).expect(0);
        assert!(pulled.stdout.contains(&format!("signed by the key, as {to}")), "{}", pulled.stdout);
        assert!(fs::read(&out).unwrap() == bytes);
        let refused = pull(&stranger, &out_of_stranger).expect(1);
        assert!(refused.stderr.contains("none of 1 is by this key"), "{}", refused.stderr);
        assert!(!crate::room::exists(&out_of_stranger));
        assert!(pull(&private, &out_of_stranger).expect(1).stderr.contains("cosign.pub"));

        // As cosign lays it out.
        let tag = format!("{}.sig", digits(&pushed[0]["manifest"]));
        let signatures = manifest(&host, "acme/law", &tag);
        assert_eq!(signatures["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
        let layer = &signatures["layers"][0];
        assert_eq!(layer["mediaType"], PAYLOAD);
        let payload = get(&host, &format!("/v2/acme/law/blobs/{}", layer["digest"].as_str().unwrap())).2;
        let expected = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"{to}"}},"image":{{"docker-manifest-digest":{}}},"type":"cosign container image signature"}},"optional":null}}"#,
            pushed[0]["manifest"]
        );
        assert_eq!(String::from_utf8(payload.clone()).unwrap(), expected);
        let (payload, signature) =
            (room.write("payload", &payload), decoded(&room, layer["annotations"][SIGNATURE].as_str().unwrap()));
        let said = if algorithm == P256 {
            openssl(&["dgst", "-sha256", "-verify", &public, "-signature", &signature, &payload])
        } else {
            let input = ["-rawin", "-in", &payload];
            openssl(
                &[&["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-sigfile", &signature], &input[..]].concat(),
            )
        };
        assert!(String::from_utf8(said).unwrap().contains("Verified"), "openssl says so");

        // The same again adds nothing; another key adds its own.
        room.run(&push).expect(0);
        assert_eq!(manifest(&host, "acme/law", &tag), signatures);
        let (second, second_public) = pair(&room, &format!("{version}-second"), algorithm);
        room.run(&["plugin", "push", &file, &to, "--plain-http", "--cosign-key", &second]).expect(0);
        assert_eq!(manifest(&host, "acme/law", &tag)["layers"].as_array().unwrap().len(), 2);
        for key in [&public, &second_public] {
            fs::remove_file(&out).unwrap();
            pull(key, &out).expect(0);
        }
    }
}

#[test]
fn what_another_tool_signed_is_verified() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let (private, public) = pair(&room, "cosign", &P256);
    let ((file, _), (other, _)) = (room.law("1.0.0"), room.law("1.1.0"));
    let to = format!("{host}/acme/law");
    let push = |file: &str| {
        let pushed = room.run(&["plugin", "push", file, &to, "--plain-http", "--json"]).expect(0).json();
        pushed[0]["manifest"].clone()
    };
    let (digest, other_digest) = (push(&file), push(&other));
    // By hand: the payload, openssl's signature over it, and the image that carries both.
    let sign = |about: &Value, kind: &str, optional: Value, tag: &Value| {
        let payload = json!({ "critical": { "identity": { "docker-reference": "elsewhere.example/law" },
            "image": { "docker-manifest-digest": about }, "type": kind }, "optional": optional });
        let payload = room.write("payload", payload.to_string());
        let signature = room.path("signature");
        openssl(&["dgst", "-sha256", "-sign", &private, "-out", &signature, &payload]);
        let text = openssl(&["base64", "-A", "-in", &signature]);
        let mut layer = upload(&host, "acme/law", PAYLOAD, &fs::read(&payload).unwrap());
        layer["annotations"] = json!({ SIGNATURE: String::from_utf8(text).unwrap() });
        let config = upload(&host, "acme/law", "application/vnd.oci.image.config.v1+json", b"{}");
        let image = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer] });
        put(&host, "acme/law", &format!("{}.sig", digits(tag)), &image);
    };
    let pull = |version: &str| {
        let (from, out) = (format!("{to}:{version}"), room.path("out.wasm"));
        room.run(&["plugin", "pull", &from, "--plain-http", "--cosign-key", &public, "-o", &out, "--force", "--json"])
    };
    assert!(pull("1.0.0").expect(1).stderr.contains("there is none"));
    sign(&digest, TYPE, json!({ "creator": "a test", "timestamp": 1_700_000_000 }), &digest);
    assert_eq!(pull("1.0.0").expect(0).json()["cosigned"], "elsewhere.example/law");
    // The signature of one artifact under the other's tag.
    sign(&digest, TYPE, Value::Null, &other_digest);
    let copied = pull("1.1.0").expect(1).stderr;
    assert!(copied.contains("copied from another artifact") && copied.contains(digest.as_str().unwrap()), "{copied}");
    sign(&other_digest, "something else", Value::Null, &other_digest);
    assert!(pull("1.1.0").expect(1).stderr.contains("something else"));
    // A payload that was altered after it was signed.
    let tag = format!("{}.sig", digits(&digest));
    let mut image = manifest(&host, "acme/law", &tag);
    let blob = get(&host, &format!("/v2/acme/law/blobs/{}", image["layers"][0]["digest"].as_str().unwrap())).2;
    let altered = String::from_utf8(blob).unwrap().replace("elsewhere", "nowhere");
    let layer = upload(&host, "acme/law", PAYLOAD, altered.as_bytes());
    (image["layers"][0]["digest"], image["layers"][0]["size"]) = (layer["digest"].clone(), layer["size"].clone());
    put(&host, "acme/law", &tag, &image);
    assert!(pull("1.0.0").expect(1).stderr.contains("none of 1 is by this key"));
    assert!(altered.contains(&Digest::of(&get(&host, "/v2/acme/law/manifests/1.0.0").2).to_string()));
}

#[test]
fn a_key_that_cannot_be_used_says_what_to_do() {
    let room = Room::new();
    let (file, _) = room.law("1.0.0");
    let push = |key: &str| {
        room.run(&["plugin", "push", &file, "127.0.0.1:9/x", "--plain-http", "--cosign-key", key]).expect(1).stderr
    };
    let encrypted = room.write(
        "cosign.key",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
    );
    assert!(push(&encrypted).contains("without a password"));
    let (rsa, rsa_public) = pair(&room, "rsa", &["-algorithm", "RSA"]);
    assert!(push(&rsa).contains("of another kind"));
    let (p384, _) = pair(&room, "p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    assert!(push(&p384).contains("P-256"));
    assert!(push(&room.write("nothing", "nothing")).contains("no key in PEM"));
    let (_, public) = pair(&room, "good", &P256);
    assert!(push(&public).contains("private key"));
    for wrong in [rsa_public, room.write("nothing", "nothing")] {
        let pull = ["plugin", "pull", "127.0.0.1:9/x:1", "--plain-http", "--cosign-key", &wrong];
        assert!(room.run(&pull).expect(1).stderr.contains("P-256"));
    }
}
