//! A body that is streamed to a client for as long as the client may have it.

use super::body::{Body, BodyError};
use crate::stop::{Lease, Stop, StopReason, StopWatch};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body that is cut off when the client's subscription or key ends; an endless one also when its API is removed. A
/// redeploy and the end of the node let it run to its own end, as far as there is time, and the access is watched on.
pub(crate) struct LeasedBody {
    body: Body,
    /// Of endless bodies.
    api: Option<StopWatch>,
    access: Vec<StopWatch>,
}

impl LeasedBody {
    pub(crate) fn new(body: Body, stop: &Arc<Stop>, lease: Option<&Lease>, endless: bool) -> Self {
        let watch = |stop: &Arc<Stop>| StopWatch::new(Arc::clone(stop));
        let access = lease.into_iter().flat_map(|lease| lease.iter()).map(watch).collect();
        LeasedBody { body, api: endless.then(|| watch(stop)), access }
    }

    /// Whether the client may have no more of it; otherwise the task of `cx` is woken when that changes.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(Poll::Ready(reason)) = self.api.as_mut().map(|watch| watch.poll(cx)) {
            if reason == StopReason::Stopped {
                return true;
            }
            self.api = None;
        }
        self.access.iter_mut().any(|watch| watch.poll(cx).is_ready())
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
    use futures::future::poll_fn;
    use http_body_util::StreamBody;

    async fn ends(body: &mut LeasedBody) -> bool {
        poll_fn(|cx| Poll::Ready(matches!(Pin::new(&mut *body).poll_frame(cx), Poll::Ready(Some(Err(_))))))
            .await
    }

    #[tokio::test]
    async fn the_end_of_the_access_cuts_a_body_also_after_a_redeploy() {
        for endless in [true, false] {
            let (api, access) = (Arc::<Stop>::default(), Arc::<Stop>::default());
            let lease: Lease = Arc::from([Arc::clone(&access)]);
            let silent = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, BodyError>>());
            let mut body = LeasedBody::new(Body::stream(silent), &api, Some(&lease), endless);
            assert!(!ends(&mut body).await);
            api.signal(StopReason::Redeployed);
            assert!(!ends(&mut body).await, "a redeploy lets it run");
            access.signal(StopReason::AccessEnded);
            assert!(ends(&mut body).await, "endless: {endless}");
        }
    }
}
