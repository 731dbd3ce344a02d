//! The endpoint over AMQP 1.0: which message and which client goes where.

use super::super::no_producer;
use super::Remote;
use super::connection::{Connected, passing_name};
use super::durable::{self, Groups};
use super::fault::Fault;
use super::group::GroupKey;
use super::live;
use super::message::Outgoing;
use super::publish::{Publisher, Publishers};
use crate::endpoint::fanout::Fanouts;
use crate::endpoint::{Endpoint, FactoryError, PublishContext, SubscribeRequest};
use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use crate::tls;
use async_trait::async_trait;
use definition::api::Qos;
use definition::connector::solace::{DeliveryMode, Solace, SolaceProducer};
use futures::future::{FutureExt as _, try_join_all};
use futures::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// A client is told within this time when its subscription cannot stand.
const START: Duration = Duration::from_millis(4_500);

/// What makes two clients share a reading connection at QoS none: the broker and the topics.
type LiveKey = ([u8; 32], Vec<String>);

/// Connections over AMQP of one gateway.
#[derive(Default)]
pub(in super::super) struct Clients {
    live: Arc<Fanouts<LiveKey>>,
    groups: Arc<Groups>,
    publishers: Publishers,
}

pub(in super::super) struct AmqpEndpoint {
    remote: Arc<Remote>,
    settings: Solace,
    publisher: Arc<Publisher>,
    clients: Arc<Clients>,
}

impl AmqpEndpoint {
    pub(in super::super) fn new(
        settings: Solace,
        clients: &Arc<Clients>,
    ) -> Result<AmqpEndpoint, FactoryError> {
        let remote = Arc::new(remote(&settings)?);
        let publisher = clients.publishers.get(&remote);
        Ok(AmqpEndpoint { remote, settings, publisher, clients: Arc::clone(clients) })
    }
}

fn remote(settings: &Solace) -> Result<Remote, FactoryError> {
    let mut seen = Sha256::new();
    let (server, ssl) = (settings.server.clone(), &settings.ssl);
    let tls = match server.tls {
        true => Some(Arc::new(tls::client(ssl, "security.ssl", &mut seen)?)),
        false => None,
    };
    let credentials = settings.credentials.as_ref();
    let credentials = credentials.map(|credentials| (&credentials.username, &credentials.password));
    let rest = (&server, &settings.vpn_name, credentials, ssl.hostname_verifier, ssl.trust_all);
    seen.update(format!("{rest:?}").as_bytes());
    Ok(Remote {
        server,
        vpn_name: settings.vpn_name.clone(),
        credentials: settings.credentials.clone(),
        tls,
        identity: seen.finalize().into(),
    })
}

#[async_trait]
impl Endpoint for AmqpEndpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        if !self.settings.consumer.enabled {
            return Ok(stream::empty().boxed());
        }
        let topics = self.settings.consumer.topics.clone();
        match request.qos {
            Qos::None => self.subscribe_live(topics).await,
            Qos::Auto | Qos::AtMostOnce | Qos::AtLeastOnce => self.subscribe_durable(topics, request).await,
        }
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        let producer = &self.settings.producer;
        if !producer.enabled {
            return Err(no_producer());
        }
        let again = matches!(context.qos, Qos::Auto | Qos::AtLeastOnce);
        let outgoing: Vec<_> =
            producer.topics.iter().map(|topic| outgoing(producer, context.qos, topic, &message)).collect();
        let sending = outgoing.iter().map(|outgoing| self.publisher.publish(outgoing, again));
        try_join_all(sending).await.map_err(|fault| fault.failure())?;
        message.ack.delivered();
        Ok(())
    }

    fn recovers(&self, _qos: Qos) -> bool {
        false
    }

    async fn probe(&self) -> Result<(), Failure> {
        let connected = Connected::open(&self.remote, &passing_name()).await;
        connected.map_err(|fault| fault.failure())?.close().await;
        Ok(())
    }
}

fn outgoing<'a>(
    producer: &'a SolaceProducer,
    qos: Qos,
    topic: &'a str,
    message: &'a Message,
) -> Outgoing<'a> {
    let persistent = match producer.delivery_mode {
        Some(mode) => mode == DeliveryMode::Persistent,
        None => qos != Qos::None,
    };
    let (expiry, response_topic) = (producer.message_expiry_interval, producer.response_topic.as_deref());
    let (headers, content) = (message.headers.as_slice(), message.content.as_ref());
    Outgoing { topic, headers, content, persistent, expiry, response_topic }
}

impl AmqpEndpoint {
    async fn subscribe_live(&self, topics: Vec<String>) -> Result<MessageStream, Failure> {
        let (remote, key) = (Arc::clone(&self.remote), (self.remote.identity, topics.clone()));
        let mut reader = self.clients.live.join(key, |feed| live::read(remote, topics, feed));
        if tokio::time::timeout(START, reader.started()).await.is_err() {
            return Err(Fault::NoAnswer.failure());
        }
        let mut messages = reader.into_stream();
        // A source that could not start is an answer, not a stream that breaks.
        match messages.next().now_or_never() {
            Some(Some(Err(failure))) => Err(failure),
            Some(Some(Ok(message))) => Ok(stream::iter([Ok(message)]).chain(messages).boxed()),
            Some(None) | None => Ok(messages),
        }
    }

    async fn subscribe_durable(
        &self,
        topics: Vec<String>,
        request: SubscribeRequest,
    ) -> Result<MessageStream, Failure> {
        let (client_identifier, level) = (request.client_identifier, request.qos);
        let key = GroupKey { identity: self.remote.identity, client_identifier, topics, level };
        let mut client = durable::join(&self.clients.groups, &self.remote, key)?;
        client.started(START).await?;
        let messages = stream::unfold(Some(client), |client| async {
            let mut client = client?;
            match client.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(client))),
                Ok(None) => None,
                Err(failure) => Some((Err(failure), None)),
            }
        });
        Ok(messages.boxed())
    }
}
