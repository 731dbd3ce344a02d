//! Cache: keeps answers in the memory of each gateway.

use super::ResourceSpec;
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: ResourceSpec = ResourceSpec {
    id: "cache",
    name: "Cache",
    description: "Keeps answers in the memory of each gateway, as long as one version of the API runs",
    schema,
    check,
};

/// Settings of the resource.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Cache")]
pub struct Cache {
    /// Name of the cache; policies use that of the resource.
    #[serde(default)]
    pub name: Option<String>,
    /// How long an entry stays that nobody asks for, seconds; 0: as long as it lives.
    #[serde(default)]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub time_to_idle_seconds: u64,
    /// How long an entry lives at most, seconds; 0: as long as the policy says.
    #[serde(default)]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub time_to_live_seconds: u64,
    /// Greatest number of entries. The memory of a cache has a limit besides.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_entries_local_heap: u64,
}

fn thousand() -> u64 {
    1000
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Cache>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Cache::parse(settings).err().unwrap_or_default()
}

impl Cache {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<Cache, Vec<Violation>> {
        schema().read(settings)
    }
}
