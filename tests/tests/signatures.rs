//! Publishers: whose a namespace is, which keys sign there, and what is refused without a signature that holds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

use assize_ledger::{Algorithm, SignerKey};
use assize_tests::{Answer, Client, Database, Output, Server, Shared, assize, law, policy, ruling};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

fn key(seed: u8) -> SignerKey {
    SignerKey::from_seed("acme", Algorithm::Ed25519, [seed; 32]).unwrap()
}

/// `name+id`.
fn short(key: &SignerKey) -> String {
    format!("acme+{}", key.public().id())
}

/// The note over a package.
fn note(key: &SignerKey, package: &[u8]) -> String {
    let package = assize_registry::inspect(package).unwrap();
    let manifest = &package.manifest;
    assize_registry::sign(key, &manifest.name, &manifest.version, package.digest).unwrap().to_string()
}

/// Publishes with a signature, as the command line sends it.
fn publish(client: &Client, package: &[u8], note: &str) -> Answer {
    let note = base64(note);
    let headers = [("content-type", "application/wasm"), ("assize-signature", note.as_str())];
    client.send("POST", "/v1/plugins", &headers, Some(package)).unwrap()
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * n)) as usize & 63];
            out.push(if n <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

fn claim(client: &Client, publisher: &str) -> Answer {
    client.post("/v1/namespaces", &json!({ "namespace": "acme", "publisher": publisher }))
}

fn register(client: &Client, key: &SignerKey) -> Answer {
    client.post("/v1/namespaces/acme/keys", &json!({ "key": key.public().to_string() }))
}

fn revoke(client: &Client, key: &SignerKey) -> Answer {
    let path = format!("/v1/namespaces/acme/keys/{}/revoke", key.public().id());
    client.post(&path, &json!({ "reason": "it was lost" }))
}

/// A tenant whose namespace `acme` this key signs in.
fn publisher(server: &Server, key: &SignerKey) -> Client {
    let tenant = server.tenant();
    claim(&tenant, "Acme Ltd").expect(200);
    register(&tenant, key).expect(200);
    tenant
}

fn asks_for(tenant: &Client, admission: &Value) {
    let mut asked = policy(&[]);
    asked["admission"] = admission.clone();
    tenant.set_policy("tenant", &asked);
}

fn activate(client: &Client, version: &str) -> Answer {
    client.post(&format!("/v1/plugins/acme/law/{version}/activate"), &json!({ "allow_overlap": true }))
}

/// Refuses, and leaves no entry.
fn refused(client: &Client, words: &[&str], status: u16, act: impl FnOnce() -> Answer) {
    let before = client.entries();
    act().problem_naming(status, words);
    assert_eq!(client.entries(), before, "no entry for a refusal");
}

#[test]
fn a_signed_version_names_its_key_in_its_record_and_in_every_decision() {
    let mut server = Server::with_guests();
    let key = key(1);
    let tenant = publisher(&server, &key);
    let unsigned = law("1.0.0", "");
    tenant.publish_and_activate(&unsigned);
    let binding = json!({ "name": "law", "plugin": "acme/law", "settings": ruling("warn", "LAW") });
    tenant.set_policy("tenant", &policy(std::slice::from_ref(&binding)));
    let before = tenant.decide(None, "staging", "Hello");
    assert!(before["plugins"][0].get("signed_by").is_none(), "{before}");

    let package = law("1.1.0", "");
    let published = publish(&tenant, &package, &note(&key, &package)).expect(201);
    assert_eq!(published["signed_by"], json!([key.public().to_string()]));
    activate(&tenant, "1.1.0").expect(200);
    let after = tenant.decide(None, "staging", "Hello");
    let stored = tenant.decision(after["id"].as_str().unwrap());
    let run = &stored["record"]["plugins"][0];
    assert_eq!((&run["version"], &run["signed_by"]), (&json!("1.1.0"), &json!(short(&key))));
    // A signature may come later, and again.
    let path = "/v1/plugins/acme/law/1.0.0/signatures";
    let later = note(&key, &unsigned);
    for _ in 0..2 {
        let signed = tenant.send("POST", path, &[], Some(later.as_bytes())).unwrap().expect(200);
        assert_eq!(signed["signed_by"], json!([key.public().to_string()]));
    }
    let entries = tenant.get("/v1/ledger/entries?limit=1000").expect(200);
    let signed: Vec<&Value> =
        entries["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "plugin.signed").collect();
    assert_eq!(signed.len(), 2, "{entries}");
    assert_eq!(signed[0]["facts"]["details"]["signed_by"], key.public().to_string());
    server.restart();
    let tenant = server.again(&tenant);
    for decision in [&before, &after] {
        assert_eq!(tenant.replay(decision["id"].as_str().unwrap())["identical"], true);
        // What was known before the signature came is what is told of then.
        let stored = tenant.decision(decision["id"].as_str().unwrap());
        let at = stored["record"]["times"]["decided"].as_str().unwrap();
        let known = tenant.get(&format!("/v1/policies/tenant/effective?known_at={at}")).expect(200);
        assert_eq!(known["snapshot"], stored["record"]["policy"]["snapshot"]);
    }
    assert_eq!(server.stop(), 0);
    assize(&["ledger", "verify", "--data", server.data().to_str().unwrap()]).expect(0);
}

#[test]
fn a_signature_that_doesnt_hold_publishes_nothing() {
    let server = SERVER.get();
    let (own, stranger) = (key(1), key(2));
    let tenant = publisher(&server, &own);
    let package = law("1.0.0", "");
    let tries = [
        (note(&stranger, &package), vec![short(&stranger), "register".to_owned()]),
        (note(&own, &law("1.0.1", "")), vec!["1.0.1".to_owned(), "1.0.0".to_owned()]),
        (note(&own, &package).replace(&own.public().id().to_string(), ""), vec![]),
        ("no note".to_owned(), vec!["signed note".to_owned()]),
    ];
    // The third is the same signature, and holds: the id stands in its bytes.
    for (n, (note, words)) in tries.iter().enumerate() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if n != 2 {
            refused(&tenant, &words, 422, || publish(&tenant, &package, note));
        }
    }
    let headers = [("content-type", "application/wasm"), ("assize-signature", "###")];
    refused(&tenant, &["assize-signature", "base64"], 400, || {
        tenant.send("POST", "/v1/plugins", &headers, Some(&package)).unwrap()
    });
    tenant.get("/v1/plugins/acme/law/1.0.0").problem(404);
    assert!(server.said().contains("the signature of acme/law 1.0.0 is refused"), "the log says so");
}

#[test]
fn policies_refuse_what_is_unsigned_or_signed_by_others() {
    let server = SERVER.get();
    let (first, second) = (key(1), key(2));
    let tenant = publisher(&server, &first);
    register(&tenant, &second).expect(200);
    let package = law("1.0.0", "");
    tenant.publish(&package).expect(201);
    asks_for(&tenant, &json!({ "signed": true }));
    refused(&tenant, &["1.1.0", "nobody signed", "tenant policy"], 422, || tenant.publish(&law("1.1.0", "")));
    refused(&tenant, &["1.0.0", "nobody signed"], 422, || activate(&tenant, "1.0.0"));
    publish(&tenant, &package, &note(&second, &package)).expect(200);
    activate(&tenant, "1.0.0").expect(200);
    // These keys only: also what a binding may run.
    asks_for(&tenant, &json!({ "keys": [first.public().to_string()] }));
    let other = law("1.2.0", "");
    refused(&tenant, &[&short(&first), &short(&second)], 422, || publish(&tenant, &other, &note(&second, &other)));
    let binding = json!({ "name": "law", "plugin": "acme/law", "settings": ruling("warn", "LAW") });
    let mut bound = policy(&[binding]);
    bound["admission"] = json!({ "keys": [first.public().to_string()] });
    tenant.put("/v1/policies/tenant", &bound).problem_naming(422, &["bindings[0].plugin", "1.0.0", "signature"]);
    publish(&tenant, &other, &note(&first, &other)).expect(201);
    activate(&tenant, "1.2.0").expect(200);
    tenant.set_policy("tenant", &bound);
    assert_eq!(tenant.decide(None, "staging", "Hello")["plugins"][0]["version"], "1.2.0");
    // With the signed one gone, the other doesn't take its place: the failure policy does.
    tenant.post("/v1/plugins/acme/law/1.2.0/retire", &json!({ "reason": "a test" })).expect(200);
    let failed = tenant.decide(None, "staging", "Hello");
    assert_eq!((&failed["plugins"][0]["status"], &failed["verdict"]), (&json!("missing"), &json!("review")));
}

#[test]
fn what_a_revoked_key_signed_is_refused() {
    let server = SERVER.get();
    let (lost, next) = (key(1), key(2));
    let tenant = publisher(&server, &lost);
    let (serving, waiting, late) = (law("1.0.0", ""), law("1.1.0", ""), law("1.2.0", ""));
    for package in [&serving, &waiting] {
        publish(&tenant, package, &note(&lost, package)).expect(201);
    }
    activate(&tenant, "1.0.0").expect(200);
    let path = format!("/v1/namespaces/acme/keys/{}/revoke", lost.public().id());
    tenant.post(&path, &json!({ "reason": "" })).problem_naming(422, &["reason"]);
    tenant.role("dev").post(&path, &json!({ "reason": "x" })).problem(403);
    let revoked = revoke(&tenant, &lost).expect(200);
    assert_eq!(revoked["still_active"], json!(["acme/law@1.0.0"]), "{revoked}");
    assert!(revoked["keys"][0]["revoked_at"].is_string());
    refused(&tenant, &[&short(&lost), "revoked"], 422, || publish(&tenant, &late, &note(&lost, &late)));
    refused(&tenant, &[&short(&lost), "revoked"], 422, || activate(&tenant, "1.1.0"));
    refused(&tenant, &["revoked", "new one"], 422, || register(&tenant, &lost));
    revoke(&tenant, &lost).expect(200);
    revoke(&tenant, &key(9)).problem_naming(404, &[&short(&key(9))]);
    // Signed anew, it may serve.
    register(&tenant, &next).expect(200);
    publish(&tenant, &waiting, &note(&next, &waiting)).expect(200);
    activate(&tenant, "1.1.0").expect(200);
    assert_eq!(tenant.get("/v1/plugins/acme/law/1.0.0").expect(200)["state"], "active");
}

#[test]
fn a_namespace_is_one_publishers() {
    let server = Server::with_guests();
    let (tenant, other, host) = (server.tenant(), server.tenant(), server.admin());
    claim(&tenant, "Acme Ltd").expect(200);
    let entries = tenant.entries();
    claim(&tenant, "Acme Ltd").expect(200);
    assert_eq!(tenant.entries(), entries, "the same claim again is none");
    refused(&tenant, &["acme", "Acme Ltd"], 409, || claim(&tenant, "Somebody else"));
    refused(host, &["acme", "Acme Ltd", tenant.tenant()], 409, || claim(host, "The host"));
    // Tenants don't see each other's.
    register(&other, &key(1)).problem_naming(404, &["acme"]);
    assert_eq!(other.get("/v1/namespaces").expect(200)["namespaces"], json!([]));
    for (namespace, publisher, word) in [("Acme", "x", "namespace"), ("a/b", "x", "namespace"), ("x", " ", "publisher")]
    {
        let body = json!({ "namespace": namespace, "publisher": publisher });
        tenant.post("/v1/namespaces", &body).problem_naming(422, &[word]);
    }
    tenant.role("dev").post("/v1/namespaces", &json!({ "namespace": "x", "publisher": "x" })).problem(403);
    let foreign = SignerKey::from_seed("other", Algorithm::Ed25519, [1; 32]).unwrap();
    register(&tenant, &foreign).problem_naming(422, &["other", "acme"]);
    let witness = SignerKey::from_seed("acme", Algorithm::Cosignature, [1; 32]).unwrap();
    register(&tenant, &witness).problem_naming(422, &["witness"]);
    tenant.post("/v1/namespaces/acme/keys", &json!({ "key": "acme" })).problem_naming(422, &["key"]);

    // What the host claims is everybody's to respect: nobody stands in for its packages without its key.
    let third = server.tenant();
    host.post("/v1/namespaces", &json!({ "namespace": "test", "publisher": "The host" })).expect(200);
    let echo = assize_tests::guest("rule-echo");
    let echo = assize_tests::with_section(&echo, "note", b"another");
    refused(&third, &["test", "The host", "claimed"], 422, || third.publish(&echo));
    third
        .post("/v1/namespaces", &json!({ "namespace": "test", "publisher": "Third" }))
        .problem_naming(409, &["The host"]);
    let seal = SignerKey::from_seed("test", Algorithm::Ed25519, [5; 32]).unwrap();
    host.post("/v1/namespaces/test/keys", &json!({ "key": seal.public().to_string() })).expect(200);
    publish(&third, &echo, &note(&seal, &echo)).expect(201);
}

/// Else the host could never claim its own packages' namespace, nor register a key for it.
#[test]
fn no_tenant_claims_a_namespace_that_the_host_publishes_in() {
    let server = Server::with_guests();
    let (tenant, host) = (server.tenant(), server.admin());
    let claim = |client: &Client, namespace: &str| {
        client.post("/v1/namespaces", &json!({ "namespace": namespace, "publisher": "Acme Ltd" }))
    };
    refused(&tenant, &["namespace", "the host itself publishes", "test", "another"], 422, || claim(&tenant, "test"));
    // Neither a part of its name nor what a tenant publishes in is taken by that.
    tenant.publish(&law("1.0.0", "")).expect(201);
    for free in ["tes", "test-2", "acme"] {
        claim(&tenant, free).expect(200);
    }
    let other = server.tenant();
    claim(&other, "acme").expect(200);
    claim(host, "test").expect(200);
    let key = SignerKey::from_seed("test", Algorithm::Ed25519, [5; 32]).unwrap();
    host.post("/v1/namespaces/test/keys", &json!({ "key": key.public().to_string() })).expect(200);
    claim(&tenant, "test").problem_naming(409, &["Acme Ltd", "claimed"]);
}

#[test]
fn a_signature_that_was_altered_at_rest_activates_nothing() {
    let mut server = Server::with_guests();
    let key = key(1);
    let tenant = publisher(&server, &key);
    let (package, other) = (law("1.0.0", ""), law("1.0.1", ""));
    publish(&tenant, &package, &note(&key, &package)).expect(201);
    assert_eq!(server.stop(), 0);
    let forged = note(&key, &other);
    let sql = format!("UPDATE signatures SET note = '{forged}'");
    assert_eq!(Database::open(&server.data().join("assize.db")).execute(&sql), 1);
    server.start_again();
    let tenant = server.again(&tenant);
    refused(&tenant, &["signature", "1.0.1"], 422, || activate(&tenant, "1.0.0"));
    assert_eq!(server.stop(), 0);
    let report = assize(&["ledger", "verify", "--json", "--data", server.data().to_str().unwrap()]).expect(1).json();
    assert!(report["faults"].to_string().contains("row of signatures"), "{report}");
}

#[test]
fn the_command_line_makes_keys_and_signs() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| -> Output {
        assize(&[arguments, &["--server", tenant.base(), "--key", tenant.key()]].concat())
    };
    let secret = path("acme.key");
    let made = run(&["plugin", "keygen", "acme", "-o", &secret, "--json"]).expect(0).json();
    let public = made["key"].as_str().unwrap();
    assert!(!made.to_string().contains("PRIVATE"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = run(&["plugin", "keygen", "acme", "-o", &secret]).expect(1);
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);
    run(&["plugin", "keygen", "Acme", "-o", &path("x")]).expect(2);
    run(&["publisher", "claim", "acme", "--publisher", "Acme Ltd"]).expect(0);
    let private = run(&["publisher", "register", "acme", &secret]).expect(2);
    assert!(private.stderr.contains("private"), "{}", private.stderr);
    run(&["publisher", "register", "acme", public]).expect(0);
    let package = path("law.wasm");
    std::fs::write(&package, law("1.0.0", "")).unwrap();
    run(&["plugin", "sign", &package, "--key-file", &secret]).expect(0);
    assert!(PathBuf::from(format!("{package}.sig")).exists());
    let published = run(&["plugin", "publish", &package, "--activate"]).expect(0);
    assert!(published.stdout.contains("published, signed, active"), "{}", published.stdout);
    let shown = run(&["plugin", "show", "acme/law@1.0.0"]).expect(0);
    assert!(shown.stdout.contains(made["id"].as_str().unwrap()), "{}", shown.stdout);
    let id = made["id"].as_str().unwrap();
    let revoked = run(&["publisher", "revoke", "acme", id, "--reason", "lost"]).expect(0);
    assert!(revoked.stdout.contains("Still active") && revoked.stdout.contains("acme/law@1.0.0"), "{}", revoked.stdout);
    run(&["publisher", "list"]).expect(0);
    // For another namespace's package, the key signs nothing.
    let foreign = path("foreign.wasm");
    std::fs::write(&foreign, assize_tests::guest("rule-echo")).unwrap();
    let refused = run(&["plugin", "sign", &foreign, "--key-file", &secret]).expect(1);
    assert!(refused.stderr.contains("\"test\""), "{}", refused.stderr);
    assert!(!PathBuf::from(format!("{foreign}.sig")).exists());
}
