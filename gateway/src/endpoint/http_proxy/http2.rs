//! HTTP/2 connections to a backend, shared by many calls; each has a task that moves its frames.

use super::body::RequestBody;
use super::transport::Transport;
use definition::connector::http_proxy::HttpSettings;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one request that wait for the backend's window.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Pause between two pings while requests are open, and how long their answer may take, milliseconds.
const PING_INTERVAL_MS: u64 = 20_000;
const PING_TIMEOUT_MS: u64 = 10_000;

/// A connection.
pub(super) struct Http2 {
    sender: SendRequest<RequestBody>,
    streams: Arc<Semaphore>,
    limit: usize,
    unused_since: Option<Instant>,
}

/// The right to one request on a connection.
pub(super) struct Stream {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Http2 {
    /// Begins to speak HTTP/2.
    pub(super) async fn begin(transport: Transport, settings: &HttpSettings) -> Result<Http2, hyper::Error> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_connection_window_size(u32::try_from(settings.http2_connection_window_size).ok())
            .initial_stream_window_size(u32::try_from(settings.http2_stream_window_size).ok())
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .keep_alive_interval(Duration::from_millis(PING_INTERVAL_MS))
            .keep_alive_timeout(Duration::from_millis(PING_TIMEOUT_MS))
            .handshake(TokioIo::new(transport))
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection to a backend ended");
            }
        });
        let limit = usize::try_from(settings.http2_multiplexing_limit).unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Http2 { sender, streams: Arc::new(Semaphore::new(limit)), limit, unused_since: None })
    }

    /// Whether it takes requests.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// A stream, when one is free.
    pub(super) fn stream(&self) -> Option<Stream> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        Some(Stream { sender: self.sender.clone(), permit })
    }

    /// To wait for a stream.
    pub(super) fn waiting(&self) -> (Arc<Semaphore>, SendRequest<RequestBody>) {
        (Arc::clone(&self.streams), self.sender.clone())
    }

    /// Whether nobody has used it for this long. To be asked again and again.
    pub(super) fn unused_for(&mut self, limit: Duration) -> bool {
        if self.streams.available_permits() < self.limit {
            self.unused_since = None;
            return false;
        }
        self.unused_since.get_or_insert_with(Instant::now).elapsed() >= limit
    }
}
