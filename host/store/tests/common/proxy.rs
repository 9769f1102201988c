//! Between a host and its database: breaks the connection at the worst moment.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

/// What happens to the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Pass = 0,
    /// It reaches the server, and its answer doesn't come back.
    LoseAnswer = 1,
    /// It doesn't reach the server.
    Lose = 2,
}

pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    next: Arc<AtomicU8>,
}

impl Proxy {
    /// In front of the server whose socket is at this path.
    pub(crate) fn start(server: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("assize-proxy-").tempdir_in("/tmp").unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (next, server) = (Arc::new(AtomicU8::new(0)), server.to_owned());
        let told = Arc::clone(&next);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&server).unwrap();
                let (next, client_too, server_too) =
                    (Arc::clone(&told), client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || questions(client, server, &next));
                thread::spawn(move || answers(server_too, client_too));
            }
        });
        Self { folder, next }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn next(&self, next: Next) {
        self.next.store(next as u8, Ordering::SeqCst);
    }

    /// Whether it has happened.
    pub(crate) fn is_done(&self) -> bool {
        self.next.load(Ordering::SeqCst) == Next::Pass as u8
    }
}

fn questions(mut client: UnixStream, mut server: UnixStream, next: &AtomicU8) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let said = &bytes[..read];
        let commits = said.windows(7).any(|at| at == b"COMMIT\0");
        let now = if commits { next.swap(Next::Pass as u8, Ordering::SeqCst) } else { Next::Pass as u8 };
        if now != Next::Pass as u8 {
            drop(client.shutdown(Shutdown::Both));
        }
        if now == Next::Lose as u8 || server.write_all(said).is_err() {
            break;
        }
    }
    drop(server.shutdown(Shutdown::Write));
}

fn answers(mut server: UnixStream, mut client: UnixStream) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = server.read(&mut bytes) {
        if client.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}
