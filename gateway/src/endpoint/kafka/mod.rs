//! Endpoint `kafka` (also under the id `kafka-advanced`).
//!
//! Publishing shares one producer per effective configuration (`produce`). Reading at QoS none shares one fetch per
//! connection and topics (`fetch`); at the other levels one consumer serves the connections of one client identifier
//! (`consume`). What a call changes about the settings is read in `effective`. Every consumer has a thread of its own, because the library blocks when it joins, commits and closes;
//! async workers only ever wait for what the threads hand over.

mod attributes;
mod backlog;
mod cause;
mod client_config;
mod connection;
mod consume;
mod consumer;
mod cursor;
mod diagnosis;
mod effective;
mod fetch;
mod group;
mod link;
mod member;
mod permits;
mod probe;
mod produce;
mod producer;
mod record;
mod topics;
mod window;

use super::{
    Attributes, Backend, Endpoint, Evaluated, FactoryError, PublishContext, Settings, Shared,
    SubscribeRequest,
};
use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use async_trait::async_trait;
use backlog::FromBeginning;
use connection::Connection;
use consume::Wishes;
use cursor::Cursor;
use definition::api::Qos;
use definition::connector::kafka::{AutoOffsetReset, Kafka};
use effective::Effective;
use futures::stream::{self, StreamExt as _};
use group::GroupKey;
use http::StatusCode;
use produce::Producers;
use record::Content;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use topics::Topics;

/// A reader with time is handed its stream when the source is ready, so that what is sent after the response head is
/// not missed; no later than this.
const READY_WAIT: Duration = Duration::from_millis(1_000);

/// Producers, shared fetches and group consumers of one gateway.
#[derive(Default)]
pub struct Clients {
    addresses: HashMap<String, String>,
    producers: Producers,
    fetches: fetch::Fetches,
    groups: consume::Groups,
    permits: permits::Permits,
    combinations: effective::Combinations,
    answers: probe::Answers,
}

impl Clients {
    /// Clients that reach some bootstrap servers under other addresses: `host:port` as written in documents → where it is.
    pub fn with_addresses(addresses: HashMap<String, String>) -> Clients {
        Clients { addresses, ..Clients::default() }
    }
}

fn connection_of(settings: &Kafka, clients: &Clients) -> Result<Connection, FactoryError> {
    let server = |server| clients.addresses.get(server).map_or(server, String::as_str);
    let servers = settings.bootstrap_servers.split(',').map(|name| server(name.trim()));
    Connection::build(servers.collect::<Vec<_>>().join(","), &settings.security)
}

struct KafkaEndpoint {
    /// As deployed.
    settings: Arc<Settings>,
    /// What calls without attributes or expressions of their own have.
    fixed: Option<Arc<Effective>>,
    evaluated: Vec<Evaluated>,
    clients: Arc<Clients>,
}

/// Builds the endpoint. No connection is made.
///
/// # Errors
/// The first violation of the settings, what this gateway cannot do, or a store that cannot be used.
pub(crate) fn build(_name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError> {
    let kafka = Kafka::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        let (path, message) =
            first.map_or_else(Default::default, |violation| (violation.path, violation.message));
        FactoryError { path, message }
    })?;
    let clients = Arc::clone(&shared.kafka);
    let evaluated: Vec<Evaluated> = Kafka::templates(settings)
        .into_iter()
        .map(|(path, template)| Evaluated { attribute: format!("{}{path}", effective::OVERRIDE), template })
        .collect();
    // Stores are read here in any case, so that one that cannot be used is told at deployment.
    let effective = Effective::build(kafka, &clients)?;
    let fixed = evaluated.is_empty().then(|| Arc::new(effective));
    Ok(Backend::Messages(Arc::new(KafkaEndpoint {
        settings: Arc::new(settings.clone()),
        fixed,
        evaluated,
        clients,
    })))
}

#[async_trait]
impl Endpoint for KafkaEndpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        let effective = self.effective(&request.attributes).await?;
        let consumer = &effective.settings.consumer;
        if !consumer.enabled {
            return Ok(stream::empty().boxed());
        }
        let topics = match attributes::consumer_topics(&request.attributes, &consumer.topics)? {
            Some(topics) => Topics::Named(topics.into_iter().map(Arc::from).collect()),
            None => consumer.topic_pattern.clone().map(Topics::Matching).ok_or_else(attributes::no_topics)?,
        };
        if consumer.check_topic_existence {
            probe::exist(&self.clients, &effective.connection, topics.clone()).await?;
        }
        match request.qos {
            Qos::None => self.subscribe_shared(&effective, topics).await,
            Qos::Auto | Qos::AtMostOnce | Qos::AtLeastOnce => {
                self.subscribe_group(&effective, topics, request).await
            }
        }
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        let effective = self.effective(&context.attributes).await?;
        effective.publisher.publish(&self.clients.producers, context, message).await
    }

    fn evaluated(&self) -> &[Evaluated] {
        &self.evaluated
    }

    async fn probe(&self) -> Result<(), Failure> {
        match &self.fixed {
            Some(effective) if effective.connection.is_complete() => {
                self.clients.answers.get(&self.clients, &effective.connection).await
            }
            // Where it connects to, and as whom, is known with a call.
            Some(_) | None => Ok(()),
        }
    }
}

impl KafkaEndpoint {
    /// The settings of one call.
    async fn effective(&self, attributes: &Attributes) -> Result<Arc<Effective>, Failure> {
        let overrides = effective::overrides(attributes, &self.settings);
        match &self.fixed {
            Some(fixed) if overrides.is_empty() => Ok(Arc::clone(fixed)),
            Some(_) | None => self.clients.combinations.get(&self.clients, &self.settings, overrides).await,
        }
    }

    /// QoS none: the shared fetch, after the backlog when the settings say so.
    async fn subscribe_shared(
        &self,
        effective: &Effective,
        topics: Topics,
    ) -> Result<MessageStream, Failure> {
        let connection = effective.connection.clone();
        let key = fetch::FetchKey { connection, topics, content: content(&effective.settings) };
        match effective.settings.consumer.auto_offset_reset {
            AutoOffsetReset::None => Ok(stream::iter([Err(consumer::no_position())]).boxed()),
            AutoOffsetReset::Latest => {
                let mut reader = fetch::join(&self.clients, key)?;
                ready(reader.started()).await;
                Ok(messages(reader))
            }
            AutoOffsetReset::Earliest => {
                let live = fetch::join(&self.clients, key)?;
                let mut reader = FromBeginning::new(Arc::clone(&self.clients), live);
                ready(reader.started()).await;
                Ok(messages(reader))
            }
        }
    }

    /// The other levels: the group consumer of the client identifier.
    async fn subscribe_group(
        &self,
        effective: &Effective,
        topics: Topics,
        request: SubscribeRequest,
    ) -> Result<MessageStream, Failure> {
        let settings = &effective.settings.consumer;
        let encode_ids = settings.encode_message_id;
        let recoverable = request.qos != Qos::Auto;
        let cursor = match request.recovery.as_deref().filter(|_| recoverable) {
            Some(text) => Cursor::decode(text, encode_ids)?,
            None => Cursor::default(),
        };
        cursor.check_topics(&topics)?;
        let key = GroupKey {
            connection: effective.connection.clone(),
            group_id: attributes::group_id(&request.attributes, &request.client_identifier),
            topics,
            content: content(&effective.settings),
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

fn content(settings: &Kafka) -> Content {
    if settings.consumer.remove_confluent_header { Content::WithoutSchemaId } else { Content::AsIs }
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
