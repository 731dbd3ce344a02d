//! Health checks: a request on a schedule that decides whether an endpoint may be chosen.
//!
//! A group has one for all its endpoints, an endpoint may have one of its own. The settings are those of the service
//! `http-health-check`, the only kind there is.

use crate::api::{Endpoint, EndpointGroup, Settings};
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::policy::transform_headers::{Header, is_header_name};
use crate::token::tokens;
use crate::violation::Violation;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

/// `type` of the service.
pub const HTTP_HEALTH_CHECK: &str = "http-health-check";
/// Member of `services` that holds it.
pub const SERVICE: &str = "healthCheck";

tokens! {
    /// Methods of a check.
    pub enum Method {
        Get = "GET", Post = "POST", Put = "PUT", Delete = "DELETE", Patch = "PATCH", Head = "HEAD", Options = "OPTIONS", Trace = "TRACE",
    }
}

/// Settings of a health check.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTTP Health Check")]
pub struct HealthCheck {
    /// When to check: a cron expression of six fields, seconds first, in UTC.
    pub schedule: String,
    /// A path at the endpoint's own target, or an absolute URL.
    #[schemars(extend("x-secret-url" = true))]
    pub target: Template,
    /// Method of the request.
    #[serde(default = "get")]
    pub method: Method,
    /// Whether the path replaces that of the endpoint's target; otherwise it is appended to it.
    #[serde(default = "yes")]
    pub override_endpoint_path: bool,
    /// Headers of the request.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// Body of the request.
    #[serde(default)]
    pub body: Option<Template>,
    /// What must hold for the response of a healthy endpoint.
    #[serde(default = "answers_ok")]
    pub assertion: Template,
    /// Successes in a row after which an endpoint that was down is up again.
    #[serde(default = "two")]
    #[schemars(range(min = 1))]
    pub success_threshold: u32,
    /// Failures in a row after which an endpoint is down.
    #[serde(default = "three")]
    #[schemars(range(min = 1))]
    pub failure_threshold: u32,
}

fn get() -> Method {
    Method::Get
}

fn yes() -> bool {
    true
}

#[expect(clippy::expect_used, reason = "a text of ours, which a test reads")]
fn answers_ok() -> Template {
    Template::parse("{#response.status == 200}").expect("the default assertion is an expression")
}

fn two() -> u32 {
    2
}

fn three() -> u32 {
    3
}

/// The schema of the settings.
pub(crate) fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<HealthCheck>);
    &SCHEMA
}

impl HealthCheck {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<HealthCheck, Vec<Violation>> {
        let parsed: HealthCheck = schema().read(settings)?;
        let mut violations = Vec::new();
        if let Err(error) = parsed.cron() {
            let message = format!(
                "#/schedule: is no cron expression of six fields (seconds, minutes, hours, day, month, weekday), like */30 * * * * *: {error}"
            );
            violations.push(Violation::new("schedule", "data.invalid", message));
        }
        if parsed.target.source().trim().is_empty() {
            let message = "#/target: must not be blank, give a path or an absolute URL";
            violations.push(Violation::new("target", "data.invalid", message));
        }
        for (index, header) in parsed.headers.iter().enumerate() {
            if !is_header_name(header.name.trim()) {
                let name = crate::reader::quote(&header.name);
                let message = format!(
                    "#/headers/{index}/name: {name} is no HTTP header name, use letters, digits and dashes"
                );
                violations.push(Violation::new(format!("headers[{index}].name"), "data.invalid", message));
            }
        }
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    /// The schedule.
    pub fn cron(&self) -> Result<Cron, CronError> {
        // Both the day of the month and the weekday must fit when both are given, as authors of this dialect know it.
        let parser =
            CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).dom_and_dow(true);
        parser.build().parse(self.schedule.trim())
    }

    /// Whether the target names a server; one that begins with an expression may.
    pub fn may_be_absolute(&self) -> bool {
        let target = self.target.source().trim_start();
        target.starts_with('{') || is_absolute(target)
    }
}

