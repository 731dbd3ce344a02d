//! Endpoint `kafka` (also under the id `kafka-advanced`).
//!
//! Publishing shares one producer per effective configuration (`produce`). Reading at QoS none shares one fetch per
//! connection and topics (`fetch`); at the other levels one consumer serves the connections of one client identifier
//! (`consume`). Every consumer has a thread of its own, because the library blocks when it joins, commits and closes;
//! async workers only ever wait for what the threads hand over.

mod attributes;
mod backlog;
mod client_config;
mod consume;
mod consumer;
mod cursor;
mod fetch;
mod group;
mod link;
mod member;
mod permits;
mod produce;
mod producer;
mod record;
mod window;

use super::{Backend, Endpoint, FactoryError, PublishContext, Settings, Shared, SubscribeRequest};
use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use async_trait::async_trait;
use backlog::FromBeginning;
use client_config::Connection;
use consume::Wishes;
use cursor::Cursor;
use definition::api::Qos;
use definition::connector::kafka::{AutoOffsetReset, Kafka};
use futures::stream::{self, StreamExt as _};
use group::GroupKey;
use http::StatusCode;
use produce::{Producers, Publisher};
use rdkafka::config::FromClientConfig;
use rdkafka::producer::{BaseProducer, Producer as _};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A reader with time is handed its stream when the source is ready, so that what is sent after the response head is
/// not missed; no later than this.
const READY_WAIT: Duration = Duration::from_millis(1_000);
/// A broker that is asked whether it answers has this long, milliseconds.
const PROBE_MS: u64 = 2_000;

/// Producers, shared fetches and group consumers of one gateway.
#[derive(Default)]
pub struct Clients {
    addresses: HashMap<String, String>,
    producers: Producers,
    fetches: fetch::Fetches,
    groups: consume::Groups,
    permits: permits::Permits,
}

impl Clients {
    /// Clients that reach some bootstrap servers under other addresses: `host:port` as written in documents → where it is.
    pub fn with_addresses(addresses: HashMap<String, String>) -> Clients {
        Clients { addresses, ..Clients::default() }
    }

    fn connection(&self, bootstrap_servers: &str) -> Connection {
        let server = |server| self.addresses.get(server).map_or(server, String::as_str);
        let servers: Vec<&str> = bootstrap_servers.split(',').map(|name| server(name.trim())).collect();
        Connection { bootstrap_servers: servers.join(",") }
    }
}

struct KafkaEndpoint {
    settings: Kafka,
    connection: Connection,
    publisher: Publisher,
    clients: Arc<Clients>,
}

/// Builds the endpoint. No connection is made.
///
/// # Errors
/// The first violation of the settings.
pub(crate) fn build(_name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError> {
    let settings = Kafka::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        let (path, message) =
            first.map_or_else(Default::default, |violation| (violation.path, violation.message));
        FactoryError { path, message }
    })?;
    let connection = shared.kafka.connection(&settings.bootstrap_servers);
    let publisher = Publisher::new(connection.clone(), settings.producer.clone());
    let clients = Arc::clone(&shared.kafka);
    Ok(Backend::Messages(Arc::new(KafkaEndpoint { settings, connection, publisher, clients })))
}

#[async_trait]
impl Endpoint for KafkaEndpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        if !self.settings.consumer.enabled {
            return Ok(stream::empty().boxed());
        }
        let topics = attributes::consumer_topics(&request.attributes, &self.settings.consumer.topics)?;
        let topics = topics.into_iter().map(Arc::from).collect();
        match request.qos {
            Qos::None => self.subscribe_shared(topics).await,
            Qos::Auto | Qos::AtMostOnce | Qos::AtLeastOnce => self.subscribe_group(topics, request).await,
        }
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        self.publisher.publish(&self.clients.producers, context, message).await
    }

    async fn probe(&self) -> Result<(), Failure> {
        let config = client_config::probe(&self.connection);
        let asked = tokio::task::spawn_blocking(move || {
            let client =
                BaseProducer::from_config(&config).map_err(|error| client_config::refused(&error))?;
            let answer = client.client().fetch_metadata(None, Duration::from_millis(PROBE_MS));
            answer.map(|_| ()).map_err(|_| link::Cause::Unreachable.failure())
        });
        asked.await.unwrap_or_else(|_| Err(link::Cause::Unreachable.failure()))
    }
}

