//! The documents that users of the field send, read, printed, and read back as updates.

use super::*;
use pretty_assertions::assert_eq;

fn entrypoints_over_kafka(path: &str, entrypoints: Value) -> Value {
    json!({
        "name": "Kafka", "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "async",
        "description": "Bridge to Kafka", "visibility": "PUBLIC",
        "listeners": [{"type": "http", "paths": [{"path": path}], "entrypoints": entrypoints}],
        "endpointGroups": [{
            "name": "default", "type": "kafka",
            "endpoints": [{
                "name": "default", "type": "kafka", "weight": 1, "inheritConfiguration": false,
                "configuration": {
                    "bootstrapServers": "kafka:9092", "topics": ["demo"],
                    "consumer": {"enabled": true}, "producer": {"enabled": true},
                },
            }],
        }],
    })
}

fn kafka_and_http() -> Value {
    let entrypoints = json!([
        {"type": "http-post", "configuration": {"requestHeadersToMessage": true}},
        {"type": "http-get", "configuration": {"messagesLimitCount": 1, "messagesLimitDurationMs": 10000}},
    ]);
    let flows = json!([{
        "name": "", "enabled": true, "selectors": [], "request": [], "response": [], "subscribe": [], "publish": [],
    }]);
    with(entrypoints_over_kafka("/data/kafka", entrypoints), &[("/flows", flows)])
}

fn kafka_and_sse() -> Value {
    let entrypoints = json!([
        {"type": "sse", "configuration": {"heartbeatIntervalInMs": 5000, "metadataAsComment": false}},
        {"type": "http-post"},
    ]);
    entrypoints_over_kafka("/data/kafka", entrypoints)
}

fn kafka_and_websocket() -> Value {
    let entrypoints = json!([
        {"type": "websocket", "configuration": {"publisher": {"enabled": true}, "subscriber": {"enabled": true}}},
        {"type": "http-post"},
    ]);
    entrypoints_over_kafka("/data/kafka", entrypoints)
}

fn later_kafka() -> Value {
    json!({
        "name": "Kafka", "apiVersion": "1.0", "definitionVersion": "V4", "type": "MESSAGE",
        "listeners": [{
            "type": "HTTP", "paths": [{"path": "/later/", "host": "example.com", "overrideAccess": true}],
            "servers": ["main"],
            "entrypoints": [
                {"type": "sse", "qos": "AT_LEAST_ONCE"},
                {"type": "http-get", "qos": "AT_MOST_ONCE"},
                {"type": "websocket", "qos": "AUTO", "configuration": {"publisher": {"enabled": false}}},
            ],
        }],
        "endpointGroups": [{
            "name": "default-group", "type": "kafka", "loadBalancer": {"type": "ROUND_ROBIN"},
            "sharedConfiguration": {
                "security": {"protocol": "PLAINTEXT"},
                "consumer": {"topics": ["a", "b"], "autoOffsetReset": "EARLIEST"},
                "producer": {"enabled": false},
            },
            "endpoints": [{
                "name": "default", "type": "kafka", "weight": 1, "inheritConfiguration": true,
                "configuration": {"bootstrapServers": "one:9092, two:9092"}, "tenants": ["t"],
            }],
        }],
        "flowExecution": {"mode": "BEST_MATCH", "matchRequired": true},
        "failover": {"enabled": true},
        "analytics": {"enabled": true, "sampling": {"type": "COUNT", "value": "20"}},
    })
}

fn later_mock() -> Value {
    let mut document = later_kafka();
    set(
        &mut document,
        "/endpointGroups/0",
        json!({
            "name": "default-group", "type": "mock",
            "endpoints": [{
                "name": "default", "type": "mock", "inheritConfiguration": false,
                "sharedConfigurationOverride": {},
                "configuration": {
                    "messageInterval": "500", "messageContent": "hello", "messageCount": 12,
                    "headers": [{"name": "X-A", "value": "b"}], "metadata": [{"name": "m", "value": "v"}],
                },
            }],
        }),
    );
    document
}

