//! Override HTTP method: what the backend is asked with.

use super::method::Method;
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-override-request-method",
    name: "Override HTTP Method",
    description: "Asks the backend with another HTTP method",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Override HTTP Method")]
pub struct OverrideRequestMethod {
    /// Method that the backend is asked with.
    pub method: Method,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<OverrideRequestMethod>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    OverrideRequestMethod::parse(settings).err().unwrap_or_default()
}

impl OverrideRequestMethod {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<OverrideRequestMethod, Vec<Violation>> {
        schema().read(settings)
    }
}
