//! The signal that ends the streams of one deployed API, or all connections of a node, and why.
//!
//! Thousands of tasks look at it on every turn, so the common answer ("go on") costs one atomic load, and a task
//! queues for the wake-up once, not on every poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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
}

const RUNNING: u8 = 0;

/// One signal per deployed version of an API, and one per node. The first reason counts.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    reason: AtomicU8,
    wake: Arc<Notify>,
}

impl Stop {
    /// Ends every stream that watches.
    pub(crate) fn signal(&self, reason: StopReason) {
        let code = match reason {
            StopReason::Stopped => 1,
            StopReason::Redeployed => 2,
            StopReason::Shutdown => 3,
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
            _ => None,
        }
    }

    /// Waits for the signal.
    pub(crate) async fn wait(self: &Arc<Self>) -> StopReason {
        let mut watch = StopWatch::new(Arc::clone(self));
        std::future::poll_fn(|cx| watch.poll(cx)).await
    }
}

/// One stream's view of the signal.
pub(crate) struct StopWatch {
    stop: Arc<Stop>,
    waiting: Option<(Pin<Box<OwnedNotified>>, Waker)>,
}

impl StopWatch {
    /// Watches `stop`.
    pub(crate) fn new(stop: Arc<Stop>) -> Self {
        StopWatch { stop, waiting: None }
    }

    /// Ready with the reason once the API stops; otherwise the task of `cx` is woken then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
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
}
