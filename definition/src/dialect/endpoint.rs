//! Endpoint groups and endpoints: what the entrypoints are bridged to.

use super::{Context, configuration, service};
use crate::api::{ApiType, Endpoint, EndpointGroup, Family, LoadBalancer, LoadBalancerType};
use crate::connector::settings::Part;
use crate::connector::{self, EndpointSpec, Lookup};
use crate::reader::{Node, Stage, quote};
use crate::violation::Violation;
use serde_json::Value;

const GROUP_TYPE: &str = "api.endpointsGroup.type.invalid";
const GROUP_TYPE_PARAMETER: &str = "api.endpointsGroup[].type";
const ENDPOINT_TYPE: &str = "api.endpointsGroup.endpoint.type.invalid";
const ENDPOINT_TYPE_PARAMETER: &str = "api.endpointsGroup[].endpoint[].type";

/// Every group; a faulty one keeps its place so that later checks can name it.
pub(super) fn read_all(node: &Node<'_>, context: &Context<'_>) -> Vec<EndpointGroup> {
    if node.is_absent() {
        node.wrong(Stage::Shape, "must not be null, a list is required");
    }
    let nodes = node.items();
    if nodes.is_empty() && node.value().is_some_and(Value::is_array) {
        missing(node);
    }
    let groups: Vec<EndpointGroup> = nodes.iter().map(|node| read_group(node, context)).collect();
    let names = nodes.iter().zip(&groups).map(|(node, group)| (node.get("name"), group.name.as_str()));
    refuse_repeated(names, "api.endpointsGroup.name.exists", "api.endpointsGroup[].name");
    let endpoints = nodes.iter().zip(&groups).flat_map(|(node, group)| {
        let items = node.get("endpoints").items();
        items.into_iter().zip(&group.endpoints).map(|(node, e)| (node.get("name"), e.name.as_str()))
    });
    let code = "api.endpointsGroup.endpoint.name.exists";
    refuse_repeated(endpoints, code, "api.endpointsGroup[].endpoint.name");
    groups
}

/// A group and an endpoint may share a name; two of a kind may not.
fn refuse_repeated<'a, 'n>(
    names: impl Iterator<Item = (Node<'n>, &'a str)>,
    code: &'static str,
    parameter: &str,
) {
    let mut seen: Vec<&str> = Vec::new();
    for (node, name) in names {
        if !name.is_empty() && seen.contains(&name) {
            let violation = node.violation(code, format!("{} is used twice, choose another", quote(name)));
            node.fail(Stage::EndpointGroups, violation.parameter(parameter, name));
        }
        seen.push(name);
    }
}

fn missing(node: &Node<'_>) {
    let violation =
        node.violation("endpoint.missing", "must not be empty: at least one endpoint is required");
    node.fail(Stage::EndpointGroups, violation.empty_parameters());
}

fn read_group(node: &Node<'_>, context: &Context<'_>) -> EndpointGroup {
    let mut group = EndpointGroup {
        name: String::new(),
        connector: String::new(),
        load_balancer: None,
        shared_configuration: None,
        endpoints: Vec::new(),
        services: serde_json::Map::new(),
    };
    if node.required_object().is_none() {
        return group;
    }
    group.name = name(&node.get("name"));
    let kind = node.get("type");
    group.connector = kind.required_text_or(GROUP_TYPE, |v| v.parameter(GROUP_TYPE_PARAMETER, ""));
    let spec = find(&kind, &group.connector, context);
    group.load_balancer = load_balancer(&node.get("loadBalancer"));
    let stored = context.stored_group(&group.name, &group.connector);
    let stored_services = stored.map(|group| &group.services);
    group.services = service::of_group(&node.get("services"), &group.connector, stored_services);
    let stored = stored.and_then(|group| group.shared_configuration.as_ref());
    let shared = node.get("sharedConfiguration");
    group.shared_configuration = configuration::of_endpoint(&shared, spec, Part::Shared, stored);
    let endpoints = node.get("endpoints");
    let nodes = endpoints.items();
    let discovered = group.services.get("discovery").is_some_and(|service| service["enabled"] == true);
    if nodes.is_empty() && endpoints.value().is_none_or(Value::is_array) && !discovered {
        missing(&endpoints);
    }
    for endpoint_node in &nodes {
        let endpoint = read_endpoint(endpoint_node, &group, spec, context);
        if let Some(spec) = spec.filter(|spec| spec.id == endpoint.connector) {
            configuration::check_effective(endpoint_node, node, &endpoint, &group, spec);
        }
        group.endpoints.push(endpoint);
    }
    group
}

