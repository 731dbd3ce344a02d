//! Two spellings in, one canonical form stored, the beta spelling out.
//!
//! Reading converts while it reads: every member is looked for under both names, enumerations are accepted in every
//! case, and what comes out no longer knows which dialect it was written in, but for the family it was created in.

use crate::api::{Api, ApiType, Family, Flow, LifecycleState, Visibility};
use crate::plan::{Plan, PlanStatus};
use crate::reader::{Node, Report, Stage};
use crate::references;
use crate::token::fold;
use crate::violation::Violation;
use serde_json::{Map, Value};

mod analytics;
mod configuration;
mod cors;
mod dead_letter;
mod direction;
mod endpoint;
mod flow;
mod lifecycle;
mod listener;
mod path;
mod plan;
mod print;
mod property;
mod quality;
mod service;
#[cfg(test)]
mod tests;

pub use plan::{read_plan, read_update_plans};
pub use print::{beta_api, beta_plan};

/// What a definition is read for.
#[derive(Debug, Clone, Copy)]
pub enum ReadApi<'a> {
    /// POST: visibility and state members are ignored.
    Create,
    /// PUT: full replacement of `current`; the body must carry `id`.
    Update { id: &'a str, current: &'a Api },
}

/// What a plan is read for.
#[derive(Debug, Clone, Copy)]
pub enum ReadPlan<'a> {
    Create { api: &'a Api },
    Update { id: &'a str, api: &'a Api, current: &'a Plan },
}

/// A plan document with the members that are columns of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanDocument {
    pub plan: Plan,
    /// A UUID, when the author chose one.
    pub id: Option<String>,
    /// Create only; staging when absent.
    pub status: PlanStatus,
    pub order: Option<i32>,
}

/// What the parts of a document must know about the whole.
struct Context<'a> {
    /// The family that decides the column of the quality matrix.
    family: Family,
    /// The dialect that this document is written in; the beta demands more members.
    spelling: Family,
    /// `None` while unreadable: then nothing is checked against it.
    api_type: Option<ApiType>,
    current: Option<&'a Api>,
    /// Flows that are replaced by those of the document.
    stored_flows: &'a [Flow],
}

/// Reads, checks and completes a definition. Every violation is reported; the first one is that of the earliest
/// check in the order: shape of the document, version, type, life cycle, listeners with their entrypoints, endpoint
/// groups, analytics, flows, resources.
pub fn read_api(document: &Value, read: ReadApi<'_>) -> Result<Api, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    if node.required_object().is_none() {
        return Err(report.into_violations());
    }
    let spelling = spelling(document);
    let current = match read {
        ReadApi::Create => None,
        ReadApi::Update { current, .. } => Some(current),
    };
    let family = current.map_or(spelling, |current| current.family);
    definition_version(&node.get("definitionVersion"), current.is_some());
    let api_type = api_type(&node.get("type"), current);
    let stored_flows = current.map(|current| current.flows.as_slice()).unwrap_or_default();
    let context = Context { family, spelling, api_type, current, stored_flows };
    let mut api = read_members(&node, &context);
    if let ReadApi::Update { id, current } = read {
        update_members(&node, id, current, &mut api);
    }
    quality::settle(&node, &mut api);
    direction::check(&node, &api);
    dead_letter::check(&node, &api);
    for violation in references::of_flows("flows", &api.flows, &api.resources) {
        node.fail(Stage::Flows, violation);
    }
    report.finish(api)
}

/// 4.x when either of the two members that were renamed says so.
fn spelling(document: &Value) -> Family {
    let says = |key: &str, word: &str| document[key].as_str().is_some_and(|text| fold(text) == word);
    if says("type", "message") || says("definitionVersion", "v4") { Family::V4 } else { Family::Beta }
}

fn definition_version(node: &Node<'_>, required: bool) {
    if node.is_absent() {
        if required {
            node.wrong(Stage::Shape, "must not be null, use 4.0.0 or V4");
        }
        return;
    }
    let Some(version) = node.text() else { return };
    match fold(&version).as_str() {
        "4.0.0" | "v4" => {}
        "1.0.0" | "2.0.0" | "v1" | "v2" => {
            node.wrong(Stage::Version, "is unsupported, it should be V4 (4.0.0) or higher");
        }
        _ => node.wrong(Stage::Shape, "is unknown, use 4.0.0 or V4"),
    }
}

