//! The API definitions that are measured, as a user would write them.

use serde_json::{Value, json};
use std::net::SocketAddr;

/// An API with one path.
fn api(name: &str, path: &str, entrypoint: Value, group_type: &str, configuration: Value) -> Value {
    json!({
        "name": name, "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "async", "description": "Benchmark",
        "listeners": [{ "type": "http", "paths": [{ "path": path }], "entrypoints": [entrypoint] }],
        "endpointGroups": [{ "name": "default", "type": group_type, "endpoints": [{
            "name": "default", "type": group_type, "configuration": configuration }] }],
        "flows": []
    })
}

/// POST to Kafka at QoS auto: 202 after all replicas have the record.
pub(crate) fn post_to_kafka(path: &str, kafka: &str, topic: &str) -> Value {
    let configuration = json!({ "bootstrapServers": kafka, "topics": [topic],
        "consumer": { "enabled": false }, "producer": { "enabled": true } });
    api("Bench produce", path, json!({ "type": "http-post", "qos": "auto" }), "kafka", configuration)
}

/// The same with three policies: a limit per request; a header and a record key per message.
pub(crate) fn post_to_kafka_with_policies(path: &str, kafka: &str, topic: &str) -> Value {
    let limit = json!({ "rate": { "limit": 2_000_000_000, "periodTime": 1, "periodTimeUnit": "SECONDS" } });
    let header = json!({ "addHeaders": [{ "name": "X-Bench", "value": "1" }] });
    let key =
        json!({ "attributes": [{ "name": "kafka.recordKey", "value": "{#request.headers['host'][0]}" }] });
    let mut api = post_to_kafka(path, kafka, topic);
    api["flows"] = json!([{ "name": "All", "enabled": true,
        "selectors": [{ "type": "channel", "channel": "/", "channelOperator": "STARTS_WITH",
            "operations": ["PUBLISH"], "entrypoints": [] }],
        "request": [step("rate-limit", &limit)],
        "publish": [step("transform-headers", &header), step("policy-assign-attributes", &key)] }]);
    api
}

fn step(policy: &str, configuration: &Value) -> Value {
    json!({ "name": policy, "description": "Bench", "enabled": true, "policy": policy, "configuration": configuration })
}

/// Kafka to SSE at QoS none: one fetch for all readers.
pub(crate) fn kafka_to_sse(path: &str, kafka: &str, topic: &str) -> Value {
    let configuration = json!({ "bootstrapServers": kafka, "topics": [topic],
        "consumer": { "enabled": true, "autoOffsetReset": "latest" }, "producer": { "enabled": false } });
    api("Bench fan-out", path, json!({ "type": "sse", "qos": "none" }), "kafka", configuration)
}

/// POST to any broker at QoS auto: 202 after it confirmed.
pub(crate) fn post_to_broker(path: &str, (kind, configuration): (&str, Value)) -> Value {
    api("Bench publish", path, json!({ "type": "http-post", "qos": "auto" }), kind, configuration)
}

/// Any broker to SSE at QoS none: one subscription for all readers.
pub(crate) fn broker_to_sse(path: &str, (kind, configuration): (&str, Value)) -> Value {
    api("Bench broadcast", path, json!({ "type": "sse", "qos": "none" }), kind, configuration)
}

/// POST that needs no broker, for measurements of the gateway and its configuration alone.
pub(crate) fn post_to_mock(name: &str, path: &str) -> Value {
    let configuration = json!({ "messageInterval": 1000, "messageContent": "bench" });
    api(name, path, json!({ "type": "http-post" }), "mock", configuration)
}

/// An HTTP proxy API that holds as many connections to its upstream as the load has.
pub(crate) fn http_proxy(name: &str, path: &str, upstream: SocketAddr, flow: Option<Value>) -> Value {
    let configuration =
        json!({ "target": format!("http://{upstream}/"), "http": { "maxConcurrentConnections": 256 } });
    let mut api = api(name, path, json!({ "type": "http-proxy" }), "http-proxy", configuration);
    api["type"] = json!("sync");
    api["flows"] = flow.into_iter().collect();
    api
}

/// Sets a header of every request, and removes one of every response.
pub(crate) fn headers_flow() -> Value {
    json!({ "name": "All", "enabled": true,
        "selectors": [{ "type": "http", "path": "/", "pathOperator": "STARTS_WITH", "methods": [] }],
        "request": [step("transform-headers", &json!({ "addHeaders": [{ "name": "X-Bench", "value": "1" }] }))],
        "response": [step("transform-headers", &json!({ "removeHeaders": ["Server"] }))] })
}

/// The header line that carries an API key.
pub(crate) fn key_header(key: &str) -> String {
    format!("X-Gravitee-Api-Key: {key}")
}

/// A plan for callers with an API key.
pub(crate) fn key_plan() -> Value {
    json!({ "name": "Keys", "description": "API key", "status": "PUBLISHED", "validation": "auto",
        "security": { "type": "api-key", "configuration": {} } })
}

/// A plan that lets everybody in.
pub(crate) fn open_plan() -> Value {
    json!({ "name": "Open", "description": "No credentials", "status": "PUBLISHED", "security": { "type": "key-less" } })
}
