//! Webhook: one POST to the callback of each subscriber per message. What the subscribers say (where to call, with which
//! credentials and retries) is `subscription::webhook`; what the author of the API says for all of them is here.

use super::http_proxy::{UpstreamProxy, proxy_rules};
use super::settings::SettingsSchema;
use super::{EntrypointSpec, Feature, Mode};
use crate::api::{ApiType, ListenerType, Settings};
use crate::qos::EntrypointKind;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

/// The open entrypoint.
pub static SPEC: EntrypointSpec = EntrypointSpec {
    id: "webhook",
    name: "Webhook",
    description: "Posts each message to the callback of every subscriber",
    api_type: ApiType::Message,
    listener: ListenerType::Subscription,
    modes: &[Mode::Subscribe],
    features: &[Feature::Dlq],
    kind: Some(EntrypointKind::Webhook),
    schema,
    check,
    subscription_schema: Some(crate::subscription::webhook::schema),
};

/// The id of the same implementation in documents that ask for the advanced edition.
pub static ADVANCED: EntrypointSpec = EntrypointSpec {
    id: "webhook-advanced",
    name: "Webhook Advanced",
    description: SPEC.description,
    api_type: SPEC.api_type,
    listener: SPEC.listener,
    modes: SPEC.modes,
    features: SPEC.features,
    kind: SPEC.kind,
    schema,
    check,
    subscription_schema: Some(crate::subscription::webhook::schema),
};

/// Settings of a webhook entrypoint.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Webhook")]
pub struct Webhook {
    /// Limits of the calls.
    #[serde(default)]
    pub http: CallLimits,
    /// Proxy on the way to the callbacks.
    pub proxy: Option<UpstreamProxy>,
    /// Whether a subscription ends when its callback still answers 5xx after all retries.
    #[serde(default = "yes")]
    pub interrupt_consumption_on_server_error: bool,
    /// Whether a subscription ends when its callback still cannot be reached after all retries.
    #[serde(default = "yes")]
    pub interrupt_consumption_on_exception: bool,
    /// Whether the gateway's log has a line about each call. Headers and contents are never in it, whatever else this says.
    pub logging: Option<Logging>,
}

/// Limits of the calls to one callback.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CallLimits {
    /// Time for a connection to be established, milliseconds.
    #[schemars(range(min = 1, max = 600_000))]
    pub connect_timeout: u64,
    /// Time for the answer, milliseconds.
    #[schemars(range(min = 1, max = 600_000))]
    pub read_timeout: u64,
    /// Time that an unused connection is kept, milliseconds.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub idle_timeout: u64,
    /// Calls at a time, at the levels that keep no order; the others make one.
    #[schemars(range(min = 1, max = 20))]
    pub max_concurrent_connections: u32,
}

impl Default for CallLimits {
    fn default() -> Self {
        CallLimits {
            connect_timeout: 3_000,
            read_timeout: 10_000,
            idle_timeout: 60_000,
            max_concurrent_connections: 5,
        }
    }
}

/// Lines of the log about calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    /// Whether there are any: outcome, status, attempt, duration and size.
    #[serde(default)]
    pub enabled: bool,
    /// What other gateways log of the calls.
    pub request: Option<LoggedParts>,
    /// What other gateways log of the answers.
    pub response: Option<LoggedParts>,
}

/// Parts of a call or of an answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoggedParts {
    /// Whether headers are logged.
    #[serde(default)]
    pub headers: bool,
    /// Whether contents are logged.
    #[serde(default)]
    pub payload: bool,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Webhook>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Webhook::parse(settings).err().unwrap_or_default()
}

impl Webhook {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Webhook, Vec<Violation>> {
        let mut parsed: Webhook = schema().read(settings)?;
        parsed.proxy = parsed.proxy.filter(|proxy| proxy.enabled);
        let mut violations = Vec::new();
        if let Some(proxy) = &parsed.proxy {
            proxy_rules(proxy, &mut violations);
        }
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(settings: Value) -> Result<Webhook, Vec<String>> {
        Webhook::parse(settings.as_object().unwrap())
            .map_err(|faults| faults.into_iter().map(|fault| fault.path).collect())
    }

    #[test]
    fn absent_settings_have_the_values_of_the_field() {
        let webhook = parse(json!({})).unwrap();
        let http = &webhook.http;
        let times = (http.connect_timeout, http.read_timeout, http.idle_timeout);
        assert_eq!((times, http.max_concurrent_connections), ((3_000, 10_000, 60_000), 5));
        assert!(webhook.interrupt_consumption_on_server_error && webhook.interrupt_consumption_on_exception);
        assert!(webhook.proxy.is_none() && webhook.logging.is_none());
        let some = parse(json!({"http": {"readTimeout": "250"}, "interruptConsumptionOnException": false}));
        let some = some.unwrap();
        assert_eq!((some.http.read_timeout, some.http.connect_timeout), (250, 3_000));
        assert!(!some.interrupt_consumption_on_exception);
        assert!(parse(json!({"proxy": {"enabled": false}})).unwrap().proxy.is_none());
    }

    #[test]
    fn every_wait_and_every_number_of_calls_is_bounded() {
        let settings = json!({"http": {"connectTimeout": 0, "readTimeout": 0, "idleTimeout": 0,
            "maxConcurrentConnections": 21}});
        let expected =
            ["http.connectTimeout", "http.idleTimeout", "http.maxConcurrentConnections", "http.readTimeout"];
        let mut found = parse(settings).unwrap_err();
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(parse(json!({"proxy": {"enabled": true}})).unwrap_err(), ["proxy.host", "proxy.port"]);
    }
}
