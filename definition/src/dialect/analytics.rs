//! What is recorded about traffic: the 4.x `analytics` block is the canonical form, the beta's `logging` of a listener
//! is converted into its `logging` member and back.

use crate::api::{Api, ApiType, ListenerType, Settings};
use crate::reader::{Node, Stage};
use crate::token::tokens;
use serde_json::{Value, json};

tokens! {
    /// Which side is logged.
    enum LogMode { None = "NONE", Client = "CLIENT", Proxy = "PROXY", ClientProxy = "CLIENT_PROXY" }
}

tokens! {
    /// Which direction is logged.
    enum LogScope { None = "NONE", Request = "REQUEST", Response = "RESPONSE", RequestResponse = "REQUEST_RESPONSE" }
}

tokens! {
    /// What is logged.
    enum LogContent { None = "NONE", Headers = "HEADERS", Payloads = "PAYLOADS", HeadersPayloads = "HEADERS_PAYLOADS" }
}

tokens! {
    /// How messages are sampled.
    enum Sampling { Count = "count", Probability = "probability", Temporal = "temporal" }
}

const PHASES: [&str; 2] = ["request", "response"];
const MODES: [&str; 2] = ["entrypoint", "endpoint"];
const CONTENTS: [&str; 5] = ["headers", "messageHeaders", "payload", "messagePayload", "messageMetadata"];
const CONDITIONS: [&str; 2] = ["condition", "messageCondition"];

/// The block of a document, from either spelling; the 4.x one wins where both speak.
pub(super) fn read(document: &Node<'_>, api_type: ApiType) -> Option<Settings> {
    let node = document.get("analytics");
    let from_listeners = beta_logging(document, api_type);
    if node.object().is_none() {
        return from_listeners.map(|logging| block(true, None, Some(logging)));
    }
    let enabled = node.get("enabled").flag().unwrap_or(true);
    let logging = logging(&node.get("logging"), api_type).or(from_listeners);
    Some(block(enabled, sampling(&node, api_type), logging))
}

fn block(enabled: bool, sampling: Option<Value>, logging: Option<Value>) -> Settings {
    let mut block = Settings::new();
    block.insert("enabled".to_owned(), enabled.into());
    block.extend(sampling.map(|sampling| ("messageSampling".to_owned(), sampling)));
    block.extend(logging.map(|logging| ("logging".to_owned(), logging)));
    block
}

fn logging(node: &Node<'_>, api_type: ApiType) -> Option<Value> {
    node.object()?;
    let flags = |key: &str, names: &[&str]| {
        let node = node.get(key);
        node.object();
        let flag = |name: &&str| ((*name).to_owned(), node.get(name).flag().unwrap_or(false).into());
        names.iter().map(flag).collect::<Settings>()
    };
    let (mode, phase, content) =
        (flags("mode", &MODES), flags("phase", &PHASES), flags("content", &CONTENTS));
    let any = |flags: &Settings| flags.values().any(|flag| flag == true);
    let refuse = |reason: &str| {
        node.fail(Stage::Analytics, node.violation("logging.invalid", reason).empty_parameters());
    };
    if any(&mode) && !(any(&phase) && any(&content)) {
        refuse("must name a phase and a content when a mode is on");
    }
    let foreign: &[&str] = match api_type {
        ApiType::Message => &["payload"],
        ApiType::Proxy => &["messageHeaders", "messagePayload", "messageMetadata"],
    };
    for name in foreign.iter().filter(|name| content[**name] == true) {
        refuse(&format!(
            "cannot hold content.{name} in an API of type {}, set it to false",
            api_type.beta_label()
        ));
    }
    let mut logging = json!({ "mode": mode, "phase": phase, "content": content });
    for key in CONDITIONS {
        if let Some(condition) = node.get(key).trimmed() {
            logging[key] = condition.into();
        }
    }
    Some(logging)
}

fn sampling(analytics: &Node<'_>, api_type: ApiType) -> Option<Value> {
    let long = analytics.get("messageSampling");
    let node = if long.is_absent() { analytics.get("sampling") } else { long };
    if node.object().is_none() {
        return (api_type == ApiType::Message).then(|| json!({ "type": "count", "value": "100" }));
    }
    if api_type == ApiType::Proxy {
        let violation = node.violation("analytics.incompatible", "is for message APIs, remove it");
        node.fail(Stage::Analytics, violation.parameter("analytics.messageSampling", "proxy"));
    }
    let kind = node.get("type");
    if kind.is_absent() {
        kind.wrong(Stage::Shape, "must not be null, use one of count, probability, temporal");
    }
    let kind = kind.token::<Sampling>()?;
    let value_node = node.get("value");
    let value = match value_node.value() {
        Some(Value::Number(number)) => number.to_string(),
        _ => value_node.required_text(),
    };
    let (fits, bounds) = match kind {
        Sampling::Count => (value.parse::<u32>().is_ok_and(|n| n >= 10), "a whole number of at least 10"),
        Sampling::Probability => {
            (value.parse::<f64>().is_ok_and(|p| (0.01..=0.5).contains(&p)), "a number from 0.01 to 0.5")
        }
        Sampling::Temporal => (lasts_a_second(&value), "an ISO-8601 duration of at least PT1S"),
    };
    if !fits && !value.is_empty() {
        let violation = value_node
            .violation("analytics.messageSampling.value.invalid", format!("must be {bounds}"))
            .parameter("samplingType", kind.label())
            .parameter("value", value.clone());
        value_node.fail(Stage::Analytics, violation);
    }
    Some(json!({ "type": kind.label(), "value": value }))
}

