//! The request of a call. Its head is what the client sent until a policy changes it.

use super::body::{BUFFERED_BODY_MAX_BYTES, Body};
use crate::failure::Failure;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use url::form_urlencoded;

/// The request.
pub(crate) struct Request {
    /// Method, target and headers as the endpoint will get them.
    pub(crate) head: Parts,
    /// `Host` as the client sent it.
    pub(crate) host: Option<HeaderValue>,
    pub(crate) body: Body,
    /// Trailers of a body that was read as a whole.
    pub(crate) trailers: Option<HeaderMap>,
    /// Path that routed the request to its API, with a slash at both ends.
    pub(crate) context_path: Arc<str>,
    /// Parameters of the paths of flows, decoded, in order of appearance.
    pub(crate) path_params: Vec<(String, String)>,
    /// The client, as far as it is known: a trusted proxy may have said who it is.
    pub(crate) remote: IpAddr,
    /// The peer of the connection is a trusted proxy: what its headers say about the client can be believed.
    pub(crate) trusted_proxy: bool,
    pub(crate) local: SocketAddr,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
}

impl Request {
    pub(crate) fn new(
        head: Parts,
        body: Body,
        context_path: Arc<str>,
        remote: IpAddr,
        local: SocketAddr,
    ) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        let timestamp = i64::try_from(now).unwrap_or(i64::MAX);
        Request {
            host: head.headers.get(HOST).cloned(),
            head,
            body,
            trailers: None,
            context_path,
            path_params: Vec::new(),
            remote,
            trusted_proxy: false,
            local,
            timestamp,
        }
    }

    /// The path as it was sent, without decoding.
    pub(crate) fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// What follows the context path: `/x` for `/context/x`, empty for `/context`.
    pub(crate) fn path_info(&self) -> &str {
        let context = self.context_path.trim_end_matches('/');
        self.path().strip_prefix(context).unwrap_or_else(|| self.path())
    }

    /// Decoded query parameters, in order.
    pub(crate) fn params(&self) -> Vec<(String, String)> {
        let query = self.head.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// Reads the body as a whole and returns it.
    pub(crate) async fn buffer(&mut self) -> Result<&[u8], Failure> {
        let trailers = self.body.buffer(BUFFERED_BODY_MAX_BYTES).await.map_err(|error| error.of_request())?;
        self.trailers = trailers.or_else(|| self.trailers.take());
        Ok(self.body.bytes().map_or(&[], |bytes| bytes))
    }

    /// Replaces the body; the length in the headers becomes the new one's, and trailers go with the old one.
    pub(crate) fn set_body(&mut self, body: impl Into<bytes::Bytes>) {
        let body = body.into();
        self.trailers = None;
        self.head.headers.remove(TRANSFER_ENCODING);
        self.head.headers.insert(CONTENT_LENGTH, body.len().into());
        self.body = if body.is_empty() { Body::Empty } else { Body::Bytes(body) };
    }

    /// The request without its body.
    pub(super) fn snapshot(&self) -> Request {
        Request {
            head: self.head.clone(),
            host: self.host.clone(),
            body: match &self.body {
                Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
                Body::Empty | Body::Stream(_) => Body::Empty,
            },
            trailers: None,
            context_path: Arc::clone(&self.context_path),
            path_params: self.path_params.clone(),
            remote: self.remote,
            trusted_proxy: self.trusted_proxy,
            local: self.local,
            timestamp: self.timestamp,
        }
    }
}
