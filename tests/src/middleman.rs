//! Somebody between a client and an HTTP server, who passes on what they say, and alters some of it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What becomes of an answer: given the path and the body, another body, or none to leave it.
type Alter = dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Larger than any package.
const LARGEST_BODY: u64 = 256 << 20;

/// A middleman that runs until it is dropped. Only what reads passes it.
pub struct Middleman {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Middleman {
    /// Starts one before a server (`http://host:port`).
    pub fn before(server: &str, alter: impl Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
        let (upstream, alter, stop) = (server.to_owned(), Arc::new(alter), Arc::clone(&closed));
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is no reason to end.
                drop(stream.and_then(|stream| pass(stream, &agent, &upstream, alter.as_ref())));
            }
        });
        Self { address, closed, server: Some(server) }
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

fn pass(mut stream: TcpStream, agent: &ureq::Agent, upstream: &str, alter: &Alter) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut request = ureq::http::Request::builder().method(method.as_str()).uri(format!("{upstream}{path}"));
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if ["accept", "authorization"].contains(&name.to_ascii_lowercase().as_str()) {
            request = request.header(name, value.trim());
        }
    }
    let mut answer = agent.run(request.body(()).unwrap()).map_err(io::Error::other)?;
    let body = answer.body_mut().with_config().limit(LARGEST_BODY).read_to_vec().map_err(io::Error::other)?;
    let altered = alter(&path, &body);
    write!(stream, "HTTP/1.1 {}\r\nconnection: close\r\n", answer.status())?;
    for name in ["content-type", "docker-content-digest", "www-authenticate"] {
        let header = answer.headers().get(name).and_then(|value| value.to_str().ok());
        // Whoever lies about the bytes doesn't give themselves away by their digest.
        if let Some(value) = header.filter(|_| altered.is_none() || name != "docker-content-digest") {
            write!(stream, "{name}: {value}\r\n")?;
        }
    }
    let body = altered.unwrap_or(body);
    write!(stream, "content-length: {}\r\n\r\n", body.len())?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes it.
        drop(TcpStream::connect(self.address));
        drop(self.server.take().map(JoinHandle::join));
    }
}
