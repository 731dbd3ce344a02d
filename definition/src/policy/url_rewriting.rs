//! URL rewriting: replaces addresses in what the backend answers.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::pattern::Pattern;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "url-rewriting",
    name: "URL Rewriting",
    description: "Replaces addresses in the headers and the body of responses",
    proxy: &[Phase::Response],
    message: &[Phase::Response],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "URL Rewriting")]
pub struct UrlRewriting {
    /// Regular expression of what is replaced, wherever it is found.
    #[schemars(length(min = 1))]
    pub from_regex: String,
    /// What takes its place. `#group[0]` and `#groupName['name']` are what the expression captured.
    pub to_replacement: Template,
    /// Whether values of headers are rewritten.
    #[serde(default = "yes")]
    pub rewrite_response_headers: bool,
    /// Whether the body is rewritten; it is held as a whole for that.
    #[serde(default = "yes")]
    pub rewrite_response_body: bool,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<UrlRewriting>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    UrlRewriting::parse(settings).err().unwrap_or_default()
}

impl UrlRewriting {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<UrlRewriting, Vec<Violation>> {
        let parsed: UrlRewriting = schema().read(settings)?;
        match Pattern::anywhere(&parsed.from_regex) {
            Ok(_) => Ok(parsed),
            Err(error) => {
                Err(vec![Violation::new("fromRegex", "data.invalid", format!("#/fromRegex: {error}"))])
            }
        }
    }
}
