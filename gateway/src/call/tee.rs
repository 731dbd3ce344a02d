//! A body that is copied while somebody else reads it, without ever making the reader wait.

use super::body::{Body, BodyError};
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What gets the copy.
type Whole = Box<dyn FnOnce(Bytes) + Send>;

/// A body with a copy that grows while it is read.
struct Tee {
    body: Body,
    /// `None` once it is handed on or given up.
    copy: Option<(BytesMut, Whole)>,
    greatest: usize,
}

/// The body; `whole` gets a copy once it was read to its end. It gets none of a body that is larger than `greatest`
/// bytes, that ends early or that has trailers.
pub(crate) fn tee(body: Body, greatest: usize, whole: impl FnOnce(Bytes) + Send + 'static) -> Body {
    if let Some(bytes) = body.bytes() {
        if bytes.len() <= greatest {
            whole(bytes.clone());
        }
        return body;
    }
    if body.is_end_stream() {
        whole(Bytes::new());
        return Body::Empty;
    }
    if body.size_hint().lower() > greatest as u64 {
        return body;
    }
    Body::stream(Tee { body, copy: Some((BytesMut::new(), Box::new(whole))), greatest })
}

impl Tee {
    fn note(&mut self, frame: &Frame<Bytes>) {
        let Some((copy, _)) = &mut self.copy else { return };
        match frame.data_ref() {
            Some(data) if copy.len() + data.len() <= self.greatest => copy.extend_from_slice(data),
            Some(_) | None => self.copy = None,
        }
    }

    fn finish(&mut self) {
        if let Some((copy, whole)) = self.copy.take() {
            whole(copy.freeze());
        }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &next {
            Some(Ok(frame)) => self.note(frame),
            Some(Err(_)) => self.copy = None,
            None => self.finish(),
        }
        // Whoever writes a body of known length does not ask again behind its last byte.
        if self.body.is_end_stream() {
            self.finish();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::StreamBody;
    use std::sync::{Arc, Mutex};

    fn streamed(pieces: &'static [&'static str]) -> Body {
        let frames = pieces.iter().map(|piece| match *piece {
            "!" => Err(BodyError::from("cut")),
            piece => Ok(Frame::data(Bytes::from_static(piece.as_bytes()))),
        });
        Body::stream(StreamBody::new(stream::iter(frames)))
    }

    async fn copied(body: Body, greatest: usize) -> (Option<Bytes>, Option<Bytes>) {
        let copy = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&copy);
        let mut body = tee(body, greatest, move |whole| *kept.lock().unwrap() = Some(whole));
        body.buffer(1024).await.ok();
        let copy = copy.lock().unwrap().clone();
        (body.bytes().cloned(), copy)
    }

    #[tokio::test]
    async fn a_body_is_copied_when_it_is_complete_and_small_enough() {
        let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        assert_eq!(copied(streamed(&["ab", "c"]), 3).await, (text("abc"), text("abc")));
        assert_eq!(copied(streamed(&["ab", "cd"]), 3).await, (text("abcd"), None));
        assert_eq!(copied(streamed(&["ab", "!"]), 3).await.1, None);
        assert_eq!(copied(Body::Bytes("ab".into()), 3).await, (text("ab"), text("ab")));
        assert_eq!(copied(Body::Bytes("abcd".into()), 3).await, (text("abcd"), None));
        assert_eq!(copied(Body::Empty, 3).await, (text(""), text("")));
    }
}
