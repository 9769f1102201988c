//! Sets of packages in one file: the same bytes from wherever, checked before anything is published.

use std::fs;

use assize_ledger::Digest;
use assize_tests::{Client, Server, Shared};
use serde_json::{Value, json};

use crate::room::{Room, key, open_registry, openssl, short, skopeo};

static SERVER: Shared = Shared::new(Server::with_guests);

/// A tenant whose namespace `acme` has the key of seed 1.
fn publisher(server: &Server) -> Client {
    let tenant = server.tenant();
    tenant.post("/v1/namespaces", &json!({ "namespace": "acme", "publisher": "Acme Ltd" })).expect(200);
    tenant.post("/v1/namespaces/acme/keys", &json!({ "key": key(1).public().to_string() })).expect(200);
    tenant
}

fn states(report: &Value) -> Vec<&str> {
    report["packages"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect()
}

#[test]
fn a_set_is_the_same_bytes_from_files_a_server_and_a_registry() {
    let server = SERVER.get();
    let tenant = publisher(&server);
    let room = Room::of(&tenant);
    let ((one, bytes), (two, _)) = (room.law("1.0.0"), room.law("1.1.0"));
    room.sign(&one, &key(1));
    room.run(&["plugin", "publish", &one, &two]).expect(0);
    let save = |packages: &[&str], out: &str, more: &[&str]| {
        let out = room.path(out);
        room.run(&[&["plugin", "save"], packages, &["-o", &out], more].concat()).expect(0);
        fs::read(out).unwrap()
    };
    let of_files = save(&[&one, &two], "files.tar", &[]);
    assert!(save(&[&two, &one, &one], "order.tar", &[]) == of_files, "in whatever order, and named twice");
    assert!(save(&["acme/law@1.1.0", "acme/law@1.0.0"], "server.tar", &[]) == of_files);
    if let Some(registry) = open_registry() {
        let to = format!("{}/acme/law", registry.host());
        for file in [&one, &two] {
            room.run(&["plugin", "push", file, &to, "--plain-http"]).expect(0);
        }
        let references = [format!("{to}:1.0.0"), format!("{to}:1.1.0")];
        assert!(save(&[&references[0], &references[1]], "registry.tar", &["--plain-http"]) == of_files);
    }
    let taken = room.run(&["plugin", "save", &one, "-o", &room.path("files.tar")]).expect(2);
    assert!(taken.stderr.contains("--force"), "{}", taken.stderr);

    // A tool that knows nothing of us reads it.
    let (from, to) = (format!("oci-archive:{}:acme/law:1.0.0", room.path("files.tar")), room.path("copied"));
    if let Some(copied) = skopeo(&["copy", "--insecure-policy", "--preserve-digests", &from, &format!("oci:{to}:x")]) {
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        assert!(fs::read(format!("{to}/blobs/sha256/{}", Digest::of(&bytes))).unwrap() == bytes);
    }
}

#[test]
fn a_set_is_published_elsewhere_with_its_signatures_and_once() {
    let server = SERVER.get();
    let tenant = publisher(&server);
    let (room, far) = (Room::new(), Room::of(&tenant));
    let ((one, bytes), (two, _)) = (room.law("1.0.0"), room.law("1.1.0"));
    room.sign(&one, &key(1));
    room.sign(&two, &key(1));
    let set = room.path("set.tar");
    let saved = room.run(&["plugin", "save", &two, &one, "-o", &set]).expect(0);
    assert!(saved.stdout.contains("plugin load"), "{}", saved.stdout);
    // Nobody needs a server to look.
    let looked = room.run(&["plugin", "load", &set, "--dry-run", "--json"]).expect(0).json();
    assert_eq!(states(&looked), ["sound", "sound"]);
    assert_eq!(looked["packages"][0]["signed_by"], json!([short(&key(1))]));
    tenant.get("/v1/plugins/acme/law/1.0.0").problem(404);
    // Where signatures are asked for, they came along.
    tenant.set_policy(
        "tenant",
        &json!({ "bindings": [], "thresholds": assize_tests::thresholds(), "admission": { "signed": true } }),
    );
    let loaded = far.run(&["plugin", "load", &set, "--json"]).expect(0).json();
    assert_eq!(states(&loaded), ["published, signed", "published, signed"]);
    let shown = tenant.get("/v1/plugins/acme/law/1.0.0").expect(200);
    assert_eq!(
        (&shown["digest"], &shown["signed_by"][0]),
        (&json!(Digest::of(&bytes).to_string()), &json!(key(1).public().to_string()))
    );
    let entries = tenant.entries();
    let again = far.run(&["plugin", "load", &set, "--json"]).expect(0).json();
    assert_eq!(states(&again), ["published before, signed", "published before, signed"]);
    assert_eq!(tenant.entries(), entries, "what is there is no entry again");
}

#[test]
fn what_a_server_refuses_of_a_set_is_said_and_the_rest_stands() {
    let server = SERVER.get();
    let tenant = publisher(&server);
    let (room, far) = (Room::new(), Room::of(&tenant));
    let files = ["1.0.0", "1.1.0", "1.2.0"].map(|version| room.law(version).0);
    room.sign(&files[1], &key(9));
    let set = room.path("set.tar");
    room.run(&["plugin", "save", &files[0], &files[1], &files[2], "-o", &set]).expect(0);
    let refused = far.run(&["plugin", "load", &set]).expect(1);
    for word in ["acme/law@1.1.0", "1 of 3 are published", "1 weren't tried", &short(&key(9))] {
        assert!(refused.stderr.contains(word), "{word} in {}", refused.stderr);
    }
    assert!(refused.stdout.contains("acme/law@1.0.0") && !refused.stdout.contains("1.2.0"), "{}", refused.stdout);
    tenant.get("/v1/plugins/acme/law/1.0.0").expect(200);
    tenant.get("/v1/plugins/acme/law/1.1.0").problem(404);
    tenant.get("/v1/plugins/acme/law/1.2.0").problem(404);
}

#[test]
fn one_altered_byte_publishes_nothing() {
    let server = SERVER.get();
    let tenant = publisher(&server);
    let (room, far) = (Room::new(), Room::of(&tenant));
    let ((one, bytes), (two, _)) = (room.law("1.0.0"), room.law("1.1.0"));
    room.sign(&one, &key(1));
    let set = room.path("set.tar");
    room.run(&["plugin", "save", &one, &two, "-o", &set]).expect(0);
    let whole = fs::read(&set).unwrap();
    let entries = tenant.entries();
    let load = |altered: &[u8], words: &[&str]| {
        let file = room.write("altered.tar", altered);
        let said = far.run(&["plugin", "load", &file]).expect(1).stderr;
        for word in words {
            assert!(said.contains(word), "{word} in {said}");
        }
        said
    };
    let at = whole.windows(64).position(|window| window == &bytes[bytes.len() / 2..][..64]).unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    let mut changed = bytes.clone();
    let within = bytes.windows(64).position(|window| window == &whole[at..at + 64]).unwrap();
    changed[within] ^= 1;
    load(&flipped, &[&format!("sha256:{}", Digest::of(&bytes)), &format!("sha256:{}", Digest::of(&changed))]);
    load(&whole[..whole.len() / 2], &["was asked for"]);
    load(&[], &["no oci-layout"]);
    load(b"nothing like it", &["isn't a set of packages"]);
    load(&bytes, &["isn't a set of packages"]);
    // Every byte of every blob is bound to its name, and so is all of a header; what isn't is the padding between them.
    let blobs = whole.windows(12).position(|window| window == b"blobs/sha256").unwrap();
    for at in (blobs..whole.len()).step_by((whole.len() - blobs) / 97) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x41;
        let file = room.write("altered.tar", &flipped);
        let ended = far.run(&["plugin", "load", &file, "--dry-run"]);
        assert!(ended.code == 1 || whole[at] == 0, "byte {at} of {}: {}", whole.len(), ended.stdout);
    }
    assert_eq!(tenant.entries(), entries, "nothing was published");
}

