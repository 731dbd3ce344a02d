//! One client connection: HTTP/1.1 and HTTP/2 with prior knowledge, told apart by their first bytes.
//!
//! HTTP/1 requests are read and answered by hyper. When the answer is a stream or leaves HTTP, the service leaves it
//! in the connection's slot and stays pending; the socket is then taken back from hyper, whose buffers are freed, and
//! served directly. After a stream that ended well hyper gets the socket again for the next request.

use super::body::FrameBody;
use super::head::{Framing, head_bytes};
use super::io::Io;
use super::reply::Reply;
use super::serve::{Front, Peer, serve};
use super::stream::{Ended, StreamWriter};
use crate::stop::{Stop, StopWatch};
use bytes::Bytes;
use definition::limits::{HEADER_READ_TIMEOUT_MS, SLOW_CLIENT_WRITE_TIMEOUT_MS};
use futures::future::BoxFuture;
use http::header::{CONNECTION, HeaderName};
use http::{HeaderMap, Request, Response, Version};
use http_body::Body as _;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How every HTTP/2 connection begins.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes read before the protocol is known: room for a usual request head, which then needs no second read.
const FIRST_READ_BYTES: usize = 1024;
/// Streams that one HTTP/2 client may have open.
const HTTP2_STREAMS_MAX: u32 = 256;
/// Bytes per HTTP/2 stream that wait for the client's window.
const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Pause between HTTP/2 pings, and how long their answer may take, milliseconds.
const HTTP2_PING_INTERVAL_MS: u64 = 20_000;
const HTTP2_PING_TIMEOUT_MS: u64 = 10_000;
/// After the last response: time and bytes that a client may still send before the socket is closed. Without it a
/// refusal that was sent before the whole request was read would be lost with the connection's reset.
const LINGER_MS: u64 = 1_000;
const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Headers that describe a connection and do not exist in HTTP/2.
const CONNECTION_HEADERS: [HeaderName; 2] = [CONNECTION, HeaderName::from_static("keep-alive")];

/// Serves a connection until it ends. `drain`: finish what is running, take nothing new.
pub(crate) async fn serve_connection(tcp: TcpStream, peer: Peer, front: Arc<Front>, drain: Arc<Stop>) {
    let peer = Arc::new(peer);
    let first = tokio::select! {
        first = Box::pin(first_bytes(tcp)) => first,
        _ = drain.wait() => None,
    };
    let Some((protocol, mut io)) = first else { return };
    if protocol == Version::HTTP_2 {
        return Box::pin(http2(io, peer, front, drain)).await;
    }
    loop {
        let after = Box::pin(http1(io, &peer, &front, &drain)).await;
        match after {
            AfterHttp1::Failed => return,
            AfterHttp1::Finished(tcp) => return Box::pin(linger(tcp)).await,
            AfterHttp1::Taken(Takeover::Upgrade { head, session }, tcp, early) => {
                return Box::pin(upgrade(head, session, tcp, early)).await;
            }
            AfterHttp1::Taken(Takeover::Stream(writer), tcp, early) => {
                // What came before the request was read completely counts as sent during the stream.
                let Some(next) = stream(writer, tcp, early, &drain).await else { return };
                io = next;
            }
        }
    }
}

/// Reads until the protocol is certain.
async fn first_bytes(mut tcp: TcpStream) -> Option<(Version, Io)> {
    let mut first = Vec::with_capacity(FIRST_READ_BYTES);
    let read = async {
        loop {
            if tcp.read_buf(&mut first).await.ok()? == 0 {
                return None;
            }
            let known = first.len().min(HTTP2_PREFACE.len());
            if first[..known] != HTTP2_PREFACE[..known] {
                return Some(Version::HTTP_11);
            }
            if known == HTTP2_PREFACE.len() {
                return Some(Version::HTTP_2);
            }
        }
    };
    let protocol = timeout(Duration::from_millis(HEADER_READ_TIMEOUT_MS), read).await.ok()??;
    Some((protocol, Io::new(first.into(), tcp)))
}

/// What became of the HTTP/1 phase of a connection.
enum AfterHttp1 {
    Failed,
    Finished(TcpStream),
    Taken(Takeover, TcpStream, Bytes),
}

/// An answer that is not hyper's to write.
enum Takeover {
    Stream(StreamAnswer),
    Upgrade { head: Response<()>, session: super::reply::Session },
}

struct StreamAnswer {
    head: Response<()>,
    frames: super::frame::FrameStream,
    framing: Framing,
}

type Slot = Arc<Mutex<Option<Takeover>>>;

/// The service that hyper calls.
struct Http1Service {
    front: Arc<Front>,
    peer: Arc<Peer>,
    slot: Slot,
    drain: Arc<Stop>,
}

