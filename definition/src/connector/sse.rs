//! Server-sent events: one endless response per client, one event per message.

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
    id: "sse",
    name: "Server-Sent Events",
    description: "Streams messages to browsers and other clients as server-sent events",
    api_type: ApiType::Message,
    listener: ListenerType::Http,
    modes: &[Mode::Subscribe],
    features: &[Feature::Resume],
    kind: Some(EntrypointKind::Sse),
    schema,
    check,
    subscription_schema: None,
};

/// The id of the same implementation in documents that ask for the advanced edition.
pub static ADVANCED: EntrypointSpec = EntrypointSpec {
    id: "sse-advanced",
    name: "Server-Sent Events Advanced",
    description: SPEC.description,
    api_type: SPEC.api_type,
    listener: SPEC.listener,
    modes: SPEC.modes,
    features: SPEC.features,
    kind: SPEC.kind,
    schema,
    check,
    subscription_schema: None,
};

/// Settings of a server-sent events entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Server-Sent Events")]
pub struct Sse {
    /// Time between two heartbeats of an idle stream, milliseconds. At most an hour: proxies drop idle connections
    /// much earlier.
    #[serde(default = "heartbeat_interval")]
    #[schemars(range(min = 2000, max = 3_600_000))]
    pub heartbeat_interval_in_ms: u64,
    /// Whether the metadata of a message are written as comments of its event.
    #[serde(default)]
    pub metadata_as_comment: bool,
    /// Whether the headers of a message are written as comments of its event.
    #[serde(default)]
    pub headers_as_comment: bool,
}

fn heartbeat_interval() -> u64 {
    5000
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Sse>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Sse::parse(settings).err().unwrap_or_default()
}

impl Sse {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Sse, Vec<Violation>> {
        schema().read(settings)
    }
}
