//! JSON to JSON: transforms content with a chain of JOLT operations.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::jolt::Chain;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "json-to-json",
    name: "JSON to JSON",
    description: "Transforms content with a chain of JOLT operations",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "JSON to JSON")]
struct JsonToJsonSettings {
    /// JOLT chain as JSON text. It may hold expressions; then it is read anew for every content.
    specification: Template,
    /// Whether the content is declared as JSON afterwards.
    #[serde(default = "yes")]
    override_content_type: bool,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default, rename = "scope")]
    _scope: Option<String>,
}

fn yes() -> bool {
    true
}

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonToJson {
    pub specification: Specification,
    pub override_content_type: bool,
}

/// The chain, or what becomes one.
#[derive(Debug, Clone, PartialEq)]
pub enum Specification {
    Chain(Chain),
    Template(Template),
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<JsonToJsonSettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    JsonToJson::parse(settings).err().unwrap_or_default()
}

impl JsonToJson {
    /// Reads settings. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<JsonToJson, Vec<Violation>> {
        let settings: JsonToJsonSettings = schema().read(settings)?;
        let specification = match settings.specification.literal() {
            None => Specification::Template(settings.specification),
            Some(literal) => Specification::Chain(Chain::parse(literal).map_err(|error| {
                let message = format!("#/specification: the JOLT chain cannot be read: {error}");
                vec![Violation::new("specification", "data.invalid", message)]
            })?),
        };
        Ok(JsonToJson { specification, override_content_type: settings.override_content_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_chain_is_checked() {
        let parse = |settings: Value| JsonToJson::parse(settings.as_object().unwrap());
        let sorted =
            parse(json!({"specification": r#"[{"operation":"sort"}]"#, "scope": "REQUEST"})).unwrap();
        assert!(sorted.override_content_type && matches!(sorted.specification, Specification::Chain(_)));
        let violation = &parse(json!({"specification": r#"[{"operation":"x"}]"#})).unwrap_err()[0];
        assert_eq!(violation.path, "specification");
        assert!(
            violation.message.contains("[0].spec: the operation `x` is not supported"),
            "{}",
            violation.message
        );
        assert_eq!(parse(json!({})).unwrap_err()[0].path, "specification");
    }
}
