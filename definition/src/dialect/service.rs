//! Background services of an API, of a group and of an endpoint, and the failover block.
//!
//! Health checks and failover run. The other services do not: a disabled one is stored, an enabled one would be a
//! promise that nobody keeps, so it is refused.

use super::configuration;
use crate::api::{ApiType, EndpointGroup, Family, Settings};
use crate::connector;
use crate::connector::settings::Part;
use crate::health_check::{self, HTTP_HEALTH_CHECK, HealthCheck, SERVICE as HEALTH_CHECK};
use crate::reader::{Node, Stage, quote};
use crate::strict;
use serde_json::{Value, json};

/// Services of an API.
pub(super) fn of_api(node: &Node<'_>) -> Settings {
    let mut services = Settings::new();
    if node.object().is_some() {
        put(&mut services, "dynamicProperty", unavailable(&node.get("dynamicProperty"), Stage::Resources));
    }
    services
}

/// Services of a group.
pub(super) fn of_group(node: &Node<'_>, connector: &str, stored: Option<&Settings>) -> Settings {
    let mut services = Settings::new();
    if node.object().is_some() {
        put(&mut services, "discovery", unavailable(&node.get("discovery"), Stage::EndpointGroups));
        put(&mut services, HEALTH_CHECK, check_of_group(&node.get(HEALTH_CHECK), connector, stored));
    }
    services
}

/// Services of an endpoint. `group` is read as far as its services.
pub(super) fn of_endpoint(
    node: &Node<'_>,
    group: &EndpointGroup,
    spelling: Family,
    stored: Option<&Settings>,
) -> Settings {
    let mut services = Settings::new();
    if node.object().is_some() {
        let check = check_of_endpoint(&node.get(HEALTH_CHECK), group, spelling, stored);
        put(&mut services, HEALTH_CHECK, check);
    }
    services
}

fn put(services: &mut Settings, name: &str, service: Option<Settings>) {
    if let Some(service) = service {
        services.insert(name.to_owned(), Value::Object(service));
    }
}

/// The members that every service has.
fn read(node: &Node<'_>, kind: String, configuration: Option<Settings>) -> Settings {
    let mut service = Settings::new();
    service.insert("enabled".to_owned(), node.get("enabled").flag().unwrap_or(true).into());
    service.insert("type".to_owned(), kind.into());
    if let Some(over) = node.get("overrideConfiguration").flag() {
        service.insert("overrideConfiguration".to_owned(), over.into());
    }
    if let Some(configuration) = configuration {
        service.insert("configuration".to_owned(), Value::Object(configuration));
    }
    service
}

fn unavailable(node: &Node<'_>, stage: Stage) -> Option<Settings> {
    node.object()?;
    let service = read(node, node.get("type").required_text(), node.get("configuration").settings());
    if service["enabled"] == true {
        node.wrong(stage, "is not available in this version, set enabled to false or remove it");
    }
    Some(service)
}

/// The kind of a health check; an unknown one is refused while the check is enabled.
fn check_kind(node: &Node<'_>) -> String {
    let place = node.get("type");
    let kind = place.required_text_or("healthcheck.invalid", |violation| violation.empty_parameters());
    if !kind.is_empty() && kind != HTTP_HEALTH_CHECK && node.get("enabled").flag().unwrap_or(true) {
        let reason = format!("names the unknown health check {}, use {HTTP_HEALTH_CHECK}", quote(&kind));
        place.wrong(Stage::EndpointGroups, reason);
    }
    kind
}

fn check_of_group(node: &Node<'_>, connector: &str, stored: Option<&Settings>) -> Option<Settings> {
    node.object()?;
    let kind = check_kind(node);
    let configuration = check_configuration(node, &kind, connector, stored);
    Some(read(node, kind, configuration))
}

