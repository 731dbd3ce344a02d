//! The body of a streamed response over HTTP/2, where the library does the writing.

use super::frame::FrameStream;
use crate::message::Ack;
use bytes::Bytes;
use http_body::{Body, Frame as BodyFrame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Frames as a body. The library asks for the next frame when the client's window took the one before, which is the
/// best that is known about its delivery.
pub(crate) struct FrameBody {
    frames: FrameStream,
    unsettled: Option<Ack>,
}

impl FrameBody {
    pub(crate) fn new(frames: FrameStream) -> Self {
        FrameBody { frames, unsettled: None }
    }
}

impl Body for FrameBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        if let Some(ack) = self.unsettled.take() {
            ack.delivered();
        }
        self.frames.as_mut().poll_next(cx).map(|next| {
            next.map(|frame| {
                let payload = frame.payload();
                self.unsettled = Some(frame.ack);
                Ok(BodyFrame::data(payload))
            })
        })
    }
}
