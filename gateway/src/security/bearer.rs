//! Bearer tokens: in the header `Authorization`, else in the query parameter `access_token`.

use crate::call::Call;
use crate::http::query;
use http::header::{AUTHORIZATION, HeaderValue};

const SCHEME: &str = "bearer";
const PARAMETER: &str = "access_token";

/// The token that a request brings; empty when only the place for one is there. `None`: there is none.
pub(crate) fn find(call: &Call) -> Option<String> {
    let head = &call.request.head;
    let values = head.headers.get_all(AUTHORIZATION).iter();
    let header = values.filter_map(|value| Some(of_scheme(value)?.trim().to_owned())).next();
    header.or_else(|| query::first(head.uri.query(), PARAMETER).map(|token| token.trim().to_owned()))
}

fn of_scheme(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let (scheme, token) = text.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}

/// Takes the token out of what the endpoint gets.
pub(super) fn strip(call: &mut Call) {
    let head = &mut call.request.head;
    head.headers.remove(AUTHORIZATION);
    query::remove(&mut head.uri, PARAMETER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bearer_header_counts_then_the_query() {
        let found = |line: &str, headers: &[(&str, &str)]| find(&Call::sample(line, headers, ""));
        assert_eq!(found("GET /ctx", &[("authorization", "bEARER  a.b ")]).as_deref(), Some("a.b"));
        let two = [("authorization", "Basic x"), ("authorization", "Bearer y")];
        assert_eq!(found("GET /ctx?access_token=z", &two).as_deref(), Some("y"));
        assert_eq!(found("GET /ctx?access_token=z", &[("authorization", "Basic x")]).as_deref(), Some("z"));
        assert_eq!(found("GET /ctx", &[("authorization", "Bearer")]).as_deref(), Some(""));
        assert_eq!(found("GET /ctx", &[("authorization", "Bear")]), None);
    }

    #[test]
    fn a_token_that_is_not_passed_on_is_nowhere() {
        let mut call = Call::sample("GET /ctx?a=1&access_token=z&b=2", &[("authorization", "Bearer y")], "");
        strip(&mut call);
        assert_eq!(call.request.head.uri, "/ctx?a=1&b=2");
        assert!(call.request.head.headers.is_empty());
    }
}
