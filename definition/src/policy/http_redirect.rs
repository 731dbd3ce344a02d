//! Redirect: tells the client to ask elsewhere.

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
    id: "http-redirect",
    name: "HTTP Redirect",
    description: "Tells the client to ask elsewhere, by the path of the request",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTTP Redirect")]
pub struct HttpRedirect {
    /// Rules; the first one that matches counts. A request that none matches goes on.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Regular expression that must match all of what follows the context path.
    pub path: String,
    /// Where to. `#group[0]` and `#groupName['name']` are what the path's expression captured.
    pub location: Template,
    /// Status of the answer.
    #[serde(default = "moved_permanently")]
    #[schemars(range(min = 300, max = 399))]
    pub status: u16,
}

fn moved_permanently() -> u16 {
    301
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<HttpRedirect>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    HttpRedirect::parse(settings).err().unwrap_or_default()
}

impl HttpRedirect {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<HttpRedirect, Vec<Violation>> {
        let parsed: HttpRedirect = schema().read(settings)?;
        let rules = parsed.rules.iter().enumerate();
        let violations: Vec<Violation> = rules
            .filter_map(|(index, rule)| {
                let error = Pattern::whole(&rule.path).err()?;
                let message = format!("#/rules/{index}/path: {error}");
                Some(Violation::new(format!("rules[{index}].path"), "data.invalid", message))
            })
            .collect();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}
