//! Policy `request-content-limit`: refuses requests whose body is too large.
//!
//! A body without an announced length is counted while it is passed on; when it turns out to be too large, the call to the
//! backend breaks off and the caller gets the refusal in place of whatever came of it.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::call::body::{Body, BodyError, ContentTooLarge};
use crate::failure::Failure;
use crate::flow::layer::{Layer, Next};
use async_trait::async_trait;
use bytes::Bytes;
use definition::api::Settings;
use definition::policy::request_content_limit::RequestContentLimit;
use definition::violation::Violation;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

const LENGTH_REQUIRED: &str = "REQUEST_CONTENT_LIMIT_LENGTH_REQUIRED";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let RequestContentLimit { limit } = RequestContentLimit::parse(settings)?;
    Ok(Arc::new(ContentLimitPolicy { limit }))
}

struct ContentLimitPolicy {
    limit: u64,
}

#[async_trait]
impl Policy for ContentLimitPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let head = &call.request.head;
        let announced = match head.headers.get(CONTENT_LENGTH) {
            Some(length) => {
                let length = length.to_str().ok().and_then(|length| length.trim().parse::<u64>().ok());
                Some(length.ok_or_else(|| {
                    Failure::plain(StatusCode::BAD_REQUEST, "The Content-Length header is not a number.")
                })?)
            }
            None => None,
        };
        // HTTP/2 says where a body ends without any header.
        let streamed = head.headers.contains_key(TRANSFER_ENCODING) || head.version >= Version::HTTP_2;
        let there = call.request.body.bytes().map_or(0, |bytes| bytes.len() as u64);
        match announced.map(|announced| announced.max(there)) {
            Some(length) if length > self.limit => Err(ContentTooLarge.failure()),
            Some(_) => Ok(Flow::Continue),
            None if there > self.limit => Err(ContentTooLarge.failure()),
            None if !streamed => {
                let message = "The request must say how long its content is (header Content-Length).";
                Err(Failure::new(StatusCode::LENGTH_REQUIRED, LENGTH_REQUIRED, message))
            }
            None => {
                self.count(call);
                Ok(Flow::Continue)
            }
        }
    }
}

impl ContentLimitPolicy {
    fn count(&self, call: &mut Call) {
        if call.request.body.bytes().is_some() {
            return;
        }
        let exceeded = Arc::<AtomicBool>::default();
        let body = call.request.body.take();
        let counted = Counted { body, left: self.limit, exceeded: Arc::clone(&exceeded) };
        call.request.body = Body::stream(counted);
        call.layers.push(Arc::new(Refusal { exceeded }));
    }
}

/// Says what a body that broke off was.
struct Refusal {
    exceeded: Arc<AtomicBool>,
}

#[async_trait]
impl Layer for Refusal {
    async fn invoke(&self, call: &mut Call, next: Next<'_>) -> Result<(), Failure> {
        let result = next.run(call).await;
        if self.exceeded.load(Ordering::Relaxed) { Err(ContentTooLarge.failure()) } else { result }
    }
}

/// A body that ends with an error when it is too large.
struct Counted {
    body: Body,
    left: u64,
    exceeded: Arc<AtomicBool>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => {
                    self.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(Box::new(ContentTooLarge))));
                }
            }
        }
        Poll::Ready(frame)
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
    use crate::flow::layer::Invoker;
    use futures::stream;
    use http_body_util::StreamBody;
    use serde_json::json;

    fn policy() -> Arc<dyn Policy> {
        super::super::sample::build(build, json!({"limit": "5"}))
    }

    async fn outcome(line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut call = Call::sample(line, headers, body);
        match policy().on_request(&mut call).await {
            Ok(_) => "passed".to_owned(),
            Err(failure) => format!("{} {}", failure.status.as_u16(), failure.key.unwrap_or_default()),
        }
    }

    #[tokio::test]
    async fn an_announced_length_decides() {
        let length = |length| [("content-length", length)];
        assert_eq!(outcome("POST /ctx", &length("5"), "12345").await, "passed");
        let large = "413 REQUEST_CONTENT_LIMIT_TOO_LARGE";
        assert_eq!(outcome("POST /ctx", &length("6"), "").await, large);
        assert_eq!(outcome("POST /ctx", &length("1"), "123456").await, large, "a policy made it longer");
        assert_eq!(outcome("POST /ctx", &length("x"), "").await, "400 ");
        assert_eq!(outcome("GET /ctx", &[], "").await, "411 REQUEST_CONTENT_LIMIT_LENGTH_REQUIRED");
        assert_eq!(outcome("POST /ctx", &[("transfer-encoding", "chunked")], "").await, "passed");
        assert!(super::super::sample::try_build(build, &json!({})).is_err());
    }

    /// A backend that reads the body and cannot say why it failed.
    struct Reader;

    #[async_trait]
    impl Invoker for Reader {
        async fn invoke(&self, call: &mut Call) -> Result<(), Failure> {
            let mut body = call.request.body.take();
            let read = body.buffer(usize::MAX).await;
            read.map(drop).map_err(|_| Failure::plain(StatusCode::BAD_GATEWAY, ""))
        }

        fn detach(&self) -> Arc<dyn Invoker> {
            Arc::new(Reader)
        }
    }

    async fn streamed(chunks: &'static [&'static str]) -> Result<(), Failure> {
        let mut call = Call::sample("POST /ctx", &[("transfer-encoding", "chunked")], "");
        let frames =
            chunks.iter().map(|chunk| Ok::<_, BodyError>(Frame::data(Bytes::from_static(chunk.as_bytes()))));
        call.request.body = Body::stream(StreamBody::new(stream::iter(frames)));
        policy().on_request(&mut call).await?;
        let layers = std::mem::take(&mut call.layers);
        Next::new(&layers, &Reader).run(&mut call).await
    }

    #[tokio::test]
    async fn a_stream_is_counted_on_its_way() {
        streamed(&["123", "45"]).await.unwrap();
        let failure = streamed(&["123", "456", "7"]).await.unwrap_err();
        assert_eq!(failure.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(failure.key.as_deref(), Some("REQUEST_CONTENT_LIMIT_TOO_LARGE"));
    }

    #[tokio::test]
    async fn a_policy_that_reads_the_body_says_the_same() {
        let mut call = Call::sample("POST /ctx", &[("transfer-encoding", "chunked")], "");
        let frame = Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"123456")));
        call.request.body = Body::stream(StreamBody::new(stream::iter([frame])));
        policy().on_request(&mut call).await.unwrap();
        let failure = call.request.buffer().await.unwrap_err();
        assert_eq!(failure.key.as_deref(), Some("REQUEST_CONTENT_LIMIT_TOO_LARGE"));
    }
}
