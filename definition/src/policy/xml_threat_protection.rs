//! XML threat protection: refuses XML that is made to hurt its reader.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "xml-threat-protection",
    name: "XML Threat Protection",
    description: "Refuses XML that is made to hurt its reader",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "XML Threat Protection")]
pub struct XmlThreatProtection {
    /// Greatest number of elements; -1: no limit.
    #[serde(default = "thousand")]
    #[schemars(range(min = -1))]
    pub max_elements: i64,
    /// Greatest depth of elements; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_depth: i64,
    /// Greatest length of the document with its entities expanded, bytes; -1: no limit.
    #[serde(default = "thousand")]
    #[schemars(range(min = -1))]
    pub max_length: i64,
    /// Greatest number of attributes of an element; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_attributes_per_element: i64,
    /// Greatest length of an attribute's value, bytes; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_attribute_value_length: i64,
    /// Greatest number of children of an element; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_children_per_element: i64,
    /// Greatest length of a text between tags, bytes; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_text_value_length: i64,
    /// Greatest number of entities that the document defines; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_entities: i64,
    /// Greatest depth of entities within entities; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_entity_depth: i64,
    /// Whether entities and document types may lie outside of the document. They are never fetched here.
    #[serde(default)]
    pub allow_external_entities: bool,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

fn hundred() -> i64 {
    100
}

fn thousand() -> i64 {
    1000
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<XmlThreatProtection>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    XmlThreatProtection::parse(settings).err().unwrap_or_default()
}

impl XmlThreatProtection {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<XmlThreatProtection, Vec<Violation>> {
        schema().read(settings)
    }
}
