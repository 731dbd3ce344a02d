//! Entrypoint `websocket`: frames of the client are published, messages are sent to it, on one connection.
//!
//! Everything that can refuse the client happens before the handshake is answered, so that a refusal is an HTTP error
//! with a reason and not a connection that closes at once.

mod session;

use super::{Entrypoint, Exchange, Handler};
use crate::call::body::Body;
use crate::endpoint::Shared;
use crate::failure::Failure;
use crate::http::hop::has_token;
use crate::http::reply::Reply;
use crate::http::respond;
use async_trait::async_trait;
use definition::api::Settings;
use definition::connector::websocket::WebSocket;
use definition::violation::Violation;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};
use http_body::Body as _;
use session::Session;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The only version of the protocol in use.
const VERSION: &str = "13";

/// Builds the entrypoint.
pub(crate) fn build(settings: &Settings, _shared: &Shared) -> Result<Handler, Vec<Violation>> {
    Ok(Handler::Messages(Box::new(Socket { settings: WebSocket::parse(settings)? })))
}

struct Socket {
    settings: WebSocket,
}

#[async_trait]
impl Entrypoint for Socket {
    fn matches(&self, head: &Parts) -> bool {
        matches!(head.version, Version::HTTP_10 | Version::HTTP_11)
            && head.method == Method::GET
            && has_token(&head.headers, &CONNECTION, "upgrade")
            && has_token(&head.headers, &UPGRADE, "websocket")
    }

    async fn handle(&self, exchange: Exchange<'_>, body: Body) -> Result<Reply, Failure> {
        let headers = &exchange.head.headers;
        let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
            return Ok(Reply::Whole(respond::empty(StatusCode::BAD_REQUEST)));
        };
        if headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != VERSION) {
            let mut response = respond::empty(StatusCode::UPGRADE_REQUIRED);
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            return Ok(Reply::Whole(response));
        }
        if !body.is_end_stream() {
            // Its bytes would be read as frames.
            return Err(Failure::plain(StatusCode::BAD_REQUEST, "A WebSocket handshake has no body."));
        }
        let source = match self.settings.subscriber.enabled {
            true => Some(exchange.endpoint.subscribe(exchange.reader(None, None, None)).await?),
            false => None,
        };
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let accept = derive_accept_key(key.as_bytes());
        let accept = HeaderValue::try_from(accept)
            .map_err(|_| Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))?;
        let answer = head.headers_mut();
        answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
        let session = Session::new(&exchange, self.settings.publisher.enabled, source);
        Ok(Reply::Upgrade { head, session: Box::new(|io| Box::pin(session.run(io))) })
    }
}
