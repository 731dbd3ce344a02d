//! Mock: answers in the place of the backend.

use super::transform_headers::Header;
use super::{Phase, PolicySpec, header};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "mock",
    name: "Mock",
    description: "Answers in the place of the backend",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Mock")]
pub struct Mock {
    /// Status of the answer.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// Body of the answer. Without a `Content-Type` header its type is JSON, XML or text, as it looks.
    #[serde(default)]
    pub content: Option<Template>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Mock>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Mock::parse(settings).err().unwrap_or_default()
}

impl Mock {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<Mock, Vec<Violation>> {
        let parsed: Mock = schema().read(settings)?;
        let violations = header::violations("headers", &parsed.headers);
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(settings: Value) -> Result<Mock, Vec<String>> {
        let parsed = Mock::parse(settings.as_object().unwrap());
        parsed.map_err(|violations| violations.into_iter().map(|v| v.message).collect())
    }

    #[test]
    fn a_status_may_be_a_text_and_must_be_one_of_an_answer() {
        assert_eq!(parse(json!({"status": "418"})).unwrap().status, 418);
        assert_eq!(parse(json!({"status": 200})).unwrap().content, None);
        assert_eq!(parse(json!({})).unwrap_err(), ["#: required key [status] not found, it must be set"]);
        assert_eq!(
            parse(json!({"status": 101})).unwrap_err(),
            ["#/status: 101 is out of range, use a value from 200 to 599"]
        );
    }

    #[test]
    fn a_name_that_is_no_header_is_refused() {
        let wrong = parse(json!({"status": 200, "headers": [{"name": "a:b", "value": "x"}]})).unwrap_err();
        assert_eq!(
            wrong,
            ["#/headers/0/name: \"a:b\" is no HTTP header name, use letters, digits and dashes"]
        );
    }
}
