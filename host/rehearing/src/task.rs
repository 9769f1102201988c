//! A task that ends with whoever waits for it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

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
/// For so long at most they go on before the thread's other tasks have their turn.
const TURN: Duration = Duration::from_micros(300);

/// Does the same with each item, in their order, some side by side: `decide` lets the decisions of a thread come to the same
/// plugin together, and finds its code in the processor's caches then.
pub(crate) async fn side_by_side<T, R, F: Future<Output = R>>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    while items.len() > 0 {
        let some = join_all(items.by_ref().take(SIDE_BY_SIDE).map(&work));
        results.extend(in_turns(some).await);
    }
    results
}

/// Polls again and again what woke itself, without a way round through the runtime: there, a task that gave way is taken over
/// by whichever thread has nothing to do, and all that it allocated is freed on another thread than its own.
async fn in_turns<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(move |context| {
        let again = Arc::new(Again { woken: AtomicBool::new(false), task: context.waker().clone() });
        let waker = Waker::from(Arc::clone(&again));
        let started = Instant::now();
        loop {
            again.woken.store(false, Ordering::Release);
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(done);
            }
            if !again.woken.load(Ordering::Acquire) || started.elapsed() >= TURN {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Wakes a task, and says that it did.
struct Again {
    woken: AtomicBool,
    task: Waker,
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Once a round is enough: the task is polled again after it, or the round is followed by another one.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_are_done_in_their_order_whether_they_wake_themselves_or_wait() {
        let work = |n: u64| async move {
            for _ in 0..n % 7 {
                tokio::task::yield_now().await;
            }
            if n.is_multiple_of(5) {
                tokio::time::sleep(Duration::from_millis(n % 3)).await;
            }
            n * 2
        };
        let expected: Vec<u64> = (0..100).map(|n| n * 2).collect();
        assert_eq!(side_by_side((0..100).collect(), work).await, expected);
    }

    #[tokio::test]
    async fn the_others_have_their_turn() {
        let other = tokio::spawn(async {});
        let endless = poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let task = Task::spawn(in_turns(endless));
        other.await.unwrap();
        drop(task);
    }
}
