//! One check: the request, and what its response says.
//!
//! A check of an HTTP endpoint goes through the endpoint itself, with its TLS, proxy and header settings: what is
//! checked is the way that calls take. Endpoints of message APIs are judged by a server that the check names.

use super::Check;
use crate::call::Call;
use crate::call::body::Body;
use crate::call::request::Request;
use crate::endpoint::Backend;
use crate::expression::{self, EvaluationError, Scope};
use crate::http::ids::Ids;
use crate::table::facts::ApiFacts;
use definition::expression::Template;
use definition::health_check::is_absolute;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// Longest check, milliseconds.
const CHECK_TIMEOUT_MS: u64 = 10_000;
/// Greatest body that is read so that an assertion can look at it, bytes.
const RESPONSE_MAX_BYTES: usize = 1024 * 1024;

/// The client for checks that do not go through an endpoint; made when the first one runs.
#[derive(Default)]
pub(crate) struct Client(OnceLock<reqwest::Client>);

impl Client {
    fn get(&self) -> Result<&reqwest::Client, String> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let built = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let built = built.map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        Ok(self.0.get_or_init(|| built))
    }
}

/// Runs a check. The error says why it failed.
pub(super) async fn run(
    api: &Arc<ApiFacts>,
    backend: &Backend,
    check: &Check,
    client: &Client,
) -> Result<(), String> {
    let limit = Duration::from_millis(CHECK_TIMEOUT_MS);
    let ran = timeout(limit, ask(api, backend, check, client)).await;
    ran.unwrap_or_else(|_| Err(format!("no answer within {CHECK_TIMEOUT_MS} ms")))
}

async fn ask(api: &Arc<ApiFacts>, backend: &Backend, check: &Check, client: &Client) -> Result<(), String> {
    let mut call = call(api);
    let target = prepare(&mut call, check)?;
    match backend {
        Backend::Http(backend) => {
            backend.invoke(&mut call, Some(&target)).await.map_err(|failure| {
                let key = failure.key.as_deref().unwrap_or("no answer");
                format!("{key} ({})", failure.status)
            })?;
        }
        Backend::Messages(_) => directly(&mut call, &target, client.get()?).await?,
    }
    // Read to its end in any case, so that the connection can be used again.
    let read = call.response.body.buffer(RESPONSE_MAX_BYTES).await;
    if check.settings.assertion.needs().response_content && read.is_err() {
        return Err(format!("the response ended early or is larger than {RESPONSE_MAX_BYTES} bytes"));
    }
    let status = call.response.status;
    match expression::truth(&check.settings.assertion, &Scope::of(&call)) {
        Ok(Some(true)) => Ok(()),
        Ok(_) => Err(format!("the assertion does not hold, the status is {status}")),
        Err(error) => Err(format!("the assertion cannot be evaluated, the status is {status}: {error}")),
    }
}

/// A call that nobody made: its path is that of its API, so that nothing is appended to the target.
fn call(api: &Arc<ApiFacts>) -> Call {
    let mut head = http::Request::new(()).into_parts().0;
    head.uri = Uri::from_static("/");
    let ids = Ids::of(&HeaderMap::new(), None);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let request = Request::new(head, Body::Empty, "/".into(), address, (address, 0).into());
    Call::new(Arc::clone(api), ids, request)
}

/// Fills the request in, and answers where it goes.
fn prepare(call: &mut Call, check: &Check) -> Result<String, String> {
    let settings = &check.settings;
    let target = value("target", &settings.target, call)?.unwrap_or_default().trim().to_owned();
    let mut headers = HeaderMap::new();
    for header in &settings.headers {
        let Some(text) = header.value.as_ref().map(|text| value("header", text, call)).transpose()?.flatten()
        else {
            continue;
        };
        let name = HeaderName::try_from(header.name.trim()).map_err(|error| error.to_string())?;
        let text = HeaderValue::try_from(text)
            .map_err(|_| format!("the value of the header {name} is not allowed"))?;
        headers.append(name, text);
    }
    let body = settings.body.as_ref().map(|body| value("body", body, call)).transpose()?.flatten();
    call.request.head.method =
        Method::try_from(settings.method.label()).map_err(|error| error.to_string())?;
    call.request.head.headers = headers;
    if let Some(body) = body.filter(|body| !body.is_empty()) {
        call.request.head.headers.insert(http::header::CONTENT_LENGTH, body.len().into());
        call.request.body = Body::Bytes(body.into());
    }
    Ok(place(target, settings.override_endpoint_path, check.endpoint_target.as_deref()))
}

fn value(what: &str, template: &Template, call: &Call) -> Result<Option<String>, String> {
    let text = expression::text(template, &Scope::of(call));
    let text = text.map_err(|error: EvaluationError| format!("the {what} cannot be evaluated: {error}"))?;
    Ok(text.map(std::borrow::Cow::into_owned))
}

/// A path takes the place of that of the endpoint's own target, when that can be known; otherwise it is left to the
/// endpoint, which appends it.
fn place(target: String, replaces: bool, endpoint_target: Option<&str>) -> String {
    if is_absolute(&target) || !replaces {
        return target;
    }
    let base = endpoint_target.and_then(|own| Url::parse(own).ok());
    let path = if target.starts_with('/') { target.clone() } else { format!("/{target}") };
    base.and_then(|base| base.join(&path).ok()).map_or(target, String::from)
}

/// Sends the request of the call without any endpoint.
async fn directly(call: &mut Call, target: &str, client: &reqwest::Client) -> Result<(), String> {
    let head = &call.request.head;
    let mut request = client.request(head.method.clone(), target).headers(head.headers.clone());
    if let Some(body) = call.request.body.bytes().filter(|body| !body.is_empty()) {
        request = request.body(body.clone());
    }
    let response = request.send().await.map_err(|error| error.without_url().to_string())?;
    call.response.status = response.status();
    call.response.headers = response.headers().clone();
    call.response.body = Body::stream(reqwest::Body::from(response));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_replaces_that_of_the_endpoint_or_is_appended_by_it() {
        let check = |target: &str, replaces, own: Option<&str>, expected: &str| {
            assert_eq!(place(target.to_owned(), replaces, own), expected, "{target} at {own:?}");
        };
        check("http://other/x", true, Some("http://h:1/api"), "http://other/x");
        check("/health?a=b", true, Some("http://h:1/api?q=1"), "http://h:1/health?a=b");
        check("health", true, Some("http://h:1/api/"), "http://h:1/health");
        check("/health", false, Some("http://h:1/api"), "/health");
        check("/health", true, Some("{#api.properties['url']}"), "/health");
        check("/health", true, None, "/health");
    }
}
