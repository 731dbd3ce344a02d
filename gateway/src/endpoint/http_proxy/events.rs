//! Event streams of backends. They have no end of their own, so they end with the version of the API that they came
//! through: a client of event streams opens a new one, which the new version serves.

use crate::call::body::{Body, BodyError};
use crate::stop::{Stop, StopWatch};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body as HttpBody, Frame};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Whether an answer is an event stream.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    value.get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

/// The body up to the end of the API's version.
pub(super) fn until_stopped(body: Body, stop: &Arc<Stop>) -> Body {
    Body::stream(UntilStopped { body, stop: StopWatch::new(Arc::clone(stop)) })
}

struct UntilStopped {
    body: Body,
    stop: StopWatch,
}

impl HttpBody for UntilStopped {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.stop.poll(cx).is_ready() {
            self.body = Body::Empty;
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
