//! JSON validation: refuses bodies and messages that do not fit a JSON schema.

use super::pattern::BACKTRACK_MAX;
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use jsonschema::{Draft, PatternOptions, Validator};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::sync::LazyLock;

/// Parts of `$schema` that name a draft.
const DRAFTS: &[(&str, Draft)] = &[
    ("draft-06", Draft::Draft6),
    ("draft-07", Draft::Draft7),
    ("2019-09", Draft::Draft201909),
    ("2020-12", Draft::Draft202012),
];

pub static SPEC: PolicySpec = PolicySpec {
    id: "json-validation",
    name: "JSON Validation",
    description: "Refuses JSON that does not fit a schema",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "JSON Validation")]
pub struct JsonValidation {
    /// JSON schema, as text; its `$schema` says the draft, else it is draft 4.
    pub schema: String,
    /// What the caller is told.
    #[serde(default)]
    pub error_message: Option<Template>,
    /// Ignored: every fault is always looked for.
    #[serde(default)]
    pub deep_check: bool,
    /// Ignored: an unknown keyword never fails.
    #[serde(default)]
    pub validate_unchecked: bool,
    /// Whether responses and messages to the client pass although they do not fit; it is only logged.
    #[serde(default)]
    pub straight_respond_mode: bool,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

/// Compiles a schema; references lead nowhere but into the schema itself. The error says what is wrong with it.
pub fn compile(schema: &str) -> Result<Validator, String> {
    let mut schema: Value = serde_json::from_str(schema).map_err(|error| format!("is no JSON: {error}"))?;
    let declared = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let draft =
        DRAFTS.iter().find(|(name, _)| declared.contains(name)).map_or(Draft::Draft4, |(_, draft)| *draft);
    if let Value::Object(schema) = &mut schema {
        // Its spelling varies, and nothing is to be fetched because of it.
        schema.shift_remove("$schema");
    }
    let patterns = PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_MAX);
    let options = jsonschema::options().with_draft(draft).offline().with_pattern_options(patterns);
    options.build(&schema).map_err(|error| format!("is no usable schema: {error}"))
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<JsonValidation>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    JsonValidation::parse(settings).err().unwrap_or_default()
}

impl JsonValidation {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<JsonValidation, Vec<Violation>> {
        let parsed: JsonValidation = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn faults(&self) -> Vec<Violation> {
        let fault = compile(&self.schema).err();
        let violation = |fault| Violation::new("schema", "data.invalid", format!("#/schema: {fault}"));
        fault.map(violation).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_draft_is_the_schemas_own_else_four() {
        let fits = |schema: Value, value: Value| compile(&schema.to_string()).unwrap().is_valid(&value);
        // Draft 4: a flag; draft 6 and later: a number of its own.
        let old = json!({"minimum": 5, "exclusiveMinimum": true});
        assert!(!fits(old.clone(), json!(5)) && fits(old, json!(6)));
        for draft in
            ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]
        {
            let new = json!({"$schema": draft, "exclusiveMinimum": 5});
            assert!(!fits(new.clone(), json!(5)) && fits(new, json!(6)), "{draft}");
        }
        let vague = json!({"$schema": "http://json-schema.org/schema#", "type": "string"});
        assert!(fits(vague, json!("x")));
    }

    #[test]
    fn schemas_that_cannot_be_used_are_refused() {
        let fault = |schema: &str| compile(schema).err().unwrap_or_default();
        assert!(fault("{").starts_with("is no JSON"));
        assert!(fault(r#"{"type": 5}"#).starts_with("is no usable schema"), "{}", fault(r#"{"type": 5}"#));
        assert!(fault(r#"{"$ref": "http://127.0.0.1:9/x"}"#).starts_with("is no usable schema"));
        assert!(fault(r#"{"$ref": "file:///etc/passwd"}"#).starts_with("is no usable schema"));
        let inner = r##"{"definitions": {"a": {"type": "string"}}, "$ref": "#/definitions/a"}"##;
        assert_eq!(fault(inner), "");
    }
}
