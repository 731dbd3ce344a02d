//! URLs of resources, as answers name them.

use crate::scope::Scope;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The APIs of an environment.
pub(crate) fn apis(scope: &Scope) -> String {
    format!("{}/v4/apis", environment(scope))
}

/// An environment: what its other resources begin with.
pub(crate) fn environment(scope: &Scope) -> String {
    format!("/management/organizations/{}/environments/{}", scope.organization, scope.environment)
}

/// One application.
pub(crate) fn application(scope: &Scope, application: Uuid) -> String {
    format!("{}/applications/{application}", environment(scope))
}

/// The subscriptions of an API in the 4.x dialect.
pub(crate) fn subscriptions_v2(scope: &Scope, api: Uuid) -> String {
    let Scope { organization, environment } = scope;
    format!("/management/v2/organizations/{organization}/environments/{environment}/apis/{api}/subscriptions")
}

/// One API.
pub(crate) fn api(scope: &Scope, api: Uuid) -> String {
    format!("{}/{api}", apis(scope))
}

/// `path` as the caller can reach it: with the host that the caller used. Without one the path alone, which is as
/// good a reference.
pub(crate) fn absolute(request: &HeaderMap, path: &str) -> String {
    let host = request.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_authority(host));
    let secure = request.get(FORWARDED_PROTO) == Some(&HeaderValue::from_static("https"));
    let scheme = if secure { "https" } else { "http" };
    host.map_or_else(|| path.to_owned(), |host| format!("{scheme}://{host}{path}"))
}

fn is_authority(host: &str) -> bool {
    host.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_the_host_of_the_request() {
        let mut headers = HeaderMap::new();
        assert_eq!(absolute(&headers, "/a"), "/a");
        headers.insert(HOST, HeaderValue::from_static("api.example:8083"));
        assert_eq!(absolute(&headers, "/a"), "http://api.example:8083/a");
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        assert_eq!(absolute(&headers, "/a"), "https://api.example:8083/a");
        headers.insert(HOST, HeaderValue::from_static("user@evil"));
        assert_eq!(absolute(&headers, "/a"), "/a");
    }
}
