//! What has to exist at the broker: exchanges for both sides, queues and bindings for readers.

use super::fault::{self, About, Fault};
use super::link::{ANSWER_TIMEOUT, Lane, Link, OUTAGE, Pauses};
use super::place::{Place, QUEUE_PREFIX};
use crate::failure::{Failure, key};
use definition::connector::rabbitmq::{Exchange, ExchangeType};
use lapin::ExchangeKind;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// A name as the protocol carries it. Names are checked where they come from; one that were too long is refused here
/// instead of by a panic in the library.
pub(super) fn name(text: &str) -> Result<ShortString, Failure> {
    ShortString::try_new(text).map_err(|_| fault::not_taken("a name is longer than AMQP can carry"))
}

/// Runs one request with the time that the broker has for an answer.
async fn answered<T>(
    about: About<'_>,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Failure> {
    match timeout(ANSWER_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|error| fault::refused(&error, about)),
        Err(_) => Err(Fault::Unreachable.failure()),
    }
}

fn kind(exchange: &Exchange) -> ExchangeKind {
    match exchange.kind {
        ExchangeType::Direct => ExchangeKind::Direct,
        ExchangeType::Topic => ExchangeKind::Topic,
        ExchangeType::Fanout => ExchangeKind::Fanout,
        ExchangeType::Headers => ExchangeKind::Headers,
    }
}

/// Makes sure that the exchange of `place` exists.
///
/// # Errors
/// The exchange exists with other properties than the settings say, or may not be made.
pub(super) async fn exchange(link: &Link, lane: &Lane, place: &Place) -> Result<(), Failure> {
    if place.named_by_call {
        // A channel does not survive the question for an exchange that is missing.
        let asking = link.lane().await.map_err(|fault| fault.failure())?;
        if declare(&asking, &place.exchange, true).await? {
            return Ok(());
        }
    }
    declare(lane, &place.exchange, false).await.map(|_| ())
}

/// Declares the exchange; `passive`: only asks for it. Whether it is there.
async fn declare(lane: &Lane, exchange: &Exchange, passive: bool) -> Result<bool, Failure> {
    let options = ExchangeDeclareOptions {
        passive,
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    let (name, kind) = (name(&exchange.name)?, kind(exchange));
    let declared = lane.channel.exchange_declare(name, kind, options, FieldTable::default());
    match timeout(ANSWER_TIMEOUT, declared).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) if passive && fault::is_missing(&error) => Ok(false),
        Ok(Err(error)) => Err(fault::refused(&error, About::Exchange(&exchange.name))),
        Err(_) => Err(Fault::Unreachable.failure()),
    }
}

/// The queue that a reader reads from.
#[derive(Debug, Clone)]
pub(super) enum Queue {
    /// Outlives its readers, who share what is in it.
    Durable(String),
    /// Goes with its one reader.
    Own,
}

/// Opens a channel that reads from `queue`, bound as `place` says: what is sent when this returns will come.
///
/// `prefetch`: as many messages come at most before they are acknowledged.
pub(super) async fn read(link: &Link, place: &Place, queue: &Queue, prefetch: u16) -> Result<Lane, Failure> {
    let mut lane = link.lane().await.map_err(|fault| fault.failure())?;
    exchange(link, &lane, place).await?;
    let (queue, options) = match queue {
        Queue::Durable(name) => {
            (name.clone(), QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() })
        }
        Queue::Own => (
            format!("{QUEUE_PREFIX}shared-{}", Uuid::new_v4().simple()),
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() },
        ),
    };
    let about = About::Queue(&queue);
    let channel = &lane.channel;
    answered(about, channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
    answered(about, channel.queue_declare(name(&queue)?, options, FieldTable::default())).await?;
    let (exchange, routing_key) = (name(&place.exchange.name)?, name(&place.routing_key)?);
    let bind = channel.queue_bind(
        name(&queue)?,
        exchange,
        routing_key,
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    answered(About::Exchange(&place.exchange.name), bind).await?;
    let consume = channel.basic_consume(
        name(&queue)?,
        ShortString::default(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let consumer = answered(about, consume).await?;
    lane.consumer = Some(consumer);
    Ok(lane)
}

/// The same again after the channel was lost, with pauses until it succeeds or the broker has stayed away for too long.
///
/// # Errors
/// The last failure, or that the connection is closed when the broker could not be reached.
pub(super) async fn read_again(
    link: &Link,
    place: &Place,
    queue: &Queue,
    prefetch: u16,
    pauses: &mut Pauses,
) -> Result<Lane, Failure> {
    let since = Instant::now();
    loop {
        match read(link, place, queue, prefetch).await {
            Ok(lane) => return Ok(lane),
            Err(failure) if since.elapsed() >= OUTAGE => {
                let unreachable = failure.key.as_deref() == Some(key::CONNECTION_FAILED);
                return Err(if unreachable { fault::closed() } else { failure });
            }
            Err(_) => tokio::time::sleep(pauses.next()).await,
        }
    }
}
