//! Dynamic routing: sends a request where the first rule says whose pattern matches its path.

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
    id: "dynamic-routing",
    name: "Dynamic Routing",
    description: "Chooses the endpoint or the address of the backend by the path of the request",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Dynamic Routing")]
pub struct DynamicRouting {
    /// Rules; the first one that matches counts.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Regular expression that must match all of what follows the context path.
    pub pattern: Template,
    /// Where to: an endpoint's or a group's name (`{#endpoints['name']}`) with a path, or an address. `#group[0]` and
    /// `#groupName['name']` are what the pattern captured.
    pub url: Template,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<DynamicRouting>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    DynamicRouting::parse(settings).err().unwrap_or_default()
}

impl DynamicRouting {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<DynamicRouting, Vec<Violation>> {
        let parsed: DynamicRouting = schema().read(settings)?;
        let patterns = parsed.rules.iter().enumerate();
        let violations: Vec<Violation> = patterns
            .filter_map(|(index, rule)| {
                let error = Pattern::whole(rule.pattern.literal()?).err()?;
                let message = format!("#/rules/{index}/pattern: {error}");
                Some(Violation::new(format!("rules[{index}].pattern"), "data.invalid", message))
            })
            .collect();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_that_cannot_be_read_is_refused_at_save() {
        let settings = json!({"rules": [{"pattern": "/a", "url": "x"}, {"pattern": "/(", "url": "x"}]});
        let wrong = check(settings.as_object().unwrap());
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].path, "rules[1].pattern");
        assert!(
            wrong[0].message.starts_with("#/rules/1/pattern: \"/(\" is no regular expression"),
            "{wrong:?}"
        );
    }
}
