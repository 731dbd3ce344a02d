//! Metrics reporter: tells another server about each response.

use super::method::Method;
use super::transform_headers::Header;
use super::{Phase, PolicySpec, assign_content, header};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::freemarker;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "metrics-reporter",
    name: "Metrics Reporter",
    description: "Tells another server about each response",
    proxy: &[Phase::Response],
    message: &[],
    schema,
    check,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Metrics Reporter")]
struct MetricsReporterSettings {
    /// Method of the report.
    #[serde(default = "post")]
    method: Method,
    /// Where the report goes.
    #[schemars(extend("x-secret-url" = true))]
    url: Template,
    /// Headers of the report.
    #[serde(default)]
    headers: Vec<Header>,
    /// FreeMarker template of the report's body. It knows `request`, `response` and `context`.
    #[serde(default)]
    body: Option<String>,
    /// Whether the proxy of the process's environment is used.
    #[serde(default)]
    use_system_proxy: bool,
}

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsReporter {
    pub method: Method,
    pub url: Template,
    pub headers: Vec<Header>,
    /// `None`: reports have no body.
    pub body: Option<freemarker::Template>,
    pub use_system_proxy: bool,
}

fn post() -> Method {
    Method::Post
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<MetricsReporterSettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    MetricsReporter::parse(settings).err().unwrap_or_default()
}

impl MetricsReporter {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<MetricsReporter, Vec<Violation>> {
        let settings: MetricsReporterSettings = schema().read(settings)?;
        let mut violations = Vec::new();
        if let Some(url) = settings.url.literal()
            && !url.starts_with("http://")
            && !url.starts_with("https://")
        {
            let message = "#/url: must begin with http:// or https://";
            violations.push(Violation::new("url", "data.invalid", message));
        }
        violations.extend(header::violations("headers", &settings.headers));
        let body = settings.body.filter(|body| !body.is_empty());
        let body = match body.map(|body| assign_content::template("body", &body)).transpose() {
            Ok(body) => body,
            Err(wrong) => {
                violations.extend(wrong);
                None
            }
        };
        let MetricsReporterSettings { method, url, headers, use_system_proxy, .. } = settings;
        match violations.is_empty() {
            true => Ok(MetricsReporter { method, url, headers, body, use_system_proxy }),
            false => Err(violations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_address_and_a_template_are_checked() {
        let parse = |settings: Value| MetricsReporter::parse(settings.as_object().unwrap());
        let least = parse(json!({"url": "http://h/"})).unwrap();
        assert_eq!((least.method, least.body), (Method::Post, None));
        let paths = |settings| parse(settings).unwrap_err().into_iter().map(|v| v.path).collect::<Vec<_>>();
        assert_eq!(paths(json!({})), ["url"]);
        let wrong = json!({"url": "ftp://h", "headers": [{"name": "a b"}], "body": "${"});
        assert_eq!(paths(wrong), ["url", "headers[0].name", "body"]);
    }
}
