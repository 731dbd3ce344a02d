//! Mock: an endpoint without a broker that makes numbered messages and swallows what it is sent.

use super::settings::SettingsSchema;
use super::{EndpointSpec, Feature, Mode};
use crate::api::{ApiType, Settings};
use crate::qos::EndpointKind;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: EndpointSpec = EndpointSpec {
    id: "mock",
    name: "Mock",
    description: "Produces sample messages at an interval and logs those it receives",
    api_type: ApiType::Message,
    modes: &[Mode::Publish, Mode::Subscribe],
    features: &[Feature::Limit, Feature::Resume],
    kind: Some(EndpointKind::Mock),
    schema,
    check,
    enabled: |_| SPEC.modes.to_vec(),
};

/// Settings of a mock endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Mock")]
pub struct Mock {
    /// Time before each message, milliseconds: from 1, so that a stream without a count never spins, to a day.
    #[serde(default = "message_interval")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub message_interval: u64,
    /// Content of every message, exactly as written.
    #[serde(default = "message_content")]
    pub message_content: String,
    /// Messages are numbered from 0 and end before this number. Absent: they never end.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub message_count: Option<u64>,
    /// Headers of every message.
    #[serde(default)]
    pub headers: Option<Vec<Pair>>,
    /// Metadata of every message.
    #[serde(default)]
    pub metadata: Option<Vec<Pair>>,
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pair {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Value.
    pub value: String,
}

fn message_interval() -> u64 {
    1000
}

fn message_content() -> String {
    "mock message".to_owned()
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Mock>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Mock::parse(settings).err().unwrap_or_default()
}

impl Mock {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Mock, Vec<Violation>> {
        schema().read(settings)
    }
}