pub(super) fn documents() -> [(&'static str, Value); 6] {
    [
        ("mock", mock_document()),
        ("kafka and http", kafka_and_http()),
        ("kafka and sse", kafka_and_sse()),
        ("kafka and websocket", kafka_and_websocket()),
        ("later kafka", later_kafka()),
        ("later mock", later_mock()),
    ]
}

#[test]
fn an_answer_sent_back_changes_nothing() {
    for (name, document) in documents() {
        let api = create(&document);
        let second = again(&api).unwrap_or_else(|violations| panic!("{name}: {}", lines(&violations)));
        assert_eq!(second, api, "{name}");
        let stored: Api = serde_json::from_value(serde_json::to_value(&api).unwrap()).unwrap();
        assert_eq!(stored, api, "{name} from the store");
    }
}

#[test]
fn the_minimal_document_is_printed_as_the_field_knows_it() {
    let printed = serde_json::to_string(&beta_api(&create(&mock_document()))).unwrap();
    let expected = r#"{"name":"Cap","apiVersion":"1","definitionVersion":"4.0.0","type":"async","description":"d",
        "listeners":[{"type":"http","paths":[{"path":"/cap-a/"}],"entrypoints":[{"type":"http-get","qos":"auto"},{"type":"http-post","qos":"auto"}]}],
        "endpointGroups":[{"name":"g","type":"mock","endpoints":[{"name":"e","type":"mock","secondary":false,"weight":1,"inheritConfiguration":false,
        "configuration":{"messageCount":5,"messageInterval":100,"messageContent":"{\"a\":1}"}}]}],
        "flowMode":"default","flows":[],"groups":[],"visibility":"PRIVATE","categories":[],"labels":[],"lifecycleState":"CREATED",
        "disableMembershipNotifications":false}"#;
    assert_eq!(printed, expected.lines().map(str::trim).collect::<String>());
}

#[test]
fn settings_are_completed_inside_what_was_sent() {
    let api = create(&kafka_and_http());
    let out = Value::Object(beta_api(&api));
    assert_eq!(
        out["endpointGroups"][0]["endpoints"][0]["configuration"],
        json!({
            "bootstrapServers": "kafka:9092", "topics": ["demo"],
            "consumer": {"enabled": true, "encodeMessageId": true, "autoOffsetReset": "latest"},
            "producer": {"enabled": true},
        })
    );
    assert_eq!(
        out["listeners"][0]["entrypoints"][1],
        json!({"type": "http-get", "qos": "auto", "configuration": {
            "messagesLimitCount": 1, "messagesLimitDurationMs": 10000, "headersInPayload": false,
            "metadataInPayload": false,
        }})
    );
    assert_eq!(out["visibility"], "PRIVATE", "creation ignores it");
    assert_eq!(
        out["flows"],
        json!([{"name": "", "enabled": true, "selectors": [], "request": [], "response": [], "subscribe": [],
            "publish": [], "tags": []}])
    );
}

#[test]
fn the_later_spelling_is_printed_in_the_beta_s_words() {
    let out = Value::Object(beta_api(&create(&later_kafka())));
    assert_eq!(out["type"], "async");
    assert_eq!(out["definitionVersion"], "4.0.0");
    assert_eq!(out["flowMode"], "best-match");
    assert_eq!(out["listeners"][0]["type"], "http");
    assert_eq!(out["listeners"][0]["entrypoints"][0], json!({"type": "sse", "qos": "at-least-once"}));
    assert_eq!(
        out["endpointGroups"][0]["sharedConfiguration"]["consumer"],
        json!({"topics": ["a", "b"], "autoOffsetReset": "earliest", "enabled": true, "encodeMessageId": true})
    );
    let mock = Value::Object(beta_api(&create(&later_mock())));
    assert_eq!(mock["endpointGroups"][0]["endpoints"][0]["configuration"]["messageInterval"], 500);
}
