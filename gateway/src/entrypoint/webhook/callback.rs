//! The callback of one subscription: prepared once per run, called once per message.

use super::Push;
use super::auth::{Authorization, Trouble};
use super::headers::{self, Sources};
use crate::call::Call;
use crate::call::body::Body;
use crate::endpoint::http_proxy::{Behaviour, Caller, NoAnswer, Place};
use crate::expression::{self, Scope};
use crate::table::facts::ApiFacts;
use bytes::Bytes;
use definition::api::Qos;
use definition::connector::http_proxy::HttpSettings;
use definition::connector::webhook::CallLimits;
use definition::consumer::SubscriptionResource;
use definition::expression::Template;
use definition::subscription::webhook::{Retry, Webhook, read_url};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// How often a call is made again because the callback had closed the connection that was kept for it.
const STALE_RETRIES_MAX: usize = 2;
/// Greatest body of an answer that is read so that its connection can be used again, bytes. Nobody looks at it.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// Longest time that such a body is read, milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 1_000;

/// A callback.
pub(super) struct Callback {
    caller: Caller,
    place: Place,
    host: String,
    headers: HeaderMap,
    authorization: Authorization,
    retry: Option<Retry>,
    client_identifier: Arc<str>,
}

/// What a callback gets of a message.
pub(super) struct Post<'a> {
    pub(super) headers: &'a [(String, String)],
    /// Empty for a tombstone.
    pub(super) content: Bytes,
}

/// What one call came to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// 2xx.
    Delivered(StatusCode),
    /// Another answer, which another call would not change.
    Refused(StatusCode),
    /// 5xx, or no answer.
    Unreachable { server_error: bool, reason: String },
    /// No call can succeed before somebody acts.
    Hopeless(String),
}

impl Callback {
    /// Evaluates the settings of a subscription. Errors say what is wrong, without repeating values.
    pub(super) fn prepare(
        subscription: &SubscriptionResource,
        push: &Push,
        qos: Qos,
        call: &Call,
    ) -> Result<Callback, String> {
        let stored =
            subscription.configuration.as_ref().map(|configuration| &configuration.entrypoint_configuration);
        let settings = Webhook::parse(stored.ok_or("the subscription has no configuration")?)
            .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))?;
        let evaluator = Evaluator(Arc::new(public(call)));
        let url = evaluator.url("callbackUrl", &settings.callback_url)?;
        let mut headers = HeaderMap::new();
        for (index, header) in settings.headers.iter().enumerate() {
            let name = HeaderName::try_from(header.name.as_str())
                .map_err(|_| format!("headers[{index}].name is no header name"))?;
            headers.append(name, evaluator.header(&format!("headers[{index}].value"), "", &header.value)?);
        }
        let caller = caller(push, qos, &settings)?;
        Ok(Callback {
            caller,
            place: Caller::place(&url).map_err(|reason| format!("callbackUrl {reason}"))?,
            host: authority(&url),
            headers,
            authorization: Authorization::prepare(settings.auth, evaluator)?,
            retry: settings.retry,
            client_identifier: Arc::clone(&call.client_identifier),
        })
    }

    /// Host and port, for logs: paths and queries of callbacks often are secrets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn retry(&self) -> Option<&Retry> {
        self.retry.as_ref()
    }

    /// Makes one call.
    pub(super) async fn call(&self, from_policies: &HeaderMap, message: &Post<'_>) -> Verdict {
        let authorization = match self.authorization.value(&self.caller).await {
            Ok(authorization) => authorization,
            Err(trouble) => return verdict(trouble),
        };
        let status = match self.exchange(from_policies, message, authorization.as_ref()).await {
            Ok(status) => status,
            Err(no_answer) => return self.unanswered(no_answer),
        };
        if status == StatusCode::UNAUTHORIZED && authorization.is_some() {
            return self.once_more(from_policies, message).await;
        }
        self.answered(status)
    }

    /// A token that was kept may have been withdrawn; a fresh one that is refused is the end.
    async fn once_more(&self, from_policies: &HeaderMap, message: &Post<'_>) -> Verdict {
        let unauthorized = || {
            let text = "answered 401 to the credentials of the subscription; correct `auth` and resume it";
            Verdict::Hopeless(format!("Unauthorized: the callback {} {text}", self.host))
        };
        let renewed = match self.authorization.renewed(&self.caller).await {
            None => return unauthorized(),
            Some(Err(trouble)) => return verdict(trouble),
            Some(Ok(renewed)) => renewed,
        };
        match self.exchange(from_policies, message, Some(&renewed)).await {
            Err(no_answer) => self.unanswered(no_answer),
            Ok(StatusCode::UNAUTHORIZED) => unauthorized(),
            Ok(status) => self.answered(status),
        }
    }

    fn answered(&self, status: StatusCode) -> Verdict {
        match status {
            status if status.is_success() => Verdict::Delivered(status),
            status if status.is_server_error() => Verdict::Unreachable {
                server_error: true,
                reason: format!("{} answered {}", self.host, status.as_u16()),
            },
            status => Verdict::Refused(status),
        }
    }

    fn unanswered(&self, NoAnswer { reason, forbidden, .. }: NoAnswer) -> Verdict {
        let reason = format!("{}: {reason}", self.host);
        match forbidden {
            true => Verdict::Hopeless(format!("The callback may not be called: {reason}")),
            false => Verdict::Unreachable { server_error: false, reason },
        }
    }

    async fn exchange(
        &self,
        from_policies: &HeaderMap,
        message: &Post<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<StatusCode, NoAnswer> {
        let headers = headers::merge(&Sources {
            policies: from_policies,
            message: message.headers,
            subscription: &self.headers,
            client_identifier: &self.client_identifier,
            authorization,
        });
        let answer = post(&self.caller, &self.place, &headers, &message.content).await?;
        let status = answer.status();
        // Whatever its body is: the head has said what became of the message.
        read(answer.into_body()).await;
        Ok(status)
    }
}

