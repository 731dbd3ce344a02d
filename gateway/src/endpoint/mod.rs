//! The broker side: one trait, one visible list of factories.

use crate::call::Call;
use crate::callout::Callouts;
use crate::consumers::Consumers;
use crate::failure::Failure;
use crate::health;
use crate::limiter::Limiter;
use crate::message::{Message, MessageStream};
use crate::networks::CallbackNetworks;
use crate::security::KeyNames;
use crate::security::jwt::jwks::KeySets;
use crate::table::facts::NodeFacts;
use async_trait::async_trait;
use definition::api::{Qos, Settings};
pub use evaluated::Evaluated;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) mod evaluated;
pub(crate) mod fanout;
pub mod http_proxy;
pub mod kafka;
pub mod mock;
pub mod mqtt5;
pub mod rabbitmq;
pub mod solace;

/// One deployed endpoint. Built from validated settings; connections are made lazily, on the first use.
///
/// Dropping the endpoint releases what it holds. Streams that are still open keep what they need until they end.
#[async_trait]
pub trait Endpoint: Send + Sync {
    /// Opens the source for one client. Dropping the stream closes the client's part of it.
    ///
    /// A broker that cannot be reached is an `Err` *item* for endpoints that connect lazily (Kafka, mock) and an
    /// `Err` result for those that connect first. An endpoint whose consumer is disabled yields an empty stream.
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure>;

    /// Sends one message; returns after the broker confirmed it. A disabled producer is a failure.
    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure>;

    /// Whether `SubscribeRequest::recovery` means something at this level. Where the broker keeps the position, or
    /// nobody does, it does not.
    fn recovers(&self, qos: Qos) -> bool {
        matches!(qos, Qos::AtMostOnce | Qos::AtLeastOnce)
    }

    /// Settings that are evaluated for each call, before the endpoint is used.
    fn evaluated(&self) -> &[Evaluated] {
        &[]
    }

    /// Asks the broker whether it answers.
    async fn probe(&self) -> Result<(), Failure>;
}

/// What an endpoint must know about the client that reads.
#[derive(Debug, Clone)]
pub struct SubscribeRequest {
    pub qos: Qos,
    /// Consumer group, queue or session is derived from it (QoS auto and above).
    pub client_identifier: Arc<str>,
    /// `cursor` of http-get, `Last-Event-ID` of SSE; only ever present where the endpoint `recovers`.
    pub recovery: Option<String>,
    /// The client takes at most this many messages.
    pub limit: Option<Limit>,
    /// The client waits at most this long.
    pub limit_duration: Option<Duration>,
    /// Where the endpoint says at which position the read starts (at-most-once and at-least-once).
    pub starting_cursor: StartingCursor,
    /// Context attributes, without the `gravitee.attribute.` prefix.
    pub attributes: Attributes,
}

/// How many messages a client takes. It grows with every message that is dropped on the way to the client.
#[derive(Debug, Clone)]
pub struct Limit(Arc<AtomicUsize>);

impl Limit {
    /// At most this many.
    pub fn new(count: usize) -> Self {
        Limit(Arc::new(AtomicUsize::new(count)))
    }

    /// The messages that the endpoint has to yield for it, those included that it has yielded.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One that was yielded did not reach the client.
    pub(crate) fn raise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Position before the first message of a read, in the endpoint's cursor form.
///
/// An entrypoint that answers without any message prints it as the next cursor; when it is unset (the broker did not
/// answer in time, or the endpoint has no positions) the cursor that the client sent is printed again.
#[derive(Debug, Clone, Default)]
pub struct StartingCursor(Arc<OnceLock<String>>);

impl StartingCursor {
    /// Sets the position; later calls change nothing.
    pub fn set(&self, cursor: impl FnOnce() -> String) {
        self.0.get_or_init(cursor);
    }

    /// The position, once it is known.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// What an endpoint must know about the client that writes.
#[derive(Debug, Clone)]
pub struct PublishContext {
    /// Level of the entrypoint that the message came through; decides the producer (DESIGN 9).
    pub qos: Qos,
    pub client_identifier: Arc<str>,
    pub attributes: Attributes,
}

/// Context attributes of an exchange.
pub type Attributes = Arc<HashMap<String, Value>>;

/// A plain HTTP backend.
#[async_trait]
pub(crate) trait HttpBackend: Send + Sync {
    /// Sends the request of the call and fills its response as soon as the head of the answer is there; bodies are
    /// streamed both ways. `target`: where a policy sends this call, absolute or below the endpoint's own target.
    async fn invoke(&self, call: &mut Call, target: Option<&str>) -> Result<(), Failure>;
}

/// What is behind an endpoint.
#[derive(Clone)]
pub(crate) enum Backend {
    Messages(Arc<dyn Endpoint>),
    Http(Arc<dyn HttpBackend>),
}

/// Builds an endpoint from its effective settings. `name` is `<api id>/<group>/<endpoint>`, for logs and metrics.
pub(crate) type Factory =
    fn(name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError>;

/// Settings that the connector cannot run with: the API is rejected, its old version keeps serving.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{path}: {message}")]
pub struct FactoryError {
    /// Place below the endpoint's settings.
    pub path: String,
    pub message: String,
}

/// What endpoints of one gateway share.
#[derive(Clone, Default)]
pub struct Shared {
    /// Producers and shared fetches by effective configuration.
    pub kafka: Arc<kafka::Clients>,
    /// Publishers, shared sources and sessions of MQTT brokers.
    pub(crate) mqtt: Arc<mqtt5::client::Clients>,
    /// Connections and shared sources by target.
    pub rabbitmq: Arc<rabbitmq::Clients>,
    /// Connections to Solace by effective settings.
    pub solace: Arc<solace::Clients>,
    /// HTTP clients by effective settings.
    pub http: Arc<http_proxy::Clients>,
    /// Asks for the health of endpoints that are no HTTP servers.
    pub(crate) health: Arc<health::Client>,
    /// Asks other services for steps that call out.
    pub(crate) callouts: Arc<Callouts>,
    /// What `#node` says.
    pub node: Arc<NodeFacts>,
    /// Subscriptions and API keys.
    pub(crate) consumers: Arc<Consumers>,
    /// Where API keys are looked for.
    pub(crate) key_names: KeyNames,
    /// Key sets of JWT plans, by URL.
    pub(crate) key_sets: Arc<KeySets>,
    /// Which addresses callbacks may have.
    pub callback_networks: Arc<CallbackNetworks>,
    /// Counters of the policies that limit.
    pub limiter: Arc<Limiter>,
}

/// Every endpoint that this build runs; paired with `definition::connector::ENDPOINTS` by a test.
pub(crate) static FACTORIES: &[(&str, Factory)] = &[
    ("http-proxy", http_proxy::build),
    ("kafka", kafka::build),
    ("kafka-advanced", kafka::build),
    ("mock", mock::build),
    ("mqtt5", mqtt5::build),
    ("mqtt5-advanced", mqtt5::build),
    ("rabbitmq", rabbitmq::build),
    ("solace", solace::build),
];

/// The factory of a connector id.
pub(crate) fn factory(connector: &str) -> Option<Factory> {
    FACTORIES.iter().find(|(id, _)| *id == connector).map(|(_, factory)| *factory)
}
