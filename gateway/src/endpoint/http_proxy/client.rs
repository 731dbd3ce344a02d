//! The HTTP client of one endpoint: pools by origin, timeouts, and both protocols.
//!
//! Endpoints with equal settings share a client over redeploys, so that their connections outlive the change.

use super::answer::{AnswerBody, Lease};
use super::body::{RequestBody, Upload};
use super::connect::{Connector, Purpose};
use super::fault::Fault;
use super::http1::Http1;
use super::http2::{Http2, Stream};
use super::pool::{self, Pool};
use super::target::Origin;
use super::transport::Transport;
use crate::alarm::Alarm;
use crate::call::body::Body;
use crate::proxy::is_event_stream;
use definition::connector::http_proxy::HttpSettings;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

/// Pause between two looks for connections that nobody uses, milliseconds.
const SWEEP_INTERVAL_MS: u64 = 1000;
/// Origins that are remembered although they have no connection.
const ORIGINS_MAX: usize = 256;

/// The client.
pub(super) struct Client {
    http: HttpSettings,
    connector: Connector,
    pools: RwLock<HashMap<Arc<Origin>, Arc<Pool>>>,
    sweeping: AtomicBool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unanswered {
    pub(super) fault: Fault,
    pub(super) repeat: Repeat,
}

/// Which requests may be sent again, as far as their bodies are still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    None,
    /// A connection that was kept ended before anything of the answer came. The backend had closed it, most likely, but
    /// may have acted on the request before.
    Idempotent,
    /// The backend got nothing of the request, or nobody there read it to its end.
    All,
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Unanswered { fault, repeat: Repeat::None }
    }
}

/// A time limit of the settings; 0: none.
pub(super) fn limit(milliseconds: u64) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

impl Client {
    pub(super) fn new(http: HttpSettings, connector: Connector) -> Self {
        Client { http, connector, pools: RwLock::default(), sweeping: AtomicBool::new(false) }
    }

    pub(super) fn http(&self) -> &HttpSettings {
        &self.http
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Sends a request of HTTP/1.1, which is large and is moved out of its place once, when it is sent.
    pub(super) async fn send1(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        request: &mut Option<Request<RequestBody>>,
    ) -> Result<Response<Body>, Unanswered> {
        let pool = self.pool(origin);
        let permit = pool.permit(self.connector.patience).await?;
        self.on_pool(pool, permit, request).await
    }

    async fn on_pool(
        &self,
        pool: Arc<Pool>,
        permit: OwnedSemaphorePermit,
        request: &mut Option<Request<RequestBody>>,
    ) -> Result<Response<Body>, Unanswered> {
        let keep_alive = limit(self.http.keep_alive_timeout).unwrap_or(Duration::MAX);
        loop {
            let kept = if self.http.keep_alive { pool.take(keep_alive).await } else { None };
            let reused = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Box::pin(self.open(&pool.origin, Purpose::Http1)).await?,
            };
            let sent = request.take().ok_or(Fault::Request)?;
            let upload = sent.body().upload();
            let mut alarm = std::mem::take(&mut connection.alarm);
            let answered = self.in_time(&mut alarm, pin!(connection.exchange(sent)), Some(&upload)).await?;
            connection.alarm = alarm;
            match answered {
                Ok(response) => {
                    let kept = self.http.keep_alive;
                    let lease = if upload.done() {
                        Lease::Http1 { connection, pool, kept, permit }
                    } else {
                        // The rest of the request goes on while nobody reads the answer.
                        let task = AbortOnDropHandle::new(tokio::spawn(connection.run()));
                        Lease::Detached { _task: task, _permit: permit }
                    };
                    return Ok(self.answer(response, lease).await);
                }
                Err(broken) => match broken.unsent {
                    Some(unsent) if reused => *request = Some(unsent),
                    Some(_) | None => {
                        let fault = Fault::of_exchange(&broken.error);
                        let ended = reused && matches!(fault, Fault::Closed | Fault::Reset);
                        let repeat = match ended {
                            false => Repeat::None,
                            true if fault == Fault::Reset || connection.was_refused().await => Repeat::All,
                            true => Repeat::Idempotent,
                        };
                        return Err(Unanswered { fault, repeat });
                    }
                },
            }
        }
    }

    /// A new connection.
    pub(super) async fn open(&self, origin: &Origin, purpose: Purpose) -> Result<Box<Http1>, Fault> {
        let transport = self.connector.connect(origin, purpose).await?;
        Http1::begin(transport).await.map_err(|error| Fault::of_exchange(&error))
    }

    /// Sends a request of HTTP/2. `fallback`: gives the same request for a backend that chose HTTP/1.1.
    pub(super) async fn send2(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        request: Request<RequestBody>,
        fallback: impl FnOnce(Request<RequestBody>) -> Request<RequestBody>,
    ) -> Result<Response<Body>, Unanswered> {
        let pool = self.pool(origin);
        let Stream { mut sender, permit } = match self.stream(&pool).await? {
            Ok(stream) => stream,
            Err((transport, permit)) => {
                let connection = Http1::begin(transport).await.map_err(|error| Fault::of_exchange(&error))?;
                pool.put(connection);
                return self.on_pool(pool, permit, &mut Some(fallback(request))).await;
            }
        };
        let upload = request.body().upload();
        let answered = self
            .in_time(&mut Alarm::default(), pin!(sender.try_send_request(request)), Some(&upload))
            .await?;
        match answered {
            Ok(response) => Ok(self.answer(response, Lease::Http2 { _permit: permit }).await),
            Err(mut error) => {
                let repeat = match (error.take_message().is_some(), error.error().is_canceled()) {
                    (true, _) => Repeat::All,
                    // The backend said goodbye, most likely before it looked at the request.
                    (false, true) => Repeat::Idempotent,
                    (false, false) => Repeat::None,
                };
                Err(Unanswered { fault: Fault::of_exchange(&error.into_error()), repeat })
            }
        }
    }

