//! Cache: answers from a cache what the backend answered before.

use super::method::Method;
use super::{Phase, PolicySpec, condition};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::token::tokens;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "cache",
    name: "Cache",
    description: "Answers from a cache what the backend answered before",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

tokens! {
    /// Who shares cached answers.
    pub enum CacheScope {
        /// The callers of one application.
        Application = "APPLICATION",
        /// All callers of the API.
        Api = "API",
    }
}

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Cache")]
pub struct CachePolicy {
    /// Name of a resource of the type `cache`.
    #[schemars(length(min = 1))]
    pub cache_name: String,
    /// What tells answers apart, besides method, path and query.
    #[serde(default)]
    pub key: Option<Template>,
    /// How long an answer is kept, seconds; 0: as long as the resource says.
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub time_to_live_seconds: u64,
    /// Methods whose answers are kept.
    #[serde(default = "reading")]
    pub methods: Vec<Method>,
    /// Which answers are kept, decided on `#upstreamResponse`. Absent: those with a status of 200 to 299.
    #[serde(default)]
    pub response_condition: Option<Template>,
    /// Whether the backend's `Cache-Control` and `Expires` shorten the time.
    #[serde(default)]
    pub use_response_cache_headers: bool,
    /// Who shares cached answers.
    #[serde(default = "application")]
    pub scope: CacheScope,
}

fn ten_minutes() -> u64 {
    600
}

fn reading() -> Vec<Method> {
    vec![Method::Get, Method::Options, Method::Head]
}

fn application() -> CacheScope {
    CacheScope::Application
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<CachePolicy>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    CachePolicy::parse(settings).err().unwrap_or_default()
}

impl CachePolicy {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<CachePolicy, Vec<Violation>> {
        let mut parsed: CachePolicy = schema().read(settings)?;
        if let Some(rule) = &parsed.response_condition {
            let rule = condition("responseCondition", rule).map_err(|violation| vec![violation])?;
            parsed.response_condition = Some(rule);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_settings_have_their_defaults() {
        let parsed = CachePolicy::parse(json!({"cacheName": "c"}).as_object().unwrap()).unwrap();
        assert_eq!(parsed.methods, [Method::Get, Method::Options, Method::Head]);
        assert_eq!((parsed.time_to_live_seconds, parsed.scope), (600, CacheScope::Application));
        assert!(!parsed.use_response_cache_headers && parsed.response_condition.is_none());
        assert!(!check(json!({}).as_object().unwrap()).is_empty(), "the cache has to be named");
    }
}
