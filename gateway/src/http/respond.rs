//! Answers that end an exchange before anything was streamed, in the format that the caller accepts.

use super::hop;
use crate::call::Call;
use crate::entrypoint::accept;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::flow;
use crate::seldom::warn_seldom;
use crate::table::build::Rejection;
use bytes::Bytes;
use definition::api::ResponseTemplate;
use definition::expression::Template;
use http::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;

/// Templates of an API: failure key (or `DEFAULT`) to media type (or `*/*`) to answer.
#[derive(Default)]
pub(crate) struct Templates(HashMap<String, Vec<(String, AnswerTemplate)>>);

/// One answer.
struct AnswerTemplate {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Template>,
}

impl Templates {
    /// Compiles the templates of an API.
    pub(crate) fn build(
        templates: &IndexMap<String, IndexMap<String, ResponseTemplate>>,
    ) -> Result<Self, Rejection> {
        let mut built = HashMap::new();
        for (key, by_type) in templates {
            let mut answers = Vec::new();
            for (media_type, template) in by_type {
                let path = format!("responseTemplates.{key}.{media_type}");
                answers.push((media_type.clone(), AnswerTemplate::build(&path, template)?));
            }
            built.insert(key.clone(), answers);
        }
        Ok(Templates(built))
    }

    /// The template of the failure's key, of its parent's, or the default one.
    fn of(&self, failure: &Failure) -> Option<&[(String, AnswerTemplate)]> {
        let key = failure.key.as_deref()?;
        let parent = failure.details.as_ref().and_then(|details| details.parent_key);
        let found = self.0.get(key).or_else(|| self.0.get(parent?)).or_else(|| self.0.get("DEFAULT"));
        found.map(Vec::as_slice)
    }
}

impl AnswerTemplate {
    fn build(path: &str, template: &ResponseTemplate) -> Result<Self, Rejection> {
        let wrong = |member: &str, message: String| {
            Rejection::new("RESPONSE_TEMPLATE", format!("{path}.{member}"), message)
        };
        let mut headers = Vec::new();
        for (name, value) in &template.headers {
            let pair = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::from_str(value).ok());
            headers.push(pair.ok_or_else(|| wrong("headers", format!("`{name}` is no HTTP header")))?);
        }
        let status = StatusCode::from_u16(template.status);
        Ok(AnswerTemplate {
            status: status.map_err(|_| wrong("status", "is no HTTP status".to_owned()))?,
            headers,
            body: flow::build::template(&format!("{path}.body"), template.body.as_deref())?,
        })
    }
}

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
    plain_failure(&no_entrypoint_failure(), &HeaderMap::new())
}

/// The API is there, no entrypoint takes the request.
pub(crate) fn no_entrypoint_failure() -> Failure {
    Failure::plain(StatusCode::NOT_FOUND, NO_ENTRYPOINT)
}

/// A failure as a response: by the API's template when there is one, else by Accept.
pub(crate) async fn failure(failure: &Failure, call: &mut Call, templates: &Templates) -> Response<Bytes> {
    let chosen = templates.of(failure).and_then(|answers| choose(answers, &call.request.head.headers));
    match chosen {
        Some((media_type, template)) => from_template(failure, call, media_type, template).await,
        None => plain_failure(failure, &call.request.head.headers),
    }
}

/// A failure as a response, by Accept.
pub(crate) fn plain_failure(failure: &Failure, request: &HeaderMap) -> Response<Bytes> {
    let document = failure.details.as_ref().and_then(|details| details.content_type);
    let mut response = match document {
        _ if failure.message.is_empty() => with_closing(empty(failure.status)),
        Some(content_type) => {
            complete(failure.status, content_type, failure.message.clone().into_owned().into())
        }
        None => {
            let (content_type, body) = failure_body(failure, accepts_json(request));
            complete(failure.status, content_type, body.into())
        }
    };
    add_headers(failure, &mut response);
    response
}

fn add_headers(failure: &Failure, response: &mut Response<Bytes>) {
    for (name, value) in failure.details.iter().flat_map(|details| &details.headers) {
        response.headers_mut().append(name, value.clone());
    }
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

/// The entry of a type that the caller names, else the one for all types.
fn choose<'a>(
    answers: &'a [(String, AnswerTemplate)],
    request: &HeaderMap,
) -> Option<(&'a str, &'a AnswerTemplate)> {
    let of = |media_type: &str| answers.iter().find(|(known, _)| known.eq_ignore_ascii_case(media_type));
    let ranked = accept::ranked(request);
    let found = ranked.iter().find_map(|media| of(&media.name)).or_else(|| of(ANY));
    found.map(|(media_type, template)| (media_type.as_str(), template))
}

