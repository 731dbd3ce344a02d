//! Flows: when they apply (selectors) and what they do (steps).

use super::{Context, configuration, cors};
use crate::api::{ApiType, Flow, PathOperator, Selector, Step};
use crate::api::{FlowExecution, FlowMode};
use crate::expression::{SyntaxError, Template};
use crate::policy::{self, Phase, PolicySpec};
use crate::reader::{Node, Stage, quote};
use crate::token::tokens;
use crate::{api::Family, connector};

const DUPLICATED: &str = "flow.selectors.type.duplicated";
const INVALID_TYPE: &str = "flow.selectors.type.invalid";
const INVALID_ENTRYPOINTS: &str = "flow.selectors.entrypoints.invalid";

tokens! {
    /// Discriminator of selectors.
    enum SelectorType { Http = "http", Channel = "channel", Condition = "condition" }
}

/// `flowExecution`, or the beta's `flowMode`; the former wins.
pub(super) fn execution(document: &Node<'_>) -> FlowExecution {
    let mode = document.get("flowMode").token();
    let node = document.get("flowExecution");
    node.object();
    FlowExecution {
        mode: node.get("mode").token().or(mode).unwrap_or(FlowMode::Default),
        match_required: node.get("matchRequired").flag().unwrap_or(false),
    }
}

/// The flows of an API or of a plan.
pub(super) fn read_all(node: &Node<'_>, context: &Context<'_>) -> Vec<Flow> {
    node.objects().iter().map(|node| read(node, context)).collect()
}

fn read(node: &Node<'_>, context: &Context<'_>) -> Flow {
    let steps = |phase: Phase| {
        let nodes = node.get(phase.label()).objects();
        nodes.iter().map(|node| read_step(node, phase, context)).collect()
    };
    Flow {
        id: node.get("id").trimmed(),
        name: node.get("name").text(),
        enabled: node.get("enabled").flag().unwrap_or(true),
        selectors: read_selectors(&node.get("selectors"), context),
        request: steps(Phase::Request),
        response: steps(Phase::Response),
        subscribe: steps(Phase::Subscribe),
        publish: steps(Phase::Publish),
        tags: node.get("tags").texts(),
    }
}

fn read_selectors(node: &Node<'_>, context: &Context<'_>) -> Vec<Selector> {
    let mut selectors: Vec<Selector> = Vec::new();
    for item in node.objects() {
        let Some((kind, selector)) = read_selector(&item, context) else { continue };
        if selectors.contains(&selector) {
            let violation =
                item.violation(DUPLICATED, format!("repeats a {kind} selector, remove one of them"));
            item.fail(Stage::Flows, violation.parameter(DUPLICATED, format!("[{kind}]")));
        }
        selectors.push(selector);
    }
    selectors
}

fn read_selector(node: &Node<'_>, context: &Context<'_>) -> Option<(SelectorType, Selector)> {
    let kind_node = node.get("type");
    if kind_node.is_absent() {
        kind_node.wrong(Stage::Shape, "must not be null, use one of http, channel, condition");
    }
    let kind = kind_node.token()?;
    let illegal = match (kind, context.api_type) {
        (SelectorType::Http, Some(ApiType::Message)) => Some("message APIs select by channel or condition"),
        (SelectorType::Channel, Some(ApiType::Proxy)) => Some("proxy APIs select by http or condition"),
        (SelectorType::Http | SelectorType::Channel | SelectorType::Condition, _) => None,
    };
    if let Some(reason) = illegal {
        let violation = kind_node.violation(INVALID_TYPE, format!("{kind} is not possible here: {reason}"));
        kind_node.fail(Stage::Flows, violation.parameter(INVALID_TYPE, format!("[{kind}]")));
    }
    let selector = match kind {
        SelectorType::Http => Selector::Http {
            path: path(&node.get("path")),
            path_operator: node.get("pathOperator").token().unwrap_or(PathOperator::StartsWith),
            methods: cors::methods(&node.get("methods")),
        },
        SelectorType::Channel => Selector::Channel {
            operations: node.get("operations").tokens(),
            channel: path(&node.get("channel")),
            channel_operator: node.get("channelOperator").token().unwrap_or(PathOperator::StartsWith),
            entrypoints: entrypoints(&node.get("entrypoints")),
        },
        SelectorType::Condition => {
            let condition = node.get("condition");
            check_condition(&condition);
            Selector::Condition { condition: condition.required_text() }
        }
    };
    Some((kind, selector))
}

