//! Requests to one registry: TLS, who asks, and what refusals mean.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ureq::Body;
use ureq::ResponseExt as _;
use ureq::http::{Method, Response, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::auth::{self, Challenge};
use super::credentials::{Access, Credentials, from_docker};
use crate::reference::is_loopback;
use crate::{OciError, Reference};

/// A package of 64 MiB over a slow line.
const PATIENCE: Duration = Duration::from_secs(600);
/// Whoever takes longer to take a connection is gone.
const CONNECT: Duration = Duration::from_secs(10);
/// A refusal is no longer.
const LONGEST_REFUSAL: u64 = 64 << 10;
/// Registries send to where their storage is.
const MOST_REDIRECTS: u32 = 5;

/// A request that may be sent again, with credentials.
pub(super) struct Request<'a> {
    method: Method,
    /// A path of the registry, or a whole address.
    target: String,
    headers: Vec<(&'static str, String)>,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, target: String) -> Self {
        Self { method, target, headers: Vec::new(), body: &[] }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }
}

/// One registry.
pub(super) struct Http {
    agent: ureq::Agent,
    /// `https://host:port`.
    base: String,
    host: String,
    plain: bool,
    credentials: Option<Credentials>,
    /// The value of the header that was accepted last.
    authorization: RefCell<Option<String>>,
}

