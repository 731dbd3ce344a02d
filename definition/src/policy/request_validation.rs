//! Request validation: refuses requests that break rules about their parts.

use super::date_format::date_format;
use super::pattern::{Reading, compile};
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::reader::quote;
use crate::token::tokens;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-request-validation",
    name: "Request Validation",
    description: "Refuses requests that break rules about their parts",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Request Validation")]
pub struct RequestValidation {
    /// Status of the refusal.
    #[serde(default = "bad_request")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
    /// The rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

fn bad_request() -> u16 {
    400
}

fn yes() -> bool {
    true
}

tokens! {
    /// What a rule asks of a value.
    pub enum ConstraintType {
        NotNull = "NOT_NULL",
        Min = "MIN",
        Max = "MAX",
        Size = "SIZE",
        Mail = "MAIL",
        Date = "DATE",
        Pattern = "PATTERN",
        Enum = "ENUM",
    }
}

/// A rule about one value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The value.
    pub input: Template,
    /// Whether an absent value breaks the rule.
    #[serde(default = "yes")]
    pub is_required: bool,
    /// What is asked of the value.
    pub constraint: Constraint,
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Constraint {
    /// Kind of the constraint.
    pub r#type: ConstraintType,
    /// MIN, MAX: the bound. SIZE: least and greatest length. DATE: the format. PATTERN: the expression. ENUM: the values.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// What the caller is told; `%s` stands for the input, then for the parameters.
    #[serde(default)]
    pub message: Option<String>,
}

impl Constraint {
    /// What is wrong with the parameters.
    fn fault(&self) -> Option<String> {
        let wanted = match self.r#type {
            ConstraintType::NotNull | ConstraintType::Mail => 0..=usize::MAX,
            ConstraintType::Min | ConstraintType::Max | ConstraintType::Date | ConstraintType::Pattern => {
                1..=1
            }
            ConstraintType::Size => 2..=2,
            ConstraintType::Enum => 1..=usize::MAX,
        };
        if !wanted.contains(&self.parameters.len()) {
            let least = wanted.start();
            return Some(format!(
                "{} needs {least} parameter(s), found {}",
                self.r#type,
                self.parameters.len()
            ));
        }
        match self.r#type {
            ConstraintType::Min | ConstraintType::Max | ConstraintType::Size => {
                let wrong = self.parameters.iter().find(|text| text.trim().parse::<i64>().is_err())?;
                Some(format!("{} is no whole number", quote(wrong)))
            }
            ConstraintType::Date => date_format(&self.parameters[0]).err(),
            ConstraintType::Pattern => {
                let compiled = compile(&self.parameters[0], Reading::default());
                compiled.err().map(|error| format!("{} {error}", quote(&self.parameters[0])))
            }
            ConstraintType::NotNull | ConstraintType::Mail | ConstraintType::Enum => None,
        }
    }
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<RequestValidation>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    RequestValidation::parse(settings).err().unwrap_or_default()
}

impl RequestValidation {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<RequestValidation, Vec<Violation>> {
        let parsed: RequestValidation = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn faults(&self) -> Vec<Violation> {
        let faults = self.rules.iter().enumerate().filter_map(|(index, rule)| {
            let fault = rule.constraint.fault()?;
            let message = format!("#/rules/{index}/constraint/parameters: {fault}");
            let path = format!("rules[{index}].constraint.parameters");
            Some(Violation::new(path, "data.invalid", message))
        });
        faults.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_checked() {
        let wrong = |kind: &str, parameters: &[&str]| {
            let constraint = json!({"type": kind, "parameters": parameters});
            let settings = json!({"rules": [{"input": "x", "constraint": constraint}]});
            let violations =
                RequestValidation::parse(settings.as_object().unwrap()).err().unwrap_or_default();
            violations.into_iter().map(|v| v.message).collect::<String>()
        };
        let at = "#/rules/0/constraint/parameters:";
        assert_eq!(wrong("not-null", &[]), "");
        assert_eq!(wrong("MIN", &[]), format!("{at} MIN needs 1 parameter(s), found 0"));
        assert_eq!(wrong("SIZE", &["1", "b"]), format!("{at} \"b\" is no whole number"));
        assert_eq!(wrong("ENUM", &[]), format!("{at} ENUM needs 1 parameter(s), found 0"));
        assert_eq!(wrong("DATE", &["dd/MM/yyyy"]), "");
        assert!(wrong("DATE", &["dd QQ"]).contains("Q"));
        assert!(wrong("PATTERN", &["("]).contains("is no regular expression"));
    }
}
