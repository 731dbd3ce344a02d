//! Message filtering: keeps the messages for which an expression holds.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "message-filtering",
    name: "Message Filtering",
    description: "Keeps the messages for which an expression holds",
    proxy: &[],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Message Filtering")]
pub struct MessageFiltering {
    /// Expression that holds for the messages to keep. When it yields a text as soon as a client connects, such as a
    /// value of the subscription's metadata, that text is the expression.
    pub filter: Template,
    /// Whether a message that is not kept counts as delivered.
    #[serde(default = "yes")]
    pub ack_filtered_message: bool,
    /// Whether a message goes no further when the expression cannot be evaluated for it.
    #[serde(default = "yes")]
    pub filter_message_on_filtering_error: bool,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<MessageFiltering>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    MessageFiltering::parse(settings).err().unwrap_or_default()
}

impl MessageFiltering {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<MessageFiltering, Vec<Violation>> {
        let parsed: MessageFiltering = schema().read(settings)?;
        if parsed.filter.source().trim().is_empty() {
            let message = "#/filter: must not be blank, give the expression that holds for messages to keep";
            return Err(vec![Violation::new("filter", "data.invalid", message)]);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(settings: Value) -> Result<MessageFiltering, Vec<String>> {
        let parsed = MessageFiltering::parse(settings.as_object().unwrap());
        parsed.map_err(|violations| violations.into_iter().map(|v| v.message).collect())
    }

    #[test]
    fn filtered_messages_are_acknowledged_unless_told_otherwise() {
        let default = parse(json!({"filter": "true"})).unwrap();
        assert!(default.ack_filtered_message && default.filter_message_on_filtering_error);
        let other =
            json!({"filter": "true", "ackFilteredMessage": false, "filterMessageOnFilteringError": false});
        let other = parse(other).unwrap();
        assert!(!other.ack_filtered_message && !other.filter_message_on_filtering_error);
    }

    #[test]
    fn a_filter_is_required() {
        assert_eq!(parse(json!({})).unwrap_err(), ["#: required key [filter] not found, it must be set"]);
        assert_eq!(parse(json!({"filter": " "})).unwrap_err().len(), 1);
    }
}
