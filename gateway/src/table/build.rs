//! From a deployment to a runtime, or to the reason why not. Nothing is connected here: endpoints connect lazily, so
//! that a broker that is down does not keep an API from being deployed.

use super::balancer::Balancer;
use super::runtime::{ApiRuntime, DeployedEntrypoint, DeployedGroup};
use crate::http::cors::CorsRules;
use crate::meter::EntrypointMeter;
use crate::{endpoint, entrypoint};
use definition::api::{
    ApiType, Endpoint, EndpointGroup, Entrypoint, Flow, Listener, ListenerType, LoadBalancerType, Qos,
    Settings,
};
use definition::connector::{self, EndpointSpec};
use definition::deployment::{ApiDeployment, DeployedPlan};
use definition::plan::{PlanSecurityType, PlanStatus};
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
    if deployment.api_type != ApiType::Message {
        let message = format!("APIs of type `{}` are not available in this version", deployment.api_type);
        return Err(Rejection::new("TYPE_UNKNOWN", "type", message));
    }
    let id: Arc<str> = deployment.id.as_str().into();
    refuse_policies("flows", &deployment.flows)?;
    let mut plans = Vec::new();
    for (index, plan) in deployment.plans.iter().enumerate() {
        plans.extend(plan_id(&format!("plans[{index}]"), plan)?);
    }
    let (mut entrypoints, mut paths) = (Vec::new(), Vec::new());
    for (index, listener) in deployment.listeners.iter().enumerate() {
        if listener.listener_type != ListenerType::Http {
            let message =
                format!("listeners of type `{}` are not available in this version", listener.listener_type);
            return Err(Rejection::new("LISTENER_UNKNOWN", format!("listeners[{index}].type"), message));
        }
        paths.extend(listener.paths.iter().cloned());
        for (inner, entrypoint) in listener.entrypoints.iter().enumerate() {
            let path = format!("listeners[{index}].entrypoints[{inner}]");
            entrypoints.push(build_entrypoint(&id, &path, entrypoint)?);
        }
    }
    // A stable sort: of two that ask for as much, the one that the author wrote first.
    entrypoints.sort_by_key(|(criteria, _)| Reverse(*criteria));
    let mut groups = Vec::new();
    for (index, group) in deployment.endpoint_groups.iter().enumerate() {
        groups.push(build_group(&id, &format!("endpointGroups[{index}]"), group, shared)?);
    }
    Ok(ApiRuntime {
        id,
        family: deployment.family,
        paths,
        plans,
        entrypoints: entrypoints.into_iter().map(|(_, entrypoint)| entrypoint).collect(),
        groups,
        templates: deployment.response_templates.clone(),
        cors: cors_rules(&deployment.listeners)?,
        stop: Arc::default(),
    })
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

/// A flow that does not run has nothing to refuse.
fn refuse_policies(path: &str, flows: &[Flow]) -> Result<(), Rejection> {
    for (index, flow) in flows.iter().enumerate().filter(|(_, flow)| flow.enabled) {
        let phases = [
            ("request", &flow.request),
            ("response", &flow.response),
            ("subscribe", &flow.subscribe),
            ("publish", &flow.publish),
        ];
        for (phase, steps) in phases {
            if let Some(at) = steps.iter().position(|step| step.enabled) {
                let message = format!("the policy `{}` is not available in this version", steps[at].policy);
                return Err(Rejection::new(
                    "POLICY_UNKNOWN",
                    format!("{path}[{index}].{phase}[{at}]"),
                    message,
                ));
            }
        }
    }
    Ok(())
}

/// The id of a plan that lets callers in.
fn plan_id(path: &str, plan: &DeployedPlan) -> Result<Option<String>, Rejection> {
    refuse_policies(&format!("{path}.flows"), &plan.flows)?;
    if plan.security.security_type != PlanSecurityType::KeyLess {
        let security = plan.security.security_type;
        let message = format!("plans with security `{security}` are not available in this version");
        return Err(Rejection::new("PLAN_SECURITY_UNKNOWN", format!("{path}.security.type"), message));
    }
    let open = matches!(plan.status, PlanStatus::Published | PlanStatus::Deprecated);
    Ok(open.then(|| plan.id.clone()))
}

fn build_entrypoint(
    api: &Arc<str>,
    path: &str,
    entrypoint: &Entrypoint,
) -> Result<(u8, DeployedEntrypoint), Rejection> {
    let id = entrypoint.connector.as_str();
    let found = connector::entrypoint(id).available().zip(entrypoint::factory(id));
    let Some((spec, factory)) = found else {
        let message = format!("the entrypoint `{id}` is not available in this version");
        return Err(Rejection::new("CONNECTOR_UNKNOWN", format!("{path}.type"), message));
    };
    let settings = entrypoint.configuration.clone().unwrap_or_default();
    let handler = (factory.build)(&settings)
        .map_err(|violations| invalid(&format!("{path}.configuration"), &violations))?;
    let deployed = DeployedEntrypoint {
        kind: spec.kind,
        modes: spec.modes,
        qos: entrypoint.qos.unwrap_or(Qos::Auto),
        handler,
        meter: Arc::new(EntrypointMeter::new(api, id)),
    };
    Ok((factory.criteria, deployed))
}

fn invalid(path: &str, violations: &[Violation]) -> Rejection {
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
    // Secondary endpoints serve when there is no primary one.
    let secondary = group.endpoints.iter().all(|endpoint| endpoint.secondary);
    let (mut endpoints, mut weights) = (Vec::new(), Vec::new());
    let mut modes = spec.modes.to_vec();
    for (index, endpoint) in group.endpoints.iter().enumerate() {
        let built =
            build_endpoint(api, &format!("{path}.endpoints[{index}]"), group, endpoint, spec, shared)?;
        if endpoint.secondary == secondary {
            let enabled = (spec.enabled)(&endpoint.effective_settings(group));
            modes.retain(|mode| enabled.contains(mode));
            endpoints.push(built);
            weights.push(endpoint.weight);
        }
    }
    let kind =
        group.load_balancer.as_ref().map_or(LoadBalancerType::RoundRobin, |balancer| balancer.balancer);
    Ok(DeployedGroup { kind: spec.kind, modes, balancer: Balancer::new(kind, weights), endpoints })
}

fn build_endpoint(
    api: &str,
    path: &str,
    group: &EndpointGroup,
    endpoint: &Endpoint,
    spec: &EndpointSpec,
    shared: &endpoint::Shared,
) -> Result<Arc<dyn endpoint::Endpoint>, Rejection> {
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
