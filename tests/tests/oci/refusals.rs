//! What isn't what was asked for is refused, and leaves nothing behind.

use assize_ledger::Digest;
use assize_tests::Middleman;
use serde_json::{Value, json};

use crate::room::{Room, get, manifest, open_registry, put, upload};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pulls in an empty folder, which stays empty: what it says.
fn refused(reference: &str, words: &[&str]) -> String {
    let room = Room::new();
    let out = room.path("out.wasm");
    let said = room.run(&["plugin", "pull", reference, "--plain-http", "-o", &out]).expect(1).stderr;
    for word in words {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert_eq!(room.files(), Vec::<String>::new(), "nothing is left behind");
    said
}

#[test]
fn other_bytes_than_the_digest_are_refused_with_both_digests() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let ((file, bytes), (other, other_bytes)) = (room.law("1.0.0"), room.law("1.1.0"));
    let to = format!("{host}/acme/law");
    let push = |file: &str| {
        let pushed = room.run(&["plugin", "push", file, &to, "--plain-http", "--json"]).expect(0).json();
        pushed[0]["manifest"].as_str().unwrap().to_owned()
    };
    let (pinned, other_manifest) = (push(&file), push(&other));
    let found = manifest(&host, "acme/law", "1.0.0");
    let (layer, config) = (found["layers"][0]["digest"].as_str().unwrap(), found["config"]["digest"].as_str().unwrap());
    let lying = |what: &str, lie: Vec<u8>| {
        let what = what.to_owned();
        Middleman::before(&format!("http://{host}"), move |path, _| path.contains(&what).then(|| lie.clone()))
    };
    let sha = |bytes: &[u8]| format!("sha256:{}", Digest::of(bytes));

    // Through somebody honest, it comes.
    let honest = Middleman::before(&format!("http://{host}"), |_, _| None);
    let reference = format!("{}/acme/law:1.0.0@{pinned}", honest.host());
    room.run(&["plugin", "pull", &reference, "--plain-http", "-o", &room.path("honest.wasm")]).expect(0);
    assert!(room.read("honest.wasm") == bytes);

    // The layer is another package; a flipped bit; cut; longer.
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    let longer = [bytes.as_slice(), b"more"].concat();
    for lie in [other_bytes, flipped, bytes[..bytes.len() - 1].to_vec(), longer] {
        let liar = lying(layer, lie.clone());
        for name in [":1.0.0".to_owned(), format!("@{pinned}")] {
            refused(&format!("{}/acme/law{name}", liar.host()), &[layer, &sha(&lie)]);
        }
    }
    // Another config.
    let liar = lying(config, b"{}".to_vec());
    refused(&format!("{}/acme/law:1.0.0", liar.host()), &[config, &sha(b"{}")]);
    // Another artifact, sound in itself, in the place of the pinned one.
    let elsewhere = get(&host, &format!("/v2/acme/law/manifests/{other_manifest}")).2;
    let liar = lying("manifests/sha256:", elsewhere);
    refused(&format!("{}/acme/law@{pinned}", liar.host()), &[&pinned, &other_manifest]);
    // Nothing is published either.
    let publish = ["plugin", "pull", &format!("{}/acme/law@{pinned}", liar.host()), "--plain-http", "--publish"];
    let said = room.run(&publish).expect(1).stderr;
    assert!(said.contains(&other_manifest) && !said.contains("127.0.0.1:9"), "{said}");
}

#[test]
fn what_is_no_package_is_named_for_what_it_is() {
    let Some(registry) = open_registry() else { return };
    let host = registry.host();
    let config = |media: &str, body: &Value| upload(&host, "x", media, body.to_string().as_bytes());
    let image = |config: &Value, layers: &[Value]| json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let layer = upload(&host, "x", "application/vnd.oci.image.layer.v1.tar+gzip", b"layer");
    let wasm = upload(&host, "x", "application/wasm", b"\0asm\x0d\0\x01\0");
    let plain = config("application/vnd.oci.image.config.v1+json", &json!({ "architecture": "amd64", "os": "linux" }));
    put(&host, "x", "image", &image(&plain, std::slice::from_ref(&layer)));
    let helm = config("application/vnd.cncf.helm.config.v1+json", &json!({ "name": "chart" }));
    put(&host, "x", "chart", &image(&helm, &[layer]));
    let digest = format!("sha256:{}", Digest::of(&get(&host, "/v2/x/manifests/image").2));
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        { "mediaType": MANIFEST, "digest": digest, "size": get(&host, "/v2/x/manifests/image").2.len(),
          "platform": { "architecture": "amd64", "os": "linux" } }] });
    put(&host, "x", "index", &index);
    let about = |os: &str, digests: &Value| {
        let body =
            json!({ "created": "2026-01-01T00:00:00Z", "architecture": "wasm", "os": os, "layerDigests": digests });
        config("application/vnd.wasm.config.v0+json", &body)
    };
    put(&host, "x", "module", &image(&about("wasip1", &json!([wasm["digest"]])), std::slice::from_ref(&wasm)));
    put(&host, "x", "empty", &image(&about("wasip2", &json!([wasm["digest"]])), std::slice::from_ref(&wasm)));
    put(&host, "x", "unfit", &image(&about("wasip2", &json!([plain["digest"]])), std::slice::from_ref(&wasm)));
    put(&host, "x", "two", &image(&about("wasip2", &json!([wasm["digest"]])), &[wasm.clone(), wasm.clone()]));
    for (tag, words) in [
        ("image", vec!["isn't a Wasm artifact", "a container image"]),
        ("chart", vec!["a Helm chart"]),
        ("index", vec!["several platforms"]),
        ("module", vec!["a core module"]),
        ("empty", vec!["holds no package"]),
        ("unfit", vec!["its config names the layer"]),
        ("two", vec!["2 layers"]),
    ] {
        refused(&format!("{host}/x:{tag}"), &words);
    }
}

