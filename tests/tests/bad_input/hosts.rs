//! What a host can't do just now, or not a second time: a full queue, connections that break off, a second server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use assize_tests::{Answer, Server, Setup, agent, policy};
use serde_json::json;

use crate::{SERVER, ask, case_with, tenant, without_a_trace};

#[test]
fn a_full_queue_answers_when_to_come_again() {
    let server = Server::with_guests_and(Setup::bare().argument("--max-in-flight").argument("1"));
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("slow", &json!({ "do": "loop" }))]));
    let case = case_with(&json!({}));
    let answers: Vec<Answer> = thread::scope(|scope| {
        let askers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..6).map(|_| ask(&tenant, &case)).collect::<Vec<_>>())).collect();
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect()
    });
    let (made, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for answer in &refused {
        answer.problem(503);
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    let listed = tenant.get("/v1/decisions?limit=1000").expect(200)["decisions"].as_array().unwrap().len();
    assert_eq!(listed, made.len(), "what was refused isn't there, what was answered is");
    ask(&tenant, &case).expect(201);
}

#[test]
fn a_connection_that_breaks_off_leaves_nothing_behind() {
    let server = SERVER.get();
    let tenant = tenant(&server);
    let address = server.base().strip_prefix("http://").unwrap();
    without_a_trace(&tenant, || {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).unwrap();
            let head = format!(
                "POST /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 500\r\n\r\n{{\"env",
                tenant.key()
            );
            stream.write_all(head.as_bytes()).unwrap();
        }
        for garbage in ["\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}"] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(garbage.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // Whatever it answers, it answers, and closes.
            drop(stream.read_to_end(&mut Vec::new()));
        }
    });
}

/// One answer from a raw connection: its head.
fn head_of_answer(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head
}

#[test]
fn an_answer_that_needs_no_body_leaves_the_connection_usable() {
    let server = SERVER.get();
    let mut stream = TcpStream::connect(server.base().strip_prefix("http://").unwrap()).unwrap();
    for _ in 0..3 {
        stream.write_all(b"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n").unwrap();
        // The server has long seen that there is nothing here when the body comes.
        thread::sleep(std::time::Duration::from_millis(100));
        stream.write_all(b"{}").unwrap();
        let head = head_of_answer(&mut stream);
        assert!(head.starts_with("http/1.1 404") && !head.contains("connection: close"), "{head}");
    }
    // One that doesn't come isn't waited for, and the client is told.
    stream.write_all(b"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{").unwrap();
    let head = head_of_answer(&mut stream);
    assert!(head.starts_with("http/1.1 404") && head.contains("connection: close"), "{head}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = SERVER.get();
    let (code, said) = Setup::bare().data(server.data()).refused();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("in use"), "{said}");
    assert_eq!(server.admin().get("/readyz").status, 200);
}

#[test]
fn a_command_line_that_makes_no_sense_is_usage() {
    for arguments in
        [&["serve", "--listen", "nowhere"][..], &["dance"], &["replay"], &["ledger", "verify", "--from", "x"]]
    {
        let output = assize_tests::assize(arguments).expect(2);
        assert!(!output.stderr.is_empty());
    }
    let gone = assize_tests::assize(&["ledger", "verify", "--data", "/nowhere/at/all"]).expect(1);
    assert!(gone.stderr.contains("/nowhere/at/all"), "{}", gone.stderr);
    assert!(assize_tests::assize(&["--help"]).expect(0).stdout.contains("serve"));
}

#[test]
fn more_connections_than_files_are_refused_at_the_start() {
    let (code, said) = Setup::bare().argument("--max-connections").argument("4000000000").refused();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--max-connections 4000000000") && said.contains("ulimit -n"), "{said}");
}
