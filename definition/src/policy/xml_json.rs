//! XML to JSON: turns XML documents into JSON objects.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "xml-json",
    name: "XML to JSON",
    description: "Turns XML documents into JSON objects",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "XML to JSON")]
pub struct XmlJson {
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<XmlJson>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    XmlJson::parse(settings).err().unwrap_or_default()
}

impl XmlJson {
    /// Reads settings. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<XmlJson, Vec<Violation>> {
        schema().read(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_is_nothing_to_set() {
        assert!(check(json!({"scope": "REQUEST"}).as_object().unwrap()).is_empty());
        assert_eq!(check(json!({"scope": 5}).as_object().unwrap())[0].path, "scope");
    }
}
