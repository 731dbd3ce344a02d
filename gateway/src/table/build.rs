//! From a deployment to a runtime, or to the reason why not. Nothing is connected here: endpoints connect lazily, so
//! that a broker that is down does not keep an API from being deployed.

use super::facts::ApiFacts;
use super::groups::{DeployedEndpoint, DeployedGroup, Groups};
use super::runtime::{ApiRuntime, DeployedEntrypoint};
use crate::failover::Failover;
use crate::flow::path::PathPattern;
use crate::flow::{self, Flows};
use crate::health::{Check, Health};
use crate::http::cors::CorsRules;
use crate::http::respond::Templates;
use crate::meter::EntrypointMeter;
use crate::resource::Resources;
use crate::{endpoint, entrypoint, security};
use definition::api::{
    Endpoint, EndpointGroup, Entrypoint, Listener, ListenerType, LoadBalancerType, Qos, Settings,
};
use definition::connector::{self, EndpointSpec};
use definition::deployment::ApiDeployment;
use definition::qos::delivering;
use definition::violation::Violation;
use std::cmp::Reverse;
use std::sync::Arc;

/// Why a change did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} at {path}: {message}")]
pub struct Rejection {
    /// Stable.
    pub code: &'static str,
    /// Place in the deployment, dotted with indexes.
    pub path: String,
    /// Names the reason, never a secret.
    pub message: String,
}

impl Rejection {
    pub(crate) fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Rejection { code, path: path.into(), message: message.into() }
    }
}

/// Builds the runtime of a deployment.
pub(crate) fn build(deployment: &ApiDeployment, shared: &endpoint::Shared) -> Result<ApiRuntime, Rejection> {
    let facts = Arc::new(ApiFacts::new(deployment, &shared.node));
    let resources = Resources::build(&deployment.resources, shared).map_err(|(index, violations)| {
        let Rejection { path, message, .. } =
            invalid(&format!("resources[{index}].configuration"), &violations);
        Rejection::new("RESOURCE_CONFIGURATION", path, message)
    })?;
    let mode = deployment.flow_execution.mode;
    let flows = flow::build::Builder { resources: &resources, shared, mode };
    let (plans, push_plans) = security::build(&deployment.plans, &flows)?;
    let (mut entrypoints, mut paths) = (Vec::new(), Vec::new());
    for (index, listener) in deployment.listeners.iter().enumerate() {
        if listener.listener_type == ListenerType::Tcp {
            let message =
                format!("listeners of type `{}` are not available in this version", listener.listener_type);
            return Err(Rejection::new("LISTENER_UNKNOWN", format!("listeners[{index}].type"), message));
        }
        paths.extend(listener.paths.iter().cloned());
        for (inner, entrypoint) in listener.entrypoints.iter().enumerate() {
            let path = format!("listeners[{index}].entrypoints[{inner}]");
            let place = (path.as_str(), listener.listener_type);
            entrypoints.push(build_entrypoint(&facts.id, place, entrypoint, shared)?);
        }
    }
    // A stable sort: of two that ask for as much, the one that the author wrote first.
    entrypoints.sort_by_key(|(criteria, _)| Reverse(*criteria));
    let delivering = delivering(&deployment.listeners, &deployment.endpoint_groups);
    let mut groups = Vec::new();
    for (index, group) in deployment.endpoint_groups.iter().enumerate() {
        let mut built = build_group(&facts.id, &format!("endpointGroups[{index}]"), group, shared)?;
        built.delivers = delivering.iter().any(|delivering| std::ptr::eq(*delivering, group));
        groups.push(built);
    }
    let flows = flows.flows("flows", &deployment.flows)?;
    Ok(ApiRuntime {
        family: deployment.family,
        paths,
        path_patterns: path_patterns(&flows, &plans, &push_plans),
        plans,
        push_plans,
        flows,
        match_required: deployment.flow_execution.match_required,
        entrypoints: entrypoints.into_iter().map(|(_, entrypoint)| entrypoint).collect(),
        groups: Arc::new(Groups(groups)),
        failover: Failover::build(deployment.failover.as_ref())?,
        templates: Templates::build(&deployment.response_templates)?,
        cors: cors_rules(&deployment.listeners)?,
        stop: Arc::default(),
        removed: Arc::default(),
        facts,
    })
}

/// Paths with parameters, those for all methods first: what comes later wins.
fn path_patterns(
    flows: &Flows,
    plans: &[security::Plan],
    push_plans: &[security::PushPlan],
) -> Vec<(Vec<String>, Arc<PathPattern>)> {
    let of_plans = plans.iter().map(|plan| &plan.flows).chain(push_plans.iter().map(|plan| &plan.flows));
    let all = of_plans.flat_map(|flows| &flows.flows).chain(&flows.flows);
    let with_parameters = all.filter(|flow| flow.selector.pattern.has_parameters());
    let mut patterns: Vec<_> = with_parameters
        .map(|flow| (flow.selector.methods.clone(), Arc::clone(&flow.selector.pattern)))
        .collect();
    patterns.sort_by_key(|(methods, _)| !methods.is_empty());
    patterns
}

