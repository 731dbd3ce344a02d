//! HTTP callout: asks another service and keeps what it answers for later steps.

use super::method::Method;
use super::transform_headers::Header;
use super::{Phase, PolicySpec, condition, header};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

/// When the answer counts as an error, unless the author says otherwise.
const ERROR_CONDITION: &str = "{#calloutResponse.status >= 400 and #calloutResponse.status <= 599}";

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-http-callout",
    name: "HTTP Callout",
    description: "Asks another service and keeps what it answers in attributes",
    proxy: &[Phase::Request, Phase::Response],
    message: &[Phase::Request, Phase::Response],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTTP Callout")]
pub struct HttpCallout {
    /// Address of the service, `http` or `https`.
    #[schemars(extend("x-secret-url" = true))]
    pub url: Template,
    /// Method.
    #[serde(default = "get")]
    pub method: Method,
    /// Headers that are sent.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// Body that is sent.
    #[serde(default)]
    pub body: Option<Template>,
    /// Whether the proxy of the gateway's system is used; not available in this version.
    #[serde(default)]
    pub use_system_proxy: bool,
    /// Whether the request goes on without waiting for an answer, which is then ignored.
    #[serde(default)]
    pub fire_and_forget: bool,
    /// Attributes that are set from the answer, `#calloutResponse`.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// Whether an error of the service ends the request.
    #[serde(default)]
    pub exit_on_error: bool,
    /// What counts as an error of the service.
    #[serde(default = "error_condition")]
    pub error_condition: Template,
    /// Status of the answer to the client after an error.
    #[serde(default = "internal_server_error")]
    #[schemars(range(min = 200, max = 599))]
    pub error_status_code: u16,
    /// Text of the answer to the client after an error.
    #[serde(default)]
    pub error_content: Option<Template>,
    /// Connections to the service.
    #[serde(default)]
    pub http: Option<Http>,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

/// Connections to the service.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    /// Requests of this step that may be under way at once.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 256))]
    pub max_concurrent_connections: u16,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    /// Name of the attribute.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Value.
    #[serde(default = "field")]
    pub value: Template,
    /// Whether the value becomes a text; otherwise lists, numbers and objects stay what they are.
    #[serde(default = "yes")]
    pub evaluate_as_string: bool,
}

fn get() -> Method {
    Method::Get
}

fn yes() -> bool {
    true
}

fn twenty() -> u16 {
    20
}

fn internal_server_error() -> u16 {
    500
}

#[expect(clippy::expect_used, reason = "the text is ours; a test reads it")]
fn error_condition() -> Template {
    Template::parse(ERROR_CONDITION).expect("a template")
}

#[expect(clippy::expect_used, reason = "the text is ours; a test reads it")]
fn field() -> Template {
    Template::parse("{#jsonPath(#calloutResponse.content, '$.field')}").expect("a template")
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<HttpCallout>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    HttpCallout::parse(settings).err().unwrap_or_default()
}

impl HttpCallout {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<HttpCallout, Vec<Violation>> {
        let mut parsed: HttpCallout = schema().read(settings)?;
        let mut violations = header::violations("headers", &parsed.headers);
        if parsed.use_system_proxy {
            let message = "#/useSystemProxy: is not available in this version, set it to false";
            violations.push(Violation::new("useSystemProxy", "data.invalid", message));
        }
        match condition("errorCondition", &parsed.error_condition) {
            Ok(condition) => parsed.error_condition = condition,
            Err(wrong) => violations.extend(wrong),
        }
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_settings_have_their_defaults() {
        let settings = json!({"url": "http://h", "variables": [{"name": "a"}]});
        let parsed = HttpCallout::parse(settings.as_object().unwrap()).unwrap();
        assert_eq!((parsed.method, parsed.error_status_code), (Method::Get, 500));
        assert_eq!(parsed.error_condition.source(), ERROR_CONDITION);
        assert!(!parsed.exit_on_error && !parsed.fire_and_forget && parsed.variables[0].evaluate_as_string);
        assert_eq!(parsed.variables[0].value.source(), "{#jsonPath(#calloutResponse.content, '$.field')}");
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let settings = json!({"url": "http://h", "useSystemProxy": true, "errorStatusCode": "502"});
        let wrong = check(settings.as_object().unwrap());
        assert_eq!(wrong.iter().map(|v| v.path.as_str()).collect::<Vec<_>>(), ["useSystemProxy"]);
    }
}
