//! The socket of one connection. Bytes that were read too early (to tell HTTP/1 from HTTP/2, or behind the request
//! whose answer is a stream) are given back before the socket is read again.

use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream with the bytes that come before it.
#[derive(Debug)]
pub(crate) struct Io {
    early: Bytes,
    tcp: TcpStream,
    progress: Arc<Progress>,
}

/// What an HTTP library does with the socket that it was given, for whoever gave it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last write found no room: the client is slow, or a response is not out yet.
    pub(crate) blocked: AtomicBool,
    /// Something was read since this was last cleared.
    pub(crate) received: AtomicBool,
    /// A request is being answered, until its answer is written; not the socket's to know.
    pub(crate) busy: AtomicBool,
}

impl Io {
    pub(crate) fn new(early: Bytes, tcp: TcpStream) -> Self {
        Io { early, tcp, progress: Arc::default() }
    }

    /// Shows what is done with the socket.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    pub(crate) fn into_parts(self) -> (Bytes, TcpStream) {
        (self.early, self.tcp)
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.progress.blocked.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
            if buf.filled().len() > before {
                self.progress.received.store(true, Ordering::Relaxed);
            }
            return read;
        }
        self.progress.received.store(true, Ordering::Relaxed);
        let count = self.early.len().min(buf.remaining());
        let taken = self.early.split_to(count);
        buf.put_slice(&taken);
        if self.early.is_empty() {
            // An empty slice would still hold the buffer it is cut from.
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
