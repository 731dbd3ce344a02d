//! The web side: one trait, one visible list of factories.

use crate::call::body::Body;
use crate::endpoint::{
    Attributes, Endpoint, Limit, PublishContext, Shared, StartingCursor, SubscribeRequest,
};
use crate::failure::Failure;
use crate::http::ids::Ids;
use crate::http::query;
use crate::http::reply::Reply;
use crate::meter::EntrypointMeter;
use crate::stop::{Lease, Stop, StopReason, StopWatch};
use async_trait::async_trait;
use definition::api::{Qos, Settings};
use definition::violation::Violation;
use http::request::Parts;
use std::sync::Arc;
use std::time::Duration;

pub(crate) mod accept;
pub(crate) mod http_get;
pub(crate) mod http_post;
pub(crate) mod http_proxy;
pub(crate) mod sse;
pub(crate) mod webhook;
pub(crate) mod websocket;

/// What a client is told when its stream ends because the API or the node goes away.
pub(crate) const GOAWAY: &str = "Stopping, please reconnect";

/// What a client is told when its stream ends because its access does.
const ACCESS_ENDED: &str = "The subscription or the key of this client has ended";

/// What a client is told when its stream ends.
pub(crate) fn farewell(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stopped | StopReason::Redeployed | StopReason::Shutdown => GOAWAY,
        StopReason::AccessEnded => ACCESS_ENDED,
    }
}

/// One deployed entrypoint.
#[async_trait]
pub(crate) trait Entrypoint: Send + Sync {
    /// Whether the entrypoint takes the request. Asked in the order of the factories' `criteria`.
    fn matches(&self, head: &Parts) -> bool;

    /// Answers a request that matched.
    async fn handle(&self, exchange: Exchange<'_>, body: Body) -> Result<Reply, Failure>;
}

/// What an entrypoint knows about the request that it answers.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) ids: &'a Ids,
    pub(crate) client_identifier: &'a Arc<str>,
    pub(crate) qos: Qos,
    pub(crate) endpoint: &'a Arc<dyn Endpoint>,
    pub(crate) stop: &'a Arc<Stop>,
    /// What the client's access hangs on; `None` for key-less plans.
    pub(crate) lease: Option<&'a Lease>,
    pub(crate) meter: &'a Arc<EntrypointMeter>,
    /// What policies left for the endpoint.
    pub(crate) attributes: &'a Attributes,
}

impl Exchange<'_> {
    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        query::first(self.head.uri.query(), name)
    }

    /// A reader for this client. `recovery` is passed on when the endpoint can use it at this level.
    pub(crate) fn reader(
        &self,
        recovery: Option<String>,
        limit: Option<usize>,
        limit_duration: Option<Duration>,
    ) -> SubscribeRequest {
        SubscribeRequest {
            qos: self.qos,
            client_identifier: Arc::clone(self.client_identifier),
            recovery: recovery.filter(|_| self.endpoint.recovers(self.qos)),
            limit: limit.map(Limit::new),
            limit_duration,
            starting_cursor: StartingCursor::default(),
            attributes: Arc::clone(self.attributes),
        }
    }

    /// What ends the stream of this client.
    pub(crate) fn watch(&self) -> StopWatch {
        StopWatch::with_lease(Arc::clone(self.stop), self.lease)
    }

    /// A writer for this client.
    pub(crate) fn writer(&self) -> PublishContext {
        PublishContext {
            qos: self.qos,
            client_identifier: Arc::clone(self.client_identifier),
            attributes: Arc::clone(self.attributes),
        }
    }
}

/// What a request asks to resume after: `Last-Event-ID` or `cursor`, depending on the entrypoint.
pub(crate) fn resume_position(head: &Parts, entrypoint: definition::qos::EntrypointKind) -> Option<String> {
    use definition::qos::EntrypointKind as E;
    match entrypoint {
        E::Sse => sse::last_event_id(head),
        E::HttpGet => query::first(head.uri.query(), "cursor").filter(|cursor| !cursor.is_empty()),
        E::HttpPost | E::WebSocket | E::Webhook => None,
    }
}

/// Makes an entrypoint from its settings.
pub(crate) struct Factory {
    /// Connector id.
    pub(crate) id: &'static str,
    /// How many things the entrypoint asks of a request: the greatest is asked first.
    pub(crate) criteria: u8,
    pub(crate) build: Build,
}

type Build = fn(&Settings, &Shared) -> Result<Handler, Vec<Violation>>;

/// What takes the requests of an entrypoint.
pub(crate) enum Handler {
    /// Turns a request into messages and messages into a response.
    Messages(Box<dyn Entrypoint>),
    /// Passes every request on as it is.
    Proxy,
    /// Takes none: it is the one that calls.
    Push(Box<webhook::Push>),
}

impl Handler {
    /// Whether it takes the request.
    pub(crate) fn matches(&self, head: &Parts) -> bool {
        match self {
            Handler::Messages(entrypoint) => entrypoint.matches(head),
            Handler::Proxy => true,
            Handler::Push(_) => false,
        }
    }
}

/// Every entrypoint that this build runs; paired with `definition::connector::ENTRYPOINTS` by a test.
pub(crate) static FACTORIES: &[Factory] = &[
    Factory { id: "http-get", criteria: 1, build: http_get::build },
    Factory { id: "http-post", criteria: 1, build: http_post::build },
    Factory { id: "http-proxy", criteria: 0, build: http_proxy::build },
    Factory { id: "sse", criteria: 2, build: sse::build },
    Factory { id: "sse-advanced", criteria: 2, build: sse::build },
    Factory { id: "webhook", criteria: 0, build: webhook::build },
    Factory { id: "webhook-advanced", criteria: 0, build: webhook::build },
    Factory { id: "websocket", criteria: 4, build: websocket::build },
];

/// The factory of a connector id.
pub(crate) fn factory(connector: &str) -> Option<&'static Factory> {
    FACTORIES.iter().find(|factory| factory.id == connector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_specified_connector_has_a_factory_and_back() {
        let specified: Vec<_> = definition::connector::ENTRYPOINTS.iter().map(|spec| spec.id).collect();
        assert_eq!(FACTORIES.iter().map(|factory| factory.id).collect::<Vec<_>>(), specified);
        let specified: Vec<_> = definition::connector::ENDPOINTS.iter().map(|spec| spec.id).collect();
        let built: Vec<_> = crate::endpoint::FACTORIES.iter().map(|(id, _)| *id).collect();
        assert_eq!(built, specified);
    }
}
