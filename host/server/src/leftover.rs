//! What a handler leaves of a request's body is read, so that the connection can carry the next request.
//!
//! An answer that doesn't depend on the body (a path that leads nowhere, a key that isn't known) may be ready before the body has arrived. The
//! HTTP library then closes the connection behind the answer without having announced it, and a client that reuses it fails on its next request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::future::poll_fn;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

/// More than this isn't read: the answer says that the connection ends.
const MOST: usize = 256 << 10;
/// Nor is a body that takes longer.
const LONGEST: Duration = Duration::from_secs(1);

/// A body that a handler dropped before its end.
type Left = Arc<Mutex<Option<Body>>>;

/// The middleware.
pub(crate) async fn read(request: Request, next: Next) -> Response {
    // Who waits to be asked for the body isn't: the answer tells that it isn't wanted.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let left = Left::default();
    let request = request.map(|body| Body::new(Lent { body, left: Arc::clone(&left) }));
    let mut response = next.run(request).await;
    let rest = left.lock().take();
    if let Some(body) = rest
        && !matches!(tokio::time::timeout(LONGEST, ends(body)).await, Ok(true))
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads a body to its end; `false` where there is too much of it, or it breaks off.
async fn ends(mut body: Body) -> bool {
    let mut read = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST {
            return false;
        }
    }
    true
}

/// A request's body, which comes back if it is dropped before its end.
struct Lent {
    body: Body,
    left: Left,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.left.lock() = Some(body);
        }
    }
}
