//! The response of a call, from the endpoint to the client.

use super::body::{BUFFERED_BODY_MAX_BYTES, Body};
use super::coding::{self, Coding};
use crate::failure::Failure;
use crate::http::reply::Session;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use std::sync::Mutex;

/// The response. Before the endpoint answered: 200 without anything.
#[derive(Default)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Set when the connection leaves HTTP after this head (status 101).
    pub(crate) upgrade: Option<Mutex<Session>>,
}

impl Response {
    /// Reads the body as a whole and returns it.
    pub(crate) async fn buffer(&mut self) -> Result<&[u8], Failure> {
        // Whoever looks at a body does not want to see how the backend compressed it.
        if matches!(self.body, Body::Stream(_))
            && let Some(coding) = Coding::of(&self.headers)
        {
            self.body = coding.decode(self.body.take());
            coding::strip(&mut self.headers);
        }
        self.body.buffer(BUFFERED_BODY_MAX_BYTES).await.map_err(|error| error.of_response())?;
        Ok(self.body.bytes().map_or(&[], |bytes| bytes))
    }

    /// Replaces the body; the length in the headers becomes the new one's.
    pub(crate) fn set_body(&mut self, body: impl Into<bytes::Bytes>) {
        let body = body.into();
        self.headers.remove(TRANSFER_ENCODING);
        self.headers.insert(CONTENT_LENGTH, body.len().into());
        self.body = if body.is_empty() { Body::Empty } else { Body::Bytes(body) };
    }

    /// The response without its body.
    pub(super) fn snapshot(&self) -> Response {
        Response { status: self.status, headers: self.headers.clone(), body: Body::Empty, upgrade: None }
    }
}
