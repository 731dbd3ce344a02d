//! Background services of an API, of a group and of an endpoint, and the failover block.
//!
//! No service runs in this version. A disabled one is stored; an enabled one would be a promise that nobody keeps,
//! so it is refused.

use crate::api::Settings;
use crate::reader::{Node, Stage};
use crate::violation::Violation;
use serde_json::{Value, json};

/// The named services of a `services` object.
pub(super) fn read_all(node: &Node<'_>, names: &[&str], stage: Stage) -> Settings {
    let mut services = Settings::new();
    if node.object().is_none() {
        return services;
    }
    for name in names {
        if let Some(service) = read(&node.get(name), name, stage) {
            services.insert((*name).to_owned(), service);
        }
    }
    services
}

fn read(node: &Node<'_>, name: &str, stage: Stage) -> Option<Value> {
    node.object()?;
    let enabled = node.get("enabled").flag().unwrap_or(true);
    let code = if name == "healthCheck" { "healthcheck.invalid" } else { "data.invalid" };
    let adorn = |violation: Violation| {
        if name == "healthCheck" { violation.empty_parameters() } else { violation }
    };
    let kind = node.get("type").required_text_or(code, adorn);
    if enabled {
        node.wrong(stage, "is not available in this version, set enabled to false or remove it");
    }
    let mut service = Settings::new();
    service.insert("enabled".to_owned(), enabled.into());
    service.insert("type".to_owned(), kind.into());
    if let Some(over) = node.get("overrideConfiguration").flag() {
        service.insert("overrideConfiguration".to_owned(), over.into());
    }
    if let Some(configuration) = node.get("configuration").settings() {
        service.insert("configuration".to_owned(), Value::Object(configuration));
    }
    Some(Value::Object(service))
}

/// The `failover` block with its defaults.
pub(super) fn failover(node: &Node<'_>) -> Option<Settings> {
    node.object()?;
    /// Longest duration and greatest count: what fits the wire type of the field.
    const MAX: i64 = i32::MAX as i64;
    let number = |key: &str, min: i64, default: i64| node.get(key).integer(min..=MAX).unwrap_or(default);
    let Value::Object(failover) = json!({
        "enabled": node.get("enabled").flag().unwrap_or(false),
        "maxRetries": number("maxRetries", 0, 2),
        "slowCallDuration": number("slowCallDuration", 50, 2000),
        "openStateDuration": number("openStateDuration", 500, 10_000),
        "maxFailures": number("maxFailures", 1, 5),
        "perSubscription": node.get("perSubscription").flag().unwrap_or(true),
    }) else {
        return None;
    };
    Some(failover)
}
