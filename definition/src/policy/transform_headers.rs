//! Transform headers: sets, adds and removes headers of requests, responses and messages.

use super::{Phase, PolicySpec, header};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "transform-headers",
    name: "Transform Headers",
    description: "Sets, adds and removes headers of requests, responses and messages",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Request, Phase::Response, Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy. Headers are set first, then added, then removed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Transform Headers")]
pub struct TransformHeaders {
    /// Headers that replace those of the same name.
    #[serde(default)]
    pub add_headers: Vec<Header>,
    /// Headers that are added to those of the same name.
    #[serde(default)]
    pub append_headers: Vec<Header>,
    /// Names of headers to remove.
    #[serde(default)]
    pub remove_headers: Vec<String>,
    /// Names of the only headers to keep; empty: all.
    #[serde(default)]
    pub whitelist_headers: Vec<String>,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

/// A header with a value that may hold expressions.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// Name; a blank one is skipped.
    #[schemars(extend("x-identity" = true))]
    pub name: String,
    /// Value; null or absent: the header is not set.
    #[serde(default)]
    #[schemars(extend("x-secret-named" = "name"))]
    pub value: Option<Template>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<TransformHeaders>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    TransformHeaders::parse(settings).err().unwrap_or_default()
}

impl TransformHeaders {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<TransformHeaders, Vec<Violation>> {
        let parsed: TransformHeaders = schema().read(settings)?;
        let mut violations = header::violations("addHeaders", &parsed.add_headers);
        violations.extend(header::violations("appendHeaders", &parsed.append_headers));
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

/// Whether a text is a token of HTTP.
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(settings: Value) -> Result<TransformHeaders, Vec<String>> {
        let parsed = TransformHeaders::parse(settings.as_object().unwrap());
        parsed.map_err(|violations| violations.into_iter().map(|v| v.message).collect())
    }

    #[test]
    fn absent_settings_change_nothing() {
        let none = parse(json!({})).unwrap();
        assert!(
            none.add_headers.is_empty()
                && none.remove_headers.is_empty()
                && none.whitelist_headers.is_empty()
        );
    }

    #[test]
    fn a_name_that_is_no_header_is_refused() {
        let wrong = parse(json!({"addHeaders": [{"name": "a b", "value": "x"}]})).unwrap_err();
        assert_eq!(
            wrong,
            ["#/addHeaders/0/name: \"a b\" is no HTTP header name, use letters, digits and dashes"]
        );
        assert!(parse(json!({"addHeaders": [{"name": " ", "value": "x"}]})).is_ok());
    }
}
