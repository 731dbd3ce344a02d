//! One producer: a client of the library and the thread that serves its delivery reports.
//!
//! **Confirmed** means: the broker's delivery report came and holds no error, under the `acks` of the producer. Whatever
//! else happens to a record (refused, timed out, purged, unknown) is a failure, even when the broker may have it.

use super::client_config::{self, Confirmation};
use super::connection::Connection;
use super::link::{self, Link};
use crate::failure::{Failure, key};
use definition::connector::kafka::CompressionType;
use definition::limits::PUBLISH_TIMEOUT_MS;
use http::StatusCode;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The serving thread looks at its other duties this often, milliseconds.
const SERVE_MS: u64 = 100;
/// With all brokers down a caller waits this long for one to come back; twice, when the outage began while it waited.
const OUTAGE_PATIENCE_MS: u64 = 1_000;
/// While all brokers are down, one is asked this often, and given this long, milliseconds.
const PROBE_MS: u64 = 500;
/// A client that has reached no broker for this long is replaced by the next record: a new one may find what this one does not.
const RENEWAL: Duration = Duration::from_secs(60);
/// While no cause is known, the brokers are looked at this often.
const LOOK: Duration = Duration::from_secs(5);
/// Pause before another try when the producer's queue is full, milliseconds.
const QUEUE_FULL_PAUSE_MS: u64 = 5;

const _: () = assert!(2 * OUTAGE_PATIENCE_MS < PUBLISH_TIMEOUT_MS);

/// One record on its way to one topic.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) headers: &'a [(String, String)],
    pub(super) content: Option<&'a [u8]>,
}

type Delivered = Result<(), RDKafkaErrorCode>;

struct Context {
    link: Link,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.link.connection().oauth_token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        link::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.link.error(code, reason);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<oneshot::Sender<Delivered>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(_) => {
                self.link.up();
                Ok(())
            }
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        if waiting.send(outcome).is_err() {
            tracing::trace!("a delivery report came after its caller's deadline");
        }
    }
}

/// A producer shared by everybody with the same effective configuration.
pub(super) struct Producer {
    client: Arc<BaseProducer<Context>>,
}

impl Producer {
    /// Creates the client and its thread; the connection is made in the background.
    ///
    /// # Errors
    /// A configuration that the library refuses, or no thread to be had.
    pub(super) fn start(
        connection: &Connection,
        compression: CompressionType,
        confirmation: Confirmation,
    ) -> Result<Producer, Failure> {
        let config = client_config::producer(connection, compression, confirmation);
        let context = Context { link: Link::new(connection.clone()) };
        let client = BaseProducer::from_config_and_context(&config, context)
            .map_err(|error| client_config::refused(&error))?;
        let producer = Producer { client: Arc::new(client) };
        let client = Arc::clone(&producer.client);
        super::thread("kafka-producer", move || serve(&client))?;
        Ok(producer)
    }

    fn link(&self) -> &Link {
        &self.client.context().link
    }

    /// The library gave this client up, or it has reached no broker for so long that a new one is worth a try.
    pub(super) fn is_dead(&self) -> bool {
        self.link().is_fatal() || self.link().is_down_for(RENEWAL)
    }

    /// Sends the records and waits until each is confirmed.
    ///
    /// # Errors
    /// The first record that was not confirmed decides.
    pub(super) async fn send(&self, records: &[Outgoing<'_>]) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_millis(PUBLISH_TIMEOUT_MS);
        if let Err(cause) = self.link().usable(Duration::from_millis(OUTAGE_PATIENCE_MS)).await {
            return Err(cause.failure());
        }
        if let [record] = records {
            let report = self.enqueue(record, deadline).await?;
            return self.confirm(report, deadline).await;
        }
        let mut reports = Vec::with_capacity(records.len());
        for record in records {
            reports.push(self.enqueue(record, deadline).await?);
        }
        let mut outcome = Ok(());
        for report in reports {
            let confirmed = self.confirm(report, deadline).await;
            outcome = outcome.and(confirmed);
        }
        outcome
    }

    async fn enqueue(
        &self,
        record: &Outgoing<'_>,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Delivered>, Failure> {
        loop {
            let (sender, report) = oneshot::channel();
            match self.try_enqueue(record, sender) {
                Ok(()) => return Ok(report),
                Err(RDKafkaErrorCode::QueueFull) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(QUEUE_FULL_PAUSE_MS)).await;
                }
                Err(code) => return Err(self.not_confirmed(code)),
            }
        }
    }

    fn try_enqueue(
        &self,
        record: &Outgoing<'_>,
        sender: oneshot::Sender<Delivered>,
    ) -> Result<(), RDKafkaErrorCode> {
        let mut outgoing: BaseRecord<'_, str, [u8], _> =
            BaseRecord::with_opaque_to(record.topic, Box::new(sender));
        if let Some(key) = record.key {
            outgoing = outgoing.key(key);
        }
        if let Some(content) = record.content {
            outgoing = outgoing.payload(content);
        }
        if !record.headers.is_empty() {
            outgoing = outgoing.headers(native_headers(record.headers));
        }
        self.client
            .send(outgoing)
            .map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
    }

    async fn confirm(
        &self,
        mut report: oneshot::Receiver<Delivered>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let patience = Duration::from_millis(OUTAGE_PATIENCE_MS);
        loop {
            let until = deadline.min(Instant::now() + patience);
            match tokio::time::timeout_at(until, &mut report).await {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(code))) => return Err(self.not_confirmed(code)),
                // The client was dropped with the record inside.
                Ok(Err(_)) => return Err(self.not_confirmed(RDKafkaErrorCode::PurgeQueue)),
                Err(_) => {}
            }
            if let Some(cause) = self.link().without_token(patience) {
                return Err(cause.failure());
            }
            match self.link().down() {
                Some(down) if down.since.elapsed() >= patience => return Err(down.cause.failure()),
                _ if Instant::now() >= deadline => {
                    return Err(self.not_confirmed(RDKafkaErrorCode::MessageTimedOut));
                }
                _ => {}
            }
        }
    }

    fn not_confirmed(&self, code: RDKafkaErrorCode) -> Failure {
        let lost = matches!(
            code,
            RDKafkaErrorCode::MessageTimedOut
                | RDKafkaErrorCode::PurgeQueue
                | RDKafkaErrorCode::PurgeInflight
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::OperationTimedOut
        );
        if lost { self.link().cause().failure() } else { refusal(code) }
    }
}

