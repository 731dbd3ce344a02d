//! HTTP POST: one request body, one message.

use super::settings::SettingsSchema;
use super::{EntrypointSpec, Mode};
use crate::api::{ApiType, ListenerType, Settings};
use crate::qos::EntrypointKind;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: EntrypointSpec = EntrypointSpec {
    id: "http-post",
    name: "HTTP POST",
    description: "Publishes the body of each POST request as one message",
    api_type: ApiType::Message,
    listener: ListenerType::Http,
    modes: &[Mode::Publish],
    features: &[],
    kind: Some(EntrypointKind::HttpPost),
    schema,
    check,
    subscription_schema: None,
};

/// Settings of an HTTP POST entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTTP POST")]
pub struct HttpPost {
    /// Whether the headers of the request become headers of the message.
    #[serde(default)]
    pub request_headers_to_message: bool,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<HttpPost>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    HttpPost::parse(settings).err().unwrap_or_default()
}

impl HttpPost {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<HttpPost, Vec<Violation>> {
        schema().read(settings)
    }
}