fn check_of_endpoint(
    node: &Node<'_>,
    group: &EndpointGroup,
    spelling: Family,
    stored: Option<&Settings>,
) -> Option<Settings> {
    node.object()?;
    let kind = check_kind(node);
    let of_group = group.services.get(HEALTH_CHECK);
    let over = node.get("overrideConfiguration").flag();
    // The beta has no such member: there, what an endpoint has of its own counts.
    let own = spelling == Family::Beta && over.is_none() && !node.get("configuration").is_absent();
    let overrides = over.unwrap_or(own);
    if spelling == Family::V4 && !overrides && of_group.is_none_or(|service| service["type"] != kind.as_str())
    {
        let reason = format!(
            "cannot follow the health check of its group, which has none of the type {}; set overrideConfiguration to true or remove it",
            quote(&kind)
        );
        let violation = node.violation("healthcheck.inheritance", reason);
        node.fail(Stage::EndpointGroups, violation.empty_parameters());
        return None;
    }
    let configuration = match overrides || of_group.is_none() {
        true => check_configuration(node, &kind, &group.connector, stored),
        false => written(node, &kind, stored),
    };
    let mut service = read(node, kind, configuration);
    if own {
        service.insert("overrideConfiguration".to_owned(), true.into());
    }
    Some(service)
}

/// The settings as they were sent, with what is stored (`stored`: the services) in the place of masks.
fn written(node: &Node<'_>, kind: &str, stored: Option<&Settings>) -> Option<Settings> {
    let place = node.get("configuration");
    let settings = place.settings()?;
    if kind != HTTP_HEALTH_CHECK {
        return Some(settings);
    }
    let stored = stored.and_then(|services| services.get(HEALTH_CHECK)?.get("configuration")?.as_object());
    Some(configuration::unmasked(&place, Stage::EndpointGroups, health_check::schema(), settings, stored))
}

/// Completed and checked settings of a check that runs; those of another one as they are.
fn check_configuration(
    node: &Node<'_>,
    kind: &str,
    connector: &str,
    stored: Option<&Settings>,
) -> Option<Settings> {
    let place = node.get("configuration");
    let sent = written(node, kind, stored);
    if kind != HTTP_HEALTH_CHECK || !node.get("enabled").flag().unwrap_or(true) {
        return sent;
    }
    let settings = sent.unwrap_or_default();
    let stage = Stage::EndpointGroups;
    let settings = health_check::schema().complete(settings, Part::Whole);
    match HealthCheck::parse(&settings) {
        Err(violations) => configuration::report(&place, stage, violations),
        Ok(check) if !is_http(connector) && !check.may_be_absolute() => {
            let reason = format!(
                "must be an absolute URL, because endpoints of the type {} have none",
                quote(connector)
            );
            place.get("target").wrong(stage, reason);
        }
        Ok(_) => {}
    }
    configuration::report(&place, stage, strict::expressions(health_check::schema().document(), &settings));
    Some(settings)
}

fn is_http(connector: &str) -> bool {
    connector::endpoint(connector).available().is_some_and(|spec| spec.api_type == ApiType::Proxy)
}

/// The `failover` block with its defaults.
pub(super) fn failover(node: &Node<'_>) -> Option<Settings> {
    node.object()?;
    /// Longest duration and greatest count: what fits the wire type of the field.
    const MAX: i64 = i32::MAX as i64;
    let number = |key: &str, min: i64, default: i64| node.get(key).integer(min..=MAX).unwrap_or(default);
    let Value::Object(mut failover) = json!({
        "enabled": node.get("enabled").flag().unwrap_or(false),
        "maxRetries": number("maxRetries", 0, 2),
        "slowCallDuration": number("slowCallDuration", 50, 2000),
        "openStateDuration": number("openStateDuration", 500, 10_000),
        "maxFailures": number("maxFailures", 1, 5),
        "perSubscription": node.get("perSubscription").flag().unwrap_or(true),
    }) else {
        return None;
    };
    // Younger members are stored when they say something, so that what was stored before stays as it is.
    let condition = node.get("failureCondition");
    super::flow::check_expression(&condition);
    if let Some(condition) = condition.trimmed() {
        failover.insert("failureCondition".to_owned(), condition.into());
    }
    if node.get("forceNextEndpointOnFailure").flag() == Some(true) {
        failover.insert("forceNextEndpointOnFailure".to_owned(), true.into());
    }
    Some(failover)
}
