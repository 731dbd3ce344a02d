//! The body of a backend's answer. It holds the connection while it is read, and gives it back at its end; a body that is
//! given up takes its connection along.

use super::http1::Http1;
use super::pool::Pool;
use crate::call::body::{Body, BodyError};
use crate::seldom::warn_seldom;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_util::task::AbortOnDropHandle;

/// What an answer keeps busy.
pub(super) enum Lease {
    /// Driven by whoever reads the answer. `kept`: it may be used again.
    Http1 { connection: Box<Http1>, pool: Arc<Pool>, kept: bool, permit: OwnedSemaphorePermit },
    /// Driven by a task: the answer came before the request was sent completely.
    Detached { _task: AbortOnDropHandle<()>, _permit: OwnedSemaphorePermit },
    /// One stream of a shared connection.
    Http2 { _permit: OwnedSemaphorePermit },
}

impl Lease {
    fn drive(&mut self, cx: &mut Context<'_>) {
        match self {
            Lease::Http1 { connection, .. } => {
                connection.drive(cx);
            }
            Lease::Detached { .. } | Lease::Http2 { .. } => {}
        }
    }

    /// The answer was read to its end, or has no body.
    pub(super) fn finish(self, cx: &mut Context<'_>) {
        match self {
            Lease::Http1 { mut connection, pool, kept, permit } => {
                if kept && connection.is_free(cx) {
                    pool.put(connection);
                }
                // In this order: who waits for the permit finds the connection.
                drop(permit);
            }
            Lease::Detached { .. } | Lease::Http2 { .. } => {}
        }
    }
}

/// The body.
pub(super) struct AnswerBody {
    incoming: Incoming,
    lease: Option<Lease>,
    /// Greatest time without a byte.
    patience: Option<Duration>,
    silence: Option<Pin<Box<Sleep>>>,
    /// Read before anybody asked.
    early: Option<Result<Frame<Bytes>, BodyError>>,
}

/// The backend sent nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the backend sent nothing for {0:?}")]
struct Silent(Duration);

impl AnswerBody {
    pub(super) fn new(incoming: Incoming, lease: Lease, patience: Option<Duration>) -> Self {
        AnswerBody { incoming, lease: Some(lease), patience, silence: None, early: None }
    }

    /// The body, with what came together with the head: a small answer is all there, and needs nobody to read it.
    pub(super) fn begun(mut self, cx: &mut Context<'_>) -> Body {
        match Pin::new(&mut self).poll_frame(cx) {
            Poll::Pending => {}
            Poll::Ready(None) => return Body::Empty,
            Poll::Ready(Some(Ok(frame))) if self.incoming.is_end_stream() && frame.is_data() => {
                return frame.into_data().map_or(Body::Empty, Body::Bytes);
            }
            Poll::Ready(Some(early)) => self.early = Some(early),
        }
        Body::stream(self)
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Reading makes the connection fetch more, so it is driven in between.
        for _ in 0..2 {
            let polled = Pin::new(&mut self.incoming).poll_frame(cx);
            match (&mut self.lease, polled.is_pending()) {
                (Some(lease), true) => lease.drive(cx),
                (Some(_), false) | (None, _) => return polled,
            }
        }
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let Some(patience) = self.patience else { return Poll::Pending };
        let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        silence.as_mut().poll(cx).map(|()| patience)
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(early) = this.early.take() {
            return Poll::Ready(Some(early));
        }
        match this.poll_incoming(cx) {
            Poll::Pending => match this.poll_silence(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(patience) => {
                    this.lease = None;
                    Poll::Ready(Some(Err(Silent(patience).into())))
                }
            },
            Poll::Ready(Some(Err(error))) => {
                // An end that is not an end: whoever writes the answer must not finish it either.
                warn_seldom!(key = "GATEWAY_CLIENT_STREAM_ENDED_EARLY", %error, "a backend broke its answer off");
                this.lease = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(frame) => {
                if frame.is_none() || this.incoming.is_end_stream() {
                    if let Some(lease) = this.lease.take() {
                        lease.finish(cx);
                    }
                } else if let (Some(silence), Some(patience)) = (&mut this.silence, this.patience) {
                    silence.as_mut().reset(Instant::now() + patience);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.early.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.incoming.size_hint();
        if let Some(Ok(early)) = &self.early {
            let read = early.data_ref().map_or(0, |data| data.len() as u64);
            if let Some(upper) = hint.upper() {
                hint.set_upper(upper + read);
            }
            hint.set_lower(hint.lower() + read);
        }
        hint
    }
}
