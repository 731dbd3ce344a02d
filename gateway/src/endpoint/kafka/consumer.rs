//! What every consumer does alike: reach the brokers, find the partitions, ask for the ends of their logs, and decide
//! which errors are the end.
//!
//! Everything here blocks and runs on a thread of its own, never on an async worker.

use super::connection::Connection;
use super::link::{self, Link};
use super::topics::Topics;
use crate::failure::{Failure, key};
use http::StatusCode;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A poll returns after this time without a record, so that the thread sees its other duties.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// Brokers that do not answer a new consumer for this long are reported to its readers.
pub(super) const START: Duration = Duration::from_millis(3_000);
/// The same, when they say what is wrong: another broker may still answer.
const PRECISE: Duration = Duration::from_millis(1_000);
/// Events that are taken in one go.
const EVENTS_MAX: usize = 32;
/// Topics that do not appear for this long are reported to the readers.
const TOPIC: Duration = Duration::from_millis(2_000);
/// One question to the brokers while they are sought.
const PROBE: Duration = Duration::from_millis(500);
/// Other questions to the brokers.
pub(super) const ANSWER: Duration = Duration::from_millis(3_000);
/// Brokers that stay away from an established consumer for this long are reported to its readers.
pub(super) const OUTAGE: Duration = Duration::from_secs(30);

/// A partition of a topic.
pub(super) type Partition = (Arc<str>, i32);

/// A context that knows whether the brokers answer.
pub(super) trait Linked: ConsumerContext {
    fn link(&self) -> &Link;
}

/// Context of consumers that assign partitions themselves.
pub(super) struct ReaderContext(Link);

impl ReaderContext {
    pub(super) fn new(connection: &Connection) -> ReaderContext {
        ReaderContext(Link::new(connection.clone()))
    }
}

impl ClientContext for ReaderContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.connection().oauth_token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        link::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&self.0, &error, reason);
    }
}

impl ConsumerContext for ReaderContext {}

impl Linked for ReaderContext {
    fn link(&self) -> &Link {
        &self.0
    }
}

/// Passes an error event to the link. The end of a partition is an event of that kind and no error.
pub(super) fn report(link: &Link, error: &KafkaError, reason: &str) {
    if let Some(code) = error.rdkafka_error_code().filter(|code| *code != RDKafkaErrorCode::PartitionEOF) {
        link.error(code, reason);
    }
}

/// Waits until the brokers answer and every topic exists; returns all partitions.
///
/// # Errors
/// `Ok(None)`: nobody wants it any more. A failure for the readers otherwise.
pub(super) fn connect<C: Linked>(
    consumer: &BaseConsumer<C>,
    topics: &Topics,
    patience: Duration,
    wanted: impl Fn() -> bool,
) -> Result<Option<Vec<Partition>>, Failure> {
    let begun = Instant::now();
    let mut answered = false;
    while wanted() {
        // First, because the library asks for a token here.
        serve_events(consumer, Duration::ZERO)?;
        match partitions(consumer, topics) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => answered = true,
            Err(()) => {}
        }
        serve_events(consumer, POLL)?;
        let cause = consumer.context().link().cause();
        if !answered && cause.is_precise() && begun.elapsed() >= PRECISE.min(patience) {
            return Err(cause.failure());
        }
        if answered && begun.elapsed() >= TOPIC.min(patience) {
            return Err(topic_not_found());
        }
        if !answered && begun.elapsed() >= patience {
            return Err(consumer.context().link().find_cause().failure());
        }
    }
    Ok(None)
}

pub(super) fn topic_not_found() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, key::TOPIC_NOT_FOUND, "the topic does not exist")
}

/// Error events come out of `poll`, one each time; before an assignment there is nothing else in it. Waits `patience` for
/// the first.
pub(super) fn serve_events<C: Linked>(consumer: &BaseConsumer<C>, patience: Duration) -> Result<(), Failure> {
    let mut next = consumer.poll(patience);
    for _ in 0..EVENTS_MAX {
        match next {
            Some(Err(error)) => end(&error).map_or(Ok(()), Err)?,
            Some(Ok(_)) => {}
            None => break,
        }
        next = consumer.poll(Duration::ZERO);
    }
    Ok(())
}