/// `PnDTnHnMnS` of a second or more.
fn lasts_a_second(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else { return false };
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let seconds = [(days, &[('D', 86_400.0)][..]), (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)][..])]
        .into_iter()
        .try_fold(0.0, |sum, (text, units)| Some(sum + sum_of_units(text, units)?));
    seconds.is_some_and(|seconds| seconds >= 1.0)
}

fn sum_of_units(mut text: &str, units: &[(char, f64)]) -> Option<f64> {
    let mut seconds = 0.0;
    for (unit, factor) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            seconds += number.parse::<f64>().ok()? * factor;
            text = rest;
        }
    }
    text.is_empty().then_some(seconds)
}

/// Every `logging` of the listeners as one canonical block: what any of them logs is logged.
fn beta_logging(document: &Node<'_>, api_type: ApiType) -> Option<Value> {
    let listeners = document.get("listeners");
    let listeners = match listeners.value() {
        Some(Value::Array(_)) => listeners.items(),
        _ => Vec::new(),
    };
    let blocks = listeners.iter().filter_map(|listener| one_beta_logging(&listener.get("logging"), api_type));
    blocks.reduce(union)
}

fn one_beta_logging(node: &Node<'_>, api_type: ApiType) -> Option<Value> {
    node.object()?;
    let mode = node.get("mode").token().unwrap_or(LogMode::None);
    let scope = node.get("scope").token().unwrap_or(LogScope::None);
    let content = node.get("content").token().unwrap_or(LogContent::None);
    let condition = node.get("condition").trimmed();
    Some(canonical(mode, scope, content, condition, api_type))
}

fn canonical(
    mode: LogMode,
    scope: LogScope,
    content: LogContent,
    condition: Option<String>,
    api_type: ApiType,
) -> Value {
    let message = api_type == ApiType::Message;
    let headers = matches!(content, LogContent::Headers | LogContent::HeadersPayloads);
    let payloads = matches!(content, LogContent::Payloads | LogContent::HeadersPayloads);
    let mut logging = json!({
        "mode": {
            "entrypoint": matches!(mode, LogMode::Client | LogMode::ClientProxy),
            "endpoint": matches!(mode, LogMode::Proxy | LogMode::ClientProxy),
        },
        "phase": {
            "request": matches!(scope, LogScope::Request | LogScope::RequestResponse),
            "response": matches!(scope, LogScope::Response | LogScope::RequestResponse),
        },
        "content": {
            "headers": headers,
            "messageHeaders": headers && message,
            "payload": payloads && !message,
            "messagePayload": payloads && message,
            "messageMetadata": false,
        },
    });
    if let Some(condition) = condition {
        logging["condition"] = condition.into();
    }
    logging
}

fn union(mut a: Value, b: Value) -> Value {
    let (Some(into), Value::Object(from)) = (a.as_object_mut(), b) else { return a };
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(flags)), Value::Object(more)) => {
                for (name, flag) in more {
                    if flag == true {
                        flags.insert(name, flag);
                    }
                }
            }
            (None, value) => {
                into.insert(key, value);
            }
            (Some(_), _) => {}
        }
    }
    a
}

/// The beta's `logging` for the HTTP listeners, when it says everything that the block says.
pub(super) fn as_beta_logging(api: &Api) -> Option<Value> {
    let analytics = api.analytics.as_ref()?;
    let logging = analytics.get("logging")?;
    let on = |group: &str, name: &str| logging[group][name] == true;
    let mode = match (on("mode", "entrypoint"), on("mode", "endpoint")) {
        (false, false) => LogMode::None,
        (true, false) => LogMode::Client,
        (false, true) => LogMode::Proxy,
        (true, true) => LogMode::ClientProxy,
    };
    let scope = match (on("phase", "request"), on("phase", "response")) {
        (false, false) => LogScope::None,
        (true, false) => LogScope::Request,
        (false, true) => LogScope::Response,
        (true, true) => LogScope::RequestResponse,
    };
    let payloads = on("content", "payload") || on("content", "messagePayload");
    let content = match (on("content", "headers"), payloads) {
        (false, false) => LogContent::None,
        (true, false) => LogContent::Headers,
        (false, true) => LogContent::Payloads,
        (true, true) => LogContent::HeadersPayloads,
    };
    let condition = logging.get("condition").and_then(Value::as_str).map(str::to_owned);
    let again = canonical(mode, scope, content, condition.clone(), api.api_type);
    let http = api.listeners.iter().any(|listener| listener.listener_type == ListenerType::Http);
    if !http || *analytics != block(true, None, Some(again)) {
        return None;
    }
    let mut beta = json!({ "mode": mode.label(), "scope": scope.label(), "content": content.label() });
    if let Some(condition) = condition {
        beta["condition"] = condition.into();
    }
    Some(beta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_a_second_or_more() {
        for text in ["PT1S", "PT1.5S", "pt2m", "PT1H30M", "P1D", "P1DT1S"] {
            assert!(lasts_a_second(text), "{text}");
        }
        for text in ["", "PT", "P", "PT0.5S", "1S", "PT1X", "PT1S1H", "PTS", "PT-1S"] {
            assert!(!lasts_a_second(text), "{text}");
        }
    }
}
