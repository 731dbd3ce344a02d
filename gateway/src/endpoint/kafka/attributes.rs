//! Values that policies and callers set for one exchange or one message, and the order in which they are asked.

use crate::endpoint::Attributes;
use crate::failure::{Failure, key};
use http::StatusCode;
use serde_json::Value;
use std::collections::HashMap;

/// Topics in both directions (old spelling).
const TOPICS: &str = "kafka.topics";
const CONSUMER_TOPICS: &str = "kafka.consumer.topics";
const PRODUCER_TOPICS: &str = "kafka.producer.topics";
const RECORD_KEY: &str = "kafka.recordKey";
const GROUP_ID: &str = "kafka.groupId";
/// Longest topic name that brokers accept, characters.
const TOPIC_NAME_MAX: usize = 249;

/// Reads a list: a JSON array in text form, a comma list, an array, or any other value as its only element.
pub(super) fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.starts_with('[') && text.ends_with(']') => {
            match serde_json::from_str::<Vec<Value>>(text) {
                Ok(items) => items.iter().map(scalar).collect(),
                Err(_) => split(text),
            }
        }
        Value::String(text) => split(text),
        Value::Array(items) => items.iter().map(scalar).collect(),
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![scalar(value)],
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn first_list(sources: &[&HashMap<String, Value>], names: &[&str]) -> Option<Vec<String>> {
    sources
        .iter()
        .flat_map(|source| names.iter().filter_map(|name| source.get(*name)))
        .map(list)
        .find(|topics| !topics.is_empty())
}

/// A name that brokers accept; anything else never reaches the client library.
fn is_topic_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= TOPIC_NAME_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn checked(topics: Vec<String>) -> Result<Vec<String>, Failure> {
    if topics.is_empty() {
        return Err(no_topics());
    }
    match topics.iter().find(|topic| !is_topic_name(topic)) {
        Some(topic) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            key::UNKNOWN_ERROR,
            format!("topic name {topic:?} is not valid: use letters, digits, '.', '_' and '-' only"),
        )),
        None => Ok(topics),
    }
}

/// Neither the call nor the settings name a topic.
pub(super) fn no_topics() -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        key::UNKNOWN_ERROR,
        "Kafka topics couldn't be loaded from Configuration or Context.",
    )
}

/// Topics to read: context attributes, else the configuration. `None`: no topic is named, so a pattern may count.
pub(super) fn consumer_topics(
    context: &Attributes,
    configured: &[String],
) -> Result<Option<Vec<String>>, Failure> {
    let mut topics =
        first_list(&[context], &[CONSUMER_TOPICS, TOPICS]).unwrap_or_else(|| configured.to_vec());
    topics.sort();
    topics.dedup();
    if topics.is_empty() { Ok(None) } else { checked(topics).map(Some) }
}

/// Topics to write: message attributes, else context attributes, else the configuration.
pub(super) fn producer_topics(
    message: &HashMap<String, Value>,
    context: &Attributes,
    configured: &[String],
) -> Result<Vec<String>, Failure> {
    let topics = first_list(&[message, context], &[PRODUCER_TOPICS, TOPICS]);
    checked(topics.unwrap_or_else(|| configured.to_vec()))
}

/// Key of a record: message attribute, else context attribute, else the message id.
pub(super) fn record_key(
    message: &HashMap<String, Value>,
    context: &Attributes,
    id: Option<&str>,
) -> Option<String> {
    let attribute = [message, context].into_iter().find_map(|source| source.get(RECORD_KEY));
    attribute.filter(|value| !value.is_null()).map(scalar).or_else(|| id.map(str::to_owned))
}

/// Consumer group: context attribute, else the client identifier.
pub(super) fn group_id(context: &Attributes, client_identifier: &str) -> String {
    let attribute = context.get(GROUP_ID).map(scalar).filter(|group| !group.trim().is_empty());
    // A NUL would end the name inside the client library.
    attribute.unwrap_or_else(|| client_identifier.to_owned()).replace('\0', "")
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
    fn lists_are_read_in_every_spelling() {
        let check = |value: Value, expected: &[&str]| assert_eq!(list(&value), expected, "{value}");
        check(json!("a, b ,c"), &["a", "b", "c"]);
        check(json!(r#"["a","b,c"]"#), &["a", "b,c"]);
        check(json!(["a", 1]), &["a", "1"]);
        check(json!(7), &["7"]);
        check(json!(""), &[]);
        check(json!("[a"), &["[a"]);
    }

    #[test]
    fn the_nearest_topic_wins() {
        let configured = ["configured".to_owned()];
        let context = Arc::new(map(json!({"kafka.topics": "old", "kafka.consumer.topics": "b,a,b"})));
        let message = map(json!({"kafka.producer.topics": ["x", "y"]}));
        let none = Arc::new(HashMap::new());
        let read = |context, configured: &[String]| consumer_topics(context, configured).expect("valid");
        assert_eq!(read(&context, &configured), Some(vec!["a".into(), "b".into()]));
        assert_eq!(read(&none, &configured), Some(vec!["configured".into()]));
        assert_eq!(read(&none, &[]), None);
        assert_eq!(producer_topics(&message, &context, &configured).expect("valid"), ["x", "y"]);
        assert_eq!(producer_topics(&none, &context, &configured).expect("valid"), ["old"]);
        assert_eq!(producer_topics(&none, &none, &[]).map_err(|failure| failure.status.as_u16()), Err(500));
        let odd = map(json!({"kafka.topics": "a b"}));
        assert_eq!(producer_topics(&odd, &none, &[]).map_err(|failure| failure.status.as_u16()), Err(400));
    }

    #[test]
    fn the_key_falls_back_to_the_id() {
        let none = Arc::new(HashMap::new());
        let context = Arc::new(map(json!({"kafka.recordKey": "c", "kafka.groupId": " "})));
        assert_eq!(
            record_key(&map(json!({"kafka.recordKey": 5})), &context, Some("id")).as_deref(),
            Some("5")
        );
        assert_eq!(record_key(&none, &context, Some("id")).as_deref(), Some("c"));
        assert_eq!(record_key(&none, &none, Some("id")).as_deref(), Some("id"));
        assert_eq!(record_key(&none, &none, None), None);
        assert_eq!(group_id(&context, "me"), "me");
    }
}
