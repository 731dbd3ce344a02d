//! Redirections that are followed here: like a careful client, and never endlessly.

use super::target::{Place, Target};
use http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// Redirections of one call.
pub(super) const REDIRECTS_MAX: usize = 16;

/// The next place and method, when an answer redirects and may be followed: requests that change something are not sent
/// a second time, except that 303 asks for a GET.
pub(super) fn next(
    status: StatusCode,
    headers: &HeaderMap,
    place: &Place,
    method: &Method,
) -> Option<(Place, Method)> {
    let safe = matches!(*method, Method::GET | Method::HEAD);
    let method = match status.as_u16() {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 | 303 | 307 | 308 if safe => method.clone(),
        _ => return None,
    };
    let scheme = if place.origin.tls { "https" } else { "http" };
    let base = format!("{scheme}://{}{}", place.authority.to_str().ok()?, place.path_and_query);
    let mut url = Url::parse(&base).ok()?.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    url.set_fragment(None);
    let place = Target::parse(url.as_str()).ok()?.below("", None).ok()?;
    Some((place, method))
}

/// What belongs to one origin is not shown to another.
pub(super) fn strip_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, HOST] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(method: Method, status: u16, location: &str) -> String {
        let place = Target::parse("http://h:81/a/b").unwrap().below("/c", Some("q=1")).unwrap();
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        match next(StatusCode::from_u16(status).unwrap(), &headers, &place, &method) {
            Some((place, method)) => {
                format!("{method} {} {}", place.authority.to_str().unwrap(), place.path_and_query)
            }
            None => "-".to_owned(),
        }
    }

    #[test]
    fn safe_requests_follow_and_others_only_to_a_get() {
        let check = |method, status, location, expected: &str| {
            assert_eq!(follow(method, status, location), expected, "{status} {location}");
        };
        for status in [301, 302, 303, 307, 308] {
            check(Method::GET, status, "/x?y=1#z", "GET h:81 /x?y=1");
        }
        check(Method::HEAD, 303, "other", "HEAD h:81 /a/b/other");
        check(Method::GET, 302, "https://o/p", "GET o /p");
        check(Method::POST, 303, "/done", "GET h:81 /done");
        for status in [301, 302, 307, 308] {
            check(Method::POST, status, "/x", "-");
        }
        check(Method::GET, 304, "/x", "-");
        check(Method::GET, 302, "ftp://h/", "-");
    }
}
