//! A body on its way: bytes that are there, or a stream that is read only when somebody needs the whole.

use crate::failure::{Failure, key};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

/// Greatest body that is held as a whole because a policy asks for it, bytes.
pub(crate) const BUFFERED_BODY_MAX_BYTES: usize = 10 * 1024 * 1024;

static EMPTY: Bytes = Bytes::new();

/// Why a body ended early. The chain behind it goes to the log.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body.
#[derive(Default)]
pub(crate) enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    /// Locked only so that a call may be shared; nobody waits for anybody.
    Stream(Mutex<UnsyncBoxBody<Bytes, BodyError>>),
}

impl Body {
    /// A body that is read as it comes.
    pub(crate) fn stream<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        if body.is_end_stream() {
            Body::Empty
        } else {
            Body::Stream(Mutex::new(body.map_err(Into::into).boxed_unsync()))
        }
    }

    /// The bytes, when they are there as a whole.
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match self {
            Body::Empty => Some(&EMPTY),
            Body::Bytes(bytes) => Some(bytes),
            Body::Stream(_) => None,
        }
    }

    /// Takes the body, leaving an empty one.
    pub(crate) fn take(&mut self) -> Body {
        std::mem::take(self)
    }

    /// Reads a stream to its end, so that `bytes` is there afterwards. Trailers of the stream are returned.
    pub(crate) async fn buffer(&mut self, greatest: usize) -> Result<Option<HeaderMap>, BufferError> {
        let Body::Stream(stream) = self else { return Ok(None) };
        let stream = stream.get_mut().map_err(|_| BufferError::Incomplete)?;
        let (mut first, mut more, mut trailers) = (Bytes::new(), BytesMut::new(), None);
        while let Some(frame) = stream.frame().await {
            match frame.map_err(|error| BufferError::of(&error))?.into_data() {
                Ok(data) if first.len() + more.len() + data.len() > greatest => {
                    return Err(BufferError::TooLarge(greatest));
                }
                // Most bodies arrive in one piece, which is used as it is.
                Ok(data) if first.is_empty() => first = data,
                Ok(data) => more.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let whole = if more.is_empty() { first } else { [first, more.freeze()].concat().into() };
        *self = if whole.is_empty() { Body::Empty } else { Body::Bytes(whole) };
        Ok(trailers)
    }
}

/// Why a body cannot be had as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BufferError {
    /// The sender went away, or broke the protocol.
    Incomplete,
    /// More than this many bytes.
    TooLarge(usize),
    /// More than a policy allows.
    Refused(ContentTooLarge),
}

/// A request's body is larger than a policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is larger than a policy allows")]
pub(crate) struct ContentTooLarge;

impl ContentTooLarge {
    /// For the caller.
    pub(crate) fn failure(self) -> Failure {
        let message = "The request is larger than the server is willing or able to process.";
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_CONTENT_LIMIT_TOO_LARGE", message)
    }
}

impl BufferError {
    fn of(error: &BodyError) -> Self {
        match error.downcast_ref() {
            Some(too_large) => BufferError::Refused(*too_large),
            None => BufferError::Incomplete,
        }
    }

    /// For the body of a request.
    pub(crate) fn of_request(self) -> Failure {
        match self {
            BufferError::Incomplete => {
                Failure::plain(StatusCode::BAD_REQUEST, "The request body is incomplete.")
            }
            BufferError::TooLarge(greatest) => Failure::plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The request body is larger than {greatest} bytes."),
            ),
            BufferError::Refused(too_large) => too_large.failure(),
        }
    }

    /// For the body of a backend's response.
    pub(crate) fn of_response(self) -> Failure {
        match self {
            BufferError::Incomplete | BufferError::Refused(_) => {
                Failure::new(StatusCode::BAD_GATEWAY, key::CLIENT_CONNECTION_CLOSED, "")
            }
            BufferError::TooLarge(greatest) => Failure::plain(
                StatusCode::BAD_GATEWAY,
                format!("The response body is larger than {greatest} bytes."),
            ),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Body::Empty => Poll::Ready(None),
            Body::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Body::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Stream(stream) => {
                Pin::new(stream.get_mut().unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Bytes(bytes) => bytes.is_empty(),
            Body::Stream(stream) => stream.lock().is_ok_and(|stream| stream.is_end_stream()),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(stream) => stream.lock().map(|stream| stream.size_hint()).unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Body::Stream(_) => f.write_str("Stream"),
        }
    }
}
