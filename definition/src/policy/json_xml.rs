//! JSON to XML: turns JSON objects into XML documents.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "json-xml",
    name: "JSON to XML",
    description: "Turns JSON objects into XML documents",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "JSON to XML")]
pub struct JsonXml {
    /// Name of the root element.
    #[serde(default = "root")]
    pub root_element: String,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

fn root() -> String {
    "root".to_owned()
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<JsonXml>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    JsonXml::parse(settings).err().unwrap_or_default()
}

impl JsonXml {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<JsonXml, Vec<Violation>> {
        let parsed: JsonXml = schema().read(settings)?;
        let name = &parsed.root_element;
        let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !starts || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')) {
            let name = crate::reader::quote(name);
            let message =
                format!("#/rootElement: {name} is no name of an element, use letters, digits, _, - and .");
            return Err(vec![Violation::new("rootElement", "data.invalid", message)]);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_root_is_an_element() {
        let parse = |settings: Value| JsonXml::parse(settings.as_object().unwrap());
        assert_eq!(parse(json!({})).unwrap().root_element, "root");
        assert_eq!(parse(json!({"rootElement": "a:b"})).unwrap().root_element, "a:b");
        for wrong in ["", "1a", "a b", "a>"] {
            assert_eq!(parse(json!({"rootElement": wrong})).unwrap_err()[0].path, "rootElement", "{wrong}");
        }
    }
}
