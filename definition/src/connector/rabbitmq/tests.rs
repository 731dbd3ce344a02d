use super::*;
use serde_json::{Value, json};

/// Complete settings with `change` laid over their top level.
fn settings(change: Value) -> Settings {
    let route =
        json!({"enabled": true, "exchange": {"name": "orders", "type": "topic"}, "routingKey": "orders.#"});
    let mut settings = json!({
        "serverHost": "rabbitmq", "security": {"auth": {"username": "app", "password": "app-secret"}},
        "consumer": route, "producer": route,
    });
    for (name, value) in change.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings.as_object().unwrap().clone()
}

fn parse(change: Value) -> RabbitMq {
    RabbitMq::parse(&settings(change)).unwrap_or_else(|violations| panic!("{violations:?}"))
}

fn check(change: Value, expected: &[(&str, &str)]) {
    let violations = RabbitMq::parse(&settings(change)).err().unwrap_or_default();
    let found: Vec<_> = violations.iter().map(|v| (v.path.as_str(), v.message.as_str())).collect();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((path, message), (wanted_path, wanted)) in found.iter().zip(expected) {
        assert_eq!(path, wanted_path, "{message}");
        assert!(message.contains(wanted), "{message:?} does not say {wanted:?}");
        assert!(!message.contains("app-secret"), "{message}");
    }
}

#[test]
fn absent_settings_have_defaults() {
    let rabbit = parse(json!({}));
    assert_eq!((rabbit.host.as_str(), rabbit.port, rabbit.virtual_host.as_str()), ("rabbitmq", 5672, "/"));
    assert!(rabbit.ssl.is_none());
    let exchange =
        Exchange { name: "orders".into(), kind: ExchangeType::Topic, durable: true, auto_delete: false };
    assert_eq!(rabbit.consumer, Some(Route { exchange, routing_key: "orders.#".into() }));
    let secure = json!({"auth": {"username": "app", "password": "app-secret"}, "ssl": {}});
    assert_eq!(parse(json!({"security": secure})).port, 5671);
    assert_eq!(parse(json!({"security": secure, "serverPort": "5672"})).port, 5672, "a number in a string");
    assert_eq!(parse(json!({"serverHost": "[::1]", "virtualHost": " "})).host, "::1");
}

#[test]
fn a_side_is_off_unless_it_is_switched_on() {
    let rabbit = parse(json!({"consumer": {"routingKey": "k"}, "producer": null}));
    assert!(rabbit.consumer.is_none() && rabbit.producer.is_none());
    let modes = |change| (SPEC.enabled)(&settings(change));
    assert_eq!(modes(json!({})), [Mode::Publish, Mode::Subscribe]);
    assert_eq!(modes(json!({"consumer": {"enabled": false}})), [Mode::Publish]);
}

#[test]
fn exchanges_that_ignore_the_routing_key_need_none() {
    for kind in ["fanout", "HEADERS"] {
        let side = json!({"enabled": true, "exchange": {"name": "all", "type": kind, "durable": false}});
        let route = parse(json!({"consumer": side})).consumer.unwrap();
        assert_eq!((route.routing_key.as_str(), route.exchange.durable), ("", false));
    }
}

#[test]
fn every_fault_is_named_with_its_place() {
    check(json!({}), &[]);
    check(
        json!({"serverHost": "amqp://rabbitmq:5672", "security": null}),
        &[
            ("serverHost", "without scheme and port"),
            ("security.auth.username", "is required"),
            ("security.auth.password", "is required"),
        ],
    );
    check(
        json!({"consumer": {"enabled": true}, "producer": {"enabled": true, "exchange": {"name": ""}}}),
        &[
            ("consumer.exchange", "is required while the consumer is enabled"),
            ("producer.exchange.name", "is required"),
            ("producer.exchange.type", "one of direct, topic, fanout, headers"),
        ],
    );
    check(
        json!({"producer": {"enabled": true, "exchange": {"name": "x".repeat(256), "type": "direct"}}}),
        &[("producer.exchange.name", "at most 255 bytes"), ("producer.routingKey", "is required")],
    );
    let odd = json!({"enabled": true, "exchange": {"name": "x", "type": "round-robin"}, "routingKey": "k"});
    check(json!({"consumer": odd}), &[("consumer.exchange.type", "")]);
    check(json!({"serverPort": 70_000}), &[("serverPort", "")]);
    check(
        json!({"security": {"auth": {"username": "app", "password": "app-secret"}, "ssl": {"trustStore": {"type": "PEM"}}}}),
        &[("security.ssl.trustStore.path", "is required")],
    );
}

#[test]
fn the_password_is_marked_as_a_secret() {
    let schema = (SPEC.schema)().document();
    let security = &schema["properties"]["security"]["properties"];
    assert_eq!(security["auth"]["properties"]["password"]["x-secret"], true);
    assert_eq!(security["auth"]["properties"]["username"]["x-secret"], Value::Null);
}