impl KafkaEndpoint {
    /// QoS none: the shared fetch, after the backlog when the settings say so.
    async fn subscribe_shared(&self, topics: Vec<Arc<str>>) -> Result<MessageStream, Failure> {
        let key = fetch::FetchKey { connection: self.connection.clone(), topics };
        match self.settings.consumer.auto_offset_reset {
            AutoOffsetReset::None => Ok(stream::iter([Err(consumer::no_position())]).boxed()),
            AutoOffsetReset::Latest => {
                let mut reader = fetch::join(&self.clients, key)?;
                ready(reader.started()).await;
                Ok(messages(reader))
            }
            AutoOffsetReset::Earliest => {
                let live = fetch::join(&self.clients, key)?;
                let (clients, connection) = (Arc::clone(&self.clients), self.connection.clone());
                let mut reader = FromBeginning::new(clients, connection, live);
                ready(reader.started()).await;
                Ok(messages(reader))
            }
        }
    }

    /// The other levels: the group consumer of the client identifier.
    async fn subscribe_group(
        &self,
        topics: Vec<Arc<str>>,
        request: SubscribeRequest,
    ) -> Result<MessageStream, Failure> {
        let settings = &self.settings.consumer;
        let encode_ids = settings.encode_message_id;
        let recoverable = request.qos != Qos::Auto;
        let cursor = match request.recovery.as_deref().filter(|_| recoverable) {
            Some(text) => Cursor::decode(text, encode_ids)?,
            None => Cursor::default(),
        };
        cursor.check_topics(&topics)?;
        let key = GroupKey {
            connection: self.connection.clone(),
            group_id: attributes::group_id(&request.attributes, &request.client_identifier),
            topics,
            level: request.qos,
            reset: settings.auto_offset_reset,
        };
        let start = request.limit_duration.map_or(consumer::START, |limit| limit * 3 / 4);
        let starting_cursor = request.starting_cursor;
        let wishes = Wishes { cursor, starting_cursor, encode_ids, limit: request.limit, start };
        let mut connection = consume::join(&self.clients, key, wishes)?;
        if request.limit_duration.is_none() {
            ready(connection.started()).await;
        }
        Ok(messages(connection))
    }
}

/// Where the messages of one client come from.
trait Source: Send + 'static {
    /// The next message; `Ok(None)`: the source is over.
    fn next(&mut self) -> impl Future<Output = Result<Option<Message>, Failure>> + Send;
}

/// A stream that ends with its source, or with the source's failure as its last item.
fn messages(source: impl Source) -> MessageStream {
    stream::unfold(Some(source), |source| async {
        let mut source = source?;
        match source.next().await {
            Ok(Some(message)) => Some((Ok(message), Some(source))),
            Ok(None) => None,
            Err(failure) => Some((Err(failure), None)),
        }
    })
    .boxed()
}

/// Waits for a source a little. Whether it became ready shows in the stream.
async fn ready(started: impl Future<Output = ()>) {
    let waited = tokio::time::timeout(READY_WAIT, started).await;
    if waited.is_err() {
        tracing::debug!("a kafka source is not ready yet; its stream begins without it");
    }
}

/// Starts a thread for a consumer.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    match std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(%error, "no thread for a kafka client");
            Err(no_thread())
        }
    }
}

fn no_thread() -> Failure {
    Failure::plain(StatusCode::SERVICE_UNAVAILABLE, "the gateway has no thread left for another Kafka client")
}
