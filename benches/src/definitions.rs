//! The API definitions that are measured, as a user would write them.

use serde_json::{Value, json};

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

/// Kafka to SSE at QoS none: one fetch for all readers.
pub(crate) fn kafka_to_sse(path: &str, kafka: &str, topic: &str) -> Value {
    let configuration = json!({ "bootstrapServers": kafka, "topics": [topic],
        "consumer": { "enabled": true, "autoOffsetReset": "latest" }, "producer": { "enabled": false } });
    api("Bench fan-out", path, json!({ "type": "sse", "qos": "none" }), "kafka", configuration)
}

/// POST that needs no broker, for measurements of the gateway and its configuration alone.
pub(crate) fn post_to_mock(name: &str, path: &str) -> Value {
    let configuration = json!({ "messageInterval": 1000, "messageContent": "bench" });
    api(name, path, json!({ "type": "http-post" }), "mock", configuration)
}

/// A plan that lets everybody in.
pub(crate) fn open_plan() -> Value {
    json!({ "name": "Open", "description": "No credentials", "status": "PUBLISHED", "security": { "type": "key-less" } })
}
