//! HTML to JSON: takes texts out of an HTML page and makes a JSON object of them.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use scraper::Selector as Css;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "html-json",
    name: "HTML to JSON",
    description: "Takes texts out of HTML pages and makes JSON objects of them",
    proxy: &[Phase::Response],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTML to JSON")]
pub struct HtmlJson {
    /// The members of the object.
    #[schemars(length(min = 1))]
    pub selectors: Vec<Selector>,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

/// A member of the object.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Whether the member is a list with the text of each element; false: one text.
    #[serde(default)]
    pub array: bool,
    /// Name of the member.
    pub json_name: String,
    /// CSS selector of the elements whose texts are taken.
    pub selector: String,
}

/// Reads a CSS selector. The error says what is wrong with it.
pub fn compile(selector: &str) -> Result<Css, String> {
    Css::parse(selector).map_err(|_| {
        let name = crate::reader::quote(selector);
        format!("{name} is no CSS selector that can be used, write one like h1, #price or a[href]")
    })
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<HtmlJson>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    HtmlJson::parse(settings).err().unwrap_or_default()
}

impl HtmlJson {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<HtmlJson, Vec<Violation>> {
        let parsed: HtmlJson = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn faults(&self) -> Vec<Violation> {
        let mut names = HashSet::new();
        let mut violations = Vec::new();
        let mut fault = |index: usize, member: &str, reason: &str| {
            let message = format!("#/selectors/{index}/{member}: {reason}");
            violations.push(Violation::new(format!("selectors[{index}].{member}"), "data.invalid", message));
        };
        for (index, selector) in self.selectors.iter().enumerate() {
            if selector.json_name.trim().is_empty() {
                fault(index, "jsonName", "must not be blank, name the member of the object");
            } else if !names.insert(&selector.json_name) {
                fault(index, "jsonName", "is the name of another member, give each one its own");
            }
            if let Err(reason) = compile(&selector.selector) {
                fault(index, "selector", &reason);
            }
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    fn faults(settings: Value) -> Vec<String> {
        check(settings.as_object().unwrap()).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn absent_settings_have_their_defaults() {
        let settings = json!({"selectors": [{"jsonName": "title", "selector": "head > title"}]});
        let parsed = HtmlJson::parse(settings.as_object().unwrap()).unwrap();
        assert!(!parsed.selectors[0].array && parsed.scope.is_none());
        let whole = json!({"scope": "RESPONSE", "selectors": [{"array": true, "jsonName": "a", "selector": "ul li:nth-child(2n), a[href^='/']"}]});
        assert_eq!(faults(whole), [""; 0]);
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        assert_eq!(faults(json!({})), ["#: required key [selectors] not found, it must be set"]);
        assert_eq!(faults(json!({"selectors": []})).len(), 1);
        let selectors = json!([
            {"jsonName": " ", "selector": "a"}, {"jsonName": "x", "selector": "a:contains(b)"},
            {"jsonName": "x", "selector": ""}
        ]);
        assert_eq!(
            faults(json!({ "selectors": selectors })),
            [
                "#/selectors/0/jsonName: must not be blank, name the member of the object",
                "#/selectors/1/selector: \"a:contains(b)\" is no CSS selector that can be used, write one like h1, #price or a[href]",
                "#/selectors/2/jsonName: is the name of another member, give each one its own",
                "#/selectors/2/selector: \"\" is no CSS selector that can be used, write one like h1, #price or a[href]",
            ]
        );
    }
}
