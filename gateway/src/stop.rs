//! The signal that ends the streams of one deployed API, or all connections of a node, and why.
//!
//! Thousands of tasks look at it on every turn, so the common answer ("go on") costs one atomic load, and a task
//! queues for the wake-up once, not on every poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Why the streams of an API end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The API was stopped or removed.
    Stopped,
    /// A new version serves from now on; clients should reconnect.
    Redeployed,
    /// This node goes away; clients should reconnect and will reach another one.
    Shutdown,
    /// The subscription or the key of the client is over; who reconnects is refused.
    AccessEnded,
}

/// What the access of one client hangs on besides its API: its subscription, its key.
pub(crate) type Lease = Arc<[Arc<Stop>]>;

const RUNNING: u8 = 0;

/// One signal per deployed version of an API, per subscription, per key, and one per node. The first reason counts.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    reason: AtomicU8,
    wake: Arc<Notify>,
}

impl Stop {
    /// A signal that nobody gives.
    pub(crate) fn never() -> Arc<Stop> {
        static NEVER: LazyLock<Arc<Stop>> = LazyLock::new(Arc::default);
        Arc::clone(&NEVER)
    }

    /// Ends every stream that watches.
    pub(crate) fn signal(&self, reason: StopReason) {
        let code = match reason {
            StopReason::Stopped => 1,
            StopReason::Redeployed => 2,
            StopReason::Shutdown => 3,
            StopReason::AccessEnded => 4,
        };
        if self.reason.compare_exchange(RUNNING, code, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.wake.notify_waiters();
        }
    }

    /// The reason, once there is one.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::SeqCst) {
            1 => Some(StopReason::Stopped),
            2 => Some(StopReason::Redeployed),
            3 => Some(StopReason::Shutdown),
            4 => Some(StopReason::AccessEnded),
            _ => None,
        }
    }

    /// Waits for the signal.
    pub(crate) async fn wait(self: &Arc<Self>) -> StopReason {
        StopWatch::new(Arc::clone(self)).wait().await
    }
}

/// One stream's view of the signals that end it.
pub(crate) struct StopWatch {
    stop: Watch,
    /// Of clients with a subscription; the many without one pay two words for it.
    lease: Option<Box<[Watch]>>,
}

impl StopWatch {
    /// Watches `stop`.
    pub(crate) fn new(stop: Arc<Stop>) -> Self {
        StopWatch { stop: Watch { stop, waiting: None }, lease: None }
    }

    /// Watches `stop` and what the client's access hangs on.
    pub(crate) fn with_lease(stop: Arc<Stop>, lease: Option<&Lease>) -> Self {
        let watch = |stop: &Arc<Stop>| Watch { stop: Arc::clone(stop), waiting: None };
        StopWatch { lease: lease.map(|lease| lease.iter().map(watch).collect()), ..StopWatch::new(stop) }
    }

    /// Ready with the first reason to end; otherwise the task of `cx` is woken then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
        if let Poll::Ready(reason) = self.stop.poll(cx) {
            return Poll::Ready(reason);
        }
        for watch in self.lease.iter_mut().flatten() {
            if let Poll::Ready(reason) = watch.poll(cx) {
                return Poll::Ready(reason);
            }
        }
        Poll::Pending
    }

    /// Waits for a reason to end.
    pub(crate) async fn wait(mut self) -> StopReason {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }
}

/// A view of one signal.
struct Watch {
    stop: Arc<Stop>,
    waiting: Option<(Pin<Box<OwnedNotified>>, Waker)>,
}

impl Watch {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
        if let Some(reason) = self.stop.reason() {
            return Poll::Ready(reason);
        }
        if self.waiting.as_ref().is_some_and(|(_, waker)| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let mut notified = Box::pin(Arc::clone(&self.stop.wake).notified_owned());
        let woken = notified.as_mut().poll(cx).is_ready();
        self.waiting = (!woken).then(|| (notified, cx.waker().clone()));
        // The signal may have come between the first look and the registration.
        match self.stop.reason() {
            Some(reason) => Poll::Ready(reason),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_wakes_every_watcher() {
        let stop = Arc::new(Stop::default());
        let watchers: Vec<_> = (0..3)
            .map(|_| {
                let stop = Arc::clone(&stop);
                tokio::spawn(async move { stop.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(stop.reason(), None);
        stop.signal(StopReason::Redeployed);
        stop.signal(StopReason::Shutdown);
        for watcher in watchers {
            assert_eq!(watcher.await.unwrap(), StopReason::Redeployed);
        }
        assert_eq!(stop.wait().await, StopReason::Redeployed);
    }

    #[tokio::test]
    async fn a_stream_ends_with_whichever_ends_first() {
        let (api, subscription, key) =
            (Arc::<Stop>::default(), Arc::<Stop>::default(), Arc::<Stop>::default());
        let lease: Lease = Arc::from([Arc::clone(&subscription), Arc::clone(&key)]);
        let watch = StopWatch::with_lease(Arc::clone(&api), Some(&lease));
        let watching = tokio::spawn(watch.wait());
        tokio::task::yield_now().await;
        key.signal(StopReason::AccessEnded);
        assert_eq!(watching.await.unwrap(), StopReason::AccessEnded);
        assert_eq!((api.reason(), subscription.reason()), (None, None), "others go on");
    }
}
