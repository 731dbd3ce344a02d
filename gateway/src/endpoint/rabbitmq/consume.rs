//! QoS auto, at-most-once and at-least-once: a durable queue per client identifier and binding.
//!
//! Every connection of the identifier, on whatever gateway, is one more consumer of the queue, and the broker deals
//! the messages out. What is not acknowledged when a channel goes comes back, marked `redelivered`.
//!
//! - auto: a message is acknowledged when it is handed over.
//! - at-most-once: messages are acknowledged, and the broker has answered a request after that, before they are handed
//!   over.
//! - at-least-once: a message is acknowledged when it is delivered; one that failed goes back to the queue.

use super::fault;
use super::link::{ANSWER_TIMEOUT, Lane, Link, Pauses};
use super::place::Place;
use super::record;
use super::topology::{self, Queue};
use crate::endpoint::Limit;
use crate::endpoint::fanout::Received;
use crate::failure::Failure;
use crate::message::{Ack, Message, MessageStream, Outcome};
use definition::api::Qos;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicQosOptions};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Messages that the broker sends to one client ahead of their acknowledgements.
const PREFETCH: u16 = 64;
/// At-most-once acknowledges at most this many messages ahead of a client; these are lost when the client goes before
/// it gets them. Each round trip is shared by as many.
const COMMIT_MAX: usize = 16;
/// A reader that was lost again within this time is not reopened at once.
const STABLE: Duration = Duration::from_secs(5);

/// What one connection reads.
pub(super) struct Wishes {
    pub(super) level: Qos,
    pub(super) queue: String,
    /// The client takes at most this many messages.
    pub(super) limit: Option<Limit>,
}

/// One connection's consumer of the queue.
struct Reader {
    link: Arc<Link>,
    place: Place,
    queue: Queue,
    level: Qos,
    prefetch: u16,
    reading: Option<Reading>,
    /// At-most-once: acknowledged and not handed over yet.
    committed: VecDeque<Received>,
    pauses: Pauses,
}

struct Reading {
    lane: Arc<Lane>,
    consumer: lapin::Consumer,
    since: Instant,
}

/// Opens the stream of one connection. What is sent when this returns will come, now or later.
///
/// # Errors
/// The broker cannot be used.
pub(super) async fn join(link: Arc<Link>, place: Place, wishes: Wishes) -> Result<MessageStream, Failure> {
    let wanted =
        wishes.limit.as_ref().map_or(PREFETCH, |limit| u16::try_from(limit.get()).unwrap_or(PREFETCH));
    let mut reader = Reader {
        link,
        place,
        queue: Queue::Durable(wishes.queue),
        level: wishes.level,
        // What a client does not take would only go to the queue and back.
        prefetch: wanted.clamp(1, PREFETCH),
        reading: None,
        committed: VecDeque::new(),
        pauses: Pauses::default(),
    };
    let lane = topology::read(&reader.link, &reader.place, &reader.queue, reader.prefetch).await?;
    reader.begin(lane);
    let messages = stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(message) => Some((Ok(message), Some(reader))),
            Err(failure) => Some((Err(failure), None)),
        }
    });
    Ok(messages.boxed())
}

impl Reader {
    fn begin(&mut self, lane: Lane) {
        if let Some(consumer) = lane.consumer.clone() {
            self.reading = Some(Reading { lane: Arc::new(lane), consumer, since: Instant::now() });
        }
    }

    async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(received) = self.committed.pop_front() {
                return Ok(record::message(received));
            }
            let Some(reading) = &mut self.reading else {
                self.reopen().await?;
                continue;
            };
            let Some(Ok(delivery)) = reading.consumer.next().await else {
                self.lost().await;
                continue;
            };
            match self.level {
                Qos::AtLeastOnce => return Ok(pending(&reading.lane, delivery)),
                Qos::AtMostOnce => match commit(reading, delivery).await {
                    Some(committed) => self.committed = committed,
                    None => self.lost().await,
                },
                Qos::Auto | Qos::None => {
                    if acknowledge(&reading.lane, delivery.delivery_tag) {
                        return Ok(record::message(record::received(delivery)));
                    }
                }
            }
        }
    }

    /// The channel or the connection has gone, or the queue was deleted.
    async fn lost(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        tracing::debug!(exchange = self.place.exchange.name, "a reader lost its channel to RabbitMQ");
        if reading.since.elapsed() < STABLE {
            tokio::time::sleep(self.pauses.next()).await;
        } else {
            self.pauses.reset();
        }
    }

    async fn reopen(&mut self) -> Result<(), Failure> {
        let Reader { link, place, queue, prefetch, pauses, .. } = self;
        let lane = topology::read_again(link, place, queue, *prefetch, pauses).await?;
        self.begin(lane);
        if self.reading.is_none() { Err(fault::closed()) } else { Ok(()) }
    }
}

/// Queues the acknowledgement; `false`: the channel is gone, and the message comes again.
fn acknowledge(lane: &Lane, tag: u64) -> bool {
    let sent = lane.channel.basic_ack(tag, BasicAckOptions::default()).now_or_never();
    !matches!(sent, Some(Err(_)))
}

/// A message that is acknowledged when it is delivered. Its channel stays open until then.
fn pending(lane: &Arc<Lane>, delivery: Delivery) -> Message {
    let (lane, tag) = (Arc::clone(lane), delivery.delivery_tag);
    let mut message = record::message(record::received(delivery));
    message.ack = Ack::new(move |outcome| match outcome {
        Outcome::Delivered => {
            acknowledge(&lane, tag);
        }
        Outcome::Failed => {
            let back = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            drop(lane.channel.basic_nack(tag, back).now_or_never());
        }
    });
    message
}

/// Acknowledges `first` and what has come with it, and waits until the broker has seen that; `None`: the channel is
/// lost, and nobody knows.
async fn commit(reading: &mut Reading, first: Delivery) -> Option<VecDeque<Received>> {
    let mut last = first.delivery_tag;
    let mut committed = VecDeque::from([record::received(first)]);
    while committed.len() < COMMIT_MAX
        && let Some(Some(Ok(delivery))) = reading.consumer.next().now_or_never()
    {
        last = delivery.delivery_tag;
        committed.push_back(record::received(delivery));
    }
    let channel = &reading.lane.channel;
    let seen = async {
        channel.basic_ack(last, BasicAckOptions { multiple: true }).await?;
        // Acknowledgements have no answer. A request that follows on the same channel has one, and it comes after.
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await
    };
    matches!(timeout(ANSWER_TIMEOUT, seen).await, Ok(Ok(()))).then_some(committed)
}
