//! How plans let callers in: the settings of each kind of security, with their schema and their checks.
//!
//! A kind is one file here and one in the gateway. Settings that are absent altogether are accepted, so that a plan can
//! be drafted; such a plan lets nobody in. Settings that are present have to be complete.

use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::plan::PlanSecurityType;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub mod api_key;
pub mod jwt;
pub mod oauth2;

/// The settings of one kind of plan security.
#[derive(Debug)]
pub struct SecuritySpec {
    /// Schema of `security.configuration`.
    pub schema: fn() -> &'static SettingsSchema,
    /// Every fault of complete settings, with paths relative to them.
    pub check: fn(&Settings) -> Vec<Violation>,
}

/// The specification of a kind.
pub fn security(kind: PlanSecurityType) -> &'static SecuritySpec {
    match kind {
        PlanSecurityType::KeyLess | PlanSecurityType::Subscription => &NONE,
        PlanSecurityType::ApiKey => &api_key::SPEC,
        PlanSecurityType::Jwt => &jwt::SPEC,
        PlanSecurityType::Oauth2 => &oauth2::SPEC,
    }
}

/// Key-less and push plans ask nothing of callers.
static NONE: SecuritySpec = SecuritySpec { schema: empty, check: |_| Vec::new() };

#[derive(Debug, Deserialize, JsonSchema)]
struct Nothing {}

fn empty() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Nothing>);
    &SCHEMA
}

/// A fault of one setting.
fn fault(setting: &str, reason: &str) -> Violation {
    Violation::new(setting, "data.invalid", format!("#/{}: {reason}", setting.replace('.', "/")))
}

#[cfg(test)]
mod tests;
