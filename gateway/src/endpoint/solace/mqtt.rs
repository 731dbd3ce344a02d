//! MQTT 5: the clients of the endpoint `mqtt5`, with Solace's topics in MQTT's spelling.
//!
//! Each topic has a session of its own for a client identifier, which the broker keeps for a day.

use super::no_producer;
use crate::endpoint::mqtt5::client::{self, Broker, Clients, Credentials, Outgoing, Wish};
use crate::endpoint::{Endpoint, FactoryError, PublishContext, SubscribeRequest};
use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use crate::tls;
use async_trait::async_trait;
use definition::api::Qos;
use definition::connector::solace::{Solace, SolaceConsumer, SolaceProducer};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Seconds that the broker keeps the session of an absent client: a day.
const SESSION_EXPIRY_S: u32 = 86_400;
/// Attempts to come back to a broker before readers are told; about half a minute.
const RECONNECT_ATTEMPTS: u32 = 10;
/// The header that MQTT has a property of its own for.
const CONTENT_TYPE: &str = "content-type";

pub(super) struct MqttEndpoint {
    consumer: SolaceConsumer,
    producer: SolaceProducer,
    broker: Broker,
    clients: Arc<Clients>,
}

impl MqttEndpoint {
    pub(super) fn new(settings: Solace, clients: &Arc<Clients>) -> Result<MqttEndpoint, FactoryError> {
        let (server, ssl) = (&settings.server, &settings.ssl);
        let mut seen = Sha256::new();
        let tls = match server.tls {
            true => {
                seen.update([u8::from(ssl.hostname_verifier), u8::from(ssl.trust_all)]);
                Some(tls::client(ssl, "security.ssl", &mut seen)?)
            }
            false => None,
        };
        let credentials = settings.credentials.map(|credentials| Credentials {
            username: credentials.username,
            password: Some(credentials.password),
        });
        let broker = Broker::new(&server.host, server.port, (tls, seen), credentials, RECONNECT_ATTEMPTS);
        let (consumer, producer) = (settings.consumer, settings.producer);
        Ok(MqttEndpoint { consumer, producer, broker, clients: Arc::clone(clients) })
    }

    async fn read(&self, topic: &str, request: &SubscribeRequest) -> Result<MessageStream, Failure> {
        let live = request.qos == Qos::None;
        let wish = Wish {
            filter: filter(topic).into(),
            identifier: request.client_identifier.as_ref().to_owned(),
            expiry_s: if live { 0 } else { SESSION_EXPIRY_S },
            clean_start: false,
        };
        match request.qos {
            Qos::None => self.clients.broadcast(&self.broker, &wish).await,
            Qos::Auto | Qos::AtMostOnce | Qos::AtLeastOnce => {
                self.clients.subscribe(&self.broker, &wish, request.qos).await
            }
        }
    }
}

/// A Solace subscription as an MQTT filter. One difference stays: `a/#` is also `a` itself, `a/>` is not.
fn filter(topic: &str) -> String {
    let level = |level| match level {
        "*" => "+",
        ">" => "#",
        other => other,
    };
    topic.split('/').map(level).collect::<Vec<_>>().join("/")
}

#[async_trait]
impl Endpoint for MqttEndpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        if !self.consumer.enabled {
            return Ok(stream::empty().boxed());
        }
        let reading = self.consumer.topics.iter().map(|topic| self.read(topic, &request));
        let mut topics = try_join_all(reading).await?;
        if topics.len() == 1 {
            return Ok(topics.remove(0));
        }
        // A topic that ends takes the others with it: the client has to know, and comes back for all of them.
        let topics = topics.into_iter().map(|topic| topic.map(Some).chain(stream::iter([None])).boxed());
        let messages = stream::select_all(topics).scan((), |(), message| std::future::ready(message));
        Ok(messages
            .scan(false, |over, message| {
                let ended = std::mem::replace(over, message.is_err());
                std::future::ready((!ended).then_some(message))
            })
            .boxed())
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        if !self.producer.enabled {
            return Err(no_producer());
        }
        let content_type = message.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE));
        let content_type = content_type.map(|(_, value)| value.clone());
        let outgoing: Vec<Outgoing> = self
            .producer
            .topics
            .iter()
            .map(|topic| Outgoing {
                topic: topic.clone(),
                payload: message.content.clone().unwrap_or_default(),
                retain: self.producer.retained,
                response_topic: self.producer.response_topic.clone(),
                message_expiry_interval: self.producer.message_expiry_interval,
                content_type: content_type.clone(),
                user_properties: message.headers.clone(),
            })
            .collect();
        let resend = matches!(context.qos, Qos::Auto | Qos::AtLeastOnce);
        let sending =
            outgoing.iter().map(|outgoing| self.clients.publish(&self.broker, None, outgoing, resend));
        try_join_all(sending).await?;
        message.ack.delivered();
        Ok(())
    }

    fn recovers(&self, _qos: Qos) -> bool {
        false
    }

    async fn probe(&self) -> Result<(), Failure> {
        client::probe(&self.broker).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_spelled_as_mqtt_spells_them() {
        let check = |topic: &str, expected: &str| assert_eq!(filter(topic), expected);
        check("a/b", "a/b");
        check("a/*/c", "a/+/c");
        check("a/>", "a/#");
        check(">", "#");
    }
}
