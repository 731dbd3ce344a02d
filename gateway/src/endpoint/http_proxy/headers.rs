//! Which headers cross the gateway, in both directions.
//!
//! Those that describe a connection end here. The backend's Host is its own unless a policy or the settings say
//! otherwise. Trailers are announced again, because this side takes part in passing them on.

use crate::call::Call;
use crate::call::coding::Coding;
use crate::http::hop;
use definition::connector::http_proxy::HttpSettings;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Asked for when the backend may compress: what can be undone for clients that cannot.
const CODINGS: HeaderValue = HeaderValue::from_static("gzip, deflate");
/// Never passed on. `Expect` is answered here, and the lengths are those of the body that is sent.
const REQUEST_ONLY_HERE: [HeaderName; 11] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    UPGRADE,
    TRANSFER_ENCODING,
    CONTENT_LENGTH,
    EXPECT,
];
/// Never passed back. `Trailer` is, for the trailers that follow.
const ANSWER_ONLY_HERE: [HeaderName; 7] =
    [CONNECTION, KEEP_ALIVE, PROXY_AUTHENTICATE, PROXY_CONNECTION, TE, UPGRADE, TRANSFER_ENCODING];

/// The headers that a backend gets, without those of the settings.
pub(super) fn request(call: &Call, http: &HttpSettings, http2: bool) -> HeaderMap {
    let sent = &call.request.head.headers;
    let mut headers = sent.clone();
    for name in &REQUEST_ONLY_HERE {
        headers.remove(name);
    }
    if !http.propagate_client_host && headers.get(HOST) == call.request.host.as_ref() {
        headers.remove(HOST);
    }
    if http.use_compression || !http.propagate_client_accept_encoding {
        headers.remove(ACCEPT_ENCODING);
        // A range of coded bytes would mean nothing after the coding is undone.
        if http.use_compression && !sent.contains_key(RANGE) {
            headers.insert(ACCEPT_ENCODING, CODINGS);
        }
    }
    if hop::has_token(sent, &TE, "trailers") {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if !http2 {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
    for announced in sent.get_all(TRAILER) {
        headers.append(TRAILER, announced.clone());
    }
    call.ids.write(&mut headers);
    headers
}

/// How the body of the request is framed; the HTTP library does the rest.
pub(super) fn framing(headers: &mut HeaderMap, method: &Method, body: &impl http_body::Body, http2: bool) {
    let none = body.is_end_stream();
    if none && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    } else if !none && !http2 && body.size_hint().exact().is_none() {
        // Without it the library sends no body with methods that rarely have one.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// The headers that a client gets.
pub(super) fn answer(headers: &mut HeaderMap) {
    hop::strip_named(headers);
    // Chunks say where the body ends; a length beside them is wrong or superfluous.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in &ANSWER_ONLY_HERE {
        headers.remove(name);
    }
}

/// Whether the client takes a coding.
pub(super) fn accepts(request: &HeaderMap, coding: Coding) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut any = false;
    for member in values.flat_map(|value| value.split(',')) {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.split_once('=').is_some_and(|(key, value)| {
                key.trim().eq_ignore_ascii_case("q")
                    && value.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0)
            })
        });
        if name.eq_ignore_ascii_case(coding.label()) {
            return !refused;
        }
        any |= name == "*" && !refused;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::body::Body;
    use pretty_assertions::assert_eq;

    fn sent(headers: &[(&str, &str)], http: &HttpSettings, change: impl FnOnce(&mut Call)) -> String {
        let mut call = Call::sample("GET /ctx/x", headers, "");
        change(&mut call);
        let mut headers = request(&call, http, false);
        headers.remove("x-gravitee-request-id").unwrap();
        headers.remove("x-gravitee-transaction-id").unwrap();
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.join(", ")
    }

    #[test]
    fn what_describes_a_connection_ends_here() {
        let all = [
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("proxy-authenticate", "Basic"),
            ("proxy-connection", "close"),
            ("te", "deflate"),
            ("upgrade", "h2c"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("x-kept", "1"),
        ];
        let plain = HttpSettings { use_compression: false, ..HttpSettings::default() };
        assert_eq!(sent(&all, &plain, |_| ()), "x-kept: 1");
        assert_eq!(sent(&[("trailer", "X-Sum")], &plain, |_| ()), "trailer: X-Sum");
        assert_eq!(sent(&[("te", "trailers, deflate")], &plain, |_| ()), "connection: te, te: trailers");
    }

    #[test]
    fn the_host_is_the_backends_unless_somebody_says_otherwise() {
        let plain = HttpSettings { use_compression: false, ..HttpSettings::default() };
        let propagating = HttpSettings { propagate_client_host: true, ..plain.clone() };
        let host = [("host", "client.example")];
        assert_eq!(sent(&host, &plain, |_| ()), "");
        assert_eq!(sent(&host, &propagating, |_| ()), "host: client.example");
        let policy = |call: &mut Call| {
            call.request.head.headers.insert(HOST, HeaderValue::from_static("policy.example"));
        };
        assert_eq!(sent(&host, &plain, policy), "host: policy.example");
    }

    #[test]
    fn the_codings_that_the_backend_may_use_are_those_that_can_be_undone() {
        let check = |compression, propagate, headers: &[(&str, &str)], expected: &str| {
            let http = HttpSettings {
                use_compression: compression,
                propagate_client_accept_encoding: propagate,
                ..HttpSettings::default()
            };
            assert_eq!(sent(headers, &http, |_| ()), expected);
        };
        let zstd = [("accept-encoding", "zstd")];
        check(true, false, &zstd, "accept-encoding: gzip, deflate");
        check(true, true, &zstd, "accept-encoding: gzip, deflate");
        check(true, false, &[("range", "bytes=0-1")], "range: bytes=0-1");
        check(false, true, &zstd, "accept-encoding: zstd");
        check(false, false, &zstd, "");
    }

    #[test]
    fn bodies_are_framed_by_what_is_known_about_them() {
        let check = |method: Method, body: Body, expected: &str| {
            let mut headers = HeaderMap::new();
            framing(&mut headers, &method, &body, false);
            let lines: Vec<_> =
                headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            assert_eq!(lines.join(", "), expected, "{method}");
        };
        check(Method::GET, Body::Empty, "");
        check(Method::POST, Body::Empty, "content-length: 0");
        check(Method::POST, Body::Bytes("x".into()), "");
        let unknown = || {
            Body::stream(http_body_util::StreamBody::new(
                futures::stream::pending::<Result<_, std::io::Error>>(),
            ))
        };
        check(Method::GET, unknown(), "transfer-encoding: chunked");
    }

    #[test]
    fn a_client_takes_the_codings_that_it_names() {
        let check = |value: Option<&str>, expected| {
            let mut headers = HeaderMap::new();
            headers.extend(value.map(|value| (ACCEPT_ENCODING, value.parse().unwrap())));
            assert_eq!(accepts(&headers, Coding::Gzip), expected, "{value:?}");
        };
        check(None, false);
        check(Some("identity"), false);
        check(Some("br, GZIP;q=0.5"), true);
        check(Some("gzip; q=0, *"), false);
        check(Some("*;q=0"), false);
        check(Some("br, *"), true);
    }

    #[test]
    fn answers_lose_what_described_the_backends_connection() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("trailer", "x-sum"),
            ("content-length", "3"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        answer(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["trailer"], "a length beside chunks is none");
        let mut headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("3"))]);
        answer(&mut headers);
        assert_eq!(headers.len(), 1, "a length alone is");
    }
}
