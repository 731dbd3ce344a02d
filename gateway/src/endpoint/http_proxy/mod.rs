//! Endpoint `http-proxy`: sends calls to an HTTP backend and passes its answers back, bodies as they come.
//!
//! Compression: where the settings let the backend compress, its answer goes to the client as it is when the client takes
//! that coding, and is undone on the way otherwise; policies that look at a body always see it without a coding.

mod answer;
mod body;
mod caller;
mod client;
mod connect;
mod exchange;
mod fault;
mod frames;
mod headers;
mod http1;
mod http2;
mod pool;
mod redirect;
mod relay;
mod shared;
mod target;
mod tls;
mod transport;
mod upgrade;
mod upstream;

use super::{Backend, FactoryError, HttpBackend, Settings, Shared};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::{Failure, key};
use crate::flow;
use crate::seldom::warn_seldom;
use async_trait::async_trait;
use client::Client;
use definition::connector::http_proxy::HttpProxy as ProxySettings;
use definition::expression::Template;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;
use target::{Climbs, Target};

pub(crate) use caller::{Behaviour, Caller, NoAnswer};
pub use shared::Clients;
pub(crate) use target::Place;
pub use upstream::Upstream;

/// One endpoint.
struct HttpProxy {
    /// For the log.
    name: String,
    client: Arc<Client>,
    target: Source,
    headers: Vec<(HeaderName, Value)>,
}

/// Where the target comes from.
enum Source {
    Fixed(Target),
    Evaluated(Template),
}

/// The value of a header.
enum Value {
    Fixed(HeaderValue),
    Evaluated(Template),
}

/// Builds the endpoint.
pub(crate) fn build(name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError> {
    let settings = ProxySettings::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        first.map_or_else(
            || wrong("", "invalid settings"),
            |violation| FactoryError { path: violation.path, message: violation.message },
        )
    })?;
    let target = match settings.target.literal() {
        Some(text) => Source::Fixed(Target::parse(text).map_err(|reason| wrong("target", reason))?),
        None => Source::Evaluated(settings.target.clone()),
    };
    let mut headers = Vec::new();
    for header in &settings.headers {
        let name = HeaderName::try_from(header.name.as_str())
            .map_err(|_| wrong("headers", "a name is no header name"))?;
        let Some(value) = &header.value else { continue };
        let value = match value.literal() {
            Some(text) => Value::Fixed(
                HeaderValue::from_str(text)
                    .map_err(|_| wrong("headers", "a value is not one line of text"))?,
            ),
            None => Value::Evaluated(value.clone()),
        };
        headers.push((name, value));
    }
    let client = shared.http.client(name, &settings)?;
    Ok(Backend::Http(Arc::new(HttpProxy { name: name.to_owned(), client, target, headers })))
}

fn wrong(path: &str, message: &str) -> FactoryError {
    FactoryError { path: path.to_owned(), message: message.to_owned() }
}

/// What the author's expressions gave cannot be used.
fn misconfigured() -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION, "Invalid configuration")
}

#[async_trait]
impl HttpBackend for HttpProxy {
    async fn invoke(&self, call: &mut Call, target: Option<&str>) -> Result<(), Failure> {
        let place = self.place(call, target).await?;
        if upgrade::is_wanted(call) {
            return Box::pin(upgrade::upgrade(self, call, &place)).await;
        }
        exchange::exchange(self, call, place).await
    }
}

impl HttpProxy {
    /// The place of a call: below the endpoint's target, or where a policy sends it.
    async fn place(&self, call: &mut Call, chosen: Option<&str>) -> Result<Place, Failure> {
        let absolute = match chosen.filter(|chosen| chosen.contains("://")) {
            Some(chosen) => Some(Target::parse(chosen).map_err(|reason| {
                warn_seldom!(endpoint = self.name, reason, "a policy chose a target that cannot be used");
                misconfigured()
            })?),
            None => None,
        };
        let own = match (&absolute, &self.target) {
            (Some(target), _) => Cow::Borrowed(target),
            (None, Source::Fixed(target)) => Cow::Borrowed(target),
            (None, Source::Evaluated(template)) => Cow::Owned(self.evaluated(call, template).await?),
        };
        let path = match (absolute.is_some(), chosen) {
            (true, _) => "",
            (false, Some(chosen)) => chosen,
            (false, None) => call.request.path_info(),
        };
        own.below(path, call.request.head.uri.query())
            .map_err(|Climbs| Failure::plain(StatusCode::BAD_REQUEST, "The path leaves the API."))
    }

    async fn evaluated(&self, call: &mut Call, template: &Template) -> Result<Target, Failure> {
        flow::provide(template.needs(), call).await?;
        let text = expression::text(template, &Scope::of(call)).ok().flatten();
        let target = text.ok_or("has no value").and_then(|text| Target::parse(text.trim()));
        target.map_err(|reason| {
            warn_seldom!(
                endpoint = self.name,
                reason,
                "the target's expression gave nothing that can be used"
            );
            misconfigured()
        })
    }

    /// Sets the headers of the settings. One whose expression has no value is not set.
    async fn set_headers(&self, call: &mut Call, headers: &mut HeaderMap) -> Result<(), Failure> {
        for (name, value) in &self.headers {
            match value {
                Value::Fixed(value) => drop(headers.insert(name, value.clone())),
                Value::Evaluated(template) => {
                    flow::provide(template.needs(), call).await?;
                    let text = expression::text(template, &Scope::of(call)).map_err(|error| {
                        warn_seldom!(endpoint = self.name, header = %name, %error, "a header has no value");
                        misconfigured()
                    })?;
                    let Some(text) = text else { continue };
                    // What comes from a request may hold line ends, which would begin another header.
                    let value = HeaderValue::from_str(&text).map_err(|_| {
                        Failure::plain(
                            StatusCode::BAD_REQUEST,
                            format!("The value for the header {name} is not one line of text."),
                        )
                    })?;
                    headers.insert(name, value);
                }
            }
        }
        Ok(())
    }
}