#[test]
fn what_is_too_large_is_not_even_asked_for() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let (file, _) = room.law("1.0.0");
    room.run(&["plugin", "push", &file, &format!("{host}/acme/law"), "--plain-http"]).expect(0);
    let mut huge = manifest(&host, "acme/law", "1.0.0");
    huge["layers"][0]["size"] = json!(1_u64 << 40);
    let huge = serde_json::to_vec(&huge).unwrap();
    let liar = Middleman::before(&format!("http://{host}"), move |path, _| {
        path.contains("manifests/1.0.0").then(|| huge.clone())
    });
    refused(&format!("{}/acme/law:1.0.0", liar.host()), &["1099511627776", "67108864"]);
    let liar = Middleman::before(&format!("http://{host}"), |path, _| {
        path.contains("manifests/1.0.0").then(|| vec![b' '; 5 << 20])
    });
    refused(&format!("{}/acme/law:1.0.0", liar.host()), &["the manifest", "5242880", "4194304"]);
}

#[test]
fn who_cannot_be_reached_or_does_not_have_it_is_said() {
    let room = Room::new();
    refused("127.0.0.1:9/acme/law:1.0.0", &["127.0.0.1:9 can't be reached", "nobody listens"]);
    let away = room.run(&["plugin", "pull", "registry.example/acme/law:1.0.0", "--plain-http"]).expect(1);
    assert!(away.stderr.contains("--plain-http is for this machine alone"), "{}", away.stderr);
    for reference in ["acme/law:1.0.0", "law", "registry.example/acme/law@sha256:12"] {
        let usage = room.run(&["plugin", "pull", reference]).expect(2);
        assert!(usage.stderr.contains("HOST[:PORT]/REPOSITORY"), "{}", usage.stderr);
    }
    let Some(registry) = open_registry() else { return };
    let host = registry.host();
    let (file, _) = room.law("1.0.0");
    room.run(&["plugin", "push", &file, &format!("{host}/acme/law"), "--plain-http"]).expect(0);
    refused(&format!("{host}/acme/law:2.0.0"), &["there's no tag \"2.0.0\"", "there are 1.0.0"]);
    refused(&format!("{host}/acme/law"), &["no tag is named", "there are 1.0.0"]);
    refused(&format!("{host}/acme/nothing:1.0.0"), &["check its name"]);
    refused(&format!("{host}/acme/law@sha256:{}", "0".repeat(64)), &["doesn't have sha256:000000"]);
    // TLS is asked of a server that speaks plain HTTP.
    let tls = room.run(&["plugin", "pull", &format!("{host}/acme/law:1.0.0")]).expect(1);
    assert!(tls.stderr.contains("--plain-http"), "{}", tls.stderr);
}

#[test]
fn a_tag_that_moved_is_told_from_what_was_pinned() {
    let Some(registry) = open_registry() else { return };
    let (room, host) = (Room::new(), registry.host());
    let ((old, bytes), (new, _)) = (room.law("1.0.0"), room.law("1.1.0"));
    let to = format!("{host}/acme/law:stable");
    let push = |file: &str| room.run(&["plugin", "push", file, &to, "--plain-http", "--json"]).expect(0).json();
    let pinned = push(&old)[0]["manifest"].as_str().unwrap().to_owned();
    let moved = push(&new);
    assert_eq!(moved[0]["moved_from"], pinned);
    let now = moved[0]["manifest"].as_str().unwrap();
    let reference = format!("{to}@{pinned}");
    let pulled = room.run(&["plugin", "pull", &reference, "--plain-http", "-o", &room.path("old.wasm")]).expect(0);
    assert!(pulled.stdout.contains(&format!("The tag leads to {now} by now")), "{}", pulled.stdout);
    assert!(room.read("old.wasm") == bytes, "what was pinned is what comes");
    // The pinned one is taken away: the tag's isn't taken in its place.
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let delete = ureq::http::Request::delete(format!("http://{host}/v2/acme/law/manifests/{pinned}")).body(()).unwrap();
    assert_eq!(agent.run(delete).unwrap().status(), 202);
    refused(&reference, &["any more", &format!("the tag leads to {now}")]);
}
