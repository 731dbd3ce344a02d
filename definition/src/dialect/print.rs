//! The beta spelling of what is stored, with its member order, secrets masked.
//!
//! Members of the 4.x dialect that the beta cannot express are printed under their own names, so that an answer
//! sent back as an update loses nothing.

use super::analytics;
use crate::api::{
    Api, Cors, Endpoint, EndpointGroup, Entrypoint, Flow, Listener, ListenerType, Property, Resource,
    Selector, Settings, Step,
};
use crate::connector;
use crate::connector::settings::SettingsSchema;
use crate::health_check::{self, HTTP_HEALTH_CHECK};
use crate::plan::{Plan, PlanSecurity};
use crate::policy;
use crate::resource;
use crate::secrets::{self, MASK};
use crate::security;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An object under construction; what is absent or empty stays out unless it is put in by hand.
struct Printed(Map<String, Value>);

impl Printed {
    fn put(&mut self, key: &str, value: impl Serialize) {
        // Only maps with keys that are no strings fail, and the model has none.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.0.insert(key.to_owned(), value);
    }

    fn put_some(&mut self, key: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn put_filled<T: Serialize>(&mut self, key: &str, values: &[T]) {
        if !values.is_empty() {
            self.put(key, values);
        }
    }

    fn put_object(&mut self, key: &str, object: &Settings) {
        if !object.is_empty() {
            self.put(key, object);
        }
    }
}

/// The members of a beta response that come from the definition, in the beta's order, secrets masked.
pub fn beta_api(api: &Api) -> Map<String, Value> {
    let mut out = Printed(Map::new());
    out.put_some("crossId", api.cross_id.as_ref());
    out.put("name", &api.name);
    out.put("apiVersion", &api.api_version);
    out.put("definitionVersion", "4.0.0");
    out.put("type", api.api_type.beta_label());
    out.put_some("description", api.description.as_ref());
    out.put_filled("tags", &api.tags);
    let logging = analytics::as_beta_logging(api);
    let listeners: Vec<Value> = api.listeners.iter().map(|l| listener(l, logging.as_ref())).collect();
    out.put("listeners", listeners);
    out.put("endpointGroups", api.endpoint_groups.iter().map(group).collect::<Vec<_>>());
    if logging.is_none() {
        out.put_some("analytics", api.analytics.as_ref());
    }
    out.put_some("failover", api.failover.as_ref());
    out.put_filled("properties", &api.properties.iter().map(property).collect::<Vec<_>>());
    let resources: Vec<Value> = api.resources.iter().map(resource).collect();
    out.put_filled("resources", &resources);
    out.put("flowMode", api.flow_execution.mode);
    if api.flow_execution.match_required {
        out.put("flowExecution", &api.flow_execution);
    }
    out.put("flows", api.flows.iter().map(flow).collect::<Vec<_>>());
    if !api.response_templates.is_empty() {
        out.put("responseTemplates", &api.response_templates);
    }
    out.put_object("services", &api.services);
    out.put("groups", &api.groups);
    out.put("visibility", api.visibility);
    out.put("categories", &api.categories);
    out.put("labels", &api.labels);
    out.put("lifecycleState", api.lifecycle_state);
    out.put("disableMembershipNotifications", api.disable_membership_notifications);
    out.0
}

fn listener(listener: &Listener, logging: Option<&Value>) -> Value {
    let mut out = Printed(Map::new());
    let http = listener.listener_type == ListenerType::Http;
    out.put("type", listener.listener_type);
    if http {
        out.put("paths", &listener.paths);
    }
    out.put_filled("pathMappings", &listener.path_mappings);
    out.put_filled("hosts", &listener.hosts);
    out.put("entrypoints", listener.entrypoints.iter().map(entrypoint).collect::<Vec<_>>());
    out.put_some("cors", listener.cors.as_ref().map(cors));
    out.put_some("logging", logging.filter(|_| http));
    out.put_filled("servers", &listener.servers);
    Value::Object(out.0)
}

fn cors(cors: &Cors) -> Value {
    if cors.enabled { json!(cors) } else { json!({ "enabled": false }) }
}

fn entrypoint(entrypoint: &Entrypoint) -> Value {
    let spec = connector::entrypoint(&entrypoint.connector).available();
    let mut out = Printed(Map::new());
    out.put("type", &entrypoint.connector);
    out.put_some("qos", entrypoint.qos);
    out.put_some("dlq", entrypoint.dlq.as_ref());
    out.put_some("configuration", shown(spec.map(|spec| (spec.schema)()), entrypoint.configuration.as_ref()));
    Value::Object(out.0)
}

fn shown(schema: Option<&SettingsSchema>, settings: Option<&Settings>) -> Option<Settings> {
    Some(secrets::mask(schema?.document(), settings?))
}

fn group(group: &EndpointGroup) -> Value {
    let spec = connector::endpoint(&group.connector).available();
    let mut out = Printed(Map::new());
    out.put("name", &group.name);
    out.put("type", &group.connector);
    out.put_some("loadBalancer", group.load_balancer.as_ref());
    let shared = shown(spec.map(|spec| (spec.schema)()), group.shared_configuration.as_ref());
    out.put_some("sharedConfiguration", shared);
    out.put("endpoints", group.endpoints.iter().map(endpoint).collect::<Vec<_>>());
    out.put_object("services", &services(&group.services));
    Value::Object(out.0)
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let schema = connector::endpoint(&endpoint.connector).available().map(|spec| (spec.schema)());
    let mut out = Printed(Map::new());
    out.put("name", &endpoint.name);
    out.put("type", &endpoint.connector);
    out.put("secondary", endpoint.secondary);
    out.put_filled("tenants", &endpoint.tenants);
    out.put("weight", endpoint.weight);
    out.put("inheritConfiguration", endpoint.inherit_configuration);
    out.put_some("configuration", shown(schema, endpoint.configuration.as_ref()));
    let over = shown(schema, endpoint.shared_configuration_override.as_ref());
    out.put_some("sharedConfigurationOverride", over);
    out.put_object("services", &services(&endpoint.services));
    Value::Object(out.0)
}

/// Services of a group or an endpoint; of those, health checks send headers.
fn services(services: &Settings) -> Settings {
    let mut shown = services.clone();
    let check = shown.get_mut(health_check::SERVICE).filter(|check| check["type"] == HTTP_HEALTH_CHECK);
    if let Some(Value::Object(configuration)) = check.and_then(|check| check.get_mut("configuration")) {
        *configuration = secrets::mask(health_check::schema().document(), configuration);
    }
    shown
}

fn property(property: &Property) -> Property {
    let mut shown = property.clone();
    if shown.encrypted {
        shown.value = MASK.to_owned();
    }
    shown
}

fn flow(flow: &Flow) -> Value {
    let steps = |steps: &[Step]| steps.iter().map(step).collect::<Vec<_>>();
    let mut out = Printed(Map::new());
    out.put_some("id", flow.id.as_ref());
    out.put_some("name", flow.name.as_ref());
    out.put("enabled", flow.enabled);
    out.put("selectors", flow.selectors.iter().map(selector).collect::<Vec<_>>());
    out.put("request", steps(&flow.request));
    out.put("response", steps(&flow.response));
    out.put("subscribe", steps(&flow.subscribe));
    out.put("publish", steps(&flow.publish));
    out.put("tags", &flow.tags);
    Value::Object(out.0)
}

fn selector(selector: &Selector) -> Value {
    json!(selector)
}

fn step(step: &Step) -> Value {
    let spec = policy::policy(&step.policy).ok();
    let configuration = shown(spec.map(|spec| (spec.schema)()), step.configuration.as_ref());
    json!(Step { configuration: configuration.or_else(|| step.configuration.clone()), ..step.clone() })
}

fn resource(resource: &Resource) -> Value {
    let spec = resource::resource(&resource.resource_type);
    let configuration = shown(spec.map(|spec| (spec.schema)()), resource.configuration.as_ref());
    json!(Resource {
        configuration: configuration.or_else(|| resource.configuration.clone()),
        ..resource.clone()
    })
}

fn plan_security(security: &PlanSecurity) -> PlanSecurity {
    let schema = (security::security(security.security_type).schema)();
    PlanSecurity {
        security_type: security.security_type,
        configuration: shown(Some(schema), security.configuration.as_ref()),
    }
}

/// The members of a beta plan that come from its definition, secrets masked.
pub fn beta_plan(plan: &Plan) -> Map<String, Value> {
    let mut out = Printed(Map::new());
    out.put_some("crossId", plan.cross_id.as_ref());
    out.put("name", &plan.name);
    out.put("description", &plan.description);
    out.put("validation", plan.validation);
    out.put("type", "api");
    let security = plan_security(&plan.security);
    out.put("security", &security);
    out.put_some("selectionRule", plan.selection_rule.as_ref());
    out.put("flows", plan.flows.iter().map(flow).collect::<Vec<_>>());
    out.put("tags", &plan.tags);
    out.put("characteristics", &plan.characteristics);
    out.put("excludedGroups", &plan.excluded_groups);
    out.put("commentRequired", plan.comment_required);
    out.put_some("commentMessage", plan.comment_message.as_ref());
    out.put_some("generalConditions", plan.general_conditions.as_ref());
    out.put("planValidation", plan.validation);
    out.put("planSecurity", &security);
    out.0
}