impl Http {
    pub(super) fn new(reference: &Reference, access: &Access) -> Result<Self, OciError> {
        let host = reference.host.clone();
        if access.plain_http && !reference.is_loopback() {
            let why =
                "--plain-http is for this machine alone, since anybody on the way could read the password and change \
                what comes: leave it out, and give the registry's CA with --ca if it has one of its own"
                    .to_owned();
            return Err(OciError::Unreachable { host, why });
        }
        let credentials = match &access.credentials {
            Some(given) => Some(given.clone()),
            None => from_docker(&host)?,
        };
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &access.authorities {
            tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates(pem)?)));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!access.plain_http)
            .max_redirects(MOST_REDIRECTS)
            .max_redirects_will_error(true)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(PATIENCE))
            .tls_config(tls.build())
            .user_agent(concat!("assize/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let base = format!("{}://{host}", if access.plain_http { "http" } else { "https" });
        let authorization = RefCell::new(None);
        Ok(Self { agent, base, host, plain: access.plain_http, credentials, authorization })
    }

    /// Sends it; once more with credentials where the registry asks for some. An answer of any other status is given back.
    pub(super) fn send(&self, request: &Request<'_>) -> Result<Response<Body>, OciError> {
        let url = self.url(&request.target)?;
        let ours = self.is_ours(&url);
        let authorization = if ours { self.authorization.borrow().clone() } else { None };
        let answer = self.once(request, &url, authorization.as_deref())?;
        // Where the registry led us on to its storage, it is that which asks, and is told nothing.
        if answer.status() != StatusCode::UNAUTHORIZED || !ours || !self.is_ours(&answer.get_uri().to_string()) {
            return self.permitted(answer);
        }
        let challenge = Challenge::of(answer.headers());
        let Some(fresh) = self.answer_to(challenge)? else { return self.permitted(answer) };
        let answer = self.once(request, &url, Some(&fresh))?;
        let answer = self.permitted(answer)?;
        *self.authorization.borrow_mut() = Some(fresh);
        Ok(answer)
    }

    /// The header that answers a challenge; none where nothing would.
    fn answer_to(&self, challenge: Option<Challenge>) -> Result<Option<String>, OciError> {
        match (challenge, &self.credentials) {
            (Some(Challenge::Basic), Some(credentials)) => Ok(credentials.basic()),
            (Some(Challenge::Bearer(bearer)), credentials) => {
                let url = bearer.url();
                self.check_scheme(&url)?;
                let token =
                    auth::token(&self.agent, &bearer, credentials.as_ref(), |error| self.unreachable(error, &url))?;
                match token {
                    auth::Token::Given(token) => Ok(Some(format!("Bearer {token}"))),
                    auth::Token::Refused(status, said) => Err(self.unauthorized(status, said)),
                }
            }
            _ => Ok(None),
        }
    }

    fn once(&self, request: &Request<'_>, url: &str, authorization: Option<&str>) -> Result<Response<Body>, OciError> {
        let mut built = ureq::http::Request::builder().method(request.method.clone()).uri(url);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        if let Some(authorization) = authorization {
            built = built.header("authorization", authorization);
        }
        let malformed =
            |error: ureq::http::Error| OciError::Answer { host: self.host.clone(), what: error.to_string() };
        let sent = match request.method {
            Method::GET | Method::HEAD => self.agent.run(built.body(()).map_err(malformed)?),
            _ => self.agent.run(built.body(request.body).map_err(malformed)?),
        };
        sent.map_err(|error| self.unreachable(error, url))
    }

    /// A target as an address.
    fn url(&self, target: &str) -> Result<String, OciError> {
        if target.starts_with('/') {
            return Ok(format!("{}{target}", self.base));
        }
        self.check_scheme(target)?;
        Ok(target.to_owned())
    }

    fn is_ours(&self, url: &str) -> bool {
        url.strip_prefix(&self.base).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Nobody sends us where others can listen: without TLS, to this machine alone.
    fn check_scheme(&self, url: &str) -> Result<(), OciError> {
        let stays_here = |url: &str| {
            let uri = url.parse::<Uri>().ok();
            uri.and_then(|uri| uri.authority().map(|authority| is_loopback(authority.as_str()))).unwrap_or_default()
        };
        if url.starts_with("https://") || (self.plain && url.starts_with("http://") && stays_here(url)) {
            return Ok(());
        }
        let what = format!("with an address that isn't https: {url:?}; nothing was sent there");
        Err(OciError::Answer { host: self.host.clone(), what })
    }

    fn permitted(&self, answer: Response<Body>) -> Result<Response<Body>, OciError> {
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            let said = said(answer);
            return Err(self.unauthorized(status.as_u16(), said));
        }
        Ok(answer)
    }

    fn unauthorized(&self, status: u16, said: String) -> OciError {
        let (who, remedy) = match &self.credentials {
            Some(credentials) => (
                credentials.who(),
                if status == 403 {
                    "this account may not do that there; use another, or have it allowed"
                } else {
                    "name or password is wrong, or may not do that there"
                },
            ),
            None => (
                "whoever doesn't say who they are".to_owned(),
                "give --username NAME --password-stdin, ASSIZE_OCI_USERNAME and ASSIZE_OCI_PASSWORD, or log in with docker \
                 (credential helpers aren't asked)",
            ),
        };
        OciError::Unauthorized { host: self.host.clone(), who, status, said, remedy }
    }

    /// An answer with one of these statuses.
    pub(super) fn expect(&self, answer: Response<Body>, statuses: &[StatusCode]) -> Result<Response<Body>, OciError> {
        let status = answer.status();
        if statuses.contains(&status) {
            return Ok(answer);
        }
        Err(OciError::Answer { host: self.host.clone(), what: format!("{status}{}", said(answer)) })
    }

    /// The bytes of an answer, at most so many.
    pub(super) fn body(&self, mut answer: Response<Body>, what: &str, limit: u64) -> Result<Vec<u8>, OciError> {
        let long = |size| OciError::TooLarge { what: what.to_owned(), place: self.host.clone(), size, limit };
        if let Some(length) = answer.body().content_length().filter(|length| *length > limit) {
            return Err(long(length));
        }
        match answer.body_mut().with_config().limit(limit).read_to_vec() {
            Ok(bytes) => Ok(bytes),
            Err(ureq::Error::BodyExceedsLimit(_)) => Err(long(limit.saturating_add(1))),
            Err(error) => Err(self.unreachable(error, &self.base)),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    fn unreachable(&self, error: ureq::Error, url: &str) -> OciError {
        // The storage or token service that a registry names may be another host.
        let named = url.split_once("://").map_or(url, |(_, rest)| rest);
        let host = named.split('/').next().unwrap_or(named).to_owned();
        let kind = match &error {
            ureq::Error::Io(error) => Some(error.kind()),
            ureq::Error::ConnectionFailed => Some(ErrorKind::ConnectionRefused),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => Some(ErrorKind::InvalidData),
            _ => None,
        };
        let why = match kind {
            Some(ErrorKind::ConnectionRefused) => "nobody listens there; check host and port".to_owned(),
            Some(ErrorKind::InvalidData) if !self.plain => format!(
                "no safe connection: {error}; if its certificate is of an authority of your own, give that with --ca FILE; if it \
                 speaks plain HTTP on this machine, --plain-http"
            ),
            _ => format!("{error}; check host and port"),
        };
        OciError::Unreachable { host, why }
    }
}

/// What a registry says of a refusal, after a colon; nothing where it says nothing.
fn said(mut answer: Response<Body>) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let bytes = answer.body_mut().with_config().limit(LONGEST_REFUSAL).read_to_vec().unwrap_or_default();
    let Ok(Errors { errors }) = serde_json::from_slice(&bytes) else { return String::new() };
    let all: Vec<String> = errors.into_iter().map(|one| format!("{} {}", one.code, one.message)).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join("; ").chars().take(500).collect::<String>()) }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, OciError> {
    let wrong = |why: String| OciError::Key(format!("the CA file can't be used: {why}; give certificates in PEM"));
    let mut all = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            all.push(certificate);
        }
    }
    if all.is_empty() { Err(wrong("no certificate is in it".to_owned())) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    /// Answers every connection with the same; says which requests came.
    fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, requests) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    head.extend_from_slice(&byte);
                }
                let head = String::from_utf8(head).unwrap();
                let said = answer(&head);
                stream.write_all(said.as_bytes()).unwrap();
                if tell.send(head).is_err() {
                    return;
                }
            }
        });
        (address, requests)
    }

    fn registry(host: &str) -> Http {
        let reference = format!("{host}/a/b:1").parse().unwrap();
        let credentials = Credentials::Password { username: "ana".to_owned(), password: "open sesame".to_owned() };
        let access = Access { credentials: Some(credentials), authorities: None, plain_http: true };
        Http::new(&reference, &access).unwrap()
    }

    #[test]
    fn where_a_registry_leads_to_learns_no_password() {
        let (thief, stolen) =
            serve(|_| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned());
        let realm = format!("www-authenticate: Bearer realm=\"http://{thief}/token\",service=\"s\"\r\n");
        let asks = format!("HTTP/1.1 401 Unauthorized\r\n{realm}content-length: 0\r\nconnection: close\r\n\r\n");
        let (storage, led_to) = serve(move |_| asks.clone());
        let leads = format!(
            "HTTP/1.1 307 Elsewhere\r\nlocation: http://{storage}/blob\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (host, _) = serve(move |_| leads.clone());
        let refused = registry(&host).send(&Request::new(Method::GET, "/v2/a/b/blobs/sha256:0".to_owned()));
        assert!(matches!(refused, Err(OciError::Unauthorized { .. })));
        assert!(led_to.try_recv().unwrap().starts_with("GET /blob"));
        assert!(stolen.try_recv().is_err());
    }

    #[test]
    fn without_tls_nothing_leaves_this_machine() {
        let local = registry("localhost:5000");
        for here in
            ["http://localhost:5001/token", "http://127.0.0.1/token?x=1", "http://[::1]:80/t", "https://far.example/t"]
        {
            assert!(local.check_scheme(here).is_ok(), "{here}");
        }
        for away in [
            "http://10.0.0.5/token",
            "http://localhost.example/t",
            "http://127.0.0.1@far.example/t",
            "ftp://localhost/t",
            "",
        ] {
            assert!(local.check_scheme(away).is_err(), "{away}");
        }
    }
}
