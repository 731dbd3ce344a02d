//! HTTP GET: a response that collects messages up to a count or a duration.

use super::settings::SettingsSchema;
use super::{EntrypointSpec, Feature, Mode};
use crate::api::{ApiType, ListenerType, Settings};
use crate::qos::EntrypointKind;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;
use std::time::Duration;

pub static SPEC: EntrypointSpec = EntrypointSpec {
    id: "http-get",
    name: "HTTP GET",
    description: "Answers GET requests with the messages that arrive within a limit of count and time",
    api_type: ApiType::Message,
    listener: ListenerType::Http,
    modes: &[Mode::Subscribe],
    features: &[Feature::Limit, Feature::Resume],
    kind: Some(EntrypointKind::HttpGet),
    schema,
    check,
    subscription_schema: None,
};

/// Settings of an HTTP GET entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTTP GET")]
pub struct HttpGet {
    /// Greatest number of messages in one response.
    #[serde(default = "messages_limit_count")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub messages_limit_count: u32,
    /// Longest time that a response waits for messages, milliseconds. Zero or less: no limit.
    #[serde(default = "messages_limit_duration_ms")]
    #[schemars(range(min = -1, max = 86_400_000))]
    pub messages_limit_duration_ms: i64,
    /// Whether items carry the headers of their messages.
    #[serde(default)]
    pub headers_in_payload: bool,
    /// Whether items carry the metadata of their messages.
    #[serde(default)]
    pub metadata_in_payload: bool,
}

fn messages_limit_count() -> u32 {
    500
}

fn messages_limit_duration_ms() -> i64 {
    5000
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<HttpGet>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    HttpGet::parse(settings).err().unwrap_or_default()
}

impl HttpGet {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<HttpGet, Vec<Violation>> {
        schema().read(settings)
    }

    /// The longest wait; `None` when it is not limited.
    pub fn limit_duration(&self) -> Option<Duration> {
        u64::try_from(self.messages_limit_duration_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
    }
}
