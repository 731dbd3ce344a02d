//! WebSocket: frames of a client are published, messages are sent to it, on one connection.

use super::settings::SettingsSchema;
use super::{EntrypointSpec, Mode};
use crate::api::{ApiType, ListenerType, Settings};
use crate::qos::EntrypointKind;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

pub static SPEC: EntrypointSpec = EntrypointSpec {
    id: "websocket",
    name: "WebSocket",
    description: "Exchanges messages in both directions over a WebSocket connection",
    api_type: ApiType::Message,
    listener: ListenerType::Http,
    modes: &[Mode::Publish, Mode::Subscribe],
    features: &[],
    kind: Some(EntrypointKind::WebSocket),
    schema,
    check,
    subscription_schema: None,
};

/// Settings of a WebSocket entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "WebSocket")]
pub struct WebSocket {
    /// From the client to the endpoint.
    #[serde(default)]
    pub publisher: Direction,
    /// From the endpoint to the client.
    #[serde(default)]
    pub subscriber: Direction,
}

/// One direction of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Direction {
    /// Whether messages flow in this direction.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

impl Default for Direction {
    fn default() -> Self {
        Direction { enabled: enabled() }
    }
}

fn enabled() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<WebSocket>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    WebSocket::parse(settings).err().unwrap_or_default()
}

impl WebSocket {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<WebSocket, Vec<Violation>> {
        schema().read(settings)
    }
}
