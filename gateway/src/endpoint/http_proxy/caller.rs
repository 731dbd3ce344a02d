//! Requests that the gateway makes on its own behalf to places that somebody outside chose: the client of endpoints, with
//! an eye on whom it connects to. HTTP/1.1, and no redirection is followed.

use super::body::RequestBody;
use super::client::{Client, Repeat, Unanswered};
use super::connect::Connector;
use super::fault::Fault;
use super::target::{Place, Target};
use super::tls::Tls;
use super::{FactoryError, Upstream};
use crate::call::body::Body;
use crate::networks::CallbackNetworks;
use bytes::Bytes;
use definition::connector::http_proxy::HttpSettings;
use definition::connector::ssl::Ssl;
use http::{HeaderMap, Method, Response};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use url::Url;

/// The client of one owner: its connections are closed with it.
pub(crate) struct Caller {
    client: Arc<Client>,
}

/// How the client behaves.
pub(crate) struct Behaviour<'a> {
    /// What `HttpSettings` means for endpoints.
    pub(crate) http: HttpSettings,
    pub(crate) ssl: &'a Ssl,
    /// Proxy on the way.
    pub(crate) upstream: Option<Upstream>,
    /// Who may be called.
    pub(crate) networks: Arc<CallbackNetworks>,
}

/// A request that got no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoAnswer {
    /// Without any address.
    pub(crate) reason: &'static str,
    /// A connection that was kept was closed before anything of an answer came; most likely nobody saw the request.
    pub(crate) stale: bool,
    /// Whoever chose the place may not make this gateway call it.
    pub(crate) forbidden: bool,
}

impl NoAnswer {
    fn of(fault: Fault, stale: bool) -> Self {
        NoAnswer { reason: fault.reason(), stale, forbidden: fault == Fault::Forbidden }
    }
}

impl Caller {
    /// Makes the client. Errors name the setting that it cannot be made with.
    pub(crate) fn new(behaviour: Behaviour<'_>) -> Result<Caller, FactoryError> {
        let tls = Tls::build(behaviour.ssl, &mut Sha256::new())?;
        let patience = super::client::limit(behaviour.http.connect_timeout);
        let connector =
            Connector { tls, upstream: behaviour.upstream, patience, networks: Some(behaviour.networks) };
        Ok(Caller { client: Arc::new(Client::new(behaviour.http, connector)) })
    }

    /// Where a URL leads. Errors say what is wrong with it, without repeating it.
    pub(crate) fn place(url: &Url) -> Result<Place, &'static str> {
        Target::parse(url.as_str())?.below("", None).map_err(|_| "leads above its own path")
    }

    /// Posts a body; the answer's own may still be on its way.
    pub(crate) async fn post(
        &self,
        place: &Place,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, NoAnswer> {
        let body = RequestBody::new(if body.is_empty() { Body::Empty } else { Body::Bytes(body) }, None);
        let request = self.client.request1(Method::POST, place, headers, body, true);
        let request = request.map_err(|fault| NoAnswer::of(fault, false))?;
        let answered = self.client.send1(&place.origin, &mut Some(request)).await;
        answered.map_err(|Unanswered { fault, repeat }| NoAnswer::of(fault, repeat != Repeat::None))
    }
}

impl Fault {
    /// For whoever chose the place.
    fn reason(self) -> &'static str {
        match self {
            Fault::ConnectTimeout => "no connection could be made in time",
            Fault::ReadTimeout => "it did not answer in time",
            Fault::PoolExhausted => "all connections to it are busy",
            Fault::Refused => "it refused the connection",
            Fault::Dns => "its name cannot be resolved",
            Fault::Unreachable => "there is no way to its address",
            Fault::Tls => "the TLS handshake failed",
            Fault::Reset => "it reset the connection",
            Fault::Closed => "it closed the connection without an answer",
            Fault::Protocol => "its answer is no HTTP",
            Fault::Request | Fault::Stalled => "the request cannot be sent",
            Fault::Forbidden => {
                "its address is in a network that is not public (loopback, private, link-local, multicast or \
                 reserved); the operator of the gateway can allow it with TIDEGATE_WEBHOOK_ALLOWED_NETWORKS"
            }
        }
    }
}