#[test]
fn a_set_that_was_put_together_wrongly_is_refused() {
    let room = Room::new();
    let (one, bytes) = room.law("1.0.0");
    let set = room.path("set.tar");
    // Two of one name.
    let other = room.write("other.wasm", assize_tests::with_section(&bytes, "note", b"another"));
    let twice = room.run(&["plugin", "save", &one, &other, "-o", &set]).expect(1);
    assert!(twice.stderr.contains("acme/law@1.0.0 is in the set twice"), "{}", twice.stderr);
    assert!(!crate::room::exists(&set));
    // What names nothing.
    let nothing = room.run(&["plugin", "save", "nothing", "-o", &set]).expect(2);
    assert!(nothing.stderr.contains("NAMESPACE/NAME@VERSION"), "{}", nothing.stderr);
    // An image of another kind, in a layout that is sound.
    let folder = room.path("layout");
    fs::create_dir_all(format!("{folder}/blobs/sha256")).unwrap();
    let blob = |bytes: &[u8], media: &str| {
        let digest = Digest::of(bytes);
        fs::write(format!("{folder}/blobs/sha256/{digest}"), bytes).unwrap();
        json!({ "mediaType": media, "digest": format!("sha256:{digest}"), "size": bytes.len() })
    };
    let config = blob(b"{}", "application/vnd.oci.image.config.v1+json");
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [] }).to_string();
    let manifest = blob(manifest.as_bytes(), "application/vnd.oci.image.manifest.v1+json");
    let tar = |index: Value, version: &str| {
        fs::write(format!("{folder}/index.json"), index.to_string()).unwrap();
        fs::write(format!("{folder}/oci-layout"), json!({ "imageLayoutVersion": version }).to_string()).unwrap();
        let made = std::process::Command::new("tar").args(["-cf", &set, "-C", &folder, "."]).status().unwrap();
        assert!(made.success());
        room.run(&["plugin", "load", &set, "--dry-run"]).expect(1).stderr
    };
    let index = |manifests: &[&Value]| json!({ "schemaVersion": 2, "manifests": manifests });
    assert!(tar(index(&[&manifest]), "1.0.0").contains("a container image"));
    assert!(tar(index(&[]), "1.0.0").contains("no package is in it"));
    assert!(tar(index(&[&manifest]), "2.0.0").contains("\"2.0.0\""));
    let absent =
        json!({ "mediaType": manifest["mediaType"], "digest": format!("sha256:{}", "0".repeat(64)), "size": 2 });
    assert!(tar(index(&[&absent]), "1.0.0").contains("which isn't in it"));
    std::os::unix::fs::symlink("/etc/passwd", format!("{folder}/blobs/sha256/link")).unwrap();
    assert!(tar(index(&[&manifest]), "1.0.0").contains("neither a file nor a folder"));
}

