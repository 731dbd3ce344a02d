//! HTTP/1 requests, read and answered by hyper until an answer is not hyper's to write.
//!
//! Such an answer is left in the connection's slot by the service, which then stays pending. Whoever drives the
//! connection sees the slot after the same poll and takes the socket back; nothing of the answer was written yet.

use super::frame::FrameStream;
use super::head::Framing;
use super::io::{Io, Progress};
use super::reply::{Reply, Session};
use super::serve::{Front, Peer, serve};
use crate::alarm::Alarm;
use crate::call::body::{Body, BodyError};
use crate::stop::{Stop, StopWatch};
use bytes::Bytes;
use definition::limits::SLOW_CLIENT_WRITE_TIMEOUT_MS;
use futures::future::BoxFuture;
use http::header::CONNECTION;
use http::{Request, Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

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
}

impl Service<Request<Incoming>> for Http1Service {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (front, peer) = (Arc::clone(&self.front), Arc::clone(&self.peer));
        let (slot, drain) = (Arc::clone(&self.slot), Arc::clone(&self.drain));
        let progress = Arc::clone(&self.progress);
        let mut framing = framing(&request);
        progress.busy.store(true, Ordering::Relaxed);
        Box::pin(async move {
            let takeover = match serve(&front, &peer, request).await {
                Reply::Whole(response) => {
                    progress.received.store(false, Ordering::Relaxed);
                    return Ok(response.map(|body| Answer { body: Body::Bytes(body), progress }));
                }
                Reply::Passed(response) => {
                    progress.received.store(false, Ordering::Relaxed);
                    return Ok(response.map(|body| Answer { body, progress }));
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
    let slot = Slot::default();
    let progress = io.progress();
    let service = Http1Service {
        front: Arc::clone(front),
        peer: Arc::clone(peer),
        slot: Arc::clone(&slot),
        drain: Arc::clone(drain),
        progress: Arc::clone(&progress),
    };
    // The library would queue a timer for every request.
    let mut connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(io), service);
    let mut draining = StopWatch::new(Arc::clone(drain));
    let mut told = false;
    // Apart from the task, because connections whose answer is a stream need none of them.
    let mut alarms = Box::<Alarms>::default();
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
        let (free, received) =
            (!progress.busy.load(Ordering::Relaxed), progress.received.load(Ordering::Relaxed));
        let write_patience = Duration::from_millis(SLOW_CLIENT_WRITE_TIMEOUT_MS);
        if alarms.stalled.poll_over(blocked, write_patience, cx)
            || alarms.beginning.poll_over(free && received, front.head_patience, cx)
            || alarms.idle.poll_over(free && !received && !blocked, front.idle_patience, cx)
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

/// What a connection is given up for.
#[derive(Default)]
struct Alarms {
    /// The client takes nothing.
    stalled: Alarm,
    /// The head of a request does not come to its end.
    beginning: Alarm,
    /// No request comes.
    idle: Alarm,
}

/// What the library writes: an answer, until whose end the connection is busy.
struct Answer {
    body: Body,
    progress: Arc<Progress>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.progress.busy.store(false, Ordering::Relaxed);
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that hyper read, then those that it did not read yet. Copied, so that no large buffer lives on behind them.
pub(super) fn join(read: Bytes, unread: Bytes) -> Bytes {
    if read.is_empty() && unread.is_empty() { Bytes::new() } else { [read, unread].concat().into() }
}
