//! A body that is streamed to a client for as long as the client may have it.

use super::body::{Body, BodyError};
use crate::stop::{Lease, Stop, StopWatch};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body that is cut off when the client's subscription or key ends; an endless one also when its API is removed,
/// however many redeploys there were meanwhile. Those and the end of the node let it run to its own end, as far as there
/// is time.
pub(crate) struct LeasedBody {
    body: Body,
    ends: Vec<StopWatch>,
}

impl LeasedBody {
    /// `removed`: the signal of the API that outlives its versions.
    pub(crate) fn new(body: Body, removed: &Arc<Stop>, lease: Option<&Lease>, endless: bool) -> Self {
        let api = endless.then_some(removed);
        let ends = api.into_iter().chain(lease.into_iter().flat_map(|lease| lease.iter()));
        LeasedBody { body, ends: ends.map(|stop| StopWatch::new(Arc::clone(stop))).collect() }
    }

    /// Whether the client may have no more of it; otherwise the task of `cx` is woken when that changes.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.ends.iter_mut().any(|watch| watch.poll(cx).is_ready())
    }
}

impl HttpBody for LeasedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over(cx) {
            return Poll::Ready(Some(Err("the client may have no more of it".into())));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    // The size stays unknown: what has trailers, or may be cut off, is sent in chunks unless its head says otherwise.

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::StopReason;
    use futures::future::poll_fn;
    use http_body_util::StreamBody;

    async fn ends(body: &mut LeasedBody) -> bool {
        poll_fn(|cx| Poll::Ready(matches!(Pin::new(&mut *body).poll_frame(cx), Poll::Ready(Some(Err(_))))))
            .await
    }

    #[tokio::test]
    async fn a_body_is_cut_when_its_access_or_its_api_ends() {
        for (endless, access_ends) in [(true, true), (false, true), (true, false), (false, false)] {
            let (api, access) = (Arc::<Stop>::default(), Arc::<Stop>::default());
            let lease: Lease = Arc::from([Arc::clone(&access)]);
            let silent = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, BodyError>>());
            let mut body = LeasedBody::new(Body::stream(silent), &api, Some(&lease), endless);
            assert!(!ends(&mut body).await);
            if access_ends {
                access.signal(StopReason::AccessEnded);
            } else {
                api.signal(StopReason::Stopped);
            }
            assert_eq!(ends(&mut body).await, access_ends || endless, "endless: {endless}");
        }
    }
}
