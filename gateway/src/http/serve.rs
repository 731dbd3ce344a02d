//! The request function: what happens to every request, in order.

use super::client_body::ClientBody;
use super::cors::CorsRules;
use super::hop;
use super::ids::{self, Ids};
use super::process;
use super::reply::Reply;
use super::respond;
use crate::alarm::Alarm;
use crate::call::body::Body;
use crate::call::{Call, Consumer, request};
use crate::failure::{Failure, key};
use crate::security::attributes::Remembered;
use crate::table::Table;
use crate::table::routes::Route;
use crate::table::runtime::ApiRuntime;
use crate::trust::TrustedProxies;
use bytes::Bytes;
use definition::limits::{HEADER_READ_TIMEOUT_MS, REQUEST_TIMEOUT_MS};
use http::header::{CONNECTION, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// Time between two requests of an HTTP/1 connection, milliseconds: longer than the pools of usual clients keep one, so
/// that the client is the one that closes.
const IDLE_TIMEOUT_MS: u64 = 100_000;

/// What every connection needs.
pub(crate) struct Front {
    pub(crate) table: Arc<Table>,
    pub(crate) proxies: TrustedProxies,
    /// Time for the head of a request to arrive, once it has begun.
    pub(crate) head_patience: Duration,
    /// Time between two requests of a connection.
    pub(crate) idle_patience: Duration,
}

impl Front {
    /// With the limits of the product.
    pub(crate) fn new(table: Arc<Table>, proxies: TrustedProxies) -> Self {
        Front {
            table,
            proxies,
            head_patience: Duration::from_millis(HEADER_READ_TIMEOUT_MS),
            idle_patience: Duration::from_millis(IDLE_TIMEOUT_MS),
        }
    }
}

/// Who is at the other end of a connection.
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) local: SocketAddr,
    inferred: OnceLock<Arc<str>>,
    consumer: OnceLock<Arc<Consumer>>,
    attributes: Remembered,
    /// The time limit of calls. One at a time has it, the others on the connection make their own.
    alarm: Mutex<Option<Box<Alarm>>>,
}

impl Peer {
    pub(crate) fn new(address: IpAddr, local: SocketAddr) -> Self {
        let (inferred, consumer) = (OnceLock::new(), OnceLock::new());
        let (attributes, alarm) = (Remembered::default(), Mutex::default());
        Peer { address, local, inferred, consumer, attributes, alarm }
    }

    /// What `answer` comes to within `limit`; `None`: nothing.
    async fn in_time<T>(&self, limit: Duration, mut answer: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let spare = || self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alarm = spare().take().unwrap_or_default();
        alarm.set(limit);
        let answer = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => alarm.poll(cx).map(|()| None),
        })
        .await;
        *spare() = Some(alarm);
        answer
    }

    /// What a key-less caller at this address is known as; hashed once per connection.
    pub(crate) fn inferred(&self) -> &Arc<str> {
        self.inferred.get_or_init(|| ids::inferred_from_address(self.address))
    }

    /// The attributes of the connection's key-less calls.
    pub(crate) fn attributes(&self) -> &Remembered {
        &self.attributes
    }

    /// A key-less caller at this address.
    pub(crate) fn consumer(&self) -> &Arc<Consumer> {
        self.consumer.get_or_init(|| {
            Arc::new(Consumer {
                subscription: self.address.to_canonical().to_string().into(),
                application: "1".into(),
                ..Consumer::default()
            })
        })
    }
}

