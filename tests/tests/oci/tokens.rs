//! A registry that takes tokens: asked for at its token service, with name and password.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use assize_tests::{Certificates, Issued, OciRegistry, Profile, RegistrySetup};
use serde_json::{Value, json};

use crate::room::{Room, openssl};

/// `ana:open sesame`
const ACCOUNT: &str = "Basic YW5hOm9wZW4gc2VzYW1l";

/// A token service: who is known may pull and push, everybody may pull what is under `public`.
struct Service {
    address: SocketAddr,
    queries: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(certificates: Arc<Certificates>, signer: Issued) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let queries = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&queries);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let header = |name: &str| {
                    let found = headers.iter().filter_map(|line| line.split_once(": "));
                    found
                        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
                        .map(|(_, value)| value.to_owned())
                        .next()
                };
                let query = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let who = header("authorization");
                asked.lock().unwrap().push(query.clone());
                let (status, body) = match who.as_deref() {
                    Some(ACCOUNT) => ("200 OK", token(&certificates, &signer, &query, &["pull", "push"])),
                    None if query.contains("public") => ("200 OK", token(&certificates, &signer, &query, &["pull"])),
                    _ => ("401 Unauthorized", json!({})),
                };
                let body = body.to_string();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                drop(stream.write_all(format!("{head}{body}").as_bytes()));
            }
        });
        Self { address, queries }
    }
}

fn base64url(room: &Certificates, bytes: &[u8]) -> String {
    base64(room, bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

fn base64(room: &Certificates, bytes: &[u8]) -> String {
    let file = room.file("bin");
    fs::write(&file, bytes).unwrap();
    String::from_utf8(openssl(&["base64", "-A", "-in", file.to_str().unwrap()])).unwrap()
}

/// A token for the repository that a query names, signed as registries want it (JWT, RS256).
fn token(room: &Certificates, signer: &Issued, query: &str, actions: &[&str]) -> Value {
    let scope = query
        .split('&')
        .find_map(|part| part.strip_prefix("scope=").or_else(|| part.split_once("scope=").map(|(_, scope)| scope)));
    let scope = scope.unwrap_or_default().replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    let name = scope.split(':').nth(1).unwrap_or_default().to_owned();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let der = openssl(&["x509", "-in", signer.certificate.to_str().unwrap(), "-outform", "DER"]);
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [base64(room, &der)] });
    let claims = json!({ "iss": OciRegistry::SERVICE, "sub": "ana", "aud": OciRegistry::SERVICE, "exp": now + 300,
        "nbf": now - 10, "iat": now, "jti": "1", "access": [{ "type": "repository", "name": name, "actions": actions }] });
    let text = format!(
        "{}.{}",
        base64url(room, header.to_string().as_bytes()),
        base64url(room, claims.to_string().as_bytes())
    );
    let (file, signature) = (room.file("jwt"), room.file("sig"));
    fs::write(&file, &text).unwrap();
    let key = signer.key.to_str().unwrap();
    openssl(&["dgst", "-sha256", "-sign", key, "-out", signature.to_str().unwrap(), file.to_str().unwrap()]);
    json!({ "token": format!("{text}.{}", base64url(room, &fs::read(&signature).unwrap())) })
}

#[test]
fn a_token_is_asked_for_where_the_registry_says() {
    let certificates = Arc::new(Certificates::new());
    let issuer = certificates.root(&Profile::issuer("Tokens").key("RSA"));
    let service = Service::start(Arc::clone(&certificates), issuer.clone());
    let realm = format!("http://{}/token", service.address);
    let setup = RegistrySetup { token: Some((realm, issuer.certificate.clone())), ..RegistrySetup::default() };
    let Some(registry) = OciRegistry::start(&setup) else { return };
    let (name, password) = OciRegistry::ACCOUNT;
    let (room, host) = (Room::new(), registry.host());
    let (file, bytes) = room.law("1.0.0");
    let variables = [("ASSIZE_OCI_USERNAME", name), ("ASSIZE_OCI_PASSWORD", password)];
    let to = |repository: &str| format!("{host}/{repository}/law");
    for repository in ["public", "private"] {
        let push = ["plugin", "push", &file, &to(repository), "--plain-http"];
        room.given(&push, "", &variables).expect(0);
    }
    {
        let queries = service.queries.lock().unwrap();
        let wanted = |query: &&String| {
            query.contains("service=assize-tests") && query.contains("scope=repository%3Apublic%2Flaw%3A")
        };
        assert!(queries.iter().any(|query| wanted(&query)), "{queries:?}");
        // A token serves more than one request.
        assert!(queries.len() < 12, "{queries:?}");
    }
    // Without a name: what everybody may, and no more.
    let pull = |repository: &str, out: &str, variables: &[(&str, &str)]| {
        let (from, out) = (format!("{}:1.0.0", to(repository)), room.path(out));
        room.given(&["plugin", "pull", &from, "--plain-http", "-o", &out], "", variables)
    };
    pull("public", "public.wasm", &[]).expect(0);
    assert!(room.read("public.wasm") == bytes);
    let refused = pull("private", "private.wasm", &[]).expect(1);
    assert!(
        refused.stderr.contains("token service refused") && refused.stderr.contains("--username"),
        "{}",
        refused.stderr
    );
    let wrong = [("ASSIZE_OCI_USERNAME", name), ("ASSIZE_OCI_PASSWORD", "wrong")];
    pull("private", "private.wasm", &wrong).expect(1);
    let (other, _) = room.law("1.1.0");
    let push = room.run(&["plugin", "push", &other, &to("public"), "--plain-http"]).expect(1);
    assert!(push.stderr.contains("--username"), "{}", push.stderr);
    pull("private", "private.wasm", &variables).expect(0);
}

#[test]
fn a_password_goes_nowhere_that_others_can_read() {
    let certificates = Arc::new(Certificates::new());
    let signer = certificates.root(&Profile::issuer("Tokens").key("RSA"));
    let service = Service::start(Arc::clone(&certificates), signer.clone());
    let authority = certificates.root(&Profile::issuer("Registry root"));
    let extensions =
        "keyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\nsubjectAltName = IP:127.0.0.1";
    let tls = certificates.issue(&Profile::new("127.0.0.1", extensions), &authority);
    // A registry behind TLS that sends to a token service without.
    let token = Some((format!("http://{}/token", service.address), signer.certificate));
    let Some(registry) = OciRegistry::start(&RegistrySetup { tls: Some(tls), token, password: false }) else { return };
    let room = Room::new();
    let (file, _) = room.law("1.0.0");
    let (to, ca) = (format!("{}/private/law", registry.host()), authority.certificate.to_str().unwrap());
    let variables = [("ASSIZE_OCI_USERNAME", "ana"), ("ASSIZE_OCI_PASSWORD", "open sesame")];
    let refused = room.given(&["plugin", "push", &file, &to, "--ca", ca], "", &variables).expect(1);
    assert!(
        refused.stderr.contains("isn't https") && refused.stderr.contains("nothing was sent"),
        "{}",
        refused.stderr
    );
    assert!(service.queries.lock().unwrap().is_empty());
}
