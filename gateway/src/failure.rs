//! What went wrong on the data path, in the words a caller may see. The chain behind it goes to the log.

use http::StatusCode;
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
}

/// A failure of one exchange.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status} {message}")]
pub struct Failure {
    pub status: StatusCode,
    /// One of `key`, when there is one.
    pub key: Option<&'static str>,
    /// Written for the caller: never a secret, never a broker's raw text.
    pub message: Cow<'static, str>,
}

impl Failure {
    /// A failure with a key.
    pub fn new(status: StatusCode, key: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Failure { status, key: Some(key), message: message.into() }
    }

    /// A failure without a key.
    pub fn plain(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Failure { status, key: None, message: message.into() }
    }
}
