//! Request content limit: refuses requests whose body is too large.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "request-content-limit",
    name: "Request Content Limit",
    description: "Refuses requests whose body is too large",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Request Content Limit")]
pub struct RequestContentLimit {
    /// Greatest size of a request's body, bytes.
    pub limit: u64,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<RequestContentLimit>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    RequestContentLimit::parse(settings).err().unwrap_or_default()
}

impl RequestContentLimit {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<RequestContentLimit, Vec<Violation>> {
        schema().read(settings)
    }
}