/// What the caller hears of a record that the broker or the library refused.
fn refusal(code: RDKafkaErrorCode) -> Failure {
    let failure = |status, key, text: &'static str| Failure::new(status, key, text);
    let is = |codes: &[RDKafkaErrorCode]| codes.contains(&code);
    if is(&[RDKafkaErrorCode::MessageSizeTooLarge, RDKafkaErrorCode::InvalidMessageSize]) {
        let text = "the message is larger than the broker accepts";
        failure(StatusCode::PAYLOAD_TOO_LARGE, key::PUBLISH_FAILED, text)
    } else if is(&[
        RDKafkaErrorCode::UnknownTopic,
        RDKafkaErrorCode::UnknownTopicOrPartition,
        RDKafkaErrorCode::UnknownPartition,
    ]) {
        failure(StatusCode::NOT_FOUND, key::TOPIC_NOT_FOUND, "the topic does not exist")
    } else if is(&[
        RDKafkaErrorCode::TopicAuthorizationFailed,
        RDKafkaErrorCode::ClusterAuthorizationFailed,
        RDKafkaErrorCode::Authentication,
        RDKafkaErrorCode::SaslAuthenticationFailed,
    ]) {
        let text = "Endpoint configuration invalid: the broker does not let this gateway write to the topic";
        failure(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text)
    } else if is(&[RDKafkaErrorCode::QueueFull]) {
        let text = "too many messages wait for the broker";
        failure(StatusCode::SERVICE_UNAVAILABLE, key::PUBLISH_FAILED, text)
    } else if is(&[RDKafkaErrorCode::NotEnoughReplicas, RDKafkaErrorCode::NotEnoughReplicasAfterAppend]) {
        let text = "too few replicas of the topic are in sync";
        failure(StatusCode::SERVICE_UNAVAILABLE, key::PUBLISH_FAILED, text)
    } else {
        // The name of the code is the library's own word, never broker text.
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            key::PUBLISH_FAILED,
            format!("the broker refused the message: {code:?}"),
        )
    }
}

fn native_headers(headers: &[(String, String)]) -> OwnedHeaders {
    let native = OwnedHeaders::new_with_capacity(headers.len());
    headers.iter().fold(native, |native, (name, value)| {
        native.insert(rdkafka::message::Header { key: name, value: Some(value) })
    })
}

/// Serves reports and errors until the producer is dropped, and asks for the brokers while all of them are down: the
/// library would only find out with a record to send, and records are refused meanwhile.
fn serve(client: &Arc<BaseProducer<Context>>) {
    let mut looked: Option<std::time::Instant> = None;
    // The last owner drops the client, which blocks, so this thread must be the last.
    while Arc::strong_count(client) > 1 {
        client.poll(Duration::from_millis(SERVE_MS));
        let link = &client.context().link;
        if link.down().is_none() {
            looked = None;
            continue;
        }
        // Callers wait for the reason longer than a look usually takes.
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            link.find_cause();
            looked = Some(std::time::Instant::now());
        }
        if client.client().fetch_metadata(None, Duration::from_millis(PROBE_MS)).is_ok() {
            link.up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_status_that_tells_what_to_do() {
        let check = |code: RDKafkaErrorCode, expected: &str| {
            let failure = refusal(code);
            assert_eq!(
                format!("{} {}", failure.status.as_u16(), failure.key.as_deref().unwrap_or("-")),
                expected,
                "{code:?}"
            );
        };
        check(RDKafkaErrorCode::MessageSizeTooLarge, "413 FAILURE_ENDPOINT_PUBLISH_FAILED");
        check(RDKafkaErrorCode::UnknownTopicOrPartition, "404 FAILURE_TOPIC_NOT_FOUND");
        check(RDKafkaErrorCode::UnknownTopic, "404 FAILURE_TOPIC_NOT_FOUND");
        check(RDKafkaErrorCode::TopicAuthorizationFailed, "500 FAILURE_ENDPOINT_CONFIGURATION_INVALID");
        check(RDKafkaErrorCode::QueueFull, "503 FAILURE_ENDPOINT_PUBLISH_FAILED");
        check(RDKafkaErrorCode::InvalidRecord, "500 FAILURE_ENDPOINT_PUBLISH_FAILED");
    }
}