/// All partitions of `topics`. `Ok(None)`: a topic does not exist (yet). `Err`: no answer.
pub(super) fn partitions<C: Linked>(
    consumer: &BaseConsumer<C>,
    topics: &Topics,
) -> Result<Option<Vec<Partition>>, ()> {
    let mut found = Vec::new();
    let Topics::Named(names) = topics else {
        let metadata = consumer.fetch_metadata(None, PROBE).map_err(|_| ())?;
        consumer.context().link().up();
        for topic in metadata.topics().iter().filter(|topic| topics.contains(topic.name())) {
            let name: Arc<str> = topic.name().into();
            found.extend(topic.partitions().iter().map(|partition| (Arc::clone(&name), partition.id())));
        }
        return Ok(Some(found));
    };
    for topic in names {
        let metadata = consumer.fetch_metadata(Some(topic), PROBE).map_err(|_| ())?;
        consumer.context().link().up();
        let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if count == 0 {
            return Ok(None);
        }
        found.extend((0i32..).take(count).map(|partition| (Arc::clone(topic), partition)));
    }
    Ok(Some(found))
}

/// While something speaks against the brokers, asks whether one answers. The library's word that all of them are down is
/// not waited for: it stands in the queue behind records that nobody may take yet.
///
/// Returns whether the brokers answer as far as is known.
///
/// # Errors
/// They have been away for too long: the readers are told instead of waiting for ever.
pub(super) fn watch_outage<C: Linked>(consumer: &BaseConsumer<C>, topics: &Topics) -> Result<bool, Failure> {
    let Some(since) = consumer.context().link().suspected() else { return Ok(true) };
    if partitions(consumer, topics).is_ok() {
        return Ok(true);
    }
    if since.elapsed() < OUTAGE { Ok(false) } else { Err(connection_closed()) }
}

/// What readers of an established consumer hear when its brokers stay away.
pub(super) fn connection_closed() -> Failure {
    let text = "Endpoint connection closed";
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_CLOSED, text)
}

/// The failure that ends a consumer after `error`; most errors are temporary and end nothing.
pub(super) fn end(error: &KafkaError) -> Option<Failure> {
    let code = error.rdkafka_error_code()?;
    let is = |codes: &[RDKafkaErrorCode]| codes.contains(&code);
    if is(&[
        RDKafkaErrorCode::UnknownTopicOrPartition,
        RDKafkaErrorCode::UnknownTopic,
        RDKafkaErrorCode::UnknownPartition,
    ]) {
        Some(topic_not_found())
    } else if is(&[RDKafkaErrorCode::TopicAuthorizationFailed, RDKafkaErrorCode::GroupAuthorizationFailed]) {
        let text = "Endpoint configuration invalid: the broker does not let this gateway read the topic";
        Some(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text))
    } else if is(&[RDKafkaErrorCode::AutoOffsetReset, RDKafkaErrorCode::NoOffset]) {
        Some(no_position())
    } else if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        tracing::error!(%error, "kafka consumer gave up");
        let text = "Endpoint unknown error";
        Some(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::UNKNOWN_ERROR, text))
    } else {
        tracing::debug!(%error, "kafka consumer goes on after an error");
        None
    }
}

/// `autoOffsetReset` is `none` and there is nothing to go on from.
pub(super) fn no_position() -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        key::SUBSCRIBE_FAILED,
        "there is no stored position to go on from and autoOffsetReset is none: \
         send a cursor, or set autoOffsetReset to latest or earliest",
    )
}

/// Which end of a partition's log.
#[derive(Debug, Clone, Copy)]
pub(super) enum LogEnd {
    /// The oldest record that is kept.
    First,
    /// The offset of the next record.
    Next,
}

/// Asks for one end of every partition in one request; falls back to one question each where brokers do not say.
pub(super) fn log_ends<C: Linked>(
    consumer: &BaseConsumer<C>,
    partitions: &[Partition],
    which: LogEnd,
) -> Result<Vec<(Partition, i64)>, KafkaError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let marker = match which {
        LogEnd::First => Offset::Beginning,
        LogEnd::Next => Offset::End,
    };
    let answer = consumer.offsets_for_times(list(partitions.iter().map(|at| (at, marker)))?, ANSWER)?;
    let mut ends = Vec::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        let said = answer.find_partition(topic, *partition).map(|element| element.offset());
        let end = match said {
            Some(Offset::Offset(offset)) => offset,
            Some(
                Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_),
            )
            | None => {
                let (first, next) = consumer.fetch_watermarks(topic, *partition, ANSWER)?;
                match which {
                    LogEnd::First => first,
                    LogEnd::Next => next,
                }
            }
        };
        ends.push(((Arc::clone(topic), *partition), end));
    }
    Ok(ends)
}

/// A list in the library's form.
pub(super) fn list<'a>(
    positions: impl Iterator<Item = (&'a Partition, Offset)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in positions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

/// A broker that stopped answering in the middle of a start.
pub(super) fn no_answer(error: &KafkaError, link: &Link) -> Failure {
    tracing::debug!(%error, "a kafka broker did not answer");
    link.find_cause().failure()
}