/// Answers one request.
pub(crate) async fn serve(front: &Front, peer: &Peer, request: Request<Incoming>) -> Reply {
    let (mut head, body) = request.into_parts();
    if let Err(message) = hop::check_framing(head.version, &head.headers) {
        return Reply::Whole(closing(respond::bad_request(message)));
    }
    hop::strip_named(&mut head.headers);

    // Before anything is looked up by it: a request that names two hosts, or none, has no meaning.
    let host = match host(&head) {
        Ok(host) => host,
        Err(message) => return Reply::Whole(respond::bad_request(message)),
    };

    // Before the first answer that a caller may want to trace.
    let ids = Ids::of(&head.headers, head.uri.query());

    // The snapshot is read once: what this request starts with, it ends with, whatever is deployed meanwhile.
    let (api, context_path) = match front.table.routes().find(host, head.uri.path()) {
        Some(Route::Serving { api, context_path }) => (Arc::clone(api), Arc::clone(context_path)),
        Some(Route::Rejected) => return identified(not_deployed(&head.headers), &ids, None),
        None => return identified(Reply::Whole(respond::no_context_path()), &ids, None),
    };

    // Before security: browsers send no credentials when they only ask.
    let preflight = api.cors.as_ref().and_then(|cors| cors.preflight(&head));
    let observed = api.cors.as_ref().is_some_and(CorsRules::runs_policies);
    let preflight = match preflight {
        Some(response) if !observed => return Reply::Whole(response),
        preflight => preflight,
    };

    let trusted_proxy = front.proxies.trusts(peer.address);
    let client = trusted_proxy.then(|| behind(front, peer, &head.headers)).flatten();
    let (caller, peer) = (peer, client.as_ref().unwrap_or(peer));

    let origin = api.cors.as_ref().and_then(|_| head.headers.get(ORIGIN).cloned());
    let awaited = Arc::<AtomicBool>::default();
    let body = match body.is_end_stream() {
        true => Body::Empty,
        false => Body::stream(ClientBody::new(body, Arc::clone(&awaited))),
    };
    let mut request = request::Request::new(head, body, context_path, peer.address, peer.local);
    request.trusted_proxy = trusted_proxy;
    let mut call = Call::new(Arc::clone(&api.facts), ids, request);
    call.stop = Arc::clone(&api.stop);
    call.removed = Arc::clone(&api.removed);
    let mut meter = None;
    let consumers = front.table.consumers();

    // The time limit ends with the response's head; a stream may go on for days.
    let answer = {
        let answer = pin!(async {
            match preflight {
                Some(response) => Box::pin(process::preflight(&api, &mut call, response)).await,
                None => process::answer(&api, peer, consumers, &mut call, &mut meter).await,
            }
        });
        caller.in_time(Duration::from_millis(REQUEST_TIMEOUT_MS), answer).await
    };
    let answer = answer.unwrap_or_else(|| Err(too_late(awaited.load(Ordering::Relaxed))));

    let reply = match answer {
        Ok(reply) => reply,
        Err(failure) => Reply::Whole(Box::pin(respond::failure(&failure, &mut call, &api.templates)).await),
    };
    if let Some(meter) = meter {
        meter.answered(reply.status());
    }
    completed(reply, &api, &mut call, origin)
}

/// With what every answer of an API has. An upgrade has none of it: its headers belong to the handshake.
fn completed(mut reply: Reply, api: &ApiRuntime, call: &mut Call, origin: Option<HeaderValue>) -> Reply {
    if matches!(reply, Reply::Upgrade { .. }) {
        return reply;
    }
    if let Some(cors) = &api.cors {
        cors.write(origin.as_ref(), reply.headers_mut());
    }
    reply.headers_mut().extend(std::mem::take(&mut call.answer_headers));
    let client = Some(&*call.client_identifier).filter(|client| !client.is_empty());
    identified(reply, &call.ids, client)
}

/// Who calls through a proxy that is trusted to say so.
fn behind(front: &Front, proxy: &Peer, headers: &HeaderMap) -> Option<Peer> {
    front.proxies.client(headers).map(|address| Peer::new(address, proxy.local))
}

/// `awaited`: it is the client that was waited for.
fn too_late(awaited: bool) -> Failure {
    if awaited {
        return Failure::client_stalled();
    }
    Failure::new(StatusCode::GATEWAY_TIMEOUT, key::REQUEST_TIMEOUT, "Request timeout")
}

/// What follows a request that is not understood is not understood either.
fn closing(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
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
    Reply::Whole(respond::plain_failure(&failure, request))
}

/// Adds the identifiers.
fn identified(mut reply: Reply, ids: &Ids, client_identifier: Option<&str>) -> Reply {
    let headers = reply.headers_mut();
    ids.write(headers);
    if let Some(client_identifier) = client_identifier {
        ids::put(headers, ids::CLIENT_IDENTIFIER, client_identifier);
    }
    reply
}
