//! Regex threat protection: refuses requests whose path, headers or body match an expression.

use super::pattern::{Reading, compile};
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "regex-threat-protection",
    name: "Regex Threat Protection",
    description: "Refuses requests that match an expression",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Regex Threat Protection")]
pub struct RegexThreatProtection {
    /// The expression.
    pub regex: String,
    /// Whether letters match in their own case only.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Whether the body must match as a whole; paths and headers always must.
    #[serde(default = "yes")]
    pub full_matching: bool,
    /// Whether headers are looked at.
    #[serde(default = "yes")]
    pub check_headers: bool,
    /// Whether the path and query are looked at.
    #[serde(default = "yes")]
    pub check_path: bool,
    /// Whether the body is looked at.
    #[serde(default = "yes")]
    pub check_body: bool,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<RegexThreatProtection>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    RegexThreatProtection::parse(settings).err().unwrap_or_default()
}

impl RegexThreatProtection {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<RegexThreatProtection, Vec<Violation>> {
        let parsed: RegexThreatProtection = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn faults(&self) -> Vec<Violation> {
        let fault = compile(&self.regex, self.reading(true)).err();
        let violation = |fault| Violation::new("regex", "data.invalid", format!("#/regex: {fault}"));
        fault.map(violation).into_iter().collect()
    }

    /// How the expression is read; a line end must not hide what follows it.
    pub fn reading(&self, whole: bool) -> Reading {
        Reading { ignore_case: !self.case_sensitive, dot_all: true, whole }
    }
}
