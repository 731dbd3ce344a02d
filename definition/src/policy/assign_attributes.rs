//! Assign attributes: sets attributes of the context, or of each message, that later policies and connectors read.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-assign-attributes",
    name: "Assign Attributes",
    description: "Sets attributes of requests or messages that later policies and connectors read",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Request, Phase::Response, Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy. Attributes are set in order: a value may use those before it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Assign Attributes")]
pub struct AssignAttributes {
    /// Attributes to set.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

/// An attribute and its value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    /// Name, with or without the prefix `gravitee.attribute.`; a blank one is skipped.
    pub name: String,
    /// Value; it keeps the type that its expression yields. Null or absent: the attribute is not set.
    #[serde(default)]
    pub value: Option<Template>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<AssignAttributes>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    AssignAttributes::parse(settings).err().unwrap_or_default()
}

impl AssignAttributes {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<AssignAttributes, Vec<Violation>> {
        schema().read(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_attribute_needs_a_name() {
        let parse = |settings: serde_json::Value| AssignAttributes::parse(settings.as_object().unwrap());
        assert!(parse(json!({})).unwrap().attributes.is_empty());
        let named = parse(json!({"attributes": [{"name": "a", "value": "1"}, {"name": "b"}]})).unwrap();
        assert_eq!(named.attributes[1].value, None);
        let violations = parse(json!({"attributes": [{"value": "1"}]})).unwrap_err();
        assert_eq!(violations[0].path, "attributes[0].name");
    }
}
