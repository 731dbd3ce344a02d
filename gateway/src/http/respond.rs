//! Answers that end an exchange before anything was streamed, in the format that the caller accepts.

use crate::failure::Failure;
use bytes::Bytes;
use definition::api::ResponseTemplate;
use http::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use indexmap::IndexMap;
use serde_json::json;

/// Templates of an API: failure key (or `DEFAULT`) to media type (or `*/*`) to answer.
pub(crate) type Templates = IndexMap<String, IndexMap<String, ResponseTemplate>>;

const NO_CONTEXT_PATH: &str = "No context-path matches the request URI.";
const NO_ENTRYPOINT: &str = "No entrypoint matches the incoming request";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const ANY: &str = "*/*";

/// No API serves the path. Always text: there is no API whose templates could say otherwise.
pub(crate) fn no_context_path() -> Response<Bytes> {
    complete(StatusCode::NOT_FOUND, TEXT, Bytes::from_static(NO_CONTEXT_PATH.as_bytes()))
}

/// An answer for callers that broke a rule of HTTP itself.
pub(crate) fn bad_request(message: &'static str) -> Response<Bytes> {
    complete(StatusCode::BAD_REQUEST, TEXT, Bytes::from_static(message.as_bytes()))
}

/// The API is there, no entrypoint takes the request; as text.
pub(crate) fn no_entrypoint() -> Response<Bytes> {
    failure(&no_entrypoint_failure(), &HeaderMap::new(), &Templates::new())
}

/// The API is there, no entrypoint takes the request.
pub(crate) fn no_entrypoint_failure() -> Failure {
    Failure::plain(StatusCode::NOT_FOUND, NO_ENTRYPOINT)
}

/// A failure as a response: by the API's template when there is one, else by Accept.
pub(crate) fn failure(failure: &Failure, request: &HeaderMap, templates: &Templates) -> Response<Bytes> {
    if let Some(response) = template(failure, request, templates).and_then(from_template) {
        return response;
    }
    if failure.message.is_empty() {
        return with_closing(empty(failure.status));
    }
    let (content_type, body) = failure_body(failure, accepts_json(request));
    complete(failure.status, content_type, body.into())
}

/// Content type and text of a failure, as a response body or as the content of an error message in a stream.
/// `json`: see `accepts_json`; streams keep this flag, not the header, which would hold the whole request's buffer.
pub(crate) fn failure_body(failure: &Failure, json: bool) -> (&'static str, String) {
    if json {
        (JSON, json!({"message": failure.message, "http_status_code": failure.status.as_u16()}).to_string())
    } else {
        (TEXT, failure.message.clone().into_owned())
    }
}

/// A complete answer without body.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

fn complete(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = empty(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    *response.body_mut() = body;
    with_closing(response)
}

/// A failure that is not the caller's ends the connection, so that a balancer may choose another node.
fn with_closing(mut response: Response<Bytes>) -> Response<Bytes> {
    if !response.status().is_client_error() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Members of the Accept lists, compared as they are written: `application/json;q=0.5` does not count.
fn accepts(request: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = request.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).map(str::trim)
}

/// Whether a failure is told to this caller as JSON.
pub(crate) fn accepts_json(request: &HeaderMap) -> bool {
    accepts(request).any(|member| member == JSON || member == ANY)
}

fn template<'a>(
    failure: &Failure,
    request: &HeaderMap,
    templates: &'a Templates,
) -> Option<(&'a str, &'a ResponseTemplate)> {
    let by_type = failure.key.and_then(|key| templates.get(key)).or_else(|| templates.get("DEFAULT"))?;
    let wanted = accepts(request).find_map(|member| by_type.get_key_value(member));
    wanted
        .or_else(|| by_type.get_key_value(ANY))
        .map(|(media_type, template)| (media_type.as_str(), template))
}

/// `None` when the template needs what this version does not evaluate (an expression), or is no HTTP.
fn from_template((media_type, template): (&str, &ResponseTemplate)) -> Option<Response<Bytes>> {
    let body = template.body.clone().unwrap_or_default();
    let expressions = template.headers.values().chain([&body]).any(|text| text.contains("{#"));
    let mut response = empty(StatusCode::from_u16(template.status).ok().filter(|_| !expressions)?);
    if !body.is_empty() && media_type != ANY {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(media_type).ok()?);
    }
    for (name, value) in &template.headers {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        response.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
    }
    response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    *response.body_mut() = body.into();
    Some(with_closing(response))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::key;

    fn check(failure_: &Failure, accept: Option<&str>, templates: &Templates, expected: &str) {
        let accept = accept.map(|value| (ACCEPT, HeaderValue::from_str(value).unwrap()));
        let response = failure(failure_, &HeaderMap::from_iter(accept), templates);
        let header = |name: HeaderName| {
            response.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned()
        };
        let text = format!(
            "{} {} {} {} {}",
            response.status().as_u16(),
            header(CONTENT_TYPE),
            header(CONTENT_LENGTH),
            header(CONNECTION),
            String::from_utf8_lossy(response.body()),
        );
        assert_eq!(text.trim_end(), expected);
    }

    #[test]
    fn the_accept_header_decides_between_json_and_text() {
        let none = Templates::new();
        let json = r#"404 application/json 79 - {"message":"No entrypoint matches the incoming request","http_status_code":404}"#;
        let text = "404 text/plain 42 - No entrypoint matches the incoming request";
        for accept in ["application/json", "*/*", "text/html, application/json"] {
            check(&no_entrypoint_failure(), Some(accept), &none, json);
        }
        for accept in ["text/html", "application/*", "text/plain, application/json;q=0.5"] {
            check(&no_entrypoint_failure(), Some(accept), &none, text);
        }
        check(&no_entrypoint_failure(), None, &none, text);
    }

    #[test]
    fn a_failure_of_ours_closes_the_connection_and_may_have_no_body() {
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_FAILED, "gone");
        check(&failure, None, &Templates::new(), "503 text/plain 4 close gone");
        check(&Failure::plain(StatusCode::BAD_REQUEST, ""), None, &Templates::new(), "400 - 0 -");
    }

    #[test]
    fn a_template_goes_first_by_key_then_default() {
        let template = |status, body: &str| ResponseTemplate {
            status,
            headers: IndexMap::from_iter([("X-Own".to_owned(), "1".to_owned())]),
            body: Some(body.to_owned()),
        };
        let templates = Templates::from_iter([
            ("DEFAULT".to_owned(), IndexMap::from_iter([(ANY.to_owned(), template(418, "default"))])),
            (
                key::REQUEST_TIMEOUT.to_owned(),
                IndexMap::from_iter([
                    (JSON.to_owned(), template(500, "{}")),
                    (ANY.to_owned(), template(500, "{#request.id}")),
                ]),
            ),
        ]);
        let timeout = Failure::new(StatusCode::GATEWAY_TIMEOUT, key::REQUEST_TIMEOUT, "Request timeout");
        check(&timeout, Some(JSON), &templates, "500 application/json 2 close {}");
        // The template for other types is an expression, which is never shown as it is written.
        check(&timeout, Some("text/html"), &templates, "504 text/plain 15 close Request timeout");
        check(&no_entrypoint_failure(), None, &templates, "418 - 7 - default");
    }
}
