//! Role based access control: lets callers in by their roles, which an earlier policy or the plan found out.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "rbac",
    name: "Role Based Access Control",
    description: "Lets callers in by their roles",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Role Based Access Control")]
pub struct Rbac {
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether a caller needs all of them; else one is enough.
    #[serde(default = "yes")]
    pub strict: bool,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Rbac>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Rbac::parse(settings).err().unwrap_or_default()
}

impl Rbac {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Rbac, Vec<Violation>> {
        schema().read(settings)
    }
}
