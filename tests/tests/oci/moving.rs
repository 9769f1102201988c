//! Pushed to a real registry, read by others, pulled by a second instance.

use std::fs;

use assize_ledger::Digest;
use assize_tests::{Certificates, OciRegistry, Profile, RegistrySetup, Server, policy, ruling};
use serde_json::{Value, json};

use crate::room::{Room, get, key, manifest, open_registry, short, signature_of, skopeo};

/// A registry with a certificate of its own, which asks for a password; and the CA.
fn guarded(certificates: &Certificates) -> Option<(OciRegistry, String)> {
    let root = certificates.root(&Profile::issuer("Registry root"));
    let server = "keyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\nsubjectAltName = IP:127.0.0.1";
    let tls = certificates.issue(&Profile::new("127.0.0.1", server), &root);
    let registry = OciRegistry::start(&RegistrySetup { tls: Some(tls), password: true, token: None })?;
    Some((registry, root.certificate.to_str().unwrap().to_owned()))
}

#[test]
fn a_package_goes_to_a_guarded_registry_and_comes_back_with_its_signature() {
    let certificates = Certificates::new();
    let Some((registry, ca)) = guarded(&certificates) else { return };
    let (name, password) = OciRegistry::ACCOUNT;
    let (room, owner) = (Room::new(), key(1));
    let (file, bytes) = room.law("1.0.0");
    room.sign(&file, &owner);
    let reference = format!("{}/acme/law", registry.host());
    let push = ["plugin", "push", &file, &reference, "--ca", &ca, "--json"];

    // Nobody is let in who doesn't say who they are, or whose word is wrong; and what isn't trusted gets no password.
    let refused = room.run(&push).expect(1);
    assert!(refused.stderr.contains("--username") && refused.stderr.contains("401"), "{}", refused.stderr);
    let wrong = room.given(&[&push[..], &["--username", name, "--password-stdin"]].concat(), "wrong\n", &[]).expect(1);
    assert!(wrong.stderr.contains("\"ana\"") && wrong.stderr.contains("wrong"), "{}", wrong.stderr);
    let open = ["plugin", "push", &file, &reference, "--username", name, "--password-stdin"];
    let untrusted = room.given(&open, password, &[]).expect(1);
    assert!(untrusted.stderr.contains("--ca"), "{}", untrusted.stderr);
    room.run(&[&push[..], &["--username", name]].concat()).expect(2);

    let pushed = room.given(&[&push[..], &["--username", name, "--password-stdin"]].concat(), password, &[]);
    let pushed = pushed.expect(0).json();
    assert_eq!(pushed[0]["digest"], Digest::of(&bytes).to_string());
    assert_eq!(pushed[0]["signed_by"], json!([short(&owner)]));
    let pinned = pushed[0]["reference"].as_str().unwrap();
    assert!(pinned.starts_with(&format!("{reference}:1.0.0@sha256:")), "{pinned}");

    // By the environment, and by docker's config.
    let variables = [("ASSIZE_OCI_USERNAME", name), ("ASSIZE_OCI_PASSWORD", password)];
    let out = room.path("by-environment.wasm");
    room.given(&["plugin", "pull", pinned, "--ca", &ca, "-o", &out], "", &variables).expect(0);
    fs::create_dir(room.path("docker")).unwrap();
    // "ana:open sesame"
    let config = json!({ "auths": { registry.host(): { "auth": "YW5hOm9wZW4gc2VzYW1l" } } });
    room.write("docker/config.json", config.to_string());
    let out = room.path("pulled.wasm");
    let pulled = room.run(&["plugin", "pull", &format!("{reference}:1.0.0"), "--ca", &ca, "-o", &out]).expect(0);
    assert!(pulled.stdout.contains(&short(&owner)) && pulled.stdout.contains(pinned), "{}", pulled.stdout);
    assert!(room.read("pulled.wasm") == bytes && room.read("by-environment.wasm") == bytes);
    assert_eq!(fs::read(signature_of(&out)).unwrap(), fs::read(signature_of(&file)).unwrap());
    let again = room.run(&["plugin", "pull", pinned, "--ca", &ca, "-o", &out]).expect(2);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    room.run(&["plugin", "pull", pinned, "--ca", &ca, "-o", &out, "--force"]).expect(0);
}

