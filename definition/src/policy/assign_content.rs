//! Assign content: replaces bodies of requests, responses and messages with what a FreeMarker template yields.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::freemarker::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-assign-content",
    name: "Assign Content",
    description: "Replaces bodies of requests, responses and messages with what a FreeMarker template yields",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Assign Content")]
struct AssignContentSettings {
    /// FreeMarker template of the new content. It knows `request`, `response`, `message` and `context`.
    body: String,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default, rename = "scope")]
    _scope: Option<String>,
}

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct AssignContent {
    /// The new content.
    pub body: Template,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<AssignContentSettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    AssignContent::parse(settings).err().unwrap_or_default()
}

impl AssignContent {
    /// Reads settings. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<AssignContent, Vec<Violation>> {
        let settings: AssignContentSettings = schema().read(settings)?;
        Ok(AssignContent { body: template("body", &settings.body)? })
    }
}

/// Reads the FreeMarker template of a setting.
pub(super) fn template(member: &str, source: &str) -> Result<Template, Vec<Violation>> {
    Template::parse(source).map_err(|error| {
        let message = format!("#/{member}: the FreeMarker template cannot be read: {error}");
        vec![Violation::new(member, "data.invalid", message)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_template_that_cannot_be_read_is_refused_with_its_place() {
        let parse = |settings: Value| AssignContent::parse(settings.as_object().unwrap());
        assert!(parse(json!({"body": "", "scope": "REQUEST"})).is_ok());
        assert_eq!(parse(json!({})).unwrap_err()[0].path, "body");
        let violation = &parse(json!({"body": "<#include 'x'>"})).unwrap_err()[0];
        assert_eq!(violation.path, "body");
        assert!(violation.message.ends_with("at line 1, column 1"), "{}", violation.message);
    }
}
