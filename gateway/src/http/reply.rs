//! What the request function answers, before a protocol writes it.

use super::frame::FrameStream;
use super::io::Io;
use crate::call::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::Response;

/// The answer to one request.
pub(crate) enum Reply {
    /// Complete, with its body.
    Whole(Response<Bytes>),
    /// With a body that is passed on as it comes.
    Passed(Response<Body>),
    /// A head, then pieces as long as there are any.
    Stream { head: Response<()>, frames: FrameStream },
    /// The connection leaves HTTP after the head (status 101).
    Upgrade { head: Response<()>, session: Session },
}

/// What runs on a connection that left HTTP.
pub(crate) type Session = Box<dyn FnOnce(Io) -> BoxFuture<'static, ()> + Send>;

impl Reply {
    /// The headers, whatever the answer.
    pub(crate) fn headers_mut(&mut self) -> &mut http::HeaderMap {
        match self {
            Reply::Whole(response) => response.headers_mut(),
            Reply::Passed(response) => response.headers_mut(),
            Reply::Stream { head, .. } | Reply::Upgrade { head, .. } => head.headers_mut(),
        }
    }

    /// Sets the status, whatever the answer.
    pub(crate) fn set_status(&mut self, status: http::StatusCode) {
        *match self {
            Reply::Whole(response) => response.status_mut(),
            Reply::Passed(response) => response.status_mut(),
            Reply::Stream { head, .. } | Reply::Upgrade { head, .. } => head.status_mut(),
        } = status;
    }

    /// The status, whatever the answer.
    pub(crate) fn status(&self) -> http::StatusCode {
        match self {
            Reply::Whole(response) => response.status(),
            Reply::Passed(response) => response.status(),
            Reply::Stream { head, .. } | Reply::Upgrade { head, .. } => head.status(),
        }
    }
}
