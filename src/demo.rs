//! What `tidegate dev` adds for a first try: a Kafka in memory, and one API that is already there.

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Bootstrap server of documents that mean the demo Kafka: they run unchanged in `dev` and in the containers.
pub(crate) const DOCUMENTED_BOOTSTRAP: &str = "kafka:9092";
/// Partitions of a topic that the demo Kafka makes on first use.
const TOPIC_PARTITIONS: i32 = 4;
/// Topic of the API below.
const TOPIC: &str = "hello";

/// librdkafka's in-memory cluster: real protocol, nothing on disk. For trying, never for proving.
pub(crate) fn start_kafka() -> anyhow::Result<MockCluster<'static, DefaultProducerContext>> {
    let cluster = MockCluster::new(1).context("cannot start the demo Kafka")?;
    cluster.create_topic(TOPIC, TOPIC_PARTITIONS, 1).context("cannot create the demo topic")?;
    Ok(cluster)
}

/// Creates and starts the API `hello` through the REST API, unless the store already has an API.
pub(crate) async fn create_api(rest: SocketAddr, password: &SecretString) -> anyhow::Result<()> {
    let apis = format!("http://{rest}/management/organizations/DEFAULT/environments/DEFAULT/v4/apis");
    let client = reqwest::Client::new();
    let call = |request: reqwest::RequestBuilder| {
        let request = request.basic_auth("admin", Some(password.expose_secret()));
        async move { anyhow::Ok(request.send().await?.error_for_status()?) }
    };
    let listed: Value = call(client.get(&apis)).await?.json().await?;
    if listed["data"].as_array().is_some_and(|data| !data.is_empty()) {
        return Ok(());
    }
    let api: Value = call(client.post(&apis).json(&definition())).await?.json().await?;
    let api = format!("{apis}/{}", api["id"].as_str().context("the new API has no id")?);
    let plan = json!({"name": "Open", "description": "No credentials", "status": "PUBLISHED", "security": {"type": "key-less"}});
    call(client.post(format!("{api}/plans")).json(&plan)).await?;
    call(client.post(format!("{api}?action=start"))).await?;
    Ok(())
}

fn definition() -> Value {
    json!({
        "name": "Hello", "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "async",
        "description": "One Kafka topic over HTTP POST, HTTP GET, SSE and WebSocket",
        "listeners": [{
            "type": "http",
            "paths": [{"path": "/hello"}],
            // Pages of any origin may try it: nothing of value is behind it.
            "cors": {"enabled": true, "allowOrigin": ["*"], "allowMethods": ["GET", "POST"], "allowHeaders": ["*"]},
            "entrypoints": [
                {"type": "http-post"},
                {"type": "http-get"},
                // Every reader gets every record, however many tabs are open.
                {"type": "sse", "qos": "none"},
                {"type": "websocket", "qos": "none"}
            ]
        }],
        "endpointGroups": [{
            "name": "default", "type": "kafka",
            "endpoints": [{
                "name": "default", "type": "kafka",
                "configuration": {
                    "bootstrapServers": DOCUMENTED_BOOTSTRAP,
                    "topics": [TOPIC],
                    "consumer": {"enabled": true, "autoOffsetReset": "earliest"},
                    "producer": {"enabled": true}
                }
            }]
        }]
    })
}
