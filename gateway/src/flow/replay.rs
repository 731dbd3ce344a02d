//! A request as it was, for layers that ask what lies below them more than once.

use crate::call::Call;
use crate::call::body::Body;
use crate::call::response::Response;
use crate::failure::Failure;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

/// What asking changes in a call. The body of the request is held as a whole.
pub(crate) struct Replay {
    head: Parts,
    body: Bytes,
    trailers: Option<HeaderMap>,
    /// Headers that request steps have set for the client.
    response_headers: HeaderMap,
}

impl Replay {
    /// Keeps the request. Fails when its body is incomplete or too large to be held.
    pub(crate) async fn of(call: &mut Call) -> Result<Replay, Failure> {
        call.request.buffer().await?;
        Ok(Replay {
            head: call.request.head.clone(),
            body: call.request.body.bytes().cloned().unwrap_or_default(),
            trailers: call.request.trailers.clone(),
            response_headers: call.response.headers.clone(),
        })
    }

    /// Makes the call what it was; an answer that was there is dropped.
    pub(crate) fn restore(&self, call: &mut Call) {
        call.request.head = self.head.clone();
        call.request.body = if self.body.is_empty() { Body::Empty } else { Body::Bytes(self.body.clone()) };
        call.request.trailers = self.trailers.clone();
        call.response = Response { headers: self.response_headers.clone(), ..Response::default() };
    }
}
