//! What a client says about the cache, and what tells its requests apart.

use crate::call::Call;
use definition::policy::cache::CacheScope;
use http::uri::PathAndQuery;
use http::{HeaderName, Uri};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use url::form_urlencoded;

/// Header and query parameter of clients.
const HEADER: HeaderName = HeaderName::from_static("x-gravitee-cache");
const PARAMETER: &str = "cache";

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Use,
    /// Neither read nor written.
    ByPass,
    /// Written, not read.
    Refresh,
}

/// What the client wants. The backend does not see that it was said.
pub(super) fn take(call: &mut Call) -> Control {
    let head = &mut call.request.head;
    let header = head.headers.remove(HEADER);
    let header = header.as_ref().and_then(|value| value.to_str().ok()).map(str::to_owned);
    let parameter = call.request.params().into_iter().find(|(name, _)| name == PARAMETER);
    if parameter.is_some() {
        without_parameter(call);
    }
    match header.or(parameter.map(|(_, value)| value)).unwrap_or_default().trim() {
        "BY_PASS" => Control::ByPass,
        "REFRESH" => Control::Refresh,
        _ => Control::Use,
    }
}

/// Takes the parameter away; the others stay as they were written.
fn without_parameter(call: &mut Call) {
    let uri = &mut call.request.head.uri;
    let is_other = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(name, _)| name != PARAMETER);
    let query: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(is_other).collect();
    let target = match query.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), query.join("&")),
    };
    let mut parts = uri.clone().into_parts();
    // A part of a target that was one is one.
    parts.path_and_query = PathAndQuery::try_from(target).ok().or(parts.path_and_query);
    if let Ok(changed) = Uri::from_parts(parts) {
        *uri = changed;
    }
}

/// What tells the answers of one API apart. `more`: what the author of the API adds.
pub(super) fn key(call: &Call, scope: CacheScope, more: &str) -> String {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two requests look alike.
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part(call.request.path());
    let mut params = call.request.params();
    params.sort();
    for (name, value) in &params {
        part(name);
        part(value);
    }
    let hash = hash.finalize();
    let application = match (scope, &call.consumer) {
        (CacheScope::Application, Some(consumer)) => &*consumer.application,
        (CacheScope::Application, None) | (CacheScope::Api, _) => "",
    };
    let mut key = format!("{}:{}:{application}:", call.api.id, call.request.head.method);
    for byte in hash {
        write!(key, "{byte:02x}").ok();
    }
    key.push(':');
    key.push_str(more);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Consumer;
    use std::sync::Arc;

    #[test]
    fn the_wish_of_a_client_is_read_and_removed() {
        let check = |target: &str, header: Option<&str>, expected: Control, left: &str| {
            let headers: Vec<_> = header.map(|value| ("X-Gravitee-Cache", value)).into_iter().collect();
            let mut call = Call::sample(&format!("GET {target}"), &headers, "");
            assert_eq!(take(&mut call), expected, "{target} {header:?}");
            assert_eq!(call.request.head.uri.to_string(), left);
            assert!(call.request.head.headers.is_empty());
        };
        check("/ctx?a=1", None, Control::Use, "/ctx?a=1");
        check("/ctx?a=%20&cache=BY_PASS&b=+", None, Control::ByPass, "/ctx?a=%20&b=+");
        check("/ctx?cache=REFRESH", None, Control::Refresh, "/ctx");
        check("/ctx?cache=BY_PASS", Some("REFRESH"), Control::Refresh, "/ctx");
        check("/ctx", Some("other"), Control::Use, "/ctx");
    }

    #[test]
    fn requests_are_told_apart_by_what_matters() {
        let key = |line: &str, application: &str, scope, more: &str| {
            let mut call = Call::sample(line, &[], "");
            let consumer = Consumer { application: application.into(), ..Consumer::default() };
            call.consumer = Some(Arc::new(consumer));
            super::key(&call, scope, more)
        };
        let (application, api) = (CacheScope::Application, CacheScope::Api);
        let one = key("GET /ctx?a=1&b=2", "x", application, "");
        assert_eq!(one, key("GET /ctx?b=2&a=1", "x", application, ""), "the order of parameters");
        for other in [
            key("HEAD /ctx?a=1&b=2", "x", application, ""),
            key("GET /ctx/?a=1&b=2", "x", application, ""),
            key("GET /ctx?a=1&b=3", "x", application, ""),
            key("GET /ctx?a=1b=2", "x", application, ""),
            key("GET /ctx?a=1&b=2", "y", application, ""),
            key("GET /ctx?a=1&b=2", "x", application, "more"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(key("GET /ctx", "x", api, ""), key("GET /ctx", "y", api, ""));
    }
}