    /// A stream of a connection that is there, of a new one, or of the first one that has a stream again. A backend that
    /// speaks no HTTP/2 gives its socket instead.
    async fn stream(
        &self,
        pool: &Arc<Pool>,
    ) -> Result<Result<Stream, (Transport, OwnedSemaphorePermit)>, Fault> {
        let mut shared = pool.http2.lock().await;
        shared.retain(Http2::is_open);
        if let Some(stream) = shared.iter().find_map(Http2::stream) {
            return Ok(Ok(stream));
        }
        let room = u32::try_from(shared.len()).is_ok_and(|open| open < self.http.max_concurrent_connections);
        if let Some(permit) = pool.try_permit().filter(|_| room) {
            let transport = self.connector.connect(&pool.origin, Purpose::Http2).await?;
            if pool.origin.tls && !transport.negotiated_http2() {
                return Ok(Err((transport, permit)));
            }
            let connection =
                Http2::begin(transport, &self.http).await.map_err(|error| Fault::of_exchange(&error))?;
            let stream = connection.stream().ok_or(Fault::PoolExhausted)?;
            shared.push(connection);
            return Ok(Ok(stream));
        }
        let (streams, sender) = shared.first().map(Http2::waiting).ok_or(Fault::PoolExhausted)?;
        drop(shared);
        let permit = pool::permit(&streams, self.connector.patience).await?;
        Ok(Ok(Stream { sender, permit }))
    }

    /// Waits for the head of an answer, for as long as the request moves and the read timeout afterwards.
    pub(super) async fn in_time<T>(
        &self,
        alarm: &mut Alarm,
        mut exchange: Pin<&mut impl Future<Output = T>>,
        upload: Option<&Upload>,
    ) -> Result<T, Fault> {
        let Some(patience) = limit(self.http.read_timeout) else { return Ok(exchange.await) };
        alarm.set(patience);
        let answer = poll_fn(|cx| match exchange.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => {
                if upload.is_some_and(Upload::moved) {
                    alarm.set(patience);
                }
                alarm.poll(cx).map(|()| None)
            }
        });
        match (answer.await, upload) {
            (Some(answer), _) => Ok(answer),
            (None, Some(upload)) if upload.awaited() => Err(Fault::Stalled),
            (None, Some(_) | None) => Err(Fault::ReadTimeout),
        }
    }

    fn answer(&self, response: Response<Incoming>, lease: Lease) -> impl Future<Output = Response<Body>> {
        let mut answered = Some((response, lease, self.http.idle_timeout));
        poll_fn(move |cx| {
            let Some((response, lease, idle)) = answered.take() else { return Poll::Pending };
            Poll::Ready(begin(response, lease, limit(idle), cx))
        })
    }

    /// The connections to an origin.
    pub(super) fn pool(self: &Arc<Self>, origin: &Arc<Origin>) -> Arc<Pool> {
        if let Some(pool) = self.pools.read().unwrap_or_else(PoisonError::into_inner).get(origin) {
            return Arc::clone(pool);
        }
        if !self.sweeping.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        let connections_max = usize::try_from(self.http.max_concurrent_connections).unwrap_or(usize::MAX);
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Pool::new(Arc::clone(origin), connections_max));
        Arc::clone(pools.entry(Arc::clone(origin)).or_insert_with(new))
    }

    fn sweep(&self) {
        let keep_alive = limit(self.http.keep_alive_timeout).unwrap_or(Duration::MAX);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        pools.values().for_each(|pool| pool.sweep(keep_alive, &mut cx));
        if pools.len() > ORIGINS_MAX {
            // Addresses that expressions make up could be endless; one that is in use is held by its calls.
            pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_empty());
        }
    }
}

/// Looks for unused connections for as long as the client is there.
async fn sweep(client: Weak<Client>) {
    loop {
        tokio::time::sleep(Duration::from_millis(SWEEP_INTERVAL_MS)).await;
        let Some(client) = client.upgrade() else { return };
        client.sweep();
    }
}

/// An answer whose head is there.
fn begin(
    response: Response<Incoming>,
    lease: Lease,
    patience: Option<Duration>,
    cx: &mut Context<'_>,
) -> Response<Body> {
    if response.body().is_end_stream() {
        lease.finish(cx);
        return response.map(|_| Body::Empty);
    }
    // Events come when there are any. That the backend is there at all is what its system is asked about.
    let events = response.headers().get(CONTENT_TYPE).is_some_and(is_event_stream);
    let patience = patience.filter(|_| !events);
    response.map(|incoming| AnswerBody::new(incoming, lease, patience).begun(cx))
}
