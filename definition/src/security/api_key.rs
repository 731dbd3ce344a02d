//! API key plans: callers send a key that belongs to a subscription.

use super::{SecuritySpec, fault};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::policy::transform_headers::is_header_name;
use crate::token::tokens;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub(super) static SPEC: SecuritySpec =
    SecuritySpec { schema, check: |settings| ApiKey::parse(settings).err().unwrap_or_default() };

tokens! {
    /// Where the key is looked for.
    pub enum KeySource { Header = "HEADER", Bearer = "BEARER", QueryParameter = "QUERY_PARAMETER" }
}

/// Settings of an API key plan.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "API key")]
pub struct ApiKey {
    /// Whether the endpoint gets the key as well.
    #[serde(default)]
    pub propagate_api_key: bool,
    /// Where the key is: in a header or else the query parameter (HEADER), in Authorization (BEARER), or only in the
    /// query parameter.
    #[serde(default = "header")]
    pub source: KeySource,
    /// Name of the header; absent: that of the gateway.
    #[serde(default)]
    pub api_key_header: Option<String>,
    /// Older switch of `apiKeyHeader`: false ignores the name.
    #[serde(default)]
    pub enable_custom_api_key_header: Option<bool>,
}

fn header() -> KeySource {
    KeySource::Header
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<ApiKey>);
    &SCHEMA
}

impl ApiKey {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<ApiKey, Vec<Violation>> {
        let parsed: ApiKey = schema().read(settings)?;
        match parsed.header() {
            Some(name) if !is_header_name(name) => {
                Err(vec![fault("apiKeyHeader", "is no HTTP header name, use letters, digits and dashes")])
            }
            _ => Ok(parsed),
        }
    }

    /// The header that this plan names itself.
    pub fn header(&self) -> Option<&str> {
        let name = self.api_key_header.as_deref().map(str::trim).filter(|name| !name.is_empty());
        name.filter(|_| self.enable_custom_api_key_header != Some(false))
    }
}
