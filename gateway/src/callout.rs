//! Requests of callouts to other services: one client for the whole gateway, with limits on everything.
//!
//! Certificates are verified, redirections are not followed, and no proxy is used.

use crate::outbound::{self, Wishes};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::Url;

/// Time for a connection to be made, milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 3_000;
/// Time for the answer, milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 10_000;
/// Time for the whole exchange with the wait for its turn, milliseconds.
const EXCHANGE_TIMEOUT_MS: u64 = 15_000;
/// Greatest answer, bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
/// Requests of one gateway that are under way at once; others wait for their turn.
const CONCURRENT_MAX: usize = 256;

const _: () = assert!(EXCHANGE_TIMEOUT_MS < definition::limits::REQUEST_TIMEOUT_MS);

/// The client.
pub struct Callouts {
    client: OnceLock<reqwest::Client>,
    turns: Semaphore,
}

/// A request to another service.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Bytes>,
}

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer. The text may be shown to callers: it names no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("the service cannot be reached")]
    Unreachable,
    #[error("the service did not answer in time")]
    Late,
    #[error("the service's answer is larger than {ANSWER_MAX_BYTES} bytes")]
    TooLarge,
}

impl Default for Callouts {
    fn default() -> Self {
        Callouts { client: OnceLock::new(), turns: Semaphore::new(CONCURRENT_MAX) }
    }
}

impl Callouts {
    /// Asks, and reads the answer to its end.
    pub(crate) async fn ask(&self, question: Question) -> Result<Answer, Unanswered> {
        let exchange = async {
            let _turn = self.turns.acquire().await.map_err(|_| Unanswered::Unreachable)?;
            self.exchange(question).await
        };
        let answer = tokio::time::timeout(Duration::from_millis(EXCHANGE_TIMEOUT_MS), exchange).await;
        answer.unwrap_or(Err(Unanswered::Late))
    }

    async fn exchange(&self, question: Question) -> Result<Answer, Unanswered> {
        let host = question.url.host_str().unwrap_or_default().to_owned();
        let unanswered = |error: reqwest::Error| {
            // The address may hold credentials in its path or query; the log gets its host alone.
            tracing::debug!(host, error = ?error.without_url(), "a service was asked in vain");
            Unanswered::Unreachable
        };
        let late = |error: reqwest::Error| {
            if error.is_timeout() { Unanswered::Late } else { unanswered(error) }
        };
        let client = self.client().map_err(|error| {
            tracing::warn!(%error, "the HTTP client of callouts cannot be made");
            Unanswered::Unreachable
        })?;
        let mut request = client.request(question.method, question.url);
        for (name, value) in question.headers {
            request = request.header(name, value);
        }
        if let Some(body) = question.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(late)?;
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(late)? {
            if body.len() + piece.len() > ANSWER_MAX_BYTES {
                return Err(Unanswered::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        Ok(Answer { status, headers, body: body.freeze() })
    }

    fn client(&self) -> anyhow::Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = outbound::client(&Wishes {
            connect_timeout: Duration::from_millis(CONNECT_TIMEOUT_MS),
            request_timeout: Duration::from_millis(ANSWER_TIMEOUT_MS),
            follow_redirects: false,
            use_system_proxy: false,
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}
