//! A body that is streamed to a client for as long as the client may have it.

use super::body::{Body, BodyError};
use crate::stop::{StopReason, StopWatch};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body that is cut off when the client's subscription or key ends; an endless one also when its API is removed. A
/// redeploy and the end of the node let it run to its own end, as far as there is time.
pub(crate) struct LeasedBody {
    body: Body,
    stop: Option<StopWatch>,
    endless: bool,
}

impl LeasedBody {
    pub(crate) fn new(body: Body, stop: StopWatch, endless: bool) -> Self {
        LeasedBody { body, stop: Some(stop), endless }
    }
}

impl HttpBody for LeasedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(stop) = &mut self.stop
            && let Poll::Ready(reason) = stop.poll(cx)
        {
            let cut = match reason {
                StopReason::AccessEnded => true,
                StopReason::Stopped => self.endless,
                StopReason::Redeployed | StopReason::Shutdown => false,
            };
            if cut {
                return Poll::Ready(Some(Err("the client may have no more of it".into())));
            }
            self.stop = None;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