/// Whether a target names a server.
pub fn is_absolute(target: &str) -> bool {
    let scheme = target.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

/// The settings of the check of an endpoint, when it has one that is enabled. An endpoint follows its group unless it
/// overrides it; a secondary endpoint is not checked for a check of its own when its group has none.
pub fn effective<'a>(endpoint: &'a Endpoint, group: &'a EndpointGroup) -> Option<&'a Settings> {
    let enabled = |service: Option<&'a serde_json::Value>| {
        service.filter(|service| service["enabled"] == true && service["type"] == HTTP_HEALTH_CHECK)
    };
    let (own, of_group) = (endpoint.services.get(SERVICE), group.services.get(SERVICE));
    let overrides = own.is_some_and(|service| service["overrideConfiguration"] == true);
    if endpoint.secondary && enabled(of_group).is_none() {
        return None;
    }
    let chosen = if overrides || of_group.is_none() { enabled(own) } else { enabled(of_group) };
    chosen.and_then(|service| service["configuration"].as_object())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(settings: Value) -> Result<HealthCheck, Vec<String>> {
        let parsed = HealthCheck::parse(settings.as_object().unwrap());
        parsed.map_err(|violations| violations.into_iter().map(|v| v.message).collect())
    }

    #[test]
    fn absent_settings_have_their_defaults() {
        let check = parse(json!({"schedule": "*/5 * * * * *", "target": "/health"})).unwrap();
        assert_eq!((check.method, check.override_endpoint_path), (Method::Get, true));
        assert_eq!((check.success_threshold, check.failure_threshold), (2, 3));
        assert_eq!(check.assertion.source(), "{#response.status == 200}");
        assert!(check.headers.is_empty() && check.body.is_none() && !check.may_be_absolute());
    }

    #[test]
    fn faults_are_named_with_their_places() {
        let wrong = parse(json!({})).unwrap_err();
        assert_eq!(
            wrong,
            [
                "#: required key [schedule] not found, it must be set",
                "#: required key [target] not found, it must be set"
            ]
        );
        for schedule in ["* * * * *", "often", "61 * * * * *", ""] {
            let wrong = parse(json!({"schedule": schedule, "target": "/"})).unwrap_err();
            assert!(wrong[0].starts_with("#/schedule: is no cron expression of six fields"), "{wrong:?}");
        }
        let settings = json!({"schedule": "0 * * * * *", "target": " ", "headers": [{"name": "a b"}]});
        assert_eq!(
            parse(settings).unwrap_err(),
            [
                "#/target: must not be blank, give a path or an absolute URL",
                "#/headers/0/name: \"a b\" is no HTTP header name, use letters, digits and dashes"
            ]
        );
        let settings = json!({"schedule": "0 * * * * *", "target": "/", "successThreshold": 0});
        assert_eq!(parse(settings).unwrap_err(), ["#/successThreshold: 0 is too small, use 1 or more"]);
        assert!(parse(json!({"schedule": "0 * * * * *", "target": "/", "method": "post"})).is_ok());
    }

    #[test]
    fn an_endpoint_follows_its_group_unless_it_overrides() {
        let check = |enabled: bool, target: &str, over: bool| {
            json!({"healthCheck": {"enabled": enabled, "type": HTTP_HEALTH_CHECK, "overrideConfiguration": over,
                "configuration": {"target": target}}})
        };
        let judge = |of_group: Value, own: Value, secondary: bool| {
            let group: EndpointGroup = serde_json::from_value(
                json!({"name": "g", "type": "t", "services": of_group, "endpoints": [
                    {"name": "e", "type": "t", "secondary": secondary, "weight": 1, "inheritConfiguration": false,
                     "services": own}]}),
            )
            .unwrap();
            effective(&group.endpoints[0], &group)
                .map(|settings| settings["target"].as_str().unwrap().to_owned())
        };
        let none = || json!({});
        assert_eq!(judge(none(), none(), false), None);
        assert_eq!(judge(check(true, "g", false), none(), false).as_deref(), Some("g"));
        assert_eq!(judge(check(false, "g", false), none(), false), None);
        assert_eq!(judge(check(true, "g", false), check(true, "e", false), false).as_deref(), Some("g"));
        assert_eq!(judge(check(true, "g", false), check(true, "e", true), false).as_deref(), Some("e"));
        assert_eq!(judge(check(true, "g", false), check(false, "e", true), false), None);
        assert_eq!(judge(none(), check(true, "e", false), false).as_deref(), Some("e"));
        assert_eq!(judge(none(), check(true, "e", true), true), None, "a secondary endpoint");
        assert_eq!(judge(check(true, "g", false), none(), true).as_deref(), Some("g"));
    }

    #[test]
    fn a_target_is_absolute_or_a_path() {
        for (target, absolute) in
            [("http://h/p", true), ("HTTPS://h", true), ("/p", false), ("ftp://h", false)]
        {
            assert_eq!(is_absolute(target), absolute, "{target}");
        }
        let check = parse(json!({"schedule": "0 * * * * *", "target": "{#api.properties['url']}"})).unwrap();
        assert!(check.may_be_absolute());
    }
}