fn api_type(node: &Node<'_>, current: Option<&Api>) -> Option<ApiType> {
    if node.is_absent() {
        node.wrong(Stage::Shape, "must not be null, use one of async (message), sync (proxy)");
    }
    let sent = node.text().and_then(|text| ApiType::parse(&text));
    if sent.is_none() && node.value().is_some_and(Value::is_string) {
        node.wrong(Stage::Shape, "is unknown, use one of async (message), sync (proxy)");
    }
    if let (Some(sent), Some(current)) = (sent, current)
        && sent != current.api_type
    {
        let stays = current.api_type.beta_label();
        let violation =
            node.violation("apiType.notAllowed", format!("must stay {stays}, it cannot be changed"));
        node.fail(Stage::Type, violation.empty_parameters());
    }
    current.map(|current| current.api_type).or(sent)
}

/// The members that creation reads; an update reads them too and then more.
fn read_members(node: &Node<'_>, context: &Context<'_>) -> Api {
    let api_type = context.api_type.unwrap_or(ApiType::Message);
    let description = node.get("description");
    Api {
        family: context.family,
        api_type,
        name: node.get("name").required_text(),
        api_version: node.get("apiVersion").required_text(),
        description: match (context.family, context.spelling) {
            (Family::Beta, Family::Beta) => Some(description.required_text()),
            (Family::Beta | Family::V4, Family::Beta | Family::V4) => description.trimmed(),
        },
        cross_id: None,
        visibility: Visibility::Private,
        lifecycle_state: LifecycleState::Created,
        tags: node.get("tags").texts(),
        groups: node.get("groups").texts(),
        categories: Vec::new(),
        labels: Vec::new(),
        disable_membership_notifications: false,
        listeners: listener::read_all(&node.get("listeners"), context),
        endpoint_groups: endpoint::read_all(&node.get("endpointGroups"), context),
        flow_execution: flow::execution(node),
        flows: flow::read_all(&node.get("flows"), context),
        properties: property::read_properties(&node.get("properties"), context),
        resources: property::read_resources(&node.get("resources"), context),
        response_templates: property::read_templates(&node.get("responseTemplates")),
        services: Map::new(),
        failover: service::failover(&node.get("failover")),
        analytics: analytics::read(node, api_type),
    }
}

/// Members that only an update reads. Portal members that are absent keep their value, the others become empty.
fn update_members(node: &Node<'_>, id: &str, current: &Api, api: &mut Api) {
    if node.get("id").text().as_deref() != Some(id) {
        node.get("id").wrong(Stage::Identity, format!("must be {id}, the API that the request names"));
    }
    let visibility = node.get("visibility");
    if visibility.is_absent() {
        visibility.wrong(Stage::Shape, "must not be null, use one of PUBLIC, PRIVATE");
    }
    api.visibility = visibility.token().unwrap_or(current.visibility);
    api.lifecycle_state = lifecycle::read(&node.get("lifecycleState"), current.lifecycle_state);
    let kept = |key: &str, current: &Vec<String>| {
        let node = node.get(key);
        if node.is_absent() { current.clone() } else { node.texts() }
    };
    api.groups = kept("groups", &current.groups);
    api.categories = kept("categories", &current.categories);
    api.labels = kept("labels", &current.labels);
    api.cross_id = node.get("crossId").trimmed().or_else(|| current.cross_id.clone());
    let notifications = node.get("disableMembershipNotifications").flag();
    api.disable_membership_notifications = notifications.unwrap_or(current.disable_membership_notifications);
    api.services = service::of_api(&node.get("services"));
}

/// What keeps a saved definition from being started: a document may be drafted without a listener, not served.
pub fn check_start(api: &Api) -> Result<(), Vec<Violation>> {
    if api.listeners.is_empty() {
        let message = "listeners must not be empty, give the API a listener before it is started";
        return Err(vec![Violation::new("listeners", "data.invalid", message)]);
    }
    Ok(())
}