#[test]
fn what_was_pushed_has_the_layout_that_others_read() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let (file, bytes) = room.law("1.0.0");
    let to = format!("{host}/acme/law");
    let push = || room.run(&["plugin", "push", &file, &to, "--plain-http", "--json"]).expect(0).json();
    let (first, second) = (push(), push());
    assert_eq!((&first[0]["pushed_before"], &second[0]["pushed_before"]), (&json!(false), &json!(true)));
    assert_eq!(first[0]["manifest"], second[0]["manifest"], "the same package is the same artifact");

    let (_, media, text) = get(&host, "/v2/acme/law/manifests/1.0.0");
    assert_eq!(media, "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(first[0]["manifest"], format!("sha256:{}", Digest::of(&text)));
    let found: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&found["schemaVersion"], &found["mediaType"]), (&json!(2), &json!(media)));
    assert_eq!(found["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(found["layers"].as_array().unwrap().len(), 1, "a component is one layer");
    let layer = &found["layers"][0];
    assert_eq!((&layer["mediaType"], &layer["size"]), (&json!("application/wasm"), &json!(bytes.len())));
    assert_eq!(layer["digest"], format!("sha256:{}", Digest::of(&bytes)), "the layer is the package");
    assert_eq!(found["annotations"]["org.opencontainers.image.version"], "1.0.0");
    let config = get(&host, &format!("/v2/acme/law/blobs/{}", found["config"]["digest"].as_str().unwrap())).2;
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([layer["digest"]]));
    let contract = assize_registry::inspect(&bytes).unwrap().contract;
    let component = &config["component"];
    assert_eq!(component["target"], format!("assize:plugin/compliance-rule@{contract}"));
    let exports = component["exports"].to_string();
    assert!(exports.contains(&format!("assize:plugin/adjudicator@{contract}")), "{component}");
    assert!(component["imports"].is_array() && config["created"].is_string() && config["author"].is_string());

    // A tool that knows nothing of us copies it, byte for byte.
    let copy = room.path("copied");
    let from = format!("docker://{to}:1.0.0");
    let arguments = [
        "copy",
        "--insecure-policy",
        "--src-tls-verify=false",
        "--preserve-digests",
        &from,
        &format!("oci:{copy}:law"),
    ];
    let Some(copied) = skopeo(&arguments) else { return };
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let blob = |digest: &Value| {
        let digits = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
        fs::read(format!("{copy}/blobs/sha256/{digits}")).unwrap()
    };
    assert!(blob(&first[0]["manifest"]) == text && blob(&layer["digest"]) == bytes);
}

#[test]
fn several_packages_go_below_a_path_as_others_look_for_them() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let ((one, _), (other, _)) = (room.law("1.0.0"), room.law("2.0.0-rc.1"));
    let to = format!("{host}/plugins");
    room.run(&["plugin", "push", &one, &other, &to, "--plain-http"]).expect(0);
    for version in ["1.0.0", "2.0.0-rc.1"] {
        assert!(manifest(&host, "plugins/acme/law", version)["layers"].is_array());
    }
    let tagged = room.run(&["plugin", "push", &one, &other, &format!("{to}:x"), "--plain-http"]).expect(2);
    assert!(tagged.stderr.contains("tag"), "{}", tagged.stderr);
    // One that isn't a package: nothing of the others is sent.
    let bad = room.write("bad.wasm", b"\0asm");
    room.run(&["plugin", "push", &one, &bad, &format!("{host}/nothing"), "--plain-http"]).expect(1);
    assert_eq!(get(&host, "/v2/nothing/acme/law/manifests/1.0.0").0, 404);
}

