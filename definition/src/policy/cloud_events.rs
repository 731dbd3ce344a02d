//! Cloud events: wraps the content of messages as structured CloudEvents 1.0.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "cloud-events",
    name: "Cloud Events",
    description: "Wraps the content of messages as structured CloudEvents 1.0",
    proxy: &[],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Cloud Events")]
pub struct CloudEvents {
    /// Identifier of the event. Null or absent: the id of the message, else a new one.
    #[serde(default)]
    pub id: Option<Template>,
    /// Type of the event.
    #[serde(rename = "type")]
    pub event_type: Template,
    /// Where the event comes from: a URI reference.
    pub source: Template,
    /// What the event is about.
    #[serde(default)]
    pub subject: Option<Template>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<CloudEvents>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    CloudEvents::parse(settings).err().unwrap_or_default()
}

impl CloudEvents {
    /// Reads settings. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<CloudEvents, Vec<Violation>> {
        let parsed: CloudEvents = schema().read(settings)?;
        let named = [("type", &parsed.event_type), ("source", &parsed.source)];
        let blank = named.into_iter().filter(|(_, template)| template.source().trim().is_empty());
        let violations: Vec<_> = blank
            .map(|(name, _)| {
                let message = format!("#/{name}: must not be blank, CloudEvents require a value");
                Violation::new(name, "data.invalid", message)
            })
            .collect();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn type_and_source_are_required() {
        let parse = |settings: Value| CloudEvents::parse(settings.as_object().unwrap());
        assert!(parse(json!({"type": "t", "source": "s"})).is_ok());
        let paths = |settings| parse(settings).unwrap_err().into_iter().map(|v| v.path).collect::<Vec<_>>();
        assert_eq!(paths(json!({"id": "1"})), ["type", "source"]);
        assert_eq!(paths(json!({"type": "t", "source": " "})), ["source"]);
    }
}
