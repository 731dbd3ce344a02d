//! Entrypoint `http-post`: one request body, one message. 202 says that the endpoint confirmed it.

use super::{Entrypoint, Exchange, GOAWAY, Handler};
use crate::call::body::{Body, BufferError};
use crate::endpoint::Shared;
use crate::failure::{Failure, key};
use crate::http::ids;
use crate::http::reply::Reply;
use crate::http::respond;
use crate::message::Message;
use crate::security;
use crate::stop::StopReason;
use async_trait::async_trait;
use bytes::Bytes;
use definition::api::Settings;
use definition::connector::http_post::HttpPost;
use definition::limits::MESSAGE_BODY_MAX_BYTES;
use definition::violation::Violation;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, StatusCode};

/// Builds the entrypoint.
pub(crate) fn build(settings: &Settings, _shared: &Shared) -> Result<Handler, Vec<Violation>> {
    Ok(Handler::Messages(Box::new(Post { settings: HttpPost::parse(settings)? })))
}

struct Post {
    settings: HttpPost,
}

#[async_trait]
impl Entrypoint for Post {
    fn matches(&self, head: &Parts) -> bool {
        head.method == Method::POST
    }

    async fn handle(&self, exchange: Exchange<'_>, body: Body) -> Result<Reply, Failure> {
        let content = tokio::select! {
            // Most bodies are there with their head.
            biased;
            content = whole(exchange.head, body) => content?,
            failure = leaving(&exchange) => return Err(failure),
        };
        // A body that is empty is no message, and what is not published cannot fail.
        if !content.is_empty() {
            let mut message = Message::new(Some(content));
            if self.settings.request_headers_to_message {
                message.headers = headers(&exchange);
            }
            // From here on the message may be on its way: it is waited for, whatever happens to the API.
            exchange.endpoint.publish(&exchange.writer(), message).await?;
            exchange.meter.published.increment(1);
        }
        Ok(Reply::Whole(respond::empty(StatusCode::ACCEPTED)))
    }
}

/// Reads the body, up to the limit.
async fn whole(head: &Parts, mut body: Body) -> Result<Bytes, Failure> {
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let too_large = BufferError::TooLarge(MESSAGE_BODY_MAX_BYTES);
    if announced.is_some_and(|length: u64| length > MESSAGE_BODY_MAX_BYTES as u64) {
        return Err(too_large.of_request());
    }
    body.buffer(MESSAGE_BODY_MAX_BYTES).await.map_err(BufferError::of_request)?;
    match body.bytes() {
        // A policy may have read or made a larger one.
        Some(bytes) if bytes.len() > MESSAGE_BODY_MAX_BYTES => Err(too_large.of_request()),
        bytes => Ok(bytes.cloned().unwrap_or_default()),
    }
}

/// Ready when there is no use in waiting for the rest of a body. A redeploy is no reason: the version that took the
/// request completes it.
async fn leaving(exchange: &Exchange<'_>) -> Failure {
    match exchange.watch().wait().await {
        StopReason::Stopped | StopReason::Shutdown => {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::GOAWAY, GOAWAY)
        }
        StopReason::AccessEnded => security::unauthorized(),
        StopReason::Redeployed => std::future::pending().await,
    }
}

/// The headers of the request, with the identifiers that are in effect. Values that are no text are replaced.
fn headers(exchange: &Exchange<'_>) -> Vec<(String, String)> {
    let own = [ids::TRANSACTION_ID, ids::REQUEST_ID, ids::CLIENT_IDENTIFIER];
    let sent = exchange.head.headers.iter().filter(|(name, _)| !own.contains(name));
    let sent = sent.map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let effective = [
        (ids::TRANSACTION_ID_PARAMETER, exchange.ids.transaction.as_str()),
        (ids::REQUEST_ID_PARAMETER, exchange.ids.request.as_str()),
        (ids::CLIENT_IDENTIFIER_PARAMETER, &**exchange.client_identifier),
    ];
    sent.chain(effective.map(|(name, value)| (name.to_owned(), value.to_string()))).collect()
}
