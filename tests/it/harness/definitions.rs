//! API definitions as users write them.

use serde_json::{Value, json};

/// A message API at `path`: its entrypoints, and one endpoint in one group.
pub(crate) fn api(path: &str, entrypoints: &Value, endpoint: &Endpoint) -> Value {
    json!({
        "name": format!("API at {path}"), "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "async",
        "description": "made by a test",
        "listeners": [{ "type": "http", "paths": [{ "path": path }], "entrypoints": entrypoints }],
        "endpointGroups": [{ "name": "default", "type": endpoint.kind, "endpoints": [
            { "name": "default", "type": endpoint.kind, "configuration": endpoint.configuration }
        ] }],
        "flows": []
    })
}

/// The type and the settings of an endpoint.
pub(crate) struct Endpoint {
    kind: &'static str,
    configuration: Value,
}

impl Endpoint {
    /// Of the connector `kind`.
    pub(crate) fn new(kind: &'static str, configuration: Value) -> Endpoint {
        Endpoint { kind, configuration }
    }

    /// The same with another member of its settings.
    pub(crate) fn with(mut self, member: &str, value: Value) -> Endpoint {
        self.configuration[member] = value;
        self
    }
}

/// A source that gives `content` every `interval_ms`, `count` times or for ever.
pub(crate) fn mock(content: &str, interval_ms: u64, count: Option<u64>) -> Endpoint {
    let mut configuration = json!({ "messageContent": content, "messageInterval": interval_ms });
    if let Some(count) = count {
        configuration["messageCount"] = json!(count);
    }
    Endpoint { kind: "mock", configuration }
}

/// A topic in both directions, read from its beginning by a reader without a position. Levels none and auto.
pub(crate) fn kafka(bootstrap: &str, topic: &str) -> Endpoint {
    Endpoint { kind: "kafka", configuration: kafka_settings(bootstrap, topic, "earliest") }
}

/// The same, read from now on by a reader without a position.
pub(crate) fn kafka_latest(bootstrap: &str, topic: &str) -> Endpoint {
    Endpoint { kind: "kafka", configuration: kafka_settings(bootstrap, topic, "latest") }
}

/// The same as [`kafka`] with every level of quality of service.
pub(crate) fn kafka_advanced(bootstrap: &str, topic: &str) -> Endpoint {
    Endpoint { kind: "kafka-advanced", configuration: kafka_settings(bootstrap, topic, "earliest") }
}

/// The same as [`kafka_advanced`], read from now on by a reader without a position.
pub(crate) fn kafka_advanced_latest(bootstrap: &str, topic: &str) -> Endpoint {
    Endpoint { kind: "kafka-advanced", configuration: kafka_settings(bootstrap, topic, "latest") }
}

fn kafka_settings(bootstrap: &str, topic: &str, reset: &str) -> Value {
    json!({ "bootstrapServers": bootstrap, "topics": [topic],
        "consumer": { "enabled": true, "autoOffsetReset": reset }, "producer": { "enabled": true } })
}

/// MQTT 5 with settings as users write them.
pub(crate) fn mqtt5(configuration: Value) -> Endpoint {
    Endpoint { kind: "mqtt5", configuration }
}

/// Solace, with settings as they stand in the document.
pub(crate) fn solace(configuration: Value) -> Endpoint {
    Endpoint { kind: "solace", configuration }
}

/// All four entrypoints of this version as users mostly write them.
pub(crate) fn all_entrypoints() -> Value {
    json!([{ "type": "http-post" }, { "type": "http-get" }, { "type": "sse" }, { "type": "websocket" }])
}
