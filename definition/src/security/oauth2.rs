//! OAuth2: callers send a token that an authorization server is asked about (RFC 7662).

use super::{SecuritySpec, fault};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub(super) static SPEC: SecuritySpec = SecuritySpec { schema, check };

/// Settings of an OAuth2 plan or step.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "OAuth2")]
pub struct Oauth2 {
    /// Name of the resource of the API that is the authorization server. May be an expression.
    pub oauth_resource: Template,
    /// Any name here lets answers of the server be remembered until their token expires.
    #[serde(default)]
    pub oauth_cache_resource: Option<String>,
    /// Whether the server's answer becomes the attribute `oauth.payload`.
    #[serde(default)]
    pub extract_payload: bool,
    /// Whether tokens must have scopes.
    #[serde(default)]
    pub check_required_scopes: bool,
    /// The scopes.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// Whether all of the scopes are required; false: any of them.
    #[serde(default = "yes")]
    pub mode_strict: bool,
    /// Whether the endpoint gets the token as well.
    #[serde(default = "yes")]
    pub propagate_auth_header: bool,
}

fn yes() -> bool {
    true
}

/// Schema of the settings.
pub(crate) fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Oauth2>);
    &SCHEMA
}

/// Every fault of complete settings.
pub(crate) fn check(settings: &Settings) -> Vec<Violation> {
    Oauth2::parse(settings).err().unwrap_or_default()
}

impl Oauth2 {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Oauth2, Vec<Violation>> {
        let parsed: Oauth2 = schema().read(settings)?;
        if parsed.oauth_resource.source().trim().is_empty() {
            let reason = "must not be empty, name a resource of the type oauth2";
            return Err(vec![fault("oauthResource", reason)]);
        }
        Ok(parsed)
    }
}