impl Service<Request<Incoming>> for Http1Service {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (front, peer) = (Arc::clone(&self.front), Arc::clone(&self.peer));
        let (slot, drain) = (Arc::clone(&self.slot), Arc::clone(&self.drain));
        let mut framing = framing(&request);
        Box::pin(async move {
            let takeover = match serve(&front, &peer, request).await {
                Reply::Whole(response) => return Ok(response.map(Full::new)),
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

async fn http1(io: Io, peer: &Arc<Peer>, front: &Arc<Front>, drain: &Arc<Stop>) -> AfterHttp1 {
    let slot = Slot::default();
    let blocked = io.blocked();
    let service = Http1Service {
        front: Arc::clone(front),
        peer: Arc::clone(peer),
        slot: Arc::clone(&slot),
        drain: Arc::clone(drain),
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADER_READ_TIMEOUT_MS))
        .serve_connection(TokioIo::new(io), service);
    let mut draining = StopWatch::new(Arc::clone(drain));
    let mut told = false;
    let mut stalled: Option<Pin<Box<tokio::time::Sleep>>> = None;
    let takeover = poll_fn(|cx| {
        if !told && draining.poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(result.map(|()| None));
        }
        if blocked.load(Ordering::Relaxed) {
            // A response that came before is not out yet; it is written before anything else happens here.
            let patience = Duration::from_millis(SLOW_CLIENT_WRITE_TIMEOUT_MS);
            let stalled = stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
            return stalled.as_mut().poll(cx).map(|()| Ok(None));
        }
        stalled = None;
        match slot.lock().ok().and_then(|mut slot| slot.take()) {
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

/// Bytes that hyper read, then those that it did not read yet. Copied, so that no large buffer lives on behind them.
fn join(read: Bytes, unread: Bytes) -> Bytes {
    if read.is_empty() && unread.is_empty() { Bytes::new() } else { [read, unread].concat().into() }
}

/// Writes the stream. Gives the connection back when another request may follow.
async fn stream(answer: StreamAnswer, tcp: TcpStream, early: Bytes, drain: &Arc<Stop>) -> Option<Io> {
    let StreamAnswer { head, frames, framing } = answer;
    let chunked = matches!(framing, Framing::Chunked { .. });
    let writer = StreamWriter::new(tcp, head_bytes(&head, framing), frames, chunked);
    drop(head);
    let Ended::Complete(tcp, sent_meanwhile) = writer.await else { return None };
    if framing == (Framing::Chunked { keep_alive: true }) && !drain.reason().is_some() {
        return Some(Io::new(join(early, sent_meanwhile), tcp));
    }
    Box::pin(linger(tcp)).await;
    None
}

async fn upgrade(head: Response<()>, session: super::reply::Session, mut tcp: TcpStream, early: Bytes) {
    if tcp.write_all(&head_bytes(&head, Framing::Upgrade)).await.is_ok() {
        drop(head);
        session(Io::new(early, tcp)).await;
    }
}

/// Ends the connection without losing what was written: says so, then waits for the client's end.
async fn linger(mut tcp: TcpStream) {
    let close = async {
        tcp.shutdown().await?;
        let mut sink = vec![0; 16 * 1024];
        let mut total = 0;
        while total < LINGER_BYTES_MAX {
            match tcp.read(&mut sink).await? {
                0 => break,
                count => total += count,
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever happens here, the connection is over.
    timeout(Duration::from_millis(LINGER_MS), close).await.ok();
}

async fn http2(io: Io, peer: Arc<Peer>, front: Arc<Front>, drain: Arc<Stop>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (front, peer) = (Arc::clone(&front), Arc::clone(&peer));
        async move {
            let mut response = match serve(&front, &peer, request).await {
                Reply::Whole(response) => response.map(|body| Either::Left(Full::new(body))),
                Reply::Stream { head, frames } => head.map(|()| Either::Right(FrameBody::new(frames))),
                // Entrypoints that leave HTTP do not match HTTP/2 requests.
                Reply::Upgrade { .. } => {
                    super::respond::no_entrypoint().map(|body| Either::Left(Full::new(body)))
                }
            };
            strip_connection_headers(response.headers_mut());
            Result::<_, Infallible>::Ok(response)
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES)
        .keep_alive_interval(Duration::from_millis(HTTP2_PING_INTERVAL_MS))
        .keep_alive_timeout(Duration::from_millis(HTTP2_PING_TIMEOUT_MS))
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    // A client that breaks the protocol or goes away is no event of ours.
    tokio::select! {
        result = connection.as_mut() => { result.ok(); }
        _ = drain.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await.ok();
        }
    }
}

fn strip_connection_headers(headers: &mut HeaderMap) {
    for name in CONNECTION_HEADERS {
        headers.remove(name);
    }
}
