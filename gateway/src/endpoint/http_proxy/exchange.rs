//! One call's exchange with its backend: the request from what the call holds, the answer into the call's response.

use super::body::RequestBody;
use super::client::{Client, Repeat, Unanswered};
use super::fault::Fault;
use super::target::Place;
use super::{HttpProxy, headers, redirect};
use crate::call::Call;
use crate::call::body::Body;
use crate::call::coding::{self, Coding};
use crate::failure::Failure;
use definition::connector::http_proxy::ProxyVersion;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;

/// How often a request is sent again because the backend had closed the connection that was kept for it.
const STALE_RETRIES_MAX: usize = 2;

/// Exchanges, following redirections where the settings say so.
pub(super) async fn exchange(proxy: &HttpProxy, call: &mut Call, mut place: Place) -> Result<(), Failure> {
    let http2 = speaks_http2(proxy, call, &place);
    // Before the body is taken: what the settings say may look at it.
    let mut headers = Some(outgoing_headers(proxy, call, http2).await?);
    let mut method = call.request.head.method.clone();
    // What can be sent again stays with the call, for policies that do.
    let mut body = Some(match &call.request.body {
        Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
        Body::Empty | Body::Stream(_) => call.request.body.take(),
    });
    let mut left = if proxy.client.http().follow_redirects { redirect::REDIRECTS_MAX } else { 0 };
    let mut elsewhere = false;
    let response = loop {
        let outgoing = Outgoing { place: &place, method: &method, http2, elsewhere };
        let response = send(proxy, call, &outgoing, &mut headers, &mut body).await?;
        if left == 0 {
            break response;
        }
        let next = redirect::next(response.status(), response.headers(), &place, &method);
        let Some((next_place, next_method)) = next else { break response };
        left -= 1;
        if next_method != method {
            body = Some(Body::Empty);
        } else if body.is_none() {
            break response;
        }
        elsewhere |= next_place.origin != place.origin;
        (place, method) = (next_place, next_method);
    };
    fill(call, response);
    Ok(())
}

/// HTTP/2 where the settings or the scheme ask for it, and for gRPC, which exists nowhere else.
fn speaks_http2(proxy: &HttpProxy, call: &Call, place: &Place) -> bool {
    let content_type = call.request.head.headers.get(CONTENT_TYPE);
    let grpc = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    place.grpc || grpc || proxy.client.http().version == ProxyVersion::Http2
}

async fn outgoing_headers(proxy: &HttpProxy, call: &mut Call, http2: bool) -> Result<HeaderMap, Failure> {
    let mut headers = headers::request(call, proxy.client.http(), http2);
    proxy.set_headers(call, &mut headers).await?;
    Ok(headers)
}

/// What is sent to one place, however often.
struct Outgoing<'a> {
    place: &'a Place,
    method: &'a Method,
    http2: bool,
    /// A redirection led to another origin.
    elsewhere: bool,
}

impl Outgoing<'_> {
    /// The headers of another attempt. Hardly any call has one, so nothing is kept for it.
    async fn headers(&self, proxy: &HttpProxy, call: &mut Call) -> Result<HeaderMap, Failure> {
        let mut headers = outgoing_headers(proxy, call, self.http2).await?;
        if self.elsewhere {
            redirect::strip_credentials(&mut headers);
        }
        Ok(headers)
    }
}

