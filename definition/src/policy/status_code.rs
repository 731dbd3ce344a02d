//! Status code: replaces the status of responses.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "status-code",
    name: "Status Code",
    description: "Replaces the status of responses",
    proxy: &[Phase::Response],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Status Code")]
pub struct StatusCode {
    /// Which status becomes which; the last one of a status counts.
    #[serde(default)]
    pub status_mappings: Vec<StatusMapping>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusMapping {
    /// Status of the backend.
    #[schemars(range(min = 100, max = 599))]
    pub input_status_code: u16,
    /// Status for the client. The informational ones end no response.
    #[schemars(range(min = 200, max = 599))]
    pub output_status_code: u16,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<StatusCode>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    StatusCode::parse(settings).err().unwrap_or_default()
}

impl StatusCode {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<StatusCode, Vec<Violation>> {
        schema().read(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn statuses_are_those_of_http() {
        let parse = |settings: Value| StatusCode::parse(settings.as_object().unwrap());
        assert!(parse(json!({})).unwrap().status_mappings.is_empty());
        let mapping = |from: Value, to: Value| json!({"statusMappings": [{"inputStatusCode": from, "outputStatusCode": to}]});
        let parsed = parse(mapping(json!("404"), json!(200))).unwrap();
        assert_eq!(
            parsed.status_mappings,
            [StatusMapping { input_status_code: 404, output_status_code: 200 }]
        );
        assert_eq!(
            parse(mapping(json!(200), json!(101))).unwrap_err()[0].path,
            "statusMappings[0].outputStatusCode"
        );
    }
}
