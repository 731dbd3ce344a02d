//! QoS none: one queue and one consumer for all readers of an exchange and a routing key.
//!
//! The queue is the source's own and goes with it, so what is sent while nobody reads, or while the connection is
//! lost, is not seen. Messages are acknowledged as soon as they are in the readers' ring: the broker then sends no
//! more than the prefetch allows, and without acknowledgements nothing would bound it.

use super::connection::Target;
use super::link::{Lane, Link, Pauses};
use super::place::Place;
use super::record;
use super::topology::{self, Queue};
use crate::endpoint::fanout::{Fanouts, Feed, Reader};
use crate::failure::Failure;
use crate::message::MessageStream;
use futures::{FutureExt as _, StreamExt as _};
use lapin::options::BasicAckOptions;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Messages that the broker sends ahead of their acknowledgements.
const PREFETCH: u16 = 256;
/// A source that was lost again within this time is not reopened at once.
const STABLE: Duration = Duration::from_secs(5);

/// What makes two readers share a source.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SourceKey {
    pub(super) target: Target,
    pub(super) place: Place,
}

/// Joins the source of `key`, starting it when there is none.
pub(super) fn join(sources: &Arc<Fanouts<SourceKey>>, key: SourceKey, link: Arc<Link>) -> Reader {
    let place = key.place.clone();
    sources.join(key, move |feed| async move {
        let mut pauses = Pauses::default();
        // Who comes first hears at once that the broker cannot be used; later on it is tried for a while.
        let mut lane = topology::read(&link, &place, &Queue::Own, PREFETCH).await?;
        loop {
            feed.live();
            let since = Instant::now();
            tokio::select! {
                () = feed.unwanted() => return Ok(()),
                () = pass_on(&mut lane, &feed) => {}
            }
            drop(lane);
            tracing::info!(exchange = place.exchange.name, "a shared source lost its channel to RabbitMQ");
            if since.elapsed() < STABLE {
                tokio::time::sleep(pauses.next()).await;
            } else {
                pauses.reset();
            }
            let reopen = topology::read_again(&link, &place, &Queue::Own, PREFETCH, &mut pauses);
            lane = tokio::select! {
                () = feed.unwanted() => return Ok(()),
                reopened = reopen => reopened?,
            };
        }
    })
}

/// Hands messages over until the channel is lost.
async fn pass_on(lane: &mut Lane, feed: &Feed) {
    let Some(consumer) = lane.consumer.as_mut() else { return };
    while let Some(Ok(delivery)) = consumer.next().await {
        let tag = delivery.delivery_tag;
        feed.push(record::received(delivery));
        // The frame is queued by the first poll; whether it has left decides nothing here.
        drop(lane.channel.basic_ack(tag, BasicAckOptions::default()).now_or_never());
    }
}

/// Waits for the source. One that never was live is a failure here, so that its reader hears of it before the response
/// begins.
pub(super) async fn started(mut reader: Reader) -> Result<MessageStream, Failure> {
    reader.started().await;
    let mut messages = reader.into_stream();
    match messages.next().now_or_never() {
        None => Ok(messages),
        Some(None) => Ok(messages),
        Some(Some(Err(failure))) => Err(failure),
        Some(Some(Ok(first))) => Ok(futures::stream::iter([Ok(first)]).chain(messages).boxed()),
    }
}
