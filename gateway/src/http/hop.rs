//! Headers between two neighbours, and what a request may say about its framing.
//!
//! Both are looked at before anything else happens to a request: a client cannot name a header as its connection's own
//! after a policy has set it, and a body whose end could be understood in two ways is not read at all.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Version};

/// Named by `Connection` for a reason of their own, and looked at later.
const MEANT: [HeaderName; 2] = [UPGRADE, TE];

/// Whether one of the comma separated values of a header is `token`, in any case.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|member| member.trim().eq_ignore_ascii_case(token))
}

/// Takes the headers away that `Connection` names.
pub(crate) fn strip_named(headers: &mut HeaderMap) {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let tokens = values.flat_map(|value| value.split(',')).map(str::trim);
    let usual = |token: &str| token.is_empty() || ["close", "keep-alive"].iter().any(|known| token.eq_ignore_ascii_case(known));
    let names: Vec<HeaderName> =
        tokens.filter(|token| !usual(token)).filter_map(|token| HeaderName::try_from(token).ok()).collect();
    for name in names.iter().filter(|name| !MEANT.contains(name)) {
        headers.remove(name);
    }
}

/// Refuses what two servers could frame differently. The HTTP library has refused lengths that contradict each other,
/// and where a length stands beside chunks it has dropped the length and ends the connection after the request.
pub(crate) fn check_framing(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if version != Version::HTTP_11 {
        return Err("Transfer-Encoding exists in HTTP/1.1 only.");
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err("The only Transfer-Encoding of a request is chunked.");
    }
    if headers.contains_key(CONTENT_LENGTH) {
        return Err("Content-Length and Transfer-Encoding exclude each other.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    }

    #[test]
    fn headers_that_the_connection_names_go_but_for_those_with_a_meaning() {
        let mut headers = headers(&[
            ("connection", "Upgrade, X-Own, close"), ("connection", "te,, x y"), ("upgrade", "websocket"), ("x-own", "1"),
            ("te", "trailers"), ("x-other", "2"),
        ]);
        strip_named(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["connection", "te", "upgrade", "x-other"]);
    }

    #[test]
    fn only_one_way_to_frame_a_body_is_taken() {
        let check = |version, lines: &[(&'static str, &'static str)], good| {
            assert_eq!(check_framing(version, &headers(lines)).is_ok(), good, "{lines:?}");
        };
        check(Version::HTTP_11, &[], true);
        check(Version::HTTP_11, &[("content-length", "3")], true);
        check(Version::HTTP_11, &[("transfer-encoding", "Chunked")], true);
        check(Version::HTTP_11, &[("transfer-encoding", "gzip, chunked")], false);
        check(Version::HTTP_11, &[("transfer-encoding", "chunked, chunked")], false);
        check(Version::HTTP_11, &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], false);
        check(Version::HTTP_11, &[("transfer-encoding", "identity")], false);
        check(Version::HTTP_11, &[("transfer-encoding", "chunked"), ("content-length", "3")], false);
        check(Version::HTTP_10, &[("transfer-encoding", "chunked")], false);
        check(Version::HTTP_2, &[("transfer-encoding", "chunked")], false);
    }
}
