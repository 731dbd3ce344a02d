//! HTTP/1 requests, read and answered by hyper until an answer is not hyper's to write.
//!
//! Such an answer is left in the connection's slot by the service, which then stays pending. Whoever drives the
//! connection sees the slot after the same poll and takes the socket back; nothing of the answer was written yet.

use super::frame::FrameStream;
use super::head::Framing;
use super::io::{Io, Progress};
use super::reply::{Reply, Session};
use super::serve::{Front, Peer, serve};
use crate::call::body::Body;
use crate::stop::{Stop, StopWatch};
use bytes::Bytes;
use definition::limits::SLOW_CLIENT_WRITE_TIMEOUT_MS;
use futures::future::BoxFuture;
use http::header::CONNECTION;
use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// What became of the HTTP/1 phase of a connection.
pub(super) enum AfterHttp1 {
    Failed,
    Finished(TcpStream),
    Taken(Takeover, TcpStream, Bytes),
}

/// An answer that is not hyper's to write.
pub(super) enum Takeover {
    Stream(StreamAnswer),
    Upgrade { head: Response<()>, session: Session },
}

pub(super) struct StreamAnswer {
    pub(super) head: Response<()>,
    pub(super) frames: FrameStream,
    pub(super) framing: Framing,
}

type Slot = Arc<Mutex<Option<Takeover>>>;

/// The service that hyper calls.
struct Http1Service {
    front: Arc<Front>,
    peer: Arc<Peer>,
    slot: Slot,
    drain: Arc<Stop>,
    progress: Arc<Progress>,
    /// A request is being answered.
    busy: Arc<AtomicBool>,
}

impl Service<Request<Incoming>> for Http1Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (front, peer) = (Arc::clone(&self.front), Arc::clone(&self.peer));
        let (slot, drain) = (Arc::clone(&self.slot), Arc::clone(&self.drain));
        let (progress, busy) = (Arc::clone(&self.progress), Arc::clone(&self.busy));
        let mut framing = framing(&request);
        busy.store(true, Ordering::Relaxed);
        Box::pin(async move {
            let takeover = match serve(&front, &peer, request).await {
                Reply::Whole(response) => {
                    progress.received.store(false, Ordering::Relaxed);
                    busy.store(false, Ordering::Relaxed);
                    return Ok(response.map(Body::Bytes));
                }
                Reply::Passed(response) => {
                    progress.received.store(false, Ordering::Relaxed);
                    busy.store(false, Ordering::Relaxed);
                    return Ok(response);
                }
                Reply::Stream { head, frames } => {
                    if drain.reason().is_some() && matches!(framing, Framing::Chunked { .. }) {
                        framing = Framing::Chunked { keep_alive: false };
                    }
                    Takeover::Stream(StreamAnswer { head, frames, framing })
                }
                Reply::Upgrade { head, session } => Takeover::Upgrade { head, session },
            };
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(takeover);
            }
            // The connection sees the slot as soon as this call returns, and drops this future.
            std::future::pending().await
        })
    }
}

/// A connection whose request has an unread body cannot be used again: what follows is not a request.
fn framing(request: &Request<Incoming>) -> Framing {
    if request.version() == Version::HTTP_10 {
        return Framing::UntilClose;
    }
    let close = request.headers().get_all(CONNECTION).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|list| list.split(',').any(|token| token.trim().eq_ignore_ascii_case("close")))
    });
    Framing::Chunked { keep_alive: !close && request.body().is_end_stream() }
}

/// Serves requests until the connection ends or an answer is not hyper's to write.
pub(super) async fn serve_requests(
    io: Io,
    peer: &Arc<Peer>,
    front: &Arc<Front>,
    drain: &Arc<Stop>,
) -> AfterHttp1 {
    let (slot, busy) = (Slot::default(), Arc::<AtomicBool>::default());
    let progress = io.progress();
    let service = Http1Service {
        front: Arc::clone(front),
        peer: Arc::clone(peer),
        slot: Arc::clone(&slot),
        drain: Arc::clone(drain),
        progress: Arc::clone(&progress),
        busy: Arc::clone(&busy),
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The library's limit begins to count when the connection is idle, so it is the limit for that.
        .header_read_timeout(front.idle_patience)
        .serve_connection(TokioIo::new(io), service);
    let mut draining = StopWatch::new(Arc::clone(drain));
    let mut told = false;
    let (mut stalled, mut beginning) = (Patience::default(), Patience::default());
    let takeover = poll_fn(|cx| {
        if !told && draining.poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(result.map(|()| None));
        }
        // A response that came before is not out yet; it is written before anything else happens here.
        let blocked = progress.blocked.load(Ordering::Relaxed);
        // A request has begun that the service has not seen: its head is not complete.
        let head = !busy.load(Ordering::Relaxed) && progress.received.load(Ordering::Relaxed);
        let write_patience = Duration::from_millis(SLOW_CLIENT_WRITE_TIMEOUT_MS);
        if stalled.poll_over(blocked, write_patience, cx)
            || beginning.poll_over(head, front.head_patience, cx)
        {
            return Poll::Ready(Ok(None));
        }
        match slot.lock().ok().filter(|_| !blocked).and_then(|mut slot| slot.take()) {
            Some(takeover) => Poll::Ready(Ok(Some(takeover))),
            None => Poll::Pending,
        }
    })
    .await;
    let Ok(takeover) = takeover else { return AfterHttp1::Failed };
    let parts = connection.into_parts();
    let (unread, tcp) = parts.io.into_inner().into_parts();
    match takeover {
        None => AfterHttp1::Finished(tcp),
        Some(takeover) => AfterHttp1::Taken(takeover, tcp, join(parts.read_buf, unread)),
    }
}

/// A timer that runs while something lasts.
#[derive(Default)]
struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// True when `lasts` was true for `limit`, from one call to the other.
    fn poll_over(&mut self, lasts: bool, limit: Duration, cx: &mut Context<'_>) -> bool {
        if !lasts {
            self.0 = None;
            return false;
        }
        self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx).is_ready()
    }
}

/// Bytes that hyper read, then those that it did not read yet. Copied, so that no large buffer lives on behind them.
pub(super) fn join(read: Bytes, unread: Bytes) -> Bytes {
    if read.is_empty() && unread.is_empty() { Bytes::new() } else { [read, unread].concat().into() }
}
