//! A time-stamping authority (RFC 3161) on a free port: `openssl ts` behind HTTP. It can be told to fail as real ones do.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::certificates::{Certificates, Issued, Profile, text_of};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Stamps,
    /// HTTP 500.
    Fails,
    /// Not at all: the connection stays open.
    Hangs,
    /// HTTP 200, and bytes that are no token.
    Babbles,
    /// HTTP 200, and status 2 (rejection).
    Rejects,
    /// With a token for another hash.
    StampsAnotherHash,
    /// With a token for another query.
    StampsAnotherNonce,
    /// With a token that a certificate signs which was over before.
    Expired,
    /// With a token of an authority that the roots don't lead to.
    Foreign,
}

/// An authority that runs until it is dropped.
pub struct Authority {
    address: SocketAddr,
    office: Arc<Office>,
    server: Option<JoinHandle<()>>,
}

/// What the server's thread shares with the test.
struct Office {
    certificates: Certificates,
    root: Issued,
    stamper: Issued,
    expired: Issued,
    foreign: Issued,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    mood: Mood,
    queries: u32,
    closed: bool,
    /// Connections left without an answer.
    hanging: Vec<TcpStream>,
}

impl Authority {
    /// Makes its keys and certificates, and starts it.
    pub fn start() -> Self {
        let certificates = Certificates::new();
        let root = certificates.root(&Profile::issuer("Root"));
        let stamper = certificates.issue(&Profile::stamper("Stamper"), &root);
        let over = Profile::stamper("Expired stamper").valid("20200101000000Z", "20210101000000Z");
        let expired = certificates.issue(&over, &root);
        // The name of the root that is trusted, and another key.
        let foreign_root = certificates.root(&Profile::issuer("Root"));
        let foreign = certificates.issue(&Profile::stamper("Stamper"), &foreign_root);
        let office = Arc::new(Office { certificates, root, stamper, expired, foreign, desk: Mutex::default() });

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn({
            let office = Arc::clone(&office);
            move || office.serve(&listener)
        });
        Self { address, office, server: Some(server) }
    }

    /// Where to send queries.
    pub fn url(&self) -> String {
        format!("http://{}/tsr", self.address)
    }

    /// Its host and port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The root that vouches for it, as PEM.
    pub fn roots_pem(&self) -> Vec<u8> {
        self.office.root.pem()
    }

    /// The certificate that it signs with while it [stamps](Mood::Stamps), as PEM.
    pub fn signer_pem(&self) -> Vec<u8> {
        self.office.stamper.pem()
    }

    /// From now on it answers like this. Connections that hang are closed.
    pub fn behave(&self, mood: Mood) {
        let mut desk = self.office.desk.lock().unwrap();
        desk.mood = mood;
        desk.hanging.clear();
    }

    /// How many queries it got.
    pub fn queries(&self) -> u32 {
        self.office.desk.lock().unwrap().queries
    }

    /// Whether `openssl ts -verify` accepts a response to a query.
    pub fn openssl_verifies(&self, query: &[u8], response: &[u8]) -> bool {
        let certificates = &self.office.certificates;
        let (query_file, response_file) = (certificates.file("tsq"), certificates.file("tsr"));
        fs::write(&query_file, query).unwrap();
        fs::write(&response_file, response).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["ts", "-verify", "-queryfile", text_of(&query_file), "-in", text_of(&response_file)]);
        openssl.args(["-CAfile", text_of(&self.office.root.certificate)]);
        openssl.output().unwrap().status.success()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Ok(mut desk) = self.office.desk.lock() {
            desk.closed = true;
            desk.hanging.clear();
        }
        // Wakes it.
        drop(TcpStream::connect(self.address));
        drop(self.server.take().map(JoinHandle::join));
    }
}

impl Office {
    fn serve(&self, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.desk.lock().unwrap().closed {
                return;
            }
            // A client that goes away is no reason to end.
            drop(stream.and_then(|stream| self.answer(stream)));
        }
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let Some(query) = read_query(&stream)? else {
            return respond(&mut stream, "400 Bad Request", b"send a POST of application/timestamp-query\n");
        };
        let mood = {
            let mut desk = self.desk.lock().unwrap();
            desk.queries += 1;
            if desk.mood == Mood::Hangs {
                desk.hanging.push(stream);
                return Ok(());
            }
            desk.mood
        };
        let stamped = |signer, query: &[u8]| stamp(&self.certificates, signer, query, "");
        let response = match mood {
            Mood::Stamps | Mood::Hangs => stamped(&self.stamper, &query),
            Mood::Fails => return respond(&mut stream, "500 Internal Server Error", b"out of order\n"),
            Mood::Babbles => b"<html>It works!</html>".to_vec(),
            Mood::Rejects => vec![0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02],
            Mood::StampsAnotherHash => stamped(&self.stamper, &altered(query, |hash, _| hash)),
            Mood::StampsAnotherNonce => stamped(&self.stamper, &altered(query, |_, nonce| nonce)),
            Mood::Expired => stamped(&self.expired, &query),
            Mood::Foreign => stamped(&self.foreign, &query),
        };
        respond(&mut stream, "200 OK", &response)
    }
}

/// Flips a bit in the last byte of the query's hash (SHA-256) or nonce; `which` says where, given the ends of both.
fn altered(mut query: Vec<u8>, which: impl Fn(usize, usize) -> usize) -> Vec<u8> {
    let hash = query.windows(2).position(|window| window == [0x04, 0x20]).expect("a SHA-256 hash") + 2;
    let nonce = hash + 32 + 2;
    let end = nonce + usize::from(query[nonce - 1]);
    query[which(hash + 31, end - 1)] ^= 1;
    query
}

/// The body of a request; none if it isn't one for a token.
fn read_query(stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let asked = headers.get("content-type").is_some_and(|media| media == "application/timestamp-query");
    let Some(length) = length.filter(|_| asked && first.starts_with("POST ")) else { return Ok(None) };
    let mut query = vec![0; length];
    reader.read_exact(&mut query)?;
    Ok(Some(query))
}

fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let media = if status.starts_with("200") { "application/timestamp-reply" } else { "text/plain" };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

/// The response of `openssl ts -reply`; `options` are more lines of its configuration (`ts(1)`).
pub fn stamp(certificates: &Certificates, signer: &Issued, query: &[u8], options: &str) -> Vec<u8> {
    let (config, query_file, response) = (certificates.file("cnf"), certificates.file("tsq"), certificates.file("tsr"));
    fs::write(&config, format!("{CONFIG}{options}\n")).unwrap();
    fs::write(&query_file, query).unwrap();
    let (certificate, key) = (text_of(&signer.certificate), text_of(&signer.key));
    let mut arguments = vec!["ts", "-reply", "-config", text_of(&config), "-signer", certificate, "-inkey", key];
    arguments.extend(["-queryfile", text_of(&query_file), "-out", text_of(&response)]);
    certificates.openssl(&arguments);
    fs::read(response).unwrap()
}

const CONFIG: &str = "\
[ tsa ]
default_tsa = authority
[ authority ]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
signer_digest = sha256
accuracy = secs:1, millisecs:500
ess_cert_id_alg = sha256
tsa_name = yes
";
