//! Basic authentication: lets in who one of the API's user lists knows.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-basic-authentication",
    name: "Basic Authentication",
    description: "Lets callers in with a user name and a password",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Basic Authentication")]
pub struct BasicAuthentication {
    /// Names of resources that know users, asked in this order.
    #[schemars(length(min = 1))]
    pub authentication_providers: Vec<String>,
    /// What browsers show when they ask for the password.
    #[serde(default = "realm")]
    pub realm: String,
}

fn realm() -> String {
    "gravitee.io".to_owned()
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<BasicAuthentication>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    BasicAuthentication::parse(settings).err().unwrap_or_default()
}

impl BasicAuthentication {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<BasicAuthentication, Vec<Violation>> {
        let parsed: BasicAuthentication = schema().read(settings)?;
        let printable = parsed.realm.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic());
        if printable {
            return Ok(parsed);
        }
        let message = "#/realm: must be printable ASCII text, it stands in a header";
        Err(vec![Violation::new("realm", "data.invalid", message)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn somebody_has_to_know_users() {
        let parsed = |settings: serde_json::Value| BasicAuthentication::parse(settings.as_object().unwrap());
        assert_eq!(parsed(json!({"authenticationProviders": ["a"]})).unwrap().realm, "gravitee.io");
        assert!(parsed(json!({"authenticationProviders": []})).is_err());
        assert!(parsed(json!({})).is_err());
        assert!(parsed(json!({"authenticationProviders": ["a"], "realm": "a\r\nb"})).is_err());
    }
}
