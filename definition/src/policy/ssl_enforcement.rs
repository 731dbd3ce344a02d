//! SSL enforcement: refuses requests that did not come over TLS.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "ssl-enforcement",
    name: "SSL Enforcement",
    description: "Refuses requests that did not come over TLS",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "SSL Enforcement")]
pub struct SslEnforcement {
    /// Whether requests must have come over TLS.
    #[serde(default = "yes")]
    pub requires_ssl: bool,
    /// Whether callers must have a certificate.
    #[serde(default)]
    pub requires_client_authentication: bool,
    /// Names of the certificates that are let in; none: all.
    #[serde(default)]
    pub whitelist_client_certificates: Vec<String>,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<SslEnforcement>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    SslEnforcement::parse(settings).err().unwrap_or_default()
}

impl SslEnforcement {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<SslEnforcement, Vec<Violation>> {
        let parsed: SslEnforcement = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    /// TLS ends before this gateway, so that it never sees a certificate; asking for one would refuse everybody.
    fn faults(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut fault = |name: &str, fix: &str| {
            let message = format!("#/{name}: client certificates are not available in this version, {fix}");
            violations.push(Violation::new(name, "data.invalid", message));
        };
        if self.requires_client_authentication {
            fault("requiresClientAuthentication", "set it to false");
        }
        if !self.whitelist_client_certificates.is_empty() {
            fault("whitelistClientCertificates", "leave the list empty");
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_nobody_could_fulfil_is_refused() {
        let wrong = |settings: Value| {
            let violations = SslEnforcement::parse(settings.as_object().unwrap()).err().unwrap_or_default();
            violations.into_iter().map(|v| v.path).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(wrong(json!({})), "");
        let both = json!({"requiresClientAuthentication": true, "whitelistClientCertificates": ["CN=a"]});
        assert_eq!(wrong(both), "requiresClientAuthentication whitelistClientCertificates");
    }
}
