//! Endpoint `mqtt5` (also `mqtt5-advanced`): topics of an MQTT 5 broker, read and written.
//!
//! A published message is confirmed when the broker acknowledged it (PUBACK with a reason below 0x80). QoS none reads one
//! subscription that everybody shares; the other levels have a session per client identifier, which the broker keeps
//! while nobody reads: auto and at-least-once acknowledge what was delivered, at-most-once acknowledges before. The
//! broker is reached before a stream begins, so one that is away is an answer and no broken stream.

mod attributes;
pub(crate) mod client;

use super::{Backend, Endpoint, FactoryError, PublishContext, Settings, Shared, SubscribeRequest};
use crate::failure::{Failure, key};
use crate::message::{Message, MessageStream};
use crate::tls;
use async_trait::async_trait;
use client::{Broker, Clients, Credentials, Outgoing, Wish};
use definition::api::Qos;
use definition::connector::mqtt5::{Consumer, Mqtt5, Producer};
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Seconds that a broker keeps a session when the settings do not say: a day.
const SESSION_EXPIRY_S: u32 = 86_400;
/// The header that MQTT has a property of its own for.
const CONTENT_TYPE: &str = "content-type";

struct Mqtt5Endpoint {
    consumer: Consumer,
    producer: Producer,
    session_expiry_interval: Option<u32>,
    clean_start: bool,
    broker: Broker,
    clients: Arc<Clients>,
}

/// Builds the endpoint. No connection is made; the stores of TLS are read.
///
/// # Errors
/// The first violation of the settings, or the store that cannot be used.
pub(crate) fn build(_name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError> {
    let settings = Mqtt5::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        let (path, message) =
            first.map_or_else(Default::default, |violation| (violation.path, violation.message));
        FactoryError { path, message }
    })?;
    let mut seen = Sha256::new();
    let tls = settings.ssl.as_ref().map(|ssl| {
        seen.update(format!("{ssl:?}"));
        tls::client(ssl, "security.ssl", &mut seen)
    });
    let credentials =
        settings.auth.map(|auth| Credentials { username: auth.username, password: auth.password });
    let broker = Broker::new(
        &settings.server_host,
        settings.server_port,
        (tls.transpose()?, seen),
        credentials,
        settings.reconnect_attempts,
    );
    Ok(Backend::Messages(Arc::new(Mqtt5Endpoint {
        consumer: settings.consumer,
        producer: settings.producer,
        session_expiry_interval: settings.session_expiry_interval,
        clean_start: settings.clean_start.unwrap_or(false),
        broker,
        clients: Arc::clone(&shared.mqtt),
    })))
}

#[async_trait]
impl Endpoint for Mqtt5Endpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        if !self.consumer.enabled {
            return Ok(stream::empty().boxed());
        }
        let filter = attributes::filter(&request.attributes, self.consumer.topic.as_deref())?;
        let identifier = attributes::client_id(&HashMap::new(), &request.attributes)?;
        let kept = if request.qos == Qos::None { 0 } else { SESSION_EXPIRY_S };
        let wish = Wish {
            filter: filter.into(),
            identifier: identifier.unwrap_or_else(|| request.client_identifier.as_ref().to_owned()),
            expiry_s: self.session_expiry_interval.unwrap_or(kept),
            clean_start: self.clean_start,
        };
        match request.qos {
            Qos::None => self.clients.broadcast(&self.broker, &wish).await,
            Qos::Auto | Qos::AtMostOnce | Qos::AtLeastOnce => {
                self.clients.subscribe(&self.broker, &wish, request.qos).await
            }
        }
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        if !self.producer.enabled {
            // Success would tell the client that the broker has what was thrown away.
            let text = "No endpoint available: the producer of this API's endpoint is not enabled";
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::NO_ENDPOINT_FOUND, text));
        }
        let (own, shared) = (&message.attributes, &context.attributes);
        let client_id = attributes::client_id(own, shared)?;
        let outgoing = Outgoing {
            topic: attributes::topic(own, shared, self.producer.topic.as_deref())?,
            payload: message.content.unwrap_or_default(),
            retain: self.producer.retained,
            response_topic: attributes::response_topic(own, shared, self.producer.response_topic.as_deref())?,
            message_expiry_interval: self.producer.message_expiry_interval,
            content_type: content_type(&message.headers),
            user_properties: message.headers,
        };
        let resend = matches!(context.qos, Qos::Auto | Qos::AtLeastOnce);
        self.clients.publish(&self.broker, client_id.as_deref(), &outgoing, resend).await?;
        message.ack.delivered();
        Ok(())
    }

    /// Where a reader goes on is the broker's to know.
    fn recovers(&self, _qos: Qos) -> bool {
        false
    }

    async fn probe(&self) -> Result<(), Failure> {
        client::probe(&self.broker).await
    }
}

fn content_type(headers: &[(String, String)]) -> Option<String> {
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE)).map(|(_, value)| value.clone())
}
