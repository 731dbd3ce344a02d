//! Interrupt: ends a request with an error of the author's own.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-interrupt",
    name: "Interrupt",
    description: "Ends a request with an error key that response templates may answer",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Request, Phase::Response],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Interrupt")]
pub struct Interrupt {
    /// Key of the error; a response template of this key decides the answer.
    #[schemars(length(min = 1))]
    pub error_key: String,
    /// Text of the answer when no response template applies.
    #[schemars(length(min = 1))]
    pub message: String,
    /// Values that response templates find in `#parameters`.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    /// Name in `#parameters`.
    pub name: String,
    /// Value; one that cannot be evaluated is left out.
    #[serde(default)]
    pub value: Option<Template>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Interrupt>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Interrupt::parse(settings).err().unwrap_or_default()
}

impl Interrupt {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<Interrupt, Vec<Violation>> {
        schema().read(settings)
    }
}
