//! A server that keeps what it compiled: the next start finds it, and nothing that is done to it reaches a judgment.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assize_tests::{Server, Setup, assize, bundled, policy};
use serde_json::{Value, json};

/// A server with a folder and a key of its own for what it compiles.
fn start(place: &Path, arguments: &[&str]) -> Server {
    let mut setup = Setup::bare().data(&place.join("data")).argument("--compiled-key").argument(place.join("key"));
    for argument in arguments {
        setup = setup.argument(argument);
    }
    setup = setup.argument("--compiled").argument(place.join("data/compiled"));
    Server::start(setup)
}

fn files(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.join("data/compiled"));
    entries.map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

/// How many components met this fate since the start.
fn fate(server: &Server, fate: &str) -> u64 {
    let text = String::from_utf8(server.admin().get("/metrics").body).unwrap();
    let start = format!("assize_compiled_components_total{{fate=\"{fate}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
}

/// What a decision says, but for what differs between any two.
fn judged(server: &Server) -> Value {
    let case = json!({ "environment": "production", "kind": "prompt", "payload": { "prompt": "Hello" } });
    let decision = server.admin().post("/v1/decisions", &case).expect(201);
    let plugin = &decision["plugins"][0];
    json!([decision["verdict"], plugin["status"], plugin["fuel"], plugin["output_hash"], plugin["digest"]])
}

#[test]
fn a_start_finds_what_publishing_compiled_and_refuses_what_was_done_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let mut server = start(place, &[]);
    for name in ["assize-technical-1.0.0", "assize-ethical-1.0.0"] {
        server.admin().publish_and_activate(&bundled(name));
    }
    let binding = json!({ "name": "ethical", "plugin": "assize/ethical" });
    server.admin().set_policy("global", &policy(&[binding]));
    assert_eq!((fate(&server, "miss"), fate(&server, "hit")), (2, 0));
    assert_eq!(files(place).len(), 2);
    let once = judged(&server);
    assert_eq!(once[1], "ok", "{once}");

    server.restart();
    assert_eq!((fate(&server, "miss"), fate(&server, "hit"), fate(&server, "refused")), (0, 2, 0));
    assert_eq!(judged(&server), once);

    for file in files(place) {
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&file, bytes).unwrap();
    }
    server.restart();
    assert_eq!((fate(&server, "miss"), fate(&server, "hit"), fate(&server, "refused")), (2, 0, 2));
    assert!(server.said().contains("is refused, and compiled anew"), "{}", server.said());
    assert_eq!(judged(&server), once);

    server.restart();
    assert_eq!((fate(&server, "miss"), fate(&server, "hit")), (0, 2));
    assert_eq!(judged(&server), once);
    assert_eq!(server.stop(), 0);

    // Judged again without the server, by what it compiled and without.
    let data = place.join("data");
    let replay = || assize(&["replay", "--all", "--data", data.to_str().unwrap()]).expect(0);
    replay();
    fs::remove_dir_all(data.join("compiled")).unwrap();
    replay();
    assert!(files(place).is_empty(), "reading a ledger writes nothing");
}

#[test]
fn a_server_can_keep_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let mut server = start(place, &["--compiled-bytes", "0"]);
    server.admin().publish_and_activate(&bundled("assize-technical-1.0.0"));
    server.restart();
    assert!(files(place).is_empty());
    assert!(!place.join("key").exists());
}

#[test]
fn a_key_inside_the_data_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let setup = Setup::bare().data(&data).argument("--compiled-key").argument(data.join("compiled.key"));
    let (code, said) = setup.refused();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--compiled-key") && said.contains("name a file elsewhere"), "{said}");
}

/// Publishing compiles in a process of its own. What makes the compiler want all the memory that there is ends that process, and nothing
/// else.
#[cfg(target_os = "linux")]
#[test]
fn whoever_compiles_has_a_bound() {
    let mut command = Command::new(assize_tests::binary());
    command.arg("compile").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut compiler = command.spawn().unwrap();
    let limits = format!("/proc/{}/limits", compiler.id());
    let bounded = || {
        let limits = fs::read_to_string(&limits).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max data size")).unwrap();
        line.split_whitespace().filter(|word| *word == "2147483648").count() == 2
    };
    while !bounded() {
        assert!(compiler.try_wait().unwrap().is_none(), "it ended without a bound");
        std::thread::yield_now();
    }
    compiler.kill().unwrap();
    compiler.wait().unwrap();

    // Beyond it, it ends without any code: here beyond a lower one, which it doesn't raise.
    let component = bundled("assize-threat-taxonomy-1.0.0");
    let compile = |kilobytes: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -d $1 && exec \"$0\" compile"]).arg(assize_tests::binary()).arg(kilobytes);
        let mut compiler = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that has ended doesn't read.
        let _ = compiler.stdin.take().unwrap().write_all(&component);
        compiler.wait_with_output().unwrap()
    };
    let enough = compile("1900000");
    assert!(enough.status.success(), "{}", String::from_utf8_lossy(&enough.stderr));
    let little = compile("30000");
    assert!(!little.status.success());
    assert!(little.stdout.is_empty());
}
