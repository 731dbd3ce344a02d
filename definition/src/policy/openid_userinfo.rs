//! OpenID Connect user info: asks an authorization server who the bearer of a token is.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-openid-userinfo",
    name: "OpenID Connect - UserInfo",
    description: "Asks an authorization server who the bearer of a token is",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "OpenID Connect - UserInfo")]
pub struct OpenidUserinfo {
    /// Name of the resource of the API that is the authorization server. May be an expression.
    pub oauth_resource: Template,
    /// Whether the server's answer becomes the attribute `openid.userinfo.payload`.
    #[serde(default)]
    pub extract_payload: bool,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<OpenidUserinfo>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    OpenidUserinfo::parse(settings).err().unwrap_or_default()
}

impl OpenidUserinfo {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<OpenidUserinfo, Vec<Violation>> {
        let parsed: OpenidUserinfo = schema().read(settings)?;
        if parsed.oauth_resource.source().trim().is_empty() {
            let message = "#/oauthResource: must not be empty, name a resource of the type oauth2";
            return Err(vec![Violation::new("oauthResource", "data.invalid", message)]);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    #[test]
    fn a_server_is_named() {
        let faults = |settings: Value| -> Vec<String> {
            check(settings.as_object().unwrap()).into_iter().map(|violation| violation.message).collect()
        };
        assert_eq!(faults(json!({"oauthResource": "server", "extractPayload": true})), [""; 0]);
        assert_eq!(faults(json!({"oauthResource": "{#api.properties['server']}"})), [""; 0]);
        assert_eq!(faults(json!({})), ["#: required key [oauthResource] not found, it must be set"]);
        assert_eq!(
            faults(json!({"oauthResource": " "})),
            ["#/oauthResource: must not be empty, name a resource of the type oauth2"]
        );
        let parsed = OpenidUserinfo::parse(json!({"oauthResource": "s"}).as_object().unwrap()).unwrap();
        assert!(!parsed.extract_payload);
    }
}
