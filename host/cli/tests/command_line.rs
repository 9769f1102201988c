//! What scripts and people rely on: exit codes, errors that help, output that can be cut off. The commands' work with a
//! server is tested end to end elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

fn assize(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
    command.args(arguments);
    for name in ["ASSIZE_SERVER", "ASSIZE_KEY", "ASSIZE_LOG", "ASSIZE_ADMIN_KEY"] {
        command.env_remove(name);
    }
    command
}

fn ended(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = assize(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// Answers one request with these bytes; gives the address and what was asked.
fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(buffer.get(..read).unwrap());
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request).into_owned()
    });
    (address, asked)
}

#[test]
fn a_wrong_call_exits_with_2() {
    let calls: [&[&str]; 8] = [
        &[],
        &["decide"],
        &["decide", "-e", "production", "--payload", "{not json"],
        &["plugin", "yank", "no-version", "--reason", "x"],
        &["--server", "ftp://x", "plugin", "list"],
        &["ledger", "verify", "--expected-size", "3"],
        &["serve", "--bare", "--plugins", "x"],
        &["key", "create"],
    ];
    for call in calls {
        let (code, stderr) = ended(call);
        assert_eq!(code, Some(2), "{call:?}: {stderr}");
        assert!(!stderr.is_empty(), "{call:?}");
    }
}

#[test]
fn without_a_server_the_error_says_what_to_do() {
    // Bound and closed again: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, stderr) = ended(&["--server", &format!("http://127.0.0.1:{port}"), "plugin", "list"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("assize serve") && stderr.contains("--server"), "{stderr}");
}

#[test]
fn a_refusal_is_shown_with_its_field_and_remedy() {
    let answer = concat!(
        "HTTP/1.1 422 Unprocessable Entity\r\ncontent-type: application/problem+json\r\ncontent-length: 118\r\n\r\n",
        r#"{"title":"A value is not valid","detail":"no such plugin","field":"bindings[0].plugin","remedy":"publish it\u001b[2J"}"#,
    );
    let (server, asked) = answering(answer);
    let (code, stderr) = ended(&["--server", &server, "--key", "k", "policy", "get", "tenant:a b"]);
    assert_eq!(code, Some(1), "{stderr}");
    for part in ["422", "A value is not valid", "no such plugin", "bindings[0].plugin", "publish it"] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    assert!(!stderr.contains('\u{1b}'), "a server's text reached the terminal unescaped: {stderr:?}");
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("GET /v1/policies/tenant:a%20b HTTP/1.1"), "{asked}");
    assert!(asked.to_lowercase().contains("authorization: bearer k\r\n"), "{asked}");
}

#[test]
fn a_directory_without_a_ledger_is_named_and_stays_as_it_is() {
    let empty = std::env::temp_dir().join(format!("assize-cli-{}", std::process::id()));
    std::fs::create_dir_all(&empty).unwrap();
    let directory = empty.to_str().unwrap();
    for command in [["ledger", "verify"], ["ledger", "show"], ["replay", "01890a5d-ac96-774b-bcce-000000000000"]] {
        let mut arguments = command.to_vec();
        arguments.extend(["--data", directory]);
        let (code, stderr) = ended(&arguments);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains(directory), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "reading made files");
    std::fs::remove_dir(&empty).unwrap();
}

#[test]
fn what_isnt_a_package_is_refused_with_a_way_out() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let (code, stderr) = ended(&["plugin", "inspect", manifest]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("isn't WebAssembly"), "{stderr}");
    let (code, stderr) = ended(&["plugin", "pack", manifest, "--manifest", "no-such.toml", "-o", "/nowhere/x.wasm"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no-such.toml"), "{stderr}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = assize(&["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Closed before anything is read; the script is longer than what a pipe holds or arrives after it is closed.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = assize(&["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("ledger"), "{shell}");
    }
}

#[test]
fn help_never_shows_the_key() {
    let output = assize(&["--help"]).env("ASSIZE_KEY", "secret-key").output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8(output.stdout).unwrap().contains("secret-key"));
}
