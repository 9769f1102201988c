//! Connections: taken, served, and ended in bounded time.
//!
//! Whoever is slow holds up nobody else: a request's head has to come within its time, an answer has to be taken, and a host that ends
//! waits for requests under way no longer than it may. How long a body may take is [`crate::door`]'s to say. There are never so many
//! connections that the host lacks files for its own ends.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_service::Service;

/// How many are served, and how long is waited for them.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Connections at once. More aren't taken before one of these ends.
    connections: usize,
    /// For the head of a request, from when the connection is ready for it: an idle connection ends then.
    head: Duration,
    /// For an answer to be taken by whom it was sent to.
    taking: Duration,
    /// For requests under way, when the host ends.
    ending: Duration,
}

impl Bounds {
    /// A head's time is longer than the 60 seconds for which load balancers commonly keep an idle connection, so that it is they who end it; an
    /// end's is shorter than the 30 seconds after which orchestrators commonly kill: a last checkpoint is still to be signed then.
    const fn new(connections: usize) -> Self {
        let (head, taking) = (Duration::from_secs(75), Duration::from_mins(2));
        Self { connections, head, taking, ending: Duration::from_secs(20) }
    }
}

/// Serves so many connections at once until `shutdown` is done, then lets requests under way end for as long as they may. The service
/// must always be ready.
pub(crate) async fn serve<S>(listener: TcpListener, most: usize, service: S, shutdown: impl Future<Output = ()>)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    serve_within(listener, service, shutdown, Bounds::new(most)).await;
}

async fn serve_within<S>(mut listener: TcpListener, service: S, shutdown: impl Future<Output = ()>, bounds: Bounds)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head);
    let ending = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut full = false;
    loop {
        if connections.len() >= bounds.connections && !full {
            tracing::warn!(connections = bounds.connections, "no more connections are taken until one of them ends");
        }
        // Told again once there was room in between.
        full = connections.len() >= bounds.connections || full && connections.len() * 2 > bounds.connections;
        let (stream, _) = tokio::select! {
            // Waits a moment itself where the system has no more files to give.
            accepted = Listener::accept(&mut listener), if connections.len() < bounds.connections => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        // Answers are small and leave at once: waiting to fill a packet would cost 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::trace!(%error, "answers may wait to fill a packet");
        }
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(bounds.taking)) {
            tracing::trace!(%error, "answers may wait for ever to be taken");
        }
        let service = service.clone();
        let answer = service_fn(move |request: Request<_>| service.clone().call(request.map(Body::new)));
        let connection = ending.watch(http.serve_connection(TokioIo::new(stream), answer));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(bounds.ending, ending.shutdown()).await.is_err() {
        tracing::warn!(waited = ?bounds.ending, "requests are still under way: their connections are closed");
    }
    connections.shutdown().await;
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// Serves what answers with what it was sent, until it is told to end; with a connection to it.
    async fn serving(bounds: Bounds) -> (TcpStream, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(|text: String| async move { text }));
        let (end, ended) = tokio::sync::oneshot::channel();
        let ended = async { ended.await.unwrap() };
        let served = tokio::spawn(serve_within(listener, router, ended, bounds));
        (TcpStream::connect(address).await.unwrap(), end, served)
    }

    const HALF: &[u8] = b"POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 4\r\n\r\nhe";

    #[tokio::test]
    async fn half_a_head_is_not_waited_for() {
        let bounds = Bounds { head: Duration::from_millis(20), ..Bounds::new(8) };
        let (mut stream, _end, _served) = serving(bounds).await;
        stream.write_all(b"POST / HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        // It ends.
        stream.read_to_end(&mut rest).await.unwrap();
        // A body has its own time.
        let (mut stream, _end, _served) = serving(bounds).await;
        stream.write_all(HALF).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        stream.write_all(b"re").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn the_end_waits_for_what_is_under_way_and_no_longer() {
        let (mut stream, end, served) = serving(Bounds::new(8)).await;
        stream.write_all(HALF).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        end.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!served.is_finished());
        stream.write_all(b"re").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        served.await.unwrap();

        let (mut stream, end, served) = serving(Bounds { ending: Duration::from_millis(20), ..Bounds::new(8) }).await;
        stream.write_all(HALF).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        end.send(()).unwrap();
        served.await.unwrap();
    }

    #[tokio::test]
    async fn connections_beyond_the_most_wait_for_one_to_end() {
        let (mut first, _end, _served) = serving(Bounds::new(1)).await;
        first.write_all(HALF).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut second = TcpStream::connect(first.peer_addr().unwrap()).await.unwrap();
        second.write_all(HALF).await.unwrap();
        second.write_all(b"re").await.unwrap();
        let mut answer = String::new();
        let waited = tokio::time::timeout(Duration::from_millis(50), second.read_to_string(&mut answer)).await;
        assert!(waited.is_err(), "{answer}");
        first.write_all(b"re").await.unwrap();
        second.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
    }
}
