//! Traffic shadowing: sends a copy of each request to another endpoint, whatever that answers.

use super::transform_headers::Header;
use super::{Phase, PolicySpec, header};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "traffic-shadowing",
    name: "Traffic Shadowing",
    description: "Sends a copy of each request to another endpoint and ignores what that answers",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Traffic Shadowing")]
pub struct TrafficShadowing {
    /// Endpoint or group of the copy, `{#endpoints['name']}`, or an address.
    pub target: Template,
    /// Headers that the copy has in addition.
    #[serde(default)]
    pub headers: Vec<Header>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<TrafficShadowing>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    TrafficShadowing::parse(settings).err().unwrap_or_default()
}

impl TrafficShadowing {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<TrafficShadowing, Vec<Violation>> {
        let parsed: TrafficShadowing = schema().read(settings)?;
        let violations = header::violations("headers", &parsed.headers);
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}
