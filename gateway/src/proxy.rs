//! Proxy APIs: a request goes to a backend as it is, an answer comes back as it is, but for what policies change.

use crate::call::Call;
use crate::call::body::Body;
use crate::call::leased::LeasedBody;
use crate::endpoint::Backend;
use crate::failure::{Failure, key};
use crate::flow::layer::{Invoker, Next};
use crate::http::reply::Reply;
use crate::seldom::warn_seldom;
use crate::table::groups::{Choice, Groups};
use crate::table::runtime::ApiRuntime;
use async_trait::async_trait;
use definition::connector::Mode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRAILER};
use http::{HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;

/// Attribute that names where a call goes instead of to the endpoint in turn.
pub(crate) const TARGET: &str = "request.endpoint";
/// Attribute that names the method that the backend is asked with.
pub(crate) const METHOD: &str = "request.method";

/// Where a call goes.
pub(crate) struct Chosen<'a> {
    pub(crate) choice: Choice<'a>,
    /// Absolute, or below the endpoint's own target; `None`: where the endpoint says.
    pub(crate) target: Option<String>,
}

/// The endpoint in turn, or the one that a policy chose.
pub(crate) fn choose<'a>(api: &'a ApiRuntime, call: &Call, modes: &[Mode]) -> Result<Chosen<'a>, Failure> {
    choose_in(&api.groups, call, modes)
}

pub(crate) fn choose_in<'a>(groups: &'a Groups, call: &Call, modes: &[Mode]) -> Result<Chosen<'a>, Failure> {
    let (name, target) = match call.attributes.text(TARGET) {
        None => (None, None),
        Some(chosen) => split(chosen),
    };
    let choice = match name {
        Some(name) => groups.named(name),
        None => groups.choose(modes).map(|choice| choice.instead_of(|name| call.got_no_answer_from(name))),
    };
    let target = target.filter(|target| !target.is_empty()).map(str::to_owned);
    Ok(Chosen { choice: choice.ok_or_else(no_endpoint)?, target })
}

/// `name:path` names an endpoint or a group; everything else is a target.
fn split(chosen: &str) -> (Option<&str>, Option<&str>) {
    match chosen.split_once(':') {
        Some((name, path))
            if !name.is_empty()
                && !name.contains('/')
                && !["http", "https", "ws", "wss", "grpc", "grpcs"].contains(&name) =>
        {
            (Some(name), Some(path))
        }
        _ => (None, Some(chosen)),
    }
}

/// No endpoint takes the call.
pub(crate) fn no_endpoint() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::NO_ENDPOINT_FOUND, "No endpoint available")
}

/// Sends the call through the layers that policies put there to a backend; the answer is in the call's response.
pub(crate) async fn invoke(api: &ApiRuntime, call: &mut Call) -> Result<(), Failure> {
    override_method(call)?;
    if call.layers.is_empty() {
        return ask(api, call).await;
    }
    let layers = std::mem::take(&mut call.layers);
    Next::new(&layers, &Endpoints(api)).run(call).await
}

fn override_method(call: &mut Call) -> Result<(), Failure> {
    let Some(method) = call.attributes.text(METHOD) else { return Ok(()) };
    call.request.head.method = Method::from_bytes(method.as_bytes()).map_err(|_| {
        Failure::new(StatusCode::BAD_REQUEST, key::INVALID_HTTP_METHOD, "Invalid HTTP method")
    })?;
    Ok(())
}

async fn ask(api: &ApiRuntime, call: &mut Call) -> Result<(), Failure> {
    match &api.failover {
        Some(failover) => Box::pin(failover.invoke(&api.groups, call)).await,
        None => send(choose(api, call, &[Mode::RequestResponse])?, call).await,
    }
}

/// The endpoints at the bottom of all layers.
struct Endpoints<'a>(&'a ApiRuntime);

#[async_trait]
impl Invoker for Endpoints<'_> {
    async fn invoke(&self, call: &mut Call) -> Result<(), Failure> {
        ask(self.0, call).await
    }

    fn detach(&self) -> Arc<dyn Invoker> {
        Arc::new(Detached(Arc::clone(&self.0.groups)))
    }
}

/// The same endpoints for calls that outlive the one that they were made for, and that are worth one attempt.
struct Detached(Arc<Groups>);

#[async_trait]
impl Invoker for Detached {
    async fn invoke(&self, call: &mut Call) -> Result<(), Failure> {
        send(choose_in(&self.0, call, &[Mode::RequestResponse])?, call).await
    }

    fn detach(&self) -> Arc<dyn Invoker> {
        Arc::new(Detached(Arc::clone(&self.0)))
    }
}

async fn send(chosen: Chosen<'_>, call: &mut Call) -> Result<(), Failure> {
    let Backend::Http(backend) = &chosen.choice.endpoint.backend else { return Err(no_endpoint()) };
    // Noted before, because an attempt that takes too long is dropped and cannot note anything.
    // Whoever asks again after it was dropped has not had an answer from the one that was asked before.
    call.failed.extend(call.asked.replace(Arc::clone(chosen.choice.name())));
    let answered = backend.invoke(call, chosen.target.as_deref()).await;
    match &answered {
        Ok(()) => call.asked = None,
        // Whoever sends a request badly can be told so in the answer.
        Err(failure) if failure.status.is_client_error() => {
            tracing::debug!(api.id = %call.api.id, "a request could not be passed on: {}", failure.status);
        }
        Err(failure) => warn_seldom!(
            api.id = %call.api.id, endpoint = %chosen.choice.name(), key = failure.key.as_deref().unwrap_or("-"),
            "a backend gave no answer: {}", failure.status
        ),
    }
    answered
}

/// The response of a call as an answer.
pub(crate) fn reply(call: &mut Call) -> Reply {
    let response = std::mem::take(&mut call.response);
    let mut head = Response::new(());
    *head.status_mut() = response.status;
    *head.headers_mut() = response.headers;
    match response.upgrade {
        Some(session) => {
            let session = session.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            Reply::Upgrade { head, session }
        }
        None => {
            let endless = head.headers().get(CONTENT_TYPE).is_some_and(is_event_stream);
            // Trailers are possible behind chunks only.
            let trailers = head.headers().contains_key(TRAILER);
            if trailers {
                head.headers_mut().remove(CONTENT_LENGTH);
            }
            let body = match response.body {
                body @ Body::Stream(_) if endless || trailers || call.lease.is_some() => {
                    Body::stream(LeasedBody::new(body, &call.removed, call.lease.as_ref(), endless))
                }
                body @ (Body::Empty | Body::Bytes(_) | Body::Stream(_)) => body,
            };
            Reply::Passed(head.map(|()| body))
        }
    }
}

/// Whether an answer of this type has no end of its own.
pub(crate) fn is_event_stream(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_an_endpoint_or_is_an_address() {
        let check = |chosen, expected| assert_eq!(split(chosen), expected, "{chosen}");
        check("group1:/path", (Some("group1"), Some("/path")));
        check("group1:", (Some("group1"), Some("")));
        check("http://h/p", (None, Some("http://h/p")));
        check("/p:q", (None, Some("/p:q")));
        check("p", (None, Some("p")));
    }
}
