//! The body of a request on its way to a backend, and what is known about how far it got.

use crate::call::body::{Body, BodyError};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// How far a body got.
#[derive(Debug, Default)]
pub(super) struct Upload {
    moved: AtomicBool,
    awaited: AtomicBool,
    done: AtomicBool,
}

impl Upload {
    /// Whether a piece was taken since the last question.
    pub(super) fn moved(&self) -> bool {
        self.moved.swap(false, Ordering::Relaxed)
    }

    /// Whether the backend could take more than there is: it is the client that is waited for.
    pub(super) fn awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) && !self.done()
    }

    /// Whether nothing is left to be sent.
    pub(super) fn done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

/// The body of a request.
pub(super) struct RequestBody {
    body: Body,
    /// Of a body that was read as a whole.
    trailers: Option<HeaderMap>,
    upload: Arc<Upload>,
}

impl RequestBody {
    pub(super) fn new(body: Body, trailers: Option<HeaderMap>) -> Self {
        RequestBody { body, trailers, upload: Arc::default() }
    }

    /// How far it got, for whoever waits for the answer.
    pub(super) fn upload(&self) -> Arc<Upload> {
        Arc::clone(&self.upload)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.upload.awaited.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_pending() {
            return Poll::Pending;
        }
        self.upload.moved.store(true, Ordering::Relaxed);
        if let Poll::Ready(None) = polled
            && let Some(trailers) = self.trailers.take()
        {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if self.is_end_stream() {
            self.upload.done.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Trailers need chunks, and chunks have no known length.
        if self.trailers.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // Whoever sends it drops it when it is out, or when nobody wants the rest.
        self.upload.done.store(true, Ordering::Relaxed);
    }
}
