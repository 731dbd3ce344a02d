//! Plans: who may call an API, in both spellings.

use super::{Context, PlanDocument, ReadPlan, configuration, flow};
use crate::api::{Api, Family};
use crate::expression::Template;
use crate::plan::{Plan, PlanSecurity, PlanSecurityType, PlanStatus, PlanValidation};
use crate::reader::{Node, Report, Stage};
use crate::security;
use crate::token::tokens;
use crate::violation::Violation;
use serde_json::Value;

tokens! {
    /// The 4.x spelling of push plans.
    enum PlanMode { Standard = "standard", Push = "push" }
}

/// What one plan is read for.
struct Purpose<'a> {
    /// The plan that the request names; its parts are required as an update requires them.
    update: Option<&'a str>,
    current: Option<&'a Plan>,
    /// The plan that the document's masks stand for.
    stored: Option<&'a Plan>,
}

/// Reads and checks a plan.
pub fn read_plan(document: &Value, read: ReadPlan<'_>) -> Result<PlanDocument, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    let (api, purpose) = match read {
        ReadPlan::Create { api } => (api, Purpose { update: None, current: None, stored: None }),
        ReadPlan::Update { id, api, current } => {
            (api, Purpose { update: Some(id), current: Some(current), stored: Some(current) })
        }
    };
    if node.required_object().is_none() {
        return Err(report.into_violations());
    }
    let plan = read_one(&node, api, &purpose);
    report.finish(plan)
}

/// The plans of a PUT document (`plans`): `None` when absent. Each must carry the id of an existing plan; `stored` finds
/// it, for the secrets that the document masks.
pub fn read_update_plans<'a>(
    document: &Value,
    api: &Api,
    stored: impl Fn(&str) -> Option<&'a Plan>,
) -> Result<Option<Vec<(String, PlanDocument)>>, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report).get("plans");
    if node.is_absent() {
        return Ok(None);
    }
    let mut plans: Vec<(String, PlanDocument)> = Vec::new();
    for item in node.objects() {
        let id = item.get("id").required_text();
        if plans.iter().any(|(other, _)| *other == id) && !id.is_empty() {
            item.get("id").wrong(Stage::Plans, "is listed twice, remove one of them");
        }
        let plan = read_one(&item, api, &Purpose { update: Some(&id), current: None, stored: stored(&id) });
        plans.push((id, plan));
    }
    report.finish(Some(plans))
}

fn read_one(node: &Node<'_>, api: &Api, purpose: &Purpose<'_>) -> PlanDocument {
    // Members that only the beta demands are not demanded of plans of 4.x APIs.
    let spelling = if node.get("mode").is_absent() { api.family } else { Family::V4 };
    let stored_flows = purpose.stored.map(|plan| plan.flows.as_slice()).unwrap_or_default();
    let context = Context {
        family: api.family,
        spelling,
        api_type: Some(api.api_type),
        current: Some(api),
        stored_flows,
    };
    let security = security(node, purpose);
    let plan = Plan {
        name: required(&node.get("name")),
        description: match spelling {
            Family::Beta => required(&node.get("description")),
            Family::V4 => node.get("description").text().unwrap_or_default(),
        },
        validation: validation(&node.get("validation"), security.security_type, purpose),
        security,
        cross_id: node.get("crossId").trimmed().or_else(|| purpose.current?.cross_id.clone()),
        flows: flows(node, &context, purpose),
        tags: node.get("tags").texts(),
        characteristics: node.get("characteristics").texts(),
        excluded_groups: node.get("excludedGroups").texts(),
        comment_required: node.get("commentRequired").flag().unwrap_or(false),
        comment_message: node.get("commentMessage").trimmed(),
        selection_rule: node.get("selectionRule").trimmed(),
        general_conditions: node.get("generalConditions").trimmed(),
    };
    selection_rule(&node.get("selectionRule"));
    let order = node.get("order").integer(0..=i64::from(i32::MAX));
    PlanDocument {
        plan,
        id: id(&node.get("id"), purpose),
        status: node.get("status").token().unwrap_or(PlanStatus::Staging),
        order: order.and_then(|order| i32::try_from(order).ok()),
    }
}

