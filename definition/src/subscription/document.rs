//! The requests about subscriptions, in both dialects' spellings: `starting_at` and `startingAt`, `configuration` and
//! `consumerConfiguration`, dates as numbers and as text.

use super::configuration::{self, ConsumerConfiguration};
use crate::date;
use crate::reader::{Node, Report, Stage};
use crate::violation::Violation;
use serde_json::Value;
use std::collections::BTreeMap;

/// Characters of a message between consumer and publisher.
const MESSAGE_MAX_CHARS: usize = 10_000;
/// Entries of `metadata`.
const METADATA_MAX: usize = 100;

/// A new subscription.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionRequest {
    pub configuration: Option<ConsumerConfiguration>,
    pub metadata: BTreeMap<String, String>,
    /// What the consumer tells the publisher.
    pub request: Option<String>,
    pub general_conditions_accepted: bool,
    /// 4.x names these in the body, the beta in the query.
    pub application: Option<String>,
    pub plan: Option<String>,
    pub custom_api_key: Option<String>,
}

/// A changed subscription. Absent dates are cleared; absent configuration and metadata stay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionUpdate {
    pub configuration: Option<ConsumerConfiguration>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub starting_at_ms: Option<i64>,
    pub ending_at_ms: Option<i64>,
}

/// The publisher's answer to a pending subscription.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionDecision {
    pub accepted: bool,
    pub reason: Option<String>,
    pub starting_at_ms: Option<i64>,
    pub ending_at_ms: Option<i64>,
    pub custom_api_key: Option<String>,
}

/// Reads a new subscription; a mask keeps the secret that `current` has at its place.
pub fn read_request(
    document: &Value,
    current: Option<&ConsumerConfiguration>,
) -> Result<SubscriptionRequest, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    node.object();
    let request = SubscriptionRequest {
        configuration: configuration(&node, current),
        metadata: metadata(&node.get("metadata")).unwrap_or_default(),
        request: message(&either(&node, "request", "consumerMessage")),
        general_conditions_accepted: node.get("generalConditionsAccepted").flag().unwrap_or(false),
        application: node.get("applicationId").trimmed(),
        plan: node.get("planId").trimmed(),
        custom_api_key: custom_key(&node),
    };
    report.finish(request)
}

/// Reads a changed subscription.
pub fn read_update(
    document: &Value,
    id: &str,
    current: Option<&ConsumerConfiguration>,
) -> Result<SubscriptionUpdate, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    node.required_object();
    same_id(&node, id);
    let (starting_at_ms, ending_at_ms) = dates(&node);
    let metadata_node = node.get("metadata");
    let update = SubscriptionUpdate {
        configuration: configuration(&node, current),
        metadata: if metadata_node.is_absent() { None } else { metadata(&metadata_node) },
        starting_at_ms,
        ending_at_ms,
    };
    report.finish(update)
}

/// Reads the publisher's answer.
pub fn read_decision(document: &Value, id: &str) -> Result<SubscriptionDecision, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    node.required_object();
    same_id(&node, id);
    let (starting_at_ms, ending_at_ms) = dates(&node);
    let decision = SubscriptionDecision {
        accepted: node.get("accepted").flag().unwrap_or(false),
        reason: message(&node.get("reason")),
        starting_at_ms,
        ending_at_ms,
        custom_api_key: custom_key(&node),
    };
    report.finish(decision)
}

/// Reads the id of the plan that a subscription moves to.
pub fn read_transfer(document: &Value, id: &str) -> Result<String, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    node.required_object();
    same_id(&node, id);
    let plan = either(&node, "plan", "planId").required_text();
    report.finish(plan)
}

/// The member under the first of two names, unless only the second one is there.
fn either<'a>(node: &Node<'a>, name: &str, other: &str) -> Node<'a> {
    let first = node.get(name);
    let second = node.get(other);
    if first.is_absent() && !second.is_absent() { second } else { first }
}

fn configuration(node: &Node<'_>, current: Option<&ConsumerConfiguration>) -> Option<ConsumerConfiguration> {
    let node = either(node, "configuration", "consumerConfiguration");
    if node.is_absent() { None } else { configuration::read(&node, current) }
}

fn custom_key(node: &Node<'_>) -> Option<String> {
    let node = node.get("customApiKey");
    crate::api_key::read_custom(&node)
}

fn same_id(node: &Node<'_>, id: &str) {
    let node = node.get("id");
    if node.text().is_some_and(|sent| !sent.eq_ignore_ascii_case(id)) {
        node.wrong(Stage::Identity, format!("must be {id}, the subscription that the request names"));
    }
}

fn dates(node: &Node<'_>) -> (Option<i64>, Option<i64>) {
    let ending = either(node, "ending_at", "endingAt");
    let dates = (date::read(&either(node, "starting_at", "startingAt")), date::read(&ending));
    if let (Some(from), Some(to)) = dates
        && to < from
    {
        ending.wrong(Stage::Shape, "must not be before the start");
    }
    dates
}

fn message(node: &Node<'_>) -> Option<String> {
    let text = node.trimmed()?;
    if text.chars().count() > MESSAGE_MAX_CHARS {
        node.wrong(Stage::Shape, format!("must have at most {MESSAGE_MAX_CHARS} characters"));
    }
    Some(text)
}

/// Texts under names; numbers and flags become text, as expressions see them.
fn metadata(node: &Node<'_>) -> Option<BTreeMap<String, String>> {
    let members = node.object()?;
    if members.len() > METADATA_MAX {
        node.wrong(Stage::Shape, format!("must have at most {METADATA_MAX} entries"));
    }
    let mut metadata = BTreeMap::new();
    for (key, value) in members {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => {
                node.get(key).wrong(Stage::Shape, "must be a text");
                continue;
            }
        };
        metadata.insert(key.clone(), text);
    }
    Some(metadata)
}
