//! The body of a request as the client sends it, and whether it is the client that is waited for: when a request takes
//! too long, that decides whose fault it is.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// The body.
pub(super) struct ClientBody {
    body: Incoming,
    /// Whoever reads it got nothing when it asked last.
    awaited: Arc<AtomicBool>,
}

impl ClientBody {
    pub(super) fn new(body: Incoming, awaited: Arc<AtomicBool>) -> Self {
        ClientBody { body, awaited }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.awaited.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
