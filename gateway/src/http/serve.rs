//! The request function: what happens to every request, in order.

use super::ids::{self, Ids};
use super::reply::Reply;
use super::respond;
use crate::entrypoint::{Exchange, resume_position};
use crate::failure::{Failure, key};
use crate::table::Table;
use crate::table::routes::Route;
use crate::table::runtime::{ApiRuntime, DeployedEntrypoint};
use definition::limits::{HEADER_READ_TIMEOUT_MS, REQUEST_TIMEOUT_MS};
use definition::qos::{Mismatch, check_connection};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Version};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;

/// Time between two requests of an HTTP/1 connection, milliseconds: longer than the pools of usual clients keep one, so
/// that the client is the one that closes.
const IDLE_TIMEOUT_MS: u64 = 100_000;

/// What every connection needs.
pub(crate) struct Front {
    pub(crate) table: Arc<Table>,
    /// Time for the head of a request to arrive, once it has begun.
    pub(crate) head_patience: Duration,
    /// Time between two requests of a connection.
    pub(crate) idle_patience: Duration,
}

impl Front {
    /// With the limits of the product.
    pub(crate) fn new(table: Arc<Table>) -> Self {
        Front {
            table,
            head_patience: Duration::from_millis(HEADER_READ_TIMEOUT_MS),
            idle_patience: Duration::from_millis(IDLE_TIMEOUT_MS),
        }
    }
}

/// Who is at the other end of a connection.
pub(crate) struct Peer {
    address: IpAddr,
    inferred: OnceLock<Arc<str>>,
}

impl Peer {
    pub(crate) fn new(address: IpAddr) -> Self {
        Peer { address, inferred: OnceLock::new() }
    }

    /// What a key-less caller at this address is known as; hashed once per connection.
    fn inferred(&self) -> &Arc<str> {
        self.inferred.get_or_init(|| ids::inferred_from_address(self.address))
    }
}

/// Answers one request.
pub(crate) async fn serve(front: &Front, peer: &Peer, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();

    // Before anything is looked up by it: a request that names two hosts, or none, has no meaning.
    let host = match host(&head) {
        Ok(host) => host,
        Err(message) => return Reply::Whole(respond::bad_request(message)),
    };

    // Before the first answer that a caller may want to trace.
    let ids = Ids::of(&head.headers, head.uri.query());

    // The snapshot is read once: what this request starts with, it ends with, whatever is deployed meanwhile.
    let api = match front.table.routes().find(host, head.uri.path()) {
        Some(Route::Serving(api)) => Arc::clone(api),
        Some(Route::Rejected) => return identified(not_deployed(&head.headers), &ids, None),
        None => return identified(Reply::Whole(respond::no_context_path()), &ids, None),
    };

    // Before security: browsers send no credentials when they only ask.
    if let Some(response) = api.cors.as_ref().and_then(|cors| cors.preflight(&head)) {
        return Reply::Whole(response);
    }

    // After the plan, whose security says who calls. Only APIs with a key-less plan are in the table of this version,
    // so that the address is all there is to infer from.
    let client = match ids::client_identifier(peer.inferred(), &head.headers, head.uri.query()) {
        Ok(client) => client,
        Err(message) => return identified(Reply::Whole(respond::bad_request(message)), &ids, None),
    };

    // After security, so that nobody learns what an API offers who may not call it.
    let Some(entrypoint) = api.entrypoints.iter().find(|entrypoint| entrypoint.handler.matches(&head)) else {
        let response = respond::failure(&respond::no_entrypoint_failure(), &head.headers, &api.templates);
        return identified(Reply::Whole(response), &ids, Some(&client));
    };

    // The time limit ends with the response's head; a stream may go on for days.
    let limit = Duration::from_millis(REQUEST_TIMEOUT_MS);
    let answer = timeout(limit, bridge(&api, entrypoint, &head, body, &ids, &client)).await;
    let answer = answer.unwrap_or_else(|_| {
        Err(Failure::new(StatusCode::GATEWAY_TIMEOUT, key::REQUEST_TIMEOUT, "Request timeout"))
    });

    let mut reply = answer
        .unwrap_or_else(|failure| Reply::Whole(respond::failure(&failure, &head.headers, &api.templates)));
    if let (Some(cors), false) = (&api.cors, matches!(reply, Reply::Upgrade { .. })) {
        cors.write(&head.headers, reply.headers_mut());
    }
    entrypoint.meter.answered(reply.status());
    identified(reply, &ids, Some(&client))
}

/// From the entrypoint to an endpoint.
async fn bridge(
    api: &Arc<ApiRuntime>,
    entrypoint: &DeployedEntrypoint,
    head: &Parts,
    body: Incoming,
    ids: &Ids,
    client_identifier: &Arc<str>,
) -> Result<Reply, Failure> {
    let (endpoint_kind, endpoint) = api.endpoint(entrypoint.modes).ok_or_else(|| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::NO_ENDPOINT_FOUND, "No endpoint available")
    })?;

    // Checked when the API was saved as well; whether a client resumes is known only now.
    let resuming = resume_position(head, entrypoint.kind).is_some();
    check_connection(api.family, entrypoint.kind, endpoint_kind, entrypoint.qos, resuming).map_err(
        |mismatch| {
            let key = match mismatch {
                Mismatch::Level => key::INCOMPATIBLE_QOS,
                Mismatch::Capabilities => key::INCOMPATIBLE_QOS_CAPABILITIES,
            };
            Failure::new(StatusCode::BAD_REQUEST, key, mismatch.to_string())
        },
    )?;

    let exchange = Exchange {
        head,
        ids,
        client_identifier,
        qos: entrypoint.qos,
        endpoint,
        stop: &api.stop,
        meter: &entrypoint.meter,
    };
    entrypoint.handler.handle(exchange, body).await
}

/// The host that the request is for, with its port.
fn host(head: &Parts) -> Result<Option<&str>, &'static str> {
    let mut headers = head.headers.get_all(HOST).iter();
    let header = match headers.next().map(|value| value.to_str()) {
        None => None,
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return Err("The Host header is not text."),
    };
    if headers.next().is_some() {
        return Err("There is more than one Host header.");
    }
    match (head.uri.authority(), header) {
        (Some(target), Some(header)) if !target.as_str().eq_ignore_ascii_case(header) => {
            Err("The request target and the Host header name different hosts.")
        }
        (Some(target), _) => Ok(Some(target.as_str())),
        (None, None) if head.version == Version::HTTP_11 => Err("The Host header is missing."),
        (None, header) => Ok(header),
    }
}

/// The API was deployed to this node and refused by it, and there is no earlier version that could serve.
fn not_deployed(request: &HeaderMap) -> Reply {
    let failure =
        Failure::plain(StatusCode::SERVICE_UNAVAILABLE, "The API on this path could not be deployed");
    Reply::Whole(respond::failure(&failure, request, &respond::Templates::new()))
}

/// Adds the identifiers. An upgrade carries none: its headers belong to the handshake.
fn identified(mut reply: Reply, ids: &Ids, client_identifier: Option<&str>) -> Reply {
    if matches!(reply, Reply::Upgrade { .. }) {
        return reply;
    }
    let headers = reply.headers_mut();
    ids.write(headers);
    if let Some(client_identifier) = client_identifier {
        ids::put(headers, ids::CLIENT_IDENTIFIER, client_identifier);
    }
    reply
}
