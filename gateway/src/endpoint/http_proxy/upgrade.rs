//! WebSocket handshakes: passed on to the backend, whose answer decides.

use super::HttpProxy;
use super::body::RequestBody;
use super::client::{self, Client};
use super::connect::Purpose;
use super::fault::Fault;
use super::headers;
use super::relay::Relay;
use super::target::Place;
use super::transport::Transport;
use crate::alarm::Alarm;
use crate::call::Call;
use crate::call::body::Body;
use crate::failure::{Failure, key};
use crate::http::hop::has_token;
use crate::stop::StopWatch;
use bytes::Bytes;
use http::header::{CONNECTION, DATE, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedSemaphorePermit;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADING: HeaderValue = HeaderValue::from_static("Upgrade");

/// Whether the client asks for a WebSocket.
pub(super) fn is_wanted(call: &Call) -> bool {
    let head = &call.request.head;
    head.method == Method::GET
        && matches!(head.version, Version::HTTP_10 | Version::HTTP_11)
        && has_token(&head.headers, &UPGRADE, "websocket")
        && has_token(&head.headers, &CONNECTION, "upgrade")
}

/// Passes the handshake on. The session that follows is in the call's response.
pub(super) async fn upgrade(proxy: &HttpProxy, call: &mut Call, place: &Place) -> Result<(), Failure> {
    let mut headers = headers::request(call, proxy.client.http(), false);
    proxy.set_headers(call, &mut headers).await?;
    headers.insert(CONNECTION, UPGRADING);
    headers.insert(UPGRADE, WEBSOCKET);
    let body = RequestBody::new(Body::Empty, None);
    let request = proxy.client.request1(Method::GET, place, headers, body, false).map_err(Fault::failure)?;
    let Shaken { mut headers, socket: (backend, early), permit } =
        shake(&proxy.client, place, request).await?;
    headers::answer(&mut headers);
    headers.insert(CONNECTION, UPGRADING);
    headers.insert(UPGRADE, WEBSOCKET);
    // The gateway dates its own answers.
    headers.remove(DATE);
    let patience = client::limit(proxy.client.http().idle_timeout);
    let stop = StopWatch::with_lease(Arc::clone(&call.stop), call.lease.as_ref());
    let relay = Relay { backend, early, patience, stop };
    call.response.status = StatusCode::SWITCHING_PROTOCOLS;
    call.response.headers = headers;
    call.response.body = Body::Empty;
    call.response.upgrade = Some(Mutex::new(Box::new(move |io| {
        Box::pin(async move {
            relay.run(io).await;
            drop(permit);
        })
    })));
    Ok(())
}

/// A handshake that succeeded.
struct Shaken {
    headers: HeaderMap,
    socket: (Transport, Bytes),
    permit: OwnedSemaphorePermit,
}

async fn shake(
    client: &Arc<Client>,
    place: &Place,
    request: Request<RequestBody>,
) -> Result<Shaken, Failure> {
    let permit =
        client.pool(&place.origin).permit(client.connector().patience).await.map_err(Fault::failure)?;
    let mut connection = client.open(&place.origin, Purpose::Upgrade).await.map_err(Fault::failure)?;
    let exchange = client
        .in_time(&mut Alarm::default(), pin!(connection.exchange(request)), None)
        .await
        .map_err(Fault::failure)?;
    let answer = exchange.map_err(|broken| Fault::of_exchange(&broken.error).failure())?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(answer.status(), key::WEBSOCKET_UPGRADE_FAILURE, ""));
    }
    let headers = answer.into_parts().0.headers;
    let socket = connection.into_socket().await.ok_or_else(|| Fault::Closed.failure())?;
    Ok(Shaken { headers, socket, permit })
}
