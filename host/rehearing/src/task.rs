//! A task that ends with whoever waits for it.

use futures::future::join_all;
use tokio::task::{JoinError, JoinHandle};

/// Work on another thread, given up when this is dropped: what nobody waits for any more must not take the processor from
/// live decisions.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    pub(crate) fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    pub(crate) async fn join(mut self) -> Result<T, JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Cases of one task that are judged side by side.
const SIDE_BY_SIDE: usize = 16;

/// Does the same with each item, in their order, some side by side: `decide` lets the decisions of a thread come to the same
/// plugin together, and finds its code in the processor's caches then.
pub(crate) async fn side_by_side<T, R, F: Future<Output = R>>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    loop {
        let some: Vec<F> = items.by_ref().take(SIDE_BY_SIDE).map(&work).collect();
        if some.is_empty() {
            return results;
        }
        results.extend(join_all(some).await);
    }
}
