//! Speaks with a server, and says in its words why it refused.

use std::fmt;
use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{Request, Response, StatusCode};

use crate::output::Usage;

/// Which server, and who asks.
#[derive(clap::Args)]
pub(crate) struct Connection {
    /// Address of the server
    #[arg(long, global = true, env = "ASSIZE_SERVER", default_value = "http://127.0.0.1:8787", value_name = "URL")]
    server: String,
    /// API key
    #[arg(long, global = true, env = "ASSIZE_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

// The key stays out of what is printed.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.server)
    }
}

/// An answer with a status of success.
pub(crate) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
}

/// The server said no.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    problem: Problem,
    advice: Option<&'static str>,
}

/// A problem after RFC 9457.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    field: Option<String>,
    value: Option<serde_json::Value>,
    remedy: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, problem, advice } = self;
        write!(f, "refused with {status}")?;
        if !problem.title.is_empty() {
            write!(f, ": {}", problem.title)?;
        }
        if !problem.detail.is_empty() {
            write!(f, "\n  {}", problem.detail)?;
        }
        if let Some(field) = &problem.field {
            write!(f, "\n  field:  {field}")?;
        }
        if let Some(value) = &problem.value {
            write!(f, "\n  value:  {value}")?;
        }
        if let Some(remedy) = problem.remedy.as_deref().or(*advice) {
            write!(f, "\n  remedy: {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// What can be done about a refusal that the server itself doesn't say.
fn advice(status: StatusCode, has_key: bool) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED if has_key => {
            Some("the key is unknown or revoked; have an administrator make one with `assize key create`")
        }
        StatusCode::UNAUTHORIZED => Some(
            "give a key with --key or ASSIZE_KEY; `assize serve` prints the first one when it begins a data directory",
        ),
        StatusCode::FORBIDDEN => Some("use a key whose role allows it; `assize key create --role` makes one"),
        StatusCode::TOO_MANY_REQUESTS => Some("wait, or have an administrator raise the key's limit"),
        _ => None,
    }
}

/// The largest answer that is read: a component may have 64 MiB.
const LARGEST_ANSWER: u64 = 256 << 20;

/// `verify` over a long log is the slowest request there is.
const PATIENCE: Duration = Duration::from_secs(600);

/// One request. Nothing is sent before [`Call::send`].
pub(crate) struct Call<'a> {
    connection: &'a Connection,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

impl Connection {
    /// A request for `path`, which begins with a slash; see [`segment`] for parts that come from elsewhere.
    pub(crate) fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call("GET", path.into(), None)
    }

    /// A request that carries JSON.
    pub(crate) fn post(&self, path: impl Into<String>, json: impl Into<Vec<u8>>) -> Call<'_> {
        self.call("POST", path.into(), Some(json.into())).header("content-type", "application/json")
    }

    /// A request that carries JSON and replaces what is there.
    pub(crate) fn put(&self, path: impl Into<String>, json: impl Into<Vec<u8>>) -> Call<'_> {
        self.call("PUT", path.into(), Some(json.into())).header("content-type", "application/json")
    }

    /// A request that carries a component.
    pub(crate) fn post_component(&self, path: &str, component: Vec<u8>) -> Call<'_> {
        self.call("POST", path.to_owned(), Some(component)).header("content-type", "application/wasm")
    }

    /// A request that carries text.
    pub(crate) fn post_text(&self, path: impl Into<String>, text: String) -> Call<'_> {
        self.call("POST", path.into(), Some(text.into_bytes())).header("content-type", "text/plain; charset=utf-8")
    }

    /// A request to take something away.
    pub(crate) fn delete(&self, path: impl Into<String>) -> Call<'_> {
        self.call("DELETE", path.into(), None)
    }

    fn call(&self, method: &'static str, target: String, body: Option<Vec<u8>>) -> Call<'_> {
        Call { connection: self, method, target, headers: Vec::new(), body }
    }
}

