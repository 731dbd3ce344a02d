use super::*;
use serde_json::{Value, json};

fn parse(settings: Value) -> Solace {
    Solace::parse(settings.as_object().unwrap()).unwrap()
}

/// `expected`: the path of every violation.
fn refused(settings: Value, expected: &[&str]) -> Vec<String> {
    let violations = Solace::parse(settings.as_object().unwrap()).err().unwrap_or_default();
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, expected);
    violations.into_iter().map(|violation| violation.message).collect()
}

#[test]
fn settings_are_read_with_defaults() {
    let solace = parse(json!({
        "url": "amqps://solace:5671", "vpnName": " tenant ",
        "security": {"auth": {"username": "app", "password": "app-secret"},
            "ssl": {"trustStore": {"type": "PEM", "location": "/etc/ca.pem"}}},
        "consumer": {"topics": ["a/*", "b/>", "a/*"]},
        "producer": {"topics": ["a/b"], "deliveryMode": "persistent", "messageExpiryInterval": "60", "responseTopic": "r"},
    }));
    assert_eq!(solace.vpn_name.as_deref(), Some("tenant"));
    assert_eq!(solace.credentials.as_ref().map(|auth| auth.password.as_str()), Some("app-secret"));
    assert!(!format!("{solace:?}").contains("app-secret"), "a password is never printed");
    assert!(solace.ssl.trust_store.is_some() && solace.ssl.hostname_verifier);
    assert_eq!(solace.consumer, SolaceConsumer { enabled: true, topics: vec!["a/*".into(), "b/>".into()] });
    assert_eq!(solace.producer.delivery_mode, Some(DeliveryMode::Persistent));
    assert_eq!(solace.producer.message_expiry_interval, Some(60));
    assert_eq!(solace.producer.response_topic.as_deref(), Some("r"));
}

#[test]
fn a_direction_is_enabled_by_its_block() {
    let check = |settings, consumer, producer| {
        let solace = parse(settings);
        assert_eq!((solace.consumer.enabled, solace.producer.enabled), (consumer, producer));
    };
    check(json!({"url": "amqp://s"}), false, false);
    check(json!({"url": "amqp://s", "consumer": {"topics": ["a"]}}), true, false);
    check(
        json!({"url": "amqp://s", "consumer": {"enabled": false}, "producer": {"topics": ["a"]}}),
        false,
        true,
    );
}

#[test]
fn every_fault_is_reported_at_once() {
    let messages = refused(
        json!({
            "url": "tcp://solace:55555", "security": {"auth": {"password": "app-secret"}},
            "consumer": {"topics": ["a/>/b", "a/*b", "topic://x"]},
            "producer": {"topics": ["a/*", "a//b"], "messageExpiryInterval": 0, "responseTopic": ">"},
        }),
        &[
            "url",
            "security.auth.username",
            "consumer.topics[0]",
            "consumer.topics[1]",
            "consumer.topics[2]",
            "producer.topics[0]",
            "producer.topics[1]",
            "producer.responseTopic",
            "producer.messageExpiryInterval",
        ],
    );
    assert!(messages[0].contains("use amqp://host:port"), "{}", messages[0]);
    assert!(!messages.concat().contains("app-secret"), "{messages:?}");
}

#[test]
fn what_the_protocol_does_not_have_is_refused() {
    refused(
        json!({"url": "amqp://s", "producer": {"topics": ["a"], "retained": true}}),
        &["producer.retained"],
    );
    refused(
        json!({"url": "amqp://s", "consumer": {}, "producer": {}}),
        &["consumer.topics", "producer.topics"],
    );
    refused(
        json!({"url": "mqtt://s", "consumer": {"topics": ["a/b*", "a+/b"]}, "producer": {"topics": ["#"], "deliveryMode": "DIRECT"}}),
        &["consumer.topics[0]", "consumer.topics[1]", "producer.topics[0]", "producer.deliveryMode"],
    );
    let retained = parse(json!({"url": "mqtts://s", "producer": {"topics": ["a"], "retained": true}}));
    assert!(retained.producer.retained && retained.server.tls);
}
