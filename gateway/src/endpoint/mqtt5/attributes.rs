//! Values that policies and callers set for one exchange or one message, and the order in which they are asked.

use crate::endpoint::Attributes;
use crate::failure::{Failure, key};
use definition::connector::mqtt5::{is_topic_filter, is_topic_name};
use http::StatusCode;
use serde_json::Value;
use std::collections::HashMap;

const CLIENT_ID: &str = "mqtt5.clientId";
const TOPIC: &str = "mqtt5.topic";
const RESPONSE_TOPIC: &str = "mqtt5.responseTopic";
/// Greatest client id that an attribute may ask for, bytes.
const CLIENT_ID_MAX_BYTES: usize = 1024;

fn text(sources: &[&HashMap<String, Value>], name: &str) -> Option<String> {
    let value = sources.iter().find_map(|source| source.get(name).filter(|value| !value.is_null()))?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(text).filter(|text| !text.is_empty())
}

fn missing() -> Failure {
    let text = "MQTT5 topics couldn't be loaded from Configuration or Context.";
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::UNKNOWN_ERROR, text)
}

fn invalid(what: &str, value: &str) -> Failure {
    let value: String = value.chars().take(100).collect();
    let text = format!("{value:?} is no {what}: see the limits of MQTT topics and client ids");
    Failure::new(StatusCode::BAD_REQUEST, key::UNKNOWN_ERROR, text)
}

/// Topic filter to read: context attribute, else the settings.
pub(super) fn filter(context: &Attributes, configured: Option<&str>) -> Result<String, Failure> {
    let filter = text(&[context], TOPIC).or_else(|| configured.map(str::to_owned)).ok_or_else(missing)?;
    if is_topic_filter(&filter) { Ok(filter) } else { Err(invalid("topic filter", &filter)) }
}

/// Topic to write to: message attribute, else context attribute, else the settings.
pub(super) fn topic(
    message: &HashMap<String, Value>,
    context: &Attributes,
    configured: Option<&str>,
) -> Result<String, Failure> {
    let topic =
        text(&[message, context], TOPIC).or_else(|| configured.map(str::to_owned)).ok_or_else(missing)?;
    if is_topic_name(&topic) { Ok(topic) } else { Err(invalid("topic name", &topic)) }
}

/// Topic for answers: message attribute, else context attribute, else the settings.
pub(super) fn response_topic(
    message: &HashMap<String, Value>,
    context: &Attributes,
    configured: Option<&str>,
) -> Result<Option<String>, Failure> {
    let topic = text(&[message, context], RESPONSE_TOPIC).or_else(|| configured.map(str::to_owned));
    match topic {
        Some(topic) if !is_topic_name(&topic) => Err(invalid("topic name", &topic)),
        topic => Ok(topic),
    }
}

/// The name that sessions and writers go by, when somebody chose one.
pub(super) fn client_id(
    message: &HashMap<String, Value>,
    context: &Attributes,
) -> Result<Option<String>, Failure> {
    match text(&[message, context], CLIENT_ID) {
        Some(id) if id.len() > CLIENT_ID_MAX_BYTES || id.contains('\0') => Err(invalid("client id", &id)),
        id => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn map(value: Value) -> HashMap<String, Value> {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn the_nearest_value_wins_and_has_to_be_one() {
        let none = Arc::new(HashMap::new());
        let context = Arc::new(map(json!({TOPIC: "context", CLIENT_ID: "me", RESPONSE_TOPIC: ""})));
        let message = map(json!({TOPIC: "message", RESPONSE_TOPIC: "answers"}));
        let status = |failure: Failure| failure.status.as_u16();
        assert_eq!(topic(&message, &context, Some("set")).map_err(status), Ok("message".to_owned()));
        assert_eq!(topic(&none, &context, Some("set")).map_err(status), Ok("context".to_owned()));
        assert_eq!(topic(&none, &none, Some("set")).map_err(status), Ok("set".to_owned()));
        assert_eq!(topic(&none, &none, None).map_err(status), Err(500));
        assert_eq!(topic(&none, &Arc::new(map(json!({TOPIC: "a/#"}))), None).map_err(status), Err(400));
        assert_eq!(filter(&Arc::new(map(json!({TOPIC: "a/#"}))), None).map_err(status), Ok("a/#".to_owned()));
        assert_eq!(filter(&Arc::new(map(json!({TOPIC: "a#"}))), None).map_err(status), Err(400));
        let answers = |message, context| response_topic(message, context, Some("set")).map_err(status);
        assert_eq!(answers(&message, &context), Ok(Some("answers".to_owned())));
        assert_eq!(answers(&none, &context), Ok(Some("set".to_owned())), "an empty attribute is none");
        assert_eq!(client_id(&none, &context).map_err(status), Ok(Some("me".to_owned())));
        assert_eq!(client_id(&none, &Arc::new(map(json!({CLIENT_ID: "a\0"})))).map_err(status), Err(400));
    }
}