/// Posts. A connection that was kept and turns out to be closed costs nothing but another one.
pub(super) async fn post(
    caller: &Caller,
    place: &Place,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<http::Response<Body>, NoAnswer> {
    let mut retries = 0;
    loop {
        match caller.post(place, headers.clone(), body.clone()).await {
            Err(NoAnswer { stale: true, .. }) if retries < STALE_RETRIES_MAX => retries += 1,
            answered => return answered,
        }
    }
}

/// Reads a body, within limits of size and time; `None`: it exceeds one, or breaks off.
pub(super) async fn read(mut body: Body) -> Option<Bytes> {
    let limit = Duration::from_millis(ANSWER_TIMEOUT_MS);
    timeout(limit, body.buffer(ANSWER_MAX_BYTES)).await.ok()?.ok()?;
    body.bytes().cloned()
}

fn verdict(trouble: Trouble) -> Verdict {
    match trouble {
        Trouble::Passing { server_error, reason } => Verdict::Unreachable { server_error, reason },
        Trouble::Final(reason) => Verdict::Hopeless(reason),
    }
}

fn caller(push: &Push, qos: Qos, settings: &Webhook) -> Result<Caller, String> {
    let limits: &CallLimits = &push.settings.http;
    let http = HttpSettings {
        // A call on a kept connection that the callback closes meanwhile can only be made again, which at-most-once rules
        // out.
        keep_alive: qos != Qos::AtMostOnce,
        keep_alive_timeout: limits.idle_timeout,
        connect_timeout: limits.connect_timeout,
        read_timeout: limits.read_timeout,
        idle_timeout: limits.idle_timeout,
        max_concurrent_connections: limits.max_concurrent_connections,
        ..HttpSettings::default()
    };
    let make = || {
        Caller::new(Behaviour {
            http,
            ssl: &settings.ssl,
            upstream: push.upstream.clone(),
            networks: Arc::clone(&push.networks),
        })
    };
    // Readers of key stores trust lengths that stand in them.
    let made = catch_unwind(AssertUnwindSafe(make));
    made.map_err(|_| "ssl: a store cannot be read".to_owned())?
        .map_err(|error| format!("{}: {}", error.path, error.message))
}

/// The call as expressions of subscribers may see it: the properties of an API are its author's.
fn public(call: &Call) -> Call {
    let facts = &call.api;
    let api = ApiFacts {
        id: Arc::clone(&facts.id),
        name: facts.name.clone(),
        version: facts.version.clone(),
        organization: facts.organization.clone(),
        environment: facts.environment.clone(),
        ..ApiFacts::default()
    };
    let mut public = call.snapshot();
    public.api = Arc::new(api);
    public
}

/// Host and port of a URL.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Evaluates what subscribers write.
#[derive(Clone)]
pub(super) struct Evaluator(pub(super) Arc<Call>);

impl Evaluator {
    /// A text. Errors name the member, not its value.
    pub(super) fn text(&self, member: &str, template: &Template) -> Result<String, String> {
        let value = expression::text(template, &Scope::of(&self.0));
        let value = value.map_err(|_| format!("the expression in {member} cannot be evaluated"))?;
        value
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| format!("the expression in {member} has no value"))
    }

    /// A URL that may be called.
    pub(super) fn url(&self, member: &str, template: &Template) -> Result<Url, String> {
        read_url(&self.text(member, template)?).map_err(|reason| format!("{member} {reason}"))
    }

    /// The value of a header behind a prefix.
    pub(super) fn header(
        &self,
        member: &str,
        prefix: &str,
        template: &Template,
    ) -> Result<HeaderValue, String> {
        let text = format!("{prefix}{}", self.text(member, template)?);
        HeaderValue::try_from(text).map_err(|_| format!("{member} is not one line of text"))
    }
}
