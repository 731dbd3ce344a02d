//! From the source to the callback, as many messages at a time as the level allows, until something ends it.

use super::Ended;
use super::deliver::{Delivery, Undelivered};
use crate::message::MessageStream;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Time for deliveries that are under way when a run ends, milliseconds. It is shorter than what a node gives its
/// connections at a shutdown.
pub(super) const GRACE_MS: u64 = 5_000;

/// Delivers. `over`: the subscription is past its end.
pub(super) async fn pump(
    mut messages: MessageStream,
    delivery: &Delivery<'_>,
    concurrent: usize,
    stop: &CancellationToken,
    over: impl Future<Output = ()>,
) -> Ended {
    let mut over = pin!(over);
    let mut open = FuturesUnordered::new();
    let mut exhausted = false;
    let ended = loop {
        if exhausted && open.is_empty() {
            break Ended::Completed;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break Ended::Stopped,
            () = &mut over => break Ended::Completed,
            Some(delivered) = open.next() => match delivered {
                Ok(()) => {}
                // It gave up because the run ends, which is seen in a moment.
                Err(Undelivered::Closing) => {}
                Err(Undelivered::Failed(ended)) => break ended,
            },
            // Nothing is read that cannot be delivered now.
            next = messages.next(), if !exhausted && open.len() < concurrent => match next {
                Some(Ok(message)) => open.push(delivery.deliver(message)),
                Some(Err(failure)) => break Ended::of(&failure),
                None => exhausted = true,
            },
        }
    };
    // What is under way is finished, and no call is made again.
    delivery.closing.cancel();
    let rest = async { while open.next().await.is_some() {} };
    if timeout(Duration::from_millis(GRACE_MS), rest).await.is_err() {
        tracing::warn!("calls of a webhook are given up that did not end in time");
    }
    ended
}