impl Call<'_> {
    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a parameter to the address, where it has a value.
    pub(crate) fn query(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            let separator = if self.target.contains('?') { '&' } else { '?' };
            self.target.push(separator);
            self.target.push_str(name);
            self.target.push('=');
            self.target.push_str(&segment(&value.to_string()));
        }
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// Where no server answers, and where it answers with anything but success.
    pub(crate) fn send(self) -> anyhow::Result<Reply> {
        let (server, mut answer) = self.answer(Some(PATIENCE))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
        let body = body.with_context(|| format!("the answer of {server} broke off"))?;
        Ok(Reply { status, body })
    }

    /// Sends it, and copies the answer, however long, to `out`.
    ///
    /// # Errors
    /// As [`Call::send`], and where the answer breaks off.
    pub(crate) fn download(self, out: &mut impl Write) -> anyhow::Result<()> {
        let (server, answer) = self.answer(None)?;
        let copied = std::io::copy(&mut answer.into_body().into_reader(), out);
        // A cause of our own output stays one; the server's is worded.
        copied.map(drop).map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::StorageFull => error.into(),
            _ => anyhow::anyhow!("the answer of {server} broke off: {error}"),
        })
    }

    /// Sends it, and hands out the answer as it comes in, however long.
    ///
    /// # Errors
    /// As [`Call::send`]. Where the answer breaks off, reading says so.
    pub(crate) fn stream(self) -> anyhow::Result<impl Read + Send> {
        let (_, answer) = self.answer(None)?;
        Ok(answer.into_body().into_reader())
    }

    /// Sends it; none where the key isn't allowed to ask that.
    ///
    /// # Errors
    /// As [`Call::send`].
    pub(crate) fn send_if_allowed(self) -> anyhow::Result<Option<Reply>> {
        match self.send() {
            Ok(reply) => Ok(Some(reply)),
            Err(error) => match error.downcast_ref::<Refused>() {
                Some(refused) if refused.status == StatusCode::FORBIDDEN => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Sends it; an answer of success is still to be read.
    fn answer(self, patience: Option<Duration>) -> anyhow::Result<(String, Response<ureq::Body>)> {
        let Connection { server, key } = self.connection;
        let server = server.trim_end_matches('/');
        if !(server.starts_with("http://") || server.starts_with("https://")) {
            return Err(Usage(format!("--server {server:?}: write an address with http:// or https://")).into());
        }
        let mut request = Request::builder().method(self.method).uri(format!("{server}{}", self.target));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(patience)
            .user_agent(concat!("assize/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let malformed = || Usage("the address, the key or a header has characters that HTTP doesn't carry".to_owned());
        let answer = match self.body {
            Some(body) => agent.run(request.body(body).map_err(|_| malformed())?),
            None => agent.run(request.body(()).map_err(|_| malformed())?),
        };
        let mut answer = answer.map_err(|error| unreachable(server, error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok((server.to_owned(), answer));
        }
        let body = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
        let body = body.with_context(|| format!("the answer of {server} broke off"))?;
        let mut problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        if problem.title.is_empty() && problem.detail.is_empty() {
            problem.detail = String::from_utf8_lossy(&body).chars().take(500).collect();
        }
        Err(Refused { status, problem, advice: advice(status, key.is_some()) }.into())
    }
}

fn unreachable(server: &str, error: ureq::Error) -> anyhow::Error {
    let refused = match &error {
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        ureq::Error::ConnectionFailed => true,
        _ => false,
    };
    // The cause is worded here: an `io::Error` in the chain would be taken for one of our own output.
    if refused {
        anyhow::anyhow!("no server answers at {server}; start one with `assize serve`, or name another with --server")
    } else {
        anyhow::anyhow!("{server} can't be reached: {error}; check --server")
    }
}

impl Reply {
    /// The answer as JSON.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body)
            .context("the server answered something else than expected; is it an Assize host of this version?")
    }

    /// Its bytes.
    pub(crate) fn text(&self) -> anyhow::Result<&str> {
        match std::str::from_utf8(&self.body) {
            Ok(text) => Ok(text),
            Err(_) => bail!("the server's answer isn't text"),
        }
    }

    /// The exact bytes.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.body
    }

    /// Whether something new came about (201), rather than something that was there before.
    pub(crate) fn is_new(&self) -> bool {
        self.status == StatusCode::CREATED
    }
}

/// Percent-encodes one segment of a path or a value of a query (RFC 3986, unreserved characters and the colon stay).
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default().to_ascii_uppercase();
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_stays_one_segment() {
        assert_eq!(segment("system:chat"), "system:chat");
        assert_eq!(segment("../a b?ç"), "..%2Fa%20b%3F%C3%A7");
    }

    #[test]
    fn a_refusal_says_field_value_and_remedy() {
        let problem = r#"{"title":"Unknown plugin","detail":"no version of a/b is active","field":"bindings[0].plugin","value":"a/b","remedy":"publish it"}"#;
        let refused = Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            problem: serde_json::from_str(problem).unwrap(),
            advice: Some("unused"),
        };
        let text = refused.to_string();
        for part in ["422", "Unknown plugin", "no version", "bindings[0].plugin", "\"a/b\"", "publish it"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("unused"));
    }
}