/// Absent: everything. An empty text is no path.
fn path(node: &Node<'_>) -> String {
    if node.is_absent() { "/".to_owned() } else { node.required_text() }
}

fn entrypoints(node: &Node<'_>) -> Vec<String> {
    let ids = node.texts();
    for item in node.items() {
        if let Some(id) = item.trimmed().filter(|id| !connector::is_message_entrypoint(id)) {
            let reason = format!("{} is no entrypoint of message APIs, remove it", quote(&id));
            let violation = item.violation(INVALID_ENTRYPOINTS, reason);
            item.fail(Stage::Flows, violation.parameter(INVALID_ENTRYPOINTS, format!("[{id}]")));
        }
    }
    ids
}

fn read_step(node: &Node<'_>, phase: Phase, context: &Context<'_>) -> Step {
    let description = node.get("description");
    let name = node.get("name").required_text();
    // An API of the 4.x family is printed in the beta spelling, and must be valid when it is sent back.
    let description = match (context.family, context.spelling) {
        (Family::Beta, Family::Beta) => Some(description.required_text()),
        (Family::Beta | Family::V4, Family::Beta | Family::V4) => description.trimmed(),
    };
    let policy = node.get("policy").required_text();
    let spec = spec(&node.get("policy"), &policy, phase, context);
    let (condition, message_condition) = (node.get("condition"), node.get("messageCondition"));
    check_condition(&condition);
    check_condition(&message_condition);
    Step {
        enabled: node.get("enabled").flag().unwrap_or(true),
        configuration: match spec {
            Some(spec) => {
                let stored = context.stored_step(&policy, &name).and_then(|step| step.configuration.as_ref());
                configuration::of_policy(&node.get("configuration"), spec, stored)
            }
            None => node.get("configuration").settings(),
        },
        description,
        policy,
        name,
        condition: condition.trimmed(),
        message_condition: message_condition.trimmed(),
    }
}

/// The specification of a step's policy, when it exists and may stand in this phase.
fn spec(node: &Node<'_>, id: &str, phase: Phase, context: &Context<'_>) -> Option<&'static PolicySpec> {
    if id.is_empty() {
        return None;
    }
    let spec = match policy::policy(id) {
        Ok(spec) => spec,
        Err(reason) => {
            node.wrong(Stage::Flows, reason);
            return None;
        }
    };
    if let Some(api_type) = context.api_type
        && !spec.phases(api_type).contains(&phase)
    {
        let phases: Vec<&str> = spec.phases(api_type).iter().map(|phase| phase.label()).collect();
        let (id, api_type, phase) = (quote(id), api_type.label(), phase.label());
        node.wrong(
            Stage::Flows,
            match phases.is_empty() {
                true => format!(
                    "names the policy {id}, which is not possible in {api_type} APIs; remove the step"
                ),
                false => format!(
                    "names the policy {id}, which is not possible in the phase {phase} of {api_type} APIs; \
                     move the step to {}",
                    phases.join(" or ")
                ),
            },
        );
    }
    Some(spec)
}

/// Reports an expression that cannot be parsed, or never work.
pub(super) fn check_expression(node: &Node<'_>) {
    check_template(node, Template::parse);
}

/// As `check_expression`, for conditions, which need no braces.
fn check_condition(node: &Node<'_>) {
    check_template(node, Template::condition);
}

fn check_template(node: &Node<'_>, read: fn(&str) -> Result<Template, SyntaxError>) {
    let Some(text) = node.value().and_then(serde_json::Value::as_str) else { return };
    match read(text.trim()) {
        Err(error) => node.wrong(Stage::Flows, format!("cannot be read as an expression: {error}")),
        Ok(template) => {
            for mistake in template.mistakes() {
                node.wrong(Stage::Flows, format!("cannot work: {mistake}"));
            }
        }
    }
}

impl Context<'_> {
    /// The stored step of the same policy and name, which masked secrets may refer to.
    fn stored_step(&self, policy: &str, name: &str) -> Option<&Step> {
        let mut steps = self.stored_flows.iter().flat_map(|flow| {
            [&flow.request, &flow.response, &flow.subscribe, &flow.publish].into_iter().flatten()
        });
        steps.find(|step| step.policy == policy && step.name == name)
    }
}