/// A body that cannot be evaluated is none of the caller's business.
async fn from_template(
    failure: &Failure,
    call: &mut Call,
    media_type: &str,
    template: &AnswerTemplate,
) -> Response<Bytes> {
    let body = match &template.body {
        None => String::new(),
        Some(body) => match evaluate(failure, call, body).await {
            Some(body) => body,
            None => {
                return plain_failure(
                    &Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
                    &HeaderMap::new(),
                );
            }
        },
    };
    let mut response = empty(template.status);
    let headers = response.headers_mut();
    if !body.is_empty()
        && media_type != ANY
        && let Ok(media_type) = HeaderValue::from_str(media_type)
    {
        headers.insert(CONTENT_TYPE, media_type);
    }
    for (name, value) in &template.headers {
        headers.insert(name, value.clone());
    }
    hop::strip_framing(headers);
    headers.insert(CONTENT_LENGTH, body.len().into());
    *response.body_mut() = body.into();
    add_headers(failure, &mut response);
    with_closing(response)
}

async fn evaluate(failure: &Failure, call: &mut Call, body: &Template) -> Option<String> {
    flow::provide(body.needs(), call).await.ok()?;
    let parameters = failure.details.as_ref().map(|details| details.parameters.clone()).unwrap_or_default();
    let error = json!({
        "statusCode": failure.status.as_u16(),
        "key": failure.key,
        "message": failure.message,
        "parameters": parameters,
    });
    let extra = [("error", error), ("parameters", Value::Object(parameters))];
    let scope = Scope { call, message: None, extra: &extra };
    let text = expression::text(body, &scope);
    let text = text.inspect_err(|error| {
        warn_seldom!(api.id = %call.api.id, %error, "the body of a response template cannot be evaluated");
    });
    let text = text.ok()?;
    Some(text.map(Cow::into_owned).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::key;

    async fn check(failure_: &Failure, accept: Option<&str>, templates: &Templates, expected: &str) {
        let headers: Vec<_> = accept.map(|value| ("accept", value)).into_iter().collect();
        let mut call = Call::sample("GET /ctx", &headers, "");
        let response = failure(failure_, &mut call, templates).await;
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

    #[tokio::test]
    async fn the_accept_header_decides_between_json_and_text() {
        let none = Templates::default();
        let json = r#"404 application/json 79 - {"message":"No entrypoint matches the incoming request","http_status_code":404}"#;
        let text = "404 text/plain 42 - No entrypoint matches the incoming request";
        for accept in ["application/json", "*/*", "text/html, application/json"] {
            check(&no_entrypoint_failure(), Some(accept), &none, json).await;
        }
        for accept in ["text/html", "application/*", "text/plain, application/json;q=0.5"] {
            check(&no_entrypoint_failure(), Some(accept), &none, text).await;
        }
        check(&no_entrypoint_failure(), None, &none, text).await;
    }

    #[tokio::test]
    async fn a_failure_of_ours_closes_the_connection_and_may_have_no_body() {
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_FAILED, "gone");
        check(&failure, None, &Templates::default(), "503 text/plain 4 close gone").await;
        check(&Failure::plain(StatusCode::BAD_REQUEST, ""), None, &Templates::default(), "400 - 0 -").await;
    }

    #[tokio::test]
    async fn a_template_goes_first_by_key_then_default() {
        let template = |status, body: &str| ResponseTemplate {
            status,
            headers: IndexMap::from_iter([("X-Own".to_owned(), "1".to_owned())]),
            body: Some(body.to_owned()),
        };
        let templates = IndexMap::from_iter([
            ("DEFAULT".to_owned(), IndexMap::from_iter([(ANY.to_owned(), template(418, "default"))])),
            (key::REQUEST_TIMEOUT.to_owned(), IndexMap::from_iter([(JSON.to_owned(), template(500, "{}"))])),
        ]);
        let templates = Templates::build(&templates).unwrap();
        let timeout = Failure::new(StatusCode::GATEWAY_TIMEOUT, key::REQUEST_TIMEOUT, "Request timeout");
        check(&timeout, Some(JSON), &templates, "500 application/json 2 close {}").await;
        check(&timeout, Some("text/html"), &templates, "504 text/plain 15 close Request timeout").await;
        let closed = Failure::new(StatusCode::BAD_GATEWAY, key::CLIENT_CONNECTION_CLOSED, "");
        check(&closed, None, &templates, "418 - 7 - default").await;
        check(
            &closed.clone().parent(key::REQUEST_TIMEOUT),
            Some(JSON),
            &templates,
            "500 application/json 2 close {}",
        )
        .await;
        let text = "404 text/plain 42 - No entrypoint matches the incoming request";
        check(&no_entrypoint_failure(), None, &templates, text).await;
    }
}
