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
    /// Of everybody who reads from this target.
    shared: Arc<Link>,
    /// The same, or one of its own while it reads apart.
    link: Arc<Link>,
    /// Messages that it still reads apart, because somebody's message broke the shared connection.
    apart: u16,
    place: Place,
    queue: String,
    level: Qos,
    prefetch: u16,
    reading: Option<Reading>,
    /// At-most-once: acknowledged and not handed over yet.
    committed: VecDeque<Received>,
    pauses: Pauses,
}

/// How a reader lost what it read from.
enum Loss {
    /// The channel or the connection has gone, or the queue was deleted.
    Channel,
    /// Somebody on the connection got a message that cannot be read.
    Unreadable,
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
    let apart = link.unreadable.knows(&wishes.queue, Instant::now());
    let mut reader = Reader {
        shared: Arc::clone(&link),
        link,
        apart: 0,
        place,
        queue: wishes.queue,
        level: wishes.level,
        // What a client does not take would only go to the queue and back.
        prefetch: wanted.clamp(1, PREFETCH),
        reading: None,
        committed: VecDeque::new(),
        pauses: Pauses::default(),
    };
    if apart {
        reader.go_apart();
    }
    let lane = topology::read(&reader.link, &reader.place, &reader.queue(), reader.ahead()).await?;
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

    fn queue(&self) -> Queue {
        Queue::Durable(self.queue.clone())
    }

    /// Messages that the broker sends ahead of their acknowledgements. Apart it is one, so that those before one that cannot be
    /// read are delivered and settled.
    fn ahead(&self) -> u16 {
        if self.apart > 0 { 1 } else { self.prefetch }
    }

    fn go_apart(&mut self) {
        self.link = Arc::new(self.shared.apart());
        // So many may have been on their way; when none of them was it, it is in somebody else's queue.
        self.apart = self.prefetch;
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
            let delivery = match delivery(reading.consumer.next().await) {
                Ok(delivery) => delivery,
                Err(loss) => {
                    self.lost(loss).await?;
                    continue;
                }
            };
            match self.level {
                Qos::AtLeastOnce => {
                    let message = pending(&reading.lane, delivery);
                    self.passed();
                    return Ok(message);
                }
                Qos::AtMostOnce => match commit(reading, delivery, self.apart > 0).await {
                    Ok(committed) => {
                        self.committed = committed;
                        self.passed();
                    }
                    Err(loss) => self.lost(loss).await?,
                },
                Qos::Auto | Qos::None => {
                    if acknowledge(&reading.lane, delivery.delivery_tag) {
                        let message = record::message(record::received(delivery));
                        self.passed();
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// A message could be read. After enough of them a reader that is apart goes back to the others.
    fn passed(&mut self) {
        if self.apart == 0 {
            return;
        }
        self.apart -= 1;
        if self.apart == 0 {
            self.link = Arc::clone(&self.shared);
            // What is not settled yet keeps its channel until it is.
            self.reading = None;
        }
    }

    async fn lost(&mut self, loss: Loss) -> Result<(), Failure> {
        let Some(reading) = self.reading.take() else { return Ok(()) };
        if matches!(loss, Loss::Unreadable) {
            if self.apart > 0 {
                self.shared.unreadable.met(&self.queue, Instant::now());
                tracing::warn!(queue = self.queue, "a message of RabbitMQ cannot be read");
                return Err(fault::unreadable(&self.queue));
            }
            self.go_apart();
            return Ok(());
        }
        tracing::debug!(exchange = self.place.exchange.name, "a reader lost its channel to RabbitMQ");
        if reading.since.elapsed() < STABLE {
            tokio::time::sleep(self.pauses.next()).await;
        } else {
            self.pauses.reset();
        }
        Ok(())
    }

    async fn reopen(&mut self) -> Result<(), Failure> {
        let (queue, ahead) = (self.queue(), self.ahead());
        let Reader { link, place, pauses, .. } = self;
        let lane = topology::read_again(link, place, &queue, ahead, pauses).await?;
        self.begin(lane);
        if self.reading.is_none() { Err(fault::closed()) } else { Ok(()) }
    }
}

/// What a consumer yielded.
fn delivery(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, Loss> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) if fault::is_unreadable(&error) => Err(Loss::Unreadable),
        Some(Err(_)) | None => Err(Loss::Channel),
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

/// Acknowledges `first` and, unless it is read `alone`, what has come with it, and waits until the broker has seen that. After a
/// loss nobody knows.
async fn commit(reading: &mut Reading, first: Delivery, alone: bool) -> Result<VecDeque<Received>, Loss> {
    let mut last = first.delivery_tag;
    let mut committed = VecDeque::from([record::received(first)]);
    while !alone
        && committed.len() < COMMIT_MAX
        && let Some(next) = reading.consumer.next().now_or_never()
    {
        let next = delivery(next)?;
        last = next.delivery_tag;
        committed.push_back(record::received(next));
    }
    let ahead = if alone { 1 } else { PREFETCH };
    let channel = &reading.lane.channel;
    let seen = async {
        channel.basic_ack(last, BasicAckOptions { multiple: true }).await?;
        // Acknowledgements have no answer. A request that follows on the same channel has one, and it comes after.
        channel.basic_qos(ahead, BasicQosOptions::default()).await
    };
    match timeout(ANSWER_TIMEOUT, seen).await {
        Ok(Ok(())) => Ok(committed),
        Ok(Err(error)) if fault::is_unreadable(&error) => Err(Loss::Unreadable),
        Ok(Err(_)) | Err(_) => Err(Loss::Channel),
    }
}