/// A text that may be blank but not absent.
fn required(node: &Node<'_>) -> String {
    if node.is_absent() {
        node.wrong(Stage::Shape, "must not be null, a text is required");
    }
    node.text().map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn id(node: &Node<'_>, purpose: &Purpose<'_>) -> Option<String> {
    let id = node.text()?;
    match purpose.update {
        Some(wanted) if id != wanted => {
            node.wrong(Stage::Identity, format!("must be {wanted}, the plan that the request names"));
        }
        None if !is_uuid(&id) => node.wrong(Stage::Plans, "must be a UUID, or left out"),
        Some(_) | None => {}
    }
    Some(id)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5
        && groups
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(group, length)| group.len() == length && group.chars().all(|c| c.is_ascii_hexdigit()))
}

fn flows(node: &Node<'_>, context: &Context<'_>, purpose: &Purpose<'_>) -> Vec<crate::api::Flow> {
    let flows = node.get("flows");
    if let Some(id) = purpose.update
        && flows.is_absent()
    {
        let violation = flows.violation("plan.missing_flows", "must be sent, an empty list will do");
        flows.fail(Stage::Plans, violation.parameter("plan", id));
    }
    flow::read_all(&flows, context)
}

/// Callers without keys cannot be accepted by hand, so key-less plans are always automatic.
fn validation(node: &Node<'_>, security: PlanSecurityType, purpose: &Purpose<'_>) -> PlanValidation {
    if purpose.current.is_some() && node.is_absent() {
        node.wrong(Stage::Shape, "must not be null, use one of auto, manual");
    }
    let sent = node.token().unwrap_or(PlanValidation::Manual);
    if security == PlanSecurityType::KeyLess { PlanValidation::Auto } else { sent }
}

/// A rule may be written without its braces.
fn selection_rule(node: &Node<'_>) {
    let Some(rule) = node.value().and_then(Value::as_str).map(str::trim).filter(|rule| !rule.is_empty())
    else {
        return;
    };
    match Template::condition(rule) {
        Err(error) => node.wrong(Stage::Plans, format!("cannot be read as an expression: {error}")),
        Ok(rule) => rule
            .mistakes()
            .iter()
            .for_each(|mistake| node.wrong(Stage::Plans, format!("cannot work: {mistake}"))),
    }
}

/// The kind is that of the existing plan, or that of the document.
fn security(node: &Node<'_>, purpose: &Purpose<'_>) -> PlanSecurity {
    let sent = match purpose.current {
        Some(_) => None,
        None => Some(security_type(node)),
    };
    let stored = purpose.stored.map(|plan| &plan.security);
    let security_type = stored.map(|stored| stored.security_type).or(sent);
    let security_type = security_type.unwrap_or(PlanSecurityType::KeyLess);
    let configuration = configuration::of_security(
        &node.get("security").get("configuration"),
        security::security(security_type),
        stored.and_then(|stored| stored.configuration.as_ref()),
    );
    PlanSecurity { security_type, configuration }
}

fn security_type(node: &Node<'_>) -> PlanSecurityType {
    let mode = node.get("mode").token::<PlanMode>().unwrap_or(PlanMode::Standard);
    let security = node.get("security");
    security.object();
    let kind = security.get("type");
    let refuse = |node: &Node<'_>, reason: &str| node.refuse(Stage::Plans, "plan.invalid", reason);
    let text = kind.text();
    let security_type = text.as_deref().and_then(PlanSecurityType::parse);
    match (mode, security_type, text) {
        (PlanMode::Push, _, _) => {
            if !says_nothing_new(&security) {
                let reason = "must not be set on a push plan, remove it";
                let violation = security.violation("plan.invalid", reason);
                security.fail(Stage::Plans, violation.parameter("reason", reason));
            }
            PlanSecurityType::Subscription
        }
        (PlanMode::Standard, Some(known), _) => known,
        (PlanMode::Standard, None, Some(_)) => {
            refuse(&kind, &format!("is unknown, use one of {}", PlanSecurityType::LABELS.join(", ")));
            PlanSecurityType::KeyLess
        }
        (PlanMode::Standard, None, None) => {
            if kind.is_absent() {
                refuse(&kind, &format!("is required, use one of {}", PlanSecurityType::LABELS.join(", ")));
            }
            PlanSecurityType::KeyLess
        }
    }
}

/// A push plan that repeats the beta's `security.type: subscription` says nothing new.
fn says_nothing_new(security: &Node<'_>) -> bool {
    let kind = security.get("type").value().and_then(Value::as_str);
    security.is_absent() || kind.and_then(PlanSecurityType::parse) == Some(PlanSecurityType::Subscription)
}
