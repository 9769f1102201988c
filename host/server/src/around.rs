//! What surrounds every request: a bug in its handler fails it alone, a change goes on where the caller has hung up, and what a
//! handler leaves of a request's body is read, so that the connection can carry the next request.
//!
//! An answer that doesn't depend on the body (a path that leads nowhere, a key that isn't known) may be ready before the body has arrived. The
//! HTTP library then closes the connection behind the answer without having announced it, and a client that reuses it fails on its next request.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, poll_fn};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tower_service::Service;

use crate::problem::Problem;

/// More than this isn't read: the answer says that the connection ends.
const MOST: usize = 256 << 10;
/// Nor is a body that takes longer.
const LONGEST: Duration = Duration::from_secs(1);

/// A body that a handler dropped before its end.
type Left = Arc<Mutex<Option<Body>>>;

/// All addresses, and what surrounds each of them. Around the router, not a layer of it: a layer is laid around each route and
/// copied with it, which took thirty allocations a request.
#[derive(Clone)]
pub(crate) struct Around(pub(crate) Router);

impl Service<Request> for Around {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let router = self.0.clone();
        Box::pin(async move { Ok(read(router, request).await) })
    }
}

/// Answers, and reads what is left of the body.
async fn read(router: Router, request: Request) -> Response {
    // Who waits to be asked for the body isn't: the answer tells that it isn't wanted.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return answer(router, request).await;
    }
    let left = Left::default();
    let request = request.map(|body| Body::new(Lent { body, left: Arc::clone(&left) }));
    let mut response = answer(router, request).await;
    let rest = left.lock().take();
    if let Some(body) = rest
        && !matches!(tokio::time::timeout(LONGEST, ends(body)).await, Ok(true))
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Those who ask for judgments: they change nothing that is in force, and are too many for a task each.
const JUDGING: [&str; 2] = ["/v1/decisions", "/v1/enforce"];

/// Whether a request may change what is in force. The ledger has a change when it is committed, and memory a moment after that:
/// were the handler dropped between the two because its caller hung up, the host would go on by what was before.
fn changes(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) && !JUDGING.contains(&request.uri().path())
}

/// Answers even where a bug panics: the request fails, the host goes on.
async fn answer(mut router: Router, request: Request) -> Response {
    if changes(&request) {
        return match tokio::spawn(router.call(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(ended) => match ended.try_into_panic() {
                Ok(cause) => panicked(&*cause).into_response(),
                // Nobody ends such a task but the runtime, with the process.
                Err(ended) => Problem::internal(ended).into_response(),
            },
        };
    }
    let answered = AssertUnwindSafe(async move { router.call(request).await }).catch_unwind().await;
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(cause) => panicked(&*cause).into_response(),
    }
}

fn panicked(cause: &(dyn Any + Send)) -> Problem {
    let text = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    Problem::internal(text.unwrap_or("panicked"))
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

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::routing::{get, post};

    use super::*;

    async fn bug() -> &'static str {
        panic!("a bug")
    }

    #[tokio::test]
    async fn a_bug_fails_its_request_alone() {
        let bugs = get(bug).post(bug);
        let mut service = Around(Router::new().route("/bug", bugs).route("/fine", get(|| async { "fine" })));
        let mut ask = async |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            service.call(request).await.unwrap().status()
        };
        assert_eq!(ask(Method::GET, "/bug").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ask(Method::GET, "/fine").await, StatusCode::OK);
        assert_eq!(ask(Method::POST, "/bug").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ask(Method::GET, "/bug").await, StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[tokio::test]
    async fn a_change_goes_on_where_the_caller_has_hung_up() {
        let (step, mut steps) = tokio::sync::mpsc::unbounded_channel();
        let work = post(move || async move {
            step.send("recorded").unwrap();
            tokio::task::yield_now().await;
            step.send("in force").unwrap();
        });
        let mut service = Around(Router::new().route("/change", work));
        let request = Request::builder().method(Method::POST).uri("/change").body(Body::empty()).unwrap();
        let mut answer = service.call(request);
        // As far as the first step, and then nobody is there any more.
        let recorded = tokio::select! { biased; _ = &mut answer => None, step = steps.recv() => step };
        drop(answer);
        assert_eq!((recorded, steps.recv().await), (Some("recorded"), Some("in force")));
    }
}
