//! Endpoint `rabbitmq`: AMQP 0-9-1 exchanges and queues.
//!
//! Publishing shares one connection per target, with publisher confirms (`publish`). Reading shares another: at QoS
//! none one source per exchange and routing key (`source`), at the other levels a durable queue per client identifier
//! (`consume`). Connections are made on the first use and made anew when they are lost (`link`).

mod connection;
mod consume;
mod fault;
mod link;
mod place;
mod publish;
mod record;
mod source;
mod topology;
mod unreadable;

use super::fanout::Fanouts;
use super::{Backend, Endpoint, FactoryError, PublishContext, Settings, Shared, SubscribeRequest};
use crate::failure::{Failure, key};
use crate::message::{Message, MessageStream};
use crate::tls;
use async_trait::async_trait;
use connection::{Server, Target};
use consume::Wishes;
use definition::api::Qos;
use definition::connector::rabbitmq::{RabbitMq, Route};
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use link::{Link, Role};
use place::Place;
use publish::Producer;
use record::Outgoing;
use sha2::{Digest as _, Sha256};
use source::SourceKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::timeout;

/// A broker that is asked whether it answers has this long.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections and shared sources of one gateway. A connection lives as long as an endpoint or a stream holds it.
#[derive(Default)]
pub struct Clients {
    producers: Mutex<HashMap<Target, Weak<Producer>>>,
    readers: Mutex<HashMap<Target, Weak<Link>>>,
    sources: Arc<Fanouts<SourceKey>>,
}

/// What is known under `target`, made when it is not.
fn shared<T>(known: &Mutex<HashMap<Target, Weak<T>>>, target: &Target, make: impl FnOnce() -> T) -> Arc<T> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(target).and_then(Weak::upgrade) {
        return found;
    }
    known.retain(|_, held| held.strong_count() > 0);
    let made = Arc::new(make());
    known.insert(target.clone(), Arc::downgrade(&made));
    made
}

struct RabbitMqEndpoint {
    target: Target,
    consumer: Option<(Route, Arc<Link>)>,
    producer: Option<(Route, Arc<Producer>)>,
    clients: Arc<Clients>,
}

/// Builds the endpoint. No connection is made.
///
/// # Errors
/// The first violation of the settings, or a store of `security.ssl` that cannot be opened.
pub(crate) fn build(_name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError> {
    let settings = RabbitMq::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        let (path, message) =
            first.map_or_else(Default::default, |violation| (violation.path, violation.message));
        FactoryError { path, message }
    })?;
    let tls = match &settings.ssl {
        None => None,
        Some(ssl) => {
            let mut seen = Sha256::new();
            seen.update([u8::from(ssl.hostname_verifier), u8::from(ssl.trust_all)]);
            let config = tls::client(ssl, "security.ssl", &mut seen)?;
            Some((config, seen.finalize().into()))
        }
    };
    let server = Server::new(&settings, tls);
    Ok(Backend::Messages(Arc::new(RabbitMqEndpoint::new(settings, server, Arc::clone(&shared.rabbitmq)))))
}

impl RabbitMqEndpoint {
    fn new(settings: RabbitMq, server: Server, clients: Arc<Clients>) -> RabbitMqEndpoint {
        let target = &server.target;
        let consumer = settings.consumer.map(|route| {
            let link = || Link::new(server.clone(), Role::Consumer);
            (route, shared(&clients.readers, target, link))
        });
        let producer = settings.producer.map(|route| {
            let producer = || Producer::new(Arc::new(Link::new(server.clone(), Role::Producer)));
            (route, shared(&clients.producers, target, producer))
        });
        RabbitMqEndpoint { target: target.clone(), consumer, producer, clients }
    }
}

#[async_trait]
impl Endpoint for RabbitMqEndpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        let Some((route, link)) = &self.consumer else { return Ok(stream::empty().boxed()) };
        let place = Place::of(route, &request.attributes)?;
        let link = Arc::clone(link);
        match request.qos {
            Qos::None => {
                let key = SourceKey { target: self.target.clone(), place };
                source::started(source::join(&self.clients.sources, key, link)).await
            }
            level @ (Qos::Auto | Qos::AtMostOnce | Qos::AtLeastOnce) => {
                let queue = place.queue(&request.client_identifier);
                consume::join(link, place, Wishes { level, queue, limit: request.limit }).await
            }
        }
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        let Some((route, producer)) = &self.producer else {
            // Success would tell the client that the broker has what was thrown away.
            let text = "No endpoint available: the producer of this API's endpoint is not enabled";
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::NO_ENDPOINT_FOUND, text));
        };
        let place = Place::of(route, &context.attributes)?;
        let outgoing = Outgoing::of(&message, context.qos != Qos::None)?;
        producer.publish(&place, &outgoing).await?;
        message.ack.delivered();
        Ok(())
    }

    fn recovers(&self, _qos: Qos) -> bool {
        false
    }

    async fn probe(&self) -> Result<(), Failure> {
        let link = match (&self.producer, &self.consumer) {
            (Some((_, producer)), _) => producer.link(),
            (None, Some((_, link))) => link,
            (None, None) => return Ok(()),
        };
        // A new channel is a round trip; a connection alone may be one that nobody has noticed the end of.
        match timeout(PROBE_TIMEOUT, link.lane()).await {
            Ok(lane) => lane.map(drop).map_err(|fault| fault.failure()),
            Err(_) => Err(fault::Fault::Unreachable.failure()),
        }
    }
}
