//! One HTTP/1.1 connection to a backend, driven by the call that uses it.
//!
//! No task of its own: the call polls the connection while it waits for the answer, and the answer's body polls it while
//! it is read. That saves two wake-ups per request, and a call that is given up takes its connection along.

use super::body::RequestBody;
use super::transport::Transport;
use crate::alarm::Alarm;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

/// Greatest head of an answer, bytes.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// A connection.
pub(super) struct Http1 {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<Transport>, RequestBody>,
    ended: bool,
    /// For whoever waits for an answer.
    pub(super) alarm: Alarm,
}

/// Why there is no answer.
pub(super) struct Broken {
    /// The request, when nothing of it was sent.
    pub(super) unsent: Option<Request<RequestBody>>,
    pub(super) error: hyper::Error,
}

impl Http1 {
    /// Begins to speak HTTP; nothing is sent yet.
    pub(super) async fn begin(transport: Transport) -> Result<Box<Http1>, hyper::Error> {
        // At most 100 headers: a limit of our own would make the library allocate per answer.
        let (sender, connection) =
            http1::Builder::new().max_buf_size(HEAD_MAX_BYTES).handshake(TokioIo::new(transport)).await?;
        // Large, and handed from pool to call to answer and back for every request.
        Ok(Box::new(Http1 { sender, connection, ended: false, alarm: Alarm::default() }))
    }

    /// Reads and writes what can be read and written. False: the connection is over.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.ended && self.connection.poll_without_shutdown(cx).is_ready() {
            self.ended = true;
        }
        !self.ended
    }

    /// Whether another request may be sent.
    pub(super) fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx) && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) fn exchange(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, Broken>> {
        let Http1 { sender, connection, ended, .. } = self;
        // The library's queue has the request now; what follows is small.
        let answer = sender.try_send_request(request);
        async move {
            let mut answer = pin!(answer);
            let answer = poll_fn(|cx| {
                if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
                if !*ended && connection.poll_without_shutdown(cx).is_ready() {
                    *ended = true;
                }
                answer.as_mut().poll(cx)
            });
            let mut error = match answer.await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            Err(Broken { unsent: error.take_message(), error: error.into_error() })
        }
    }

    /// The socket after the backend agreed to leave HTTP, with the bytes that it sent already.
    pub(super) async fn into_socket(mut self: Box<Self>) -> Option<(Transport, Bytes)> {
        if !self.ended {
            poll_fn(|cx| self.connection.poll_without_shutdown(cx)).await.ok()?;
        }
        let parts = self.connection.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// Whether the backend's system refused what was sent, because nobody there would read it any more. Asked after the
    /// connection ended without an answer: an end alone does not tell whether the request was read before.
    pub(super) async fn was_refused(self: Box<Self>) -> bool {
        self.connection.into_parts().io.into_inner().was_refused().await
    }

    /// Runs until the connection is over, for an answer that comes while its request is still being sent.
    pub(super) async fn run(mut self: Box<Self>) {
        poll_fn(|cx| if self.drive(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}
