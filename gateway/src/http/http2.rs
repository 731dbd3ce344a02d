//! HTTP/2 with prior knowledge: requests share a connection, so the library writes their streams.

use super::body::FrameBody;
use super::io::Io;
use super::reply::Reply;
use super::respond;
use super::serve::{Front, Peer, serve};
use crate::call::body::Body;
use crate::stop::Stop;
use http::header::{CONNECTION, HeaderName};
use http::{HeaderMap, Request};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Streams that one HTTP/2 client may have open.
const HTTP2_STREAMS_MAX: u32 = 256;
/// Bytes per HTTP/2 stream that wait for the client's window.
const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Pause between HTTP/2 pings, and how long their answer may take, milliseconds.
const HTTP2_PING_INTERVAL_MS: u64 = 20_000;
const HTTP2_PING_TIMEOUT_MS: u64 = 10_000;
/// Headers that describe a connection and do not exist in HTTP/2.
const CONNECTION_HEADERS: [HeaderName; 2] = [CONNECTION, HeaderName::from_static("keep-alive")];

/// Serves requests until the connection ends.
pub(super) async fn serve_requests(io: Io, peer: Arc<Peer>, front: Arc<Front>, drain: Arc<Stop>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (front, peer) = (Arc::clone(&front), Arc::clone(&peer));
        async move {
            let mut response = match serve(&front, &peer, request).await {
                Reply::Whole(response) => response.map(|body| Either::Left(Body::Bytes(body))),
                Reply::Passed(response) => response.map(Either::Left),
                Reply::Stream { head, frames } => head.map(|()| Either::Right(FrameBody::new(frames))),
                // Entrypoints that leave HTTP do not match HTTP/2 requests.
                Reply::Upgrade { .. } => respond::no_entrypoint().map(|body| Either::Left(Body::Bytes(body))),
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