#[test]
fn cosigns_signatures_travel_in_the_set() {
    let Some(registry) = open_registry() else { return };
    let room = Room::new();
    let (private, public) = (room.path("cosign.key"), room.path("cosign.pub"));
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &private]);
    openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
    let ((signed, _), (unsigned, _)) = (room.law("1.0.0"), room.law("1.1.0"));
    let to = format!("{}/acme/law", registry.host());
    room.run(&["plugin", "push", &signed, &to, "--plain-http", "--cosign-key", &private]).expect(0);
    room.run(&["plugin", "push", &unsigned, &to, "--plain-http"]).expect(0);
    let (set, mixed) = (room.path("set.tar"), room.path("mixed.tar"));
    let one = format!("{to}:1.0.0");
    room.run(&["plugin", "save", &one, "--plain-http", "--cosign-key", &public, "-o", &set]).expect(0);
    room.run(&["plugin", "load", &set, "--dry-run", "--cosign-key", &public]).expect(0);
    // All of a set, or nothing.
    let all = ["plugin", "save", &one, &format!("{to}:1.1.0"), "--plain-http", "-o", &mixed];
    room.run(&[&all[..], &["--cosign-key", &public]].concat()).expect(1);
    assert!(!crate::room::exists(&mixed));
    room.run(&all).expect(0);
    let refused = room.run(&["plugin", "load", &mixed, "--dry-run", "--cosign-key", &public]).expect(1);
    assert!(refused.stderr.contains("acme/law@1.1.0"), "{}", refused.stderr);
}

#[test]
fn one_password_is_not_told_to_several_registries() {
    let room = Room::new();
    let variables = [("ASSIZE_OCI_USERNAME", "ana"), ("ASSIZE_OCI_PASSWORD", "open sesame")];
    let out = room.path("set.tar");
    let save = ["plugin", "save", "127.0.0.1:9/a/x:1.0.0", "localhost:9/b/y:1.0.0", "--plain-http", "-o", &out];
    let said = room.given(&save, "", &variables).expect(2).stderr;
    assert!(said.contains("127.0.0.1:9, localhost:9") && said.contains("another's"), "{said}");
    assert!(!std::path::Path::new(&out).exists());
}
