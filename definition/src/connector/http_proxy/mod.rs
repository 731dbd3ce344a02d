//! HTTP proxy: requests go to an HTTP backend as they are, and its answers come back as they are.
//!
//! The beta keeps every setting in the endpoint's `configuration`; later documents keep all but `target` in the shared
//! part. Both are members of one struct, read from the effective settings.

mod rules;
mod settings;
#[cfg(test)]
mod tests;

use super::settings::SettingsSchema;
use super::ssl::{Ssl, SslSettings};
use super::{EndpointSpec, EntrypointSpec, Mode};
use crate::api::{ApiType, ListenerType, Settings};
use crate::expression::Template;
use crate::policy::transform_headers::Header;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub(crate) use rules::proxy_rules;
pub use rules::{SCHEMES, target_url};
pub use settings::{HttpSettings, ProxyType, ProxyVersion, UpstreamProxy};

pub static ENTRYPOINT: EntrypointSpec = EntrypointSpec {
    id: "http-proxy",
    name: "HTTP Proxy",
    description: "Passes every request on to an HTTP backend",
    api_type: ApiType::Proxy,
    listener: ListenerType::Http,
    modes: &[Mode::RequestResponse],
    features: &[],
    kind: None,
    schema: entrypoint_schema,
    check: |_| Vec::new(),
    subscription_schema: None,
};

pub static ENDPOINT: EndpointSpec = EndpointSpec {
    id: "http-proxy",
    name: "HTTP Proxy",
    description: "An HTTP backend, over HTTP/1.1 or HTTP/2",
    api_type: ApiType::Proxy,
    modes: &[Mode::RequestResponse],
    features: &[],
    kind: None,
    schema,
    check,
    enabled: |_| vec![Mode::RequestResponse],
};

/// The entrypoint has no settings; members that authors send are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "HTTP Proxy")]
struct Nothing {}

/// Settings of an endpoint, merged from both spellings and checked.
#[derive(Debug, Clone)]
pub struct HttpProxy {
    /// Absolute URL of the backend, or an expression that gives one.
    pub target: Template,
    pub http: HttpSettings,
    /// Set on every outgoing request.
    pub headers: Vec<Header>,
    /// `None`: backends are reached directly.
    pub proxy: Option<UpstreamProxy>,
    pub ssl: Ssl,
}

fn entrypoint_schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Nothing>);
    &SCHEMA
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<settings::ProxySettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    HttpProxy::parse(settings).err().unwrap_or_default()
}

impl HttpProxy {
    /// Reads effective settings. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<HttpProxy, Vec<Violation>> {
        let settings: settings::ProxySettings = schema().read(settings)?;
        let violations = rules::violations(&settings);
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(HttpProxy {
            target: settings.target,
            http: settings.http.unwrap_or_default(),
            headers: settings.headers.unwrap_or_default(),
            proxy: settings.proxy.filter(|proxy| proxy.enabled),
            ssl: settings.ssl.map(SslSettings::merge).unwrap_or_default(),
        })
    }
}