fn cors_rules(listeners: &[Listener]) -> Result<Option<CorsRules>, Rejection> {
    for (index, listener) in listeners.iter().enumerate() {
        let Some(rules) = &listener.cors else { continue };
        let compiled = CorsRules::new(rules).map_err(|error| {
            Rejection::new("CORS_ORIGIN", format!("listeners[{index}].cors.allowOrigin"), error.to_string())
        })?;
        if compiled.is_some() {
            return Ok(compiled);
        }
    }
    Ok(None)
}

fn build_entrypoint(
    api: &Arc<str>,
    (path, listener): (&str, ListenerType),
    entrypoint: &Entrypoint,
    shared: &endpoint::Shared,
) -> Result<(u8, DeployedEntrypoint), Rejection> {
    let id = entrypoint.connector.as_str();
    let spec = connector::entrypoint(id).available().filter(|spec| spec.listener == listener);
    let found = spec.zip(entrypoint::factory(id));
    let Some((spec, factory)) = found else {
        let message = format!("the entrypoint `{id}` is not available on a listener of type `{listener}`");
        return Err(Rejection::new("CONNECTOR_UNKNOWN", format!("{path}.type"), message));
    };
    let settings = entrypoint.configuration.clone().unwrap_or_default();
    let handler = (factory.build)(&settings, shared)
        .map_err(|violations| invalid(&format!("{path}.configuration"), &violations))?;
    let deployed = DeployedEntrypoint {
        id: id.to_owned(),
        kind: spec.kind,
        modes: spec.modes,
        qos: entrypoint.qos.unwrap_or(Qos::Auto),
        dead_letters: entrypoint.dlq.as_ref().map(|dlq| dlq.endpoint.clone()),
        handler,
        meter: Arc::new(EntrypointMeter::new(api, id)),
    };
    Ok((factory.criteria, deployed))
}

pub(crate) fn invalid(path: &str, violations: &[Violation]) -> Rejection {
    let first = violations.first();
    let path = match first.map_or("", |violation| violation.path.as_str()) {
        "" => path.to_owned(),
        below => format!("{path}.{below}"),
    };
    let message = first.map_or_else(|| "invalid settings".to_owned(), |violation| violation.message.clone());
    Rejection::new("CONNECTOR_CONFIGURATION", path, message)
}

fn build_group(
    api: &str,
    path: &str,
    group: &EndpointGroup,
    shared: &endpoint::Shared,
) -> Result<DeployedGroup, Rejection> {
    let Some(spec) = connector::endpoint(&group.connector).available() else {
        return Err(unknown_endpoint(path, &group.connector));
    };
    let mut endpoints = Vec::new();
    let mut modes = spec.modes.to_vec();
    for (index, endpoint) in group.endpoints.iter().enumerate() {
        let path = format!("{path}.endpoints[{index}]");
        let backend = build_endpoint(api, &path, group, endpoint, spec, shared)?;
        let check = Check::build(endpoint, group, &path)?;
        if !shared.node.serves(&endpoint.tenants) {
            continue;
        }
        let enabled = (spec.enabled)(&endpoint.effective_settings(group));
        modes.retain(|mode| enabled.contains(mode));
        endpoints.push(DeployedEndpoint {
            name: endpoint.name.clone(),
            full_name: format!("{}/{}", group.name, endpoint.name).into(),
            secondary: endpoint.secondary,
            weight: endpoint.weight,
            backend,
            health: Health::default(),
            check,
        });
    }
    let kind =
        group.load_balancer.as_ref().map_or(LoadBalancerType::RoundRobin, |balancer| balancer.balancer);
    Ok(DeployedGroup::new(group.name.clone(), spec.kind, modes, kind, endpoints))
}

fn build_endpoint(
    api: &str,
    path: &str,
    group: &EndpointGroup,
    endpoint: &Endpoint,
    spec: &EndpointSpec,
    shared: &endpoint::Shared,
) -> Result<endpoint::Backend, Rejection> {
    let factory = endpoint::factory(&endpoint.connector).filter(|_| endpoint.connector == spec.id);
    let Some(factory) = factory else { return Err(unknown_endpoint(path, &endpoint.connector)) };
    let name = format!("{api}/{}/{}", group.name, endpoint.name);
    let settings: Settings = endpoint.effective_settings(group);
    factory(&name, &settings, shared).map_err(|error| {
        let path = if error.path.is_empty() { path.to_owned() } else { format!("{path}.{}", error.path) };
        Rejection::new("CONNECTOR_CONFIGURATION", path, error.message)
    })
}

fn unknown_endpoint(path: &str, connector: &str) -> Rejection {
    let message = format!("the endpoint `{connector}` is not available in this version");
    Rejection::new("CONNECTOR_UNKNOWN", format!("{path}.type"), message)
}