#[test]
fn a_second_instance_runs_what_was_pulled_and_judges_a_case_of_the_first_again() {
    let Some(registry) = open_registry() else { return };
    let (first, second) = (Server::with_guests(), Server::with_guests());
    let (here, there) = (first.tenant(), second.tenant());
    let (room, far) = (Room::of(&here), Room::of(&there));
    let (file, bytes) = room.law("1.0.0");
    let bound = policy(&[json!({ "name": "law", "plugin": "acme/law", "settings": ruling("warn", "LAW") })]);
    room.run(&["plugin", "publish", &file, "--activate"]).expect(0);
    here.set_policy("tenant", &bound);
    let decision = here.decide(None, "staging", "Hello");
    let to = format!("{}/acme/law", registry.host());
    let pushed = room.run(&["plugin", "push", &file, &to, "--plain-http", "--json"]).expect(0).json();
    let bundle = room.path("case.bundle");
    room.run(&["bundle", "create", decision["id"].as_str().unwrap(), "-o", &bundle]).expect(0);
    drop(first);

    let pinned = pushed[0]["reference"].as_str().unwrap();
    let pulled = far.run(&["plugin", "pull", pinned, "--plain-http", "--publish", "--activate"]).expect(0);
    assert!(pulled.stdout.contains("published, active"), "{}", pulled.stdout);
    assert_eq!(far.files(), Vec::<String>::new(), "publishing leaves no file");
    there.set_policy("tenant", &bound);
    let again = there.decide(None, "staging", "Hello");
    assert_eq!(again["plugins"][0]["digest"], Digest::of(&bytes).to_string());
    assert_eq!(again["plugins"][0]["digest"], decision["plugins"][0]["digest"]);
    assert_eq!((&again["verdict"], &decision["verdict"]), (&json!("warn"), &json!("warn")));
    let report = far.run(&["bundle", "verify", &bundle, "--json"]).json();
    assert_eq!(report["judged_again"]["identical"], true, "{report}");
    // The bundle's plugin is the registry's, by its digest.
    assert_eq!(decision["plugins"][0]["digest"], pushed[0]["digest"]);
}

#[test]
fn publishing_what_was_pulled_asks_for_signatures_as_ever() {
    let Some(registry) = open_registry() else { return };
    let server = Server::with_guests();
    let tenant = server.tenant();
    let (room, owner, lost) = (Room::of(&tenant), key(1), key(2));
    tenant.post("/v1/namespaces", &json!({ "namespace": "acme", "publisher": "Acme Ltd" })).expect(200);
    for key in [&owner, &lost] {
        tenant.post("/v1/namespaces/acme/keys", &json!({ "key": key.public().to_string() })).expect(200);
    }
    let path = format!("/v1/namespaces/acme/keys/{}/revoke", lost.public().id());
    tenant.post(&path, &json!({ "reason": "it was lost" })).expect(200);
    let mut asked = policy(&[]);
    asked["admission"] = json!({ "signed": true });
    tenant.set_policy("tenant", &asked);
    let to = format!("{}/acme/law", registry.host());
    let push = |file: &str| {
        let pushed = room.run(&["plugin", "push", file, &to, "--plain-http", "--json"]).expect(0).json();
        pushed[0]["reference"].as_str().unwrap().to_owned()
    };
    let pull = |reference: &str| room.run(&["plugin", "pull", reference, "--plain-http", "--publish"]);

    let (file, _) = room.law("1.0.0");
    let unsigned = pull(&push(&file)).expect(1);
    assert!(unsigned.stderr.contains("nobody signed"), "{}", unsigned.stderr);
    let (file, _) = room.law("1.1.0");
    room.sign(&file, &lost);
    let revoked = pull(&push(&file)).expect(1);
    assert!(revoked.stderr.contains("revoked") && revoked.stderr.contains(&short(&lost)), "{}", revoked.stderr);
    for version in ["1.0.0", "1.1.0"] {
        tenant.get(&format!("/v1/plugins/acme/law/{version}")).problem(404);
    }
    // A signature may come later: the artifact stays as it is, and what is about it grows.
    let (file, _) = room.law("1.0.0");
    room.sign(&file, &owner);
    let reference = push(&file);
    let held = pull(&reference).expect(0);
    assert!(held.stdout.contains("published, signed"), "{}", held.stdout);
    assert_eq!(tenant.get("/v1/plugins/acme/law/1.0.0").expect(200)["signed_by"][0], owner.public().to_string());
}
