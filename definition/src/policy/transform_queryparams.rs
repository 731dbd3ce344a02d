//! Transform query parameters: removes and sets query parameters of requests.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "transform-queryparams",
    name: "Transform Query Parameters",
    description: "Removes and sets query parameters of requests",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy. Parameters are removed first, then set.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Transform Query Parameters")]
pub struct TransformQueryParams {
    /// Whether all parameters of the request are removed.
    #[serde(default)]
    pub clear_all: bool,
    /// Names of parameters to remove.
    #[serde(default)]
    pub remove_query_parameters: Vec<String>,
    /// Parameters to set.
    #[serde(default)]
    pub add_query_parameters: Vec<QueryParameter>,
}

/// A parameter to set.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryParameter {
    /// Name; a blank one is skipped.
    pub name: String,
    /// Value; null, absent, or one that cannot be evaluated: the parameter stays as it is.
    #[serde(default)]
    pub value: Option<Template>,
    /// Whether the value is added to those of the same name instead of replacing them.
    #[serde(default)]
    pub append_to_existing_array: bool,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<TransformQueryParams>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    TransformQueryParams::parse(settings).err().unwrap_or_default()
}

impl TransformQueryParams {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<TransformQueryParams, Vec<Violation>> {
        schema().read(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn absent_settings_change_nothing() {
        let parse = |settings: Value| TransformQueryParams::parse(settings.as_object().unwrap());
        let none = parse(json!({})).unwrap();
        assert!(
            !none.clear_all
                && none.remove_query_parameters.is_empty()
                && none.add_query_parameters.is_empty()
        );
        assert!(
            !parse(json!({"addQueryParameters": [{"name": "a"}]})).unwrap().add_query_parameters[0]
                .append_to_existing_array
        );
        assert_eq!(
            parse(json!({"addQueryParameters": [{}]})).unwrap_err()[0].path,
            "addQueryParameters[0].name"
        );
    }
}
