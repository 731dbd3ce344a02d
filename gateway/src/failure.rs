//! What went wrong on the data path, in the words a caller may see. The chain behind it goes to the log.

use http::header::CONNECTION;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Stable failure keys (connectors.md 4.5); response templates are looked up by them.
pub mod key {
    pub const CONNECTION_FAILED: &str = "FAILURE_ENDPOINT_CONNECTION_FAILED";
    pub const CONNECTION_CLOSED: &str = "FAILURE_ENDPOINT_CONNECTION_CLOSED";
    pub const CONFIGURATION_INVALID: &str = "FAILURE_ENDPOINT_CONFIGURATION_INVALID";
    pub const PUBLISH_FAILED: &str = "FAILURE_ENDPOINT_PUBLISH_FAILED";
    pub const SUBSCRIBE_FAILED: &str = "FAILURE_ENDPOINT_SUBSCRIBE_FAILED";
    pub const UNKNOWN_ERROR: &str = "FAILURE_ENDPOINT_UNKNOWN_ERROR";
    pub const TOPIC_NOT_FOUND: &str = "FAILURE_TOPIC_NOT_FOUND";
    pub const INCOMPATIBLE_QOS: &str = "INCOMPATIBLE_QOS";
    pub const INCOMPATIBLE_QOS_CAPABILITIES: &str = "INCOMPATIBLE_QOS_CAPABILITIES";
    pub const NO_ENDPOINT_FOUND: &str = "NO_ENDPOINT_FOUND";
    pub const GOAWAY: &str = "goaway";
    pub const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
    pub const INVALID_HTTP_METHOD: &str = "INVALID_HTTP_METHOD";
    pub const FLOW_NOT_MATCHED: &str = "FLOW_EXECUTION_FLOW_MATCHED_FAILURE";
    pub const PLAN_UNRESOLVABLE: &str = "GATEWAY_PLAN_UNRESOLVABLE";
    pub const PLAN_RESOLUTION_FAILURE: &str = "GATEWAY_PLAN_RESOLUTION_FAILURE";
    pub const CLIENT_CONNECTION_ERROR: &str = "GATEWAY_CLIENT_CONNECTION_ERROR";
    pub const CLIENT_CONNECTION_CLOSED: &str = "GATEWAY_CLIENT_CONNECTION_CLOSED";
    pub const CLIENT_CONNECTION_REFUSED: &str = "GATEWAY_CLIENT_CONNECTION_REFUSED";
    pub const CLIENT_CONNECTION_RESET: &str = "GATEWAY_CLIENT_CONNECTION_RESET";
    pub const CLIENT_CONNECT_TIMEOUT: &str = "GATEWAY_CLIENT_CONNECT_TIMEOUT";
    pub const CLIENT_READ_TIMEOUT: &str = "GATEWAY_CLIENT_READ_TIMEOUT";
    pub const CLIENT_POOL_EXHAUSTED: &str = "GATEWAY_CLIENT_CONNECTION_POOL_EXHAUSTED";
    pub const CLIENT_DNS_ERROR: &str = "GATEWAY_CLIENT_DNS_RESOLUTION_ERROR";
    pub const CLIENT_UNREACHABLE: &str = "GATEWAY_CLIENT_UNREACHABLE";
    pub const CLIENT_TLS_ERROR: &str = "GATEWAY_CLIENT_TLS_HANDSHAKE_ERROR";
    pub const CLIENT_ABORTED_REQUEST: &str = "CLIENT_ABORTED_DURING_REQUEST_ERROR";
    pub const WEBSOCKET_UPGRADE_FAILURE: &str = "HTTP_PROXY_WEBSOCKET_UPGRADE_FAILURE";
    pub const CONFIGURATION: &str = "FAILURE_CONFIGURATION_INVALID";
}

/// A failure of one exchange.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status} {message}")]
pub struct Failure {
    pub status: StatusCode,
    /// One of `key`, or an author's own, when there is one.
    pub key: Option<Cow<'static, str>>,
    /// Written for the caller: never a secret, never a broker's raw text. Empty: no body.
    pub message: Cow<'static, str>,
    /// What few failures carry.
    pub details: Option<Box<Details>>,
}

/// What few failures carry.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// The more general key whose response templates apply when the key itself has none.
    pub parent_key: Option<&'static str>,
    /// `#parameters` of response templates.
    pub parameters: Map<String, Value>,
    /// The message is already a document of this type.
    pub content_type: Option<&'static str>,
    /// Headers of the answer, such as `WWW-Authenticate`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// A failure with a key.
    pub fn new(
        status: StatusCode,
        key: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Failure { status, key: Some(key.into()), message: message.into(), details: None }
    }

    /// A failure without a key.
    pub fn plain(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Failure { status, key: None, message: message.into(), details: None }
    }

    /// The caller did not send its body in time. What it sends later would be no request.
    pub fn client_stalled() -> Self {
        let message = "The request body did not arrive in time.";
        Failure::new(StatusCode::REQUEST_TIMEOUT, key::REQUEST_TIMEOUT, message)
            .header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// What went wrong is no fault of the caller, and nothing that a caller could use is known about it.
    pub fn unexpected() -> Self {
        Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// Names the more general key.
    pub fn parent(mut self, key: &'static str) -> Self {
        self.details().parent_key = Some(key);
        self
    }

    /// Adds a parameter for response templates.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details().parameters.insert(name.into(), value.into());
        self
    }

    /// Says that the message is a document of this type.
    pub fn content_type(mut self, content_type: &'static str) -> Self {
        self.details().content_type = Some(content_type);
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.details().headers.push((name, value));
        self
    }
}
