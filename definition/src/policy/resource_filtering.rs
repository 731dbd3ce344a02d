//! Resource filtering: lets requests in by their paths and methods.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::reader::quote;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "resource-filtering",
    name: "Resource Filtering",
    description: "Lets requests in by their paths and methods",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Resource Filtering")]
pub struct ResourceFiltering {
    /// What may be asked for; none: everything that is not listed below.
    #[serde(default)]
    pub whitelist: Vec<Resource>,
    /// What is refused.
    #[serde(default)]
    pub blacklist: Vec<Resource>,
}

/// Paths and methods.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    /// Path with `?` for a character, `*` for a part of a segment and `**` for any number of segments.
    pub pattern: String,
    /// Methods; none: all.
    #[serde(default)]
    pub methods: Vec<String>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<ResourceFiltering>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    ResourceFiltering::parse(settings).err().unwrap_or_default()
}

impl ResourceFiltering {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<ResourceFiltering, Vec<Violation>> {
        let parsed: ResourceFiltering = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn faults(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (name, list) in [("whitelist", &self.whitelist), ("blacklist", &self.blacklist)] {
            for (index, resource) in list.iter().enumerate() {
                if resource.pattern.trim().is_empty() {
                    let message =
                        format!("#/{name}/{index}/pattern: must not be empty, use ** for all paths");
                    violations.push(Violation::new(
                        format!("{name}[{index}].pattern"),
                        "data.invalid",
                        message,
                    ));
                }
                for (place, method) in resource.methods.iter().enumerate() {
                    if !super::transform_headers::is_header_name(method) {
                        let wrong = quote(method);
                        let message = format!("#/{name}/{index}/methods/{place}: {wrong} is no HTTP method");
                        let path = format!("{name}[{index}].methods[{place}]");
                        violations.push(Violation::new(path, "data.invalid", message));
                    }
                }
            }
        }
        violations
    }
}