fn read_endpoint(
    node: &Node<'_>,
    group: &EndpointGroup,
    spec: Option<&'static EndpointSpec>,
    context: &Context<'_>,
) -> Endpoint {
    let mut read = Endpoint {
        name: String::new(),
        connector: String::new(),
        secondary: false,
        weight: 1,
        inherit_configuration: false,
        tenants: Vec::new(),
        configuration: None,
        shared_configuration_override: None,
        services: serde_json::Map::new(),
    };
    if node.required_object().is_none() {
        return read;
    }
    read.name = name(&node.get("name"));
    let kind = node.get("type");
    read.connector = kind.required_text_or(ENDPOINT_TYPE, |v| v.parameter(ENDPOINT_TYPE_PARAMETER, ""));
    let spec = spec.filter(|spec| spec.id == read.connector).or_else(|| other(&kind, &read, group, context));
    read.secondary = node.get("secondary").flag().unwrap_or(false);
    let weight = node.get("weight").integer(0..=i64::from(i32::MAX));
    read.weight = weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
    let inherit = node.get("inheritConfiguration");
    read.inherit_configuration = inherit.flag().unwrap_or(false);
    read.tenants = node.get("tenants").texts();
    let stored = context.stored_endpoint(&read.name, &read.connector);
    let stored_services = stored.map(|endpoint| &endpoint.services);
    read.services = service::of_endpoint(&node.get("services"), group, context.spelling, stored_services);
    let of = |key: &str, part, stored| configuration::of_endpoint(&node.get(key), spec, part, stored);
    read.configuration = of("configuration", Part::Whole, stored.and_then(|e| e.configuration.as_ref()));
    let stored = stored.and_then(|endpoint| endpoint.shared_configuration_override.as_ref());
    read.shared_configuration_override = of("sharedConfigurationOverride", Part::Shared, stored);
    if context.family == Family::V4 && read.inherit_configuration && group.shared_configuration.is_none() {
        let reason = "is true but the group has no sharedConfiguration, give it one or set this to false";
        let violation = inherit.violation("endpoint.validationError", reason);
        inherit.fail(Stage::EndpointGroups, violation.empty_parameters());
    }
    read
}

/// The connector of an endpoint that is not of its group's type, which is reported.
fn other(
    node: &Node<'_>,
    endpoint: &Endpoint,
    group: &EndpointGroup,
    context: &Context<'_>,
) -> Option<&'static EndpointSpec> {
    if endpoint.connector.is_empty() || endpoint.connector == group.connector {
        return None;
    }
    if !group.connector.is_empty() {
        let reason = format!("must be {}, the type of its group", quote(&group.connector));
        let violation = node.violation(GROUP_TYPE, reason);
        node.fail(Stage::EndpointGroups, violation.parameter(GROUP_TYPE_PARAMETER, group.connector.clone()));
    }
    find(node, &endpoint.connector, context)
}

fn name(node: &Node<'_>) -> String {
    let name = node.required_text();
    if name.contains(':') {
        let violation = node.violation("api.endpoint.invalid", "must not hold ':', choose another name");
        node.fail(Stage::EndpointGroups, violation.parameter("endpoint", name.clone()));
    }
    name
}

fn find(node: &Node<'_>, id: &str, context: &Context<'_>) -> Option<&'static EndpointSpec> {
    if id.is_empty() {
        return None;
    }
    let ids = || connector::ENDPOINTS.iter().map(|spec| spec.id).collect::<Vec<_>>().join(", ");
    let violation: Violation = match connector::endpoint(id) {
        Lookup::Available(spec) => {
            let api_type: ApiType = context.api_type.unwrap_or(spec.api_type);
            if spec.api_type != api_type {
                let wanted = spec.api_type.beta_label();
                let violation =
                    node.violation(GROUP_TYPE, format!("{id} belongs in an API of type {wanted}"));
                node.fail(Stage::EndpointGroups, violation.parameter(GROUP_TYPE_PARAMETER, id));
            }
            return Some(spec);
        }
        Lookup::Unavailable => node.violation(
            "data.invalid",
            format!("{id} is not available in this version, use one of {}", ids()),
        ),
        Lookup::Unknown => node
            .violation(
                "plugin.notFound",
                format!("names the unknown endpoint {}, use one of {}", quote(id), ids()),
            )
            .parameter("plugin", id)
            .unknown_plugin(),
    };
    node.fail(Stage::EndpointGroups, violation);
    None
}

fn load_balancer(node: &Node<'_>) -> Option<LoadBalancer> {
    node.object()?;
    let balancer = node.get("type").token().unwrap_or(LoadBalancerType::RoundRobin);
    Some(LoadBalancer { balancer })
}