/// Sends, and sends again when a kept connection turned out to be closed. `body` is left when it can be sent again.
async fn send(
    proxy: &HttpProxy,
    call: &mut Call,
    outgoing: &Outgoing<'_>,
    first_headers: &mut Option<HeaderMap>,
    body: &mut Option<Body>,
) -> Result<Response<Body>, Failure> {
    let (place, mut retries) = (outgoing.place, 0);
    loop {
        let method = outgoing.method.clone();
        let headers = match first_headers.take() {
            Some(headers) => headers,
            None => outgoing.headers(proxy, call).await?,
        };
        let sent = match body {
            Some(Body::Bytes(bytes)) => Body::Bytes(bytes.clone()),
            Some(Body::Empty) => Body::Empty,
            Some(Body::Stream(_)) | None => body.take().unwrap_or_default(),
        };
        let trailers = call.request.trailers.clone().filter(|_| !sent.is_end_stream());
        let sent = RequestBody::new(sent, trailers);
        let answered = if outgoing.http2 {
            let request = proxy.request2(method, place, headers, sent).map_err(Fault::failure)?;
            let fallback = |request: Request<RequestBody>| proxy.downgraded(request, place);
            Box::pin(proxy.client.send2(&place.origin, request, fallback)).await
        } else {
            let request =
                proxy.client.request1(method, place, headers, sent, true).map_err(Fault::failure)?;
            proxy.client.send1(&place.origin, &mut Some(request)).await
        };
        match answered {
            // Nobody asked for another protocol, so that nobody could speak it.
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                return Err(Fault::Protocol.failure());
            }
            Ok(response) => return Ok(response),
            Err(Unanswered { fault, repeat }) => {
                let may_repeat = match repeat {
                    Repeat::None => false,
                    Repeat::Idempotent => outgoing.method.is_idempotent(),
                    Repeat::All => true,
                };
                if !may_repeat || retries == STALE_RETRIES_MAX || body.is_none() {
                    return Err(fault.failure());
                }
                retries += 1;
            }
        }
    }
}

impl Client {
    /// A request of HTTP/1.1. `shared`: an HTTP proxy on the way gets the absolute form.
    pub(super) fn request1(
        &self,
        method: Method,
        place: &Place,
        mut headers: HeaderMap,
        body: RequestBody,
        shared: bool,
    ) -> Result<Request<RequestBody>, Fault> {
        let upstream = self.connector().absolute_form(&place.origin).filter(|_| shared);
        let uri = match upstream {
            None => Uri::try_from(place.path_and_query.as_str()),
            Some(upstream) => {
                if let Some(authorization) = upstream.authorization() {
                    headers.insert(PROXY_AUTHORIZATION, authorization);
                }
                Uri::try_from(absolute(place))
            }
        };
        headers.entry(HOST).or_insert_with(|| place.authority.clone());
        if !self.http().keep_alive && !headers.contains_key(CONNECTION) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers::framing(&mut headers, &method, &body, false);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri.map_err(|_| Fault::Protocol)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl HttpProxy {
    /// A request of HTTP/2, where the host stands in the target.
    fn request2(
        &self,
        method: Method,
        place: &Place,
        mut headers: HeaderMap,
        body: RequestBody,
    ) -> Result<Request<RequestBody>, Fault> {
        let place = match headers.remove(HOST) {
            Some(authority) => Place { authority, ..place.clone() },
            None => place.clone(),
        };
        headers::framing(&mut headers, &method, &body, true);
        let mut request = Request::new(body);
        *request.version_mut() = Version::HTTP_2;
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(absolute(&place)).map_err(|_| Fault::Protocol)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The same request for a backend that chose HTTP/1.1.
    fn downgraded(&self, mut request: Request<RequestBody>, place: &Place) -> Request<RequestBody> {
        let authority =
            request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        *request.version_mut() = Version::HTTP_11;
        if let Ok(uri) = Uri::try_from(place.path_and_query.as_str()) {
            *request.uri_mut() = uri;
        }
        let unframed = !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
        let headers = request.headers_mut();
        headers.insert(HOST, authority.unwrap_or_else(|| place.authority.clone()));
        if unframed {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request
    }
}

fn absolute(place: &Place) -> String {
    let scheme = if place.origin.tls { "https" } else { "http" };
    let authority = place.authority.to_str().unwrap_or_default();
    format!("{scheme}://{authority}{}", place.path_and_query)
}

/// Puts an answer into the call's response.
fn fill(call: &mut Call, response: Response<Body>) {
    let (head, mut body) = response.into_parts();
    let mut headers = head.headers;
    headers::answer(&mut headers);
    if let Some(coding) =
        Coding::of(&headers).filter(|coding| !headers::accepts(&call.request.head.headers, *coding))
    {
        // Part of a coded body cannot be undone; the client asked for it in this form.
        if head.status != StatusCode::PARTIAL_CONTENT {
            if !matches!(body, Body::Empty) {
                body = coding.decode(body);
            }
            coding::strip(&mut headers);
        }
    }
    call.response.status = head.status;
    call.response.headers = headers;
    call.response.body = body;
    call.response.upgrade = None;
}
