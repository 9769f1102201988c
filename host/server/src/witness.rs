//! A witness (C2SP tlog-witness): signs that a log's checkpoint extends the one that it signed last, and remembers that.
//!
//! It holds no log and trusts none. What it saw last of each is in a file that is replaced as a whole and on disk before the
//! signature leaves, one request at a time: so it never signs two histories, whatever breaks when.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assize_ledger::{
    AddCheckpoint, Algorithm, Checkpoint, Digest, Seen, SignerKey, Timestamp, VerifierKey, WitnessError,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::connections;
use crate::signer::{SignError, replace, stored_key};

/// What an operator of a witness chooses.
#[derive(Debug, Clone)]
pub struct WitnessConfig {
    /// Directory of its key and of what it saw.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its name, which stands beside its signatures.
    pub name: String,
    /// The logs that it signs for, by their key.
    pub logs: Vec<VerifierKey>,
}

/// A witness that is ready to serve.
pub struct WitnessServer {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<Witness>,
}

struct Witness {
    key: SignerKey,
    logs: Vec<VerifierKey>,
    file: PathBuf,
    /// Held as long as the witness lives: two of them would each sign by what they saw themselves.
    _lock: std::fs::File,
    /// Held from reading to writing it.
    seen: Mutex<BTreeMap<String, Last>>,
}

/// What was seen last of a log.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Last {
    size: u64,
    root: Digest,
}

/// The longest request: a proof and a note.
const LONGEST: usize = 64 << 10;
/// How long its body may take.
const LONGEST_BODY: Duration = Duration::from_secs(10);
/// Logs ask now and then, one connection each.
const CONNECTIONS: usize = 256;

impl WitnessServer {
    /// Finds the witness's key, or makes it, and what it saw; listens.
    ///
    /// # Errors
    /// [`SignError`] for its files, and where it can't listen.
    pub fn open(config: WitnessConfig) -> BoxFuture<'static, Result<Self, SignError>> {
        Box::pin(async move {
            let failed = |path: &Path| {
                let path = path.to_owned();
                move |error: io::Error| SignError::File { path, error }
            };
            std::fs::create_dir_all(&config.data).map_err(failed(&config.data))?;
            let lock = lock(&config.data.join("witness.lock"))?;
            let key = stored_key(&config.data.join("witness.key"), &config.name, Algorithm::Cosignature)?;
            let file = config.data.join("seen.json");
            let seen = match std::fs::read(&file) {
                Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(&file)(error.into()))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
                Err(error) => return Err(failed(&file)(error)),
            };
            let listen = Path::new("listening").to_owned();
            let listener = TcpListener::bind(config.listen).await.map_err(failed(&listen))?;
            let address = listener.local_addr().map_err(failed(&listen))?;
            let state = Arc::new(Witness { key, logs: config.logs, file, _lock: lock, seen: Mutex::new(seen) });
            Ok(Self { listener, address, state })
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its public key.
    pub fn key(&self) -> &VerifierKey {
        self.state.key.public()
    }

    /// Serves until `shutdown` is done.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        self.serve(Box::pin(shutdown)).await;
    }

    /// In a box, so that it is compiled here, and not again by everybody who waits for it (decision 0035).
    fn serve(self, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let router = Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(self.state);
            connections::serve(self.listener, CONNECTIONS, router, shutdown).await;
        })
    }
}

/// Keeps other witnesses from the directory, for as long as the file is open.
fn lock(path: &Path) -> Result<std::fs::File, SignError> {
    let failed = |error| SignError::File { path: path.to_owned(), error };
    let file = std::fs::File::options().create(true).append(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(failed(io::Error::other("in use: another witness runs there; stop it, or give another directory")))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    // As many callers as there may be, each with half a request, would keep all logs waiting.
    let body = match tokio::time::timeout(LONGEST_BODY, to_bytes(body, LONGEST)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return (StatusCode::PAYLOAD_TOO_LARGE, format!("at most {LONGEST} bytes\n")).into_response(),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body didn't arrive in time\n").into_response(),
    };
    match sign(&witness, &body).await {
        Ok(line) => (StatusCode::OK, format!("{line}\n")).into_response(),
        Err(refused) => refused,
    }
}

fn keep(file: &Path, seen: &BTreeMap<String, Last>) -> io::Result<()> {
    replace(file, &serde_json::to_string_pretty(seen)?)
}

/// The signature line, or the refusal with the status that the protocol has for it.
async fn sign(witness: &Witness, body: &[u8]) -> Result<String, Response> {
    let refused = |status: StatusCode, error: &dyn std::fmt::Display| (status, format!("{error}\n")).into_response();
    let request = AddCheckpoint::parse(body).map_err(|error| refused(StatusCode::BAD_REQUEST, &error))?;
    let origin = Checkpoint::parse(request.note.text());
    let origin = origin.map_err(|error| refused(StatusCode::BAD_REQUEST, &error))?.origin;
    let key = witness.logs.iter().rev().find(|key| key.name() == origin && request.note.verify(key).is_ok());
    let key = match key {
        Some(key) => key,
        None if witness.logs.iter().any(|key| key.name() == origin) => {
            return Err(refused(
                StatusCode::FORBIDDEN,
                &format_args!("the checkpoint isn't signed by a known key of {origin:?}"),
            ));
        }
        None => return Err(refused(StatusCode::NOT_FOUND, &format_args!("no log {origin:?} is known here"))),
    };
    let mut seen = witness.seen.lock().await;
    let last = seen.get(&origin).map_or_else(Seen::default, |last| Seen { size: last.size, root: last.root });
    let now = match request.check(key, &last) {
        Ok(now) => now,
        Err(WitnessError::Old { .. } | WitnessError::Fork { .. }) => {
            let headers = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return Err((StatusCode::CONFLICT, headers, format!("{}\n", last.size)).into_response());
        }
        Err(error @ WitnessError::Smaller { .. }) => return Err(refused(StatusCode::BAD_REQUEST, &error)),
        Err(error @ WitnessError::Proof(_)) => return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, &error)),
        Err(error) => return Err(refused(StatusCode::FORBIDDEN, &error)),
    };
    let fresh = now != last || !seen.contains_key(&origin);
    let before = seen.insert(origin.clone(), Last { size: now.size, root: now.root });
    let kept = if fresh {
        keep(&witness.file, &seen)
    } else {
        // Asked for again: nothing new is to be remembered, and nobody can wear out the disk.
        Ok(())
    };
    if let Err(error) = kept {
        // Nothing was signed: it is as if nobody had asked.
        match before {
            Some(before) => seen.insert(origin, before),
            None => seen.remove(&origin),
        };
        tracing::error!(%error, file = %witness.file.display(), "what was seen can't be kept: nothing is signed");
        return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, &"what was seen can't be kept"));
    }
    let mut note = request.note;
    note.cosign(&witness.key, Timestamp::now());
    let line = note.signatures().last().map(ToString::to_string).unwrap_or_default();
    tracing::info!(origin, size = now.size, "signed");
    Ok(line)
}
