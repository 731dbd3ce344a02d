//! A message of the broker as the rest of the gateway knows messages.

use crate::endpoint::fanout::Received;
use rumqttc::Publish;
use serde_json::Value;
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// User properties become headers; what else the packet says becomes metadata.
pub(super) fn received(publish: Publish) -> Received {
    let properties = publish.properties.unwrap_or_default();
    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
    let mut metadata: Vec<(Cow<'static, str>, Value)> = vec![
        ("topic".into(), topic.into()),
        ("type".into(), "PUBLISH".into()),
        ("qos".into(), (publish.qos as u8).into()),
        ("retain".into(), publish.retain.into()),
    ];
    let optional = [
        ("contentType", properties.content_type.map(Value::from)),
        ("messageExpiryInterval", properties.message_expiry_interval.map(Value::from)),
        ("responseTopic", properties.response_topic.map(Value::from)),
    ];
    let given = optional.into_iter().filter_map(|(name, value)| Some((Cow::from(name), value?)));
    metadata.extend(given);
    metadata.push(("sourceTimestamp".into(), now_ms().into()));
    Received { content: Some(publish.payload), headers: properties.user_properties, metadata }
}

/// The protocol has no time of its own.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use rumqttc::{PublishProperties, QoS};

    #[test]
    fn what_a_packet_says_is_headers_and_metadata() {
        let properties = PublishProperties {
            content_type: Some("text/plain".to_owned()),
            message_expiry_interval: Some(58),
            response_topic: Some("answers".to_owned()),
            user_properties: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
            ..PublishProperties::default()
        };
        let publish = Publish::new("t/1", QoS::AtLeastOnce, "content", Some(properties));
        let received = received(publish);
        assert_eq!(received.content.as_deref(), Some(&b"content"[..]));
        assert_eq!(received.headers.len(), 2, "repeated names are kept");
        let said: Vec<String> =
            received.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            said[..7].join(" "),
            r#"topic="t/1" type="PUBLISH" qos=1 retain=false contentType="text/plain" messageExpiryInterval=58 responseTopic="answers""#
        );
        assert!(said[7].starts_with("sourceTimestamp="));
    }
}
