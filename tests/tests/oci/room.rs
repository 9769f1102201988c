//! What these tests share: a folder with a package in it, the command line, and the registry's bare HTTP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assize_ledger::{Algorithm, Digest, SignerKey};
use assize_tests::{Client, OciRegistry, Output, RegistrySetup, assize_given, law};
use serde_json::Value;
use tempfile::TempDir;
use ureq::http::Request;

/// A folder, and who speaks from it.
pub(crate) struct Room {
    folder: TempDir,
    server: Option<(String, String)>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: None }
    }

    /// One whose commands speak to this server.
    pub(crate) fn of(client: &Client) -> Self {
        Self { server: Some((client.base().to_owned(), client.key().to_owned())), ..Self::new() }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names of all files in it.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `acme/law` in this version, as a file.
    pub(crate) fn law(&self, version: &str) -> (String, Vec<u8>) {
        let bytes = law(version, "");
        (self.write(&format!("law-{version}.wasm"), &bytes), bytes)
    }

    /// Signs a package's file as `acme`: its `.sig` is beside it.
    pub(crate) fn sign(&self, file: &str, key: &SignerKey) {
        let secret = self.write("acme.key", key.to_secret());
        self.run(&["plugin", "sign", file, "--key-file", &secret]).expect(0);
        fs::remove_file(secret).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.given(arguments, "", &[])
    }

    /// Runs a command with this standard input and more of an environment.
    pub(crate) fn given(&self, arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Output {
        let mut all = arguments.to_vec();
        if let Some((base, key)) = &self.server {
            all.extend(["--server", base, "--key", key]);
        } else {
            // Nobody is there to be asked.
            all.extend(["--server", "http://127.0.0.1:9"]);
        }
        // The config of whoever runs the tests is none of theirs.
        let docker = self.path("docker");
        let mut variables = vec![("DOCKER_CONFIG", docker.as_str())];
        variables.extend(environment);
        assize_given(&all, &variables, input)
    }
}

pub(crate) fn key(seed: u8) -> SignerKey {
    SignerKey::from_seed("acme", Algorithm::Ed25519, [seed; 32]).unwrap()
}

/// `name+id`.
pub(crate) fn short(key: &SignerKey) -> String {
    format!("acme+{}", key.public().id())
}

/// A registry that lets everybody in, over plain HTTP.
pub(crate) fn open_registry() -> Option<OciRegistry> {
    OciRegistry::start(&RegistrySetup::default())
}

/// An answer of a registry to a bare GET: its status, its content type, its bytes.
pub(crate) fn get(host: &str, path: &str) -> (u16, String, Vec<u8>) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
    let request = Request::get(format!("http://{host}{path}")).header("accept", accept).body(()).unwrap();
    let mut answer = agent.run(request).unwrap();
    let media = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let bytes = answer.body_mut().with_config().limit(256 << 20).read_to_vec().unwrap();
    (answer.status().as_u16(), media.unwrap_or_default(), bytes)
}

pub(crate) fn manifest(host: &str, repository: &str, name: &str) -> Value {
    let (status, _, bytes) = get(host, &format!("/v2/{repository}/manifests/{name}"));
    assert_eq!(status, 200, "{repository}:{name}");
    serde_json::from_slice(&bytes).unwrap()
}

/// Uploads a blob as the specification says; its descriptor.
pub(crate) fn upload(host: &str, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let begin = Request::post(format!("http://{host}/v2/{repository}/blobs/uploads/")).body(&[][..]).unwrap();
    let answer = agent.run(begin).unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let digest = format!("sha256:{}", Digest::of(bytes));
    let put = Request::put(format!("{location}&digest={digest}")).header("content-type", "application/octet-stream");
    assert_eq!(agent.run(put.body(bytes).unwrap()).unwrap().status(), 201);
    serde_json::json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
}

/// Puts a manifest under a tag or digest.
pub(crate) fn put(host: &str, repository: &str, name: &str, manifest: &Value) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let media = manifest["mediaType"].as_str().unwrap();
    let request = Request::put(format!("http://{host}/v2/{repository}/manifests/{name}")).header("content-type", media);
    let mut answer = agent.run(request.body(manifest.to_string()).unwrap()).unwrap();
    let said = answer.body_mut().read_to_string().unwrap();
    assert_eq!(answer.status(), 201, "{said}");
}

/// Runs `skopeo`; none where it isn't installed, which in CI is a failure.
pub(crate) fn skopeo(arguments: &[&str]) -> Option<std::process::Output> {
    match Command::new("skopeo").args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "skopeo isn't installed: apt-get install skopeo ({error})");
            println!("skipped: skopeo isn't installed (apt-get install skopeo)");
            None
        }
    }
}

/// `openssl` in a folder; panics where it fails.
pub(crate) fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

pub(crate) fn signature_of(path: &str) -> PathBuf {
    PathBuf::from(format!("{path}.sig"))
}
