//! As much of HTTP/1.1 as it takes to talk to our own server: one connection, kept open, and answers that say their
//! length. It is light on purpose: the benchmark's load generator shares two cores with what it measures.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A request's bytes, ready to be sent any number of times.
pub fn request(method: &str, path: &str, key: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// What the head of an answer says: status and length of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes that follow the head.
    pub length: usize,
}

/// Reads an answer's head line by line.
///
/// # Errors
/// Where it breaks off, or doesn't say how long the body is.
pub fn read_head(reader: &mut impl BufRead) -> anyhow::Result<Head> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        bail!("the server closed the connection");
    }
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("not an answer: {line:?}"))?;
    let mut length = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    Ok(Head { status, length: length.context("the answer doesn't say its length")? })
}

/// One caller of the API.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    key: String,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody listens.
    pub fn connect(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("{address} doesn't answer"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        Ok(Self { stream: BufReader::new(stream), key: key.to_owned() })
    }

    /// Sends any bytes and gives status and body of the answer.
    ///
    /// # Errors
    /// Where the connection breaks.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let request = request(method, path, &self.key, content_type, body);
        self.stream.get_mut().write_all(&request)?;
        let head = read_head(&mut self.stream)?;
        let mut body = vec![0; head.length];
        self.stream.read_exact(&mut body)?;
        Ok((head.status, body))
    }

    /// Sends JSON; gives the status and the JSON of the answer, whatever the status is.
    ///
    /// # Errors
    /// Where the connection breaks, or the answer isn't JSON.
    pub fn json(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let (status, answer) = self.send(method, path, "application/json", body.to_string().as_bytes())?;
        let answer = serde_json::from_slice(&answer)
            .with_context(|| format!("{method} {path} answered {status} without JSON"))?;
        Ok((status, answer))
    }

    /// As [`Client::json`], where anything but success is an error.
    ///
    /// # Errors
    /// Also where the server refuses, in its words.
    pub fn must(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        match self.json(method, path, body)? {
            (200..=299, answer) => Ok(answer),
            (status, problem) => bail!("{method} {path} was refused with {status}: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_up_to_the_body() {
        let mut answer: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\ndate: x: y\r\n\r\n{}";
        assert_eq!(read_head(&mut answer).unwrap(), Head { status: 201, length: 2 });
        assert_eq!(answer, b"{}");
    }

    #[test]
    fn a_connection_that_closes_is_an_error() {
        assert!(read_head(&mut b"".as_slice()).is_err());
        assert!(read_head(&mut b"HTTP/1.1 200 OK\r\n\r\n".as_slice()).is_err());
    }
}
