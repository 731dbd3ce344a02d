//! Runs over real sockets on the loopback interface: the mock endpoint or messages of the test on one side, a receiver
//! that does as its script says on the other.

mod acknowledgements;
mod answers;
mod credentials;
mod flows;
mod guard;
mod tls;

use super::*;
use crate::loopback::backend::{Backend, Peer};
use crate::sync::{Applier as _, ApplyChange, ApplyOp, Level};
use crate::table::Table;
use definition::deployment::{API_SCHEMA_VERSION, KIND_API};
use definition::digest::{canonical_bytes, resource_digest};
use serde_json::{Value, json};

/// No run takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

/// An API with a webhook entrypoint over a mock endpoint that makes `count` messages `m`.
fn api(qos: &str, count: Option<u64>, configuration: Value) -> Value {
    json!({
        "id": "a", "organization": "o", "environment": "e", "name": "a", "apiVersion": "1", "family": "v4",
        "type": "message",
        "listeners": [{"type": "subscription", "entrypoints": [
            {"type": "webhook", "qos": qos, "configuration": configuration}]}],
        "endpointGroups": [group("source", json!({"messageInterval": 1, "messageContent": "m", "messageCount": count,
            "headers": [{"name": "X-Source", "value": "mock"}]}))],
        "flowExecution": {"mode": "default"},
        "plans": [{"id": "p", "name": "push", "status": "published", "security": {"type": "subscription"}}],
        "properties": [{"key": "secret", "value": "hush", "encrypted": false, "dynamic": false}],
    })
}

fn group(name: &str, mock: Value) -> Value {
    json!({"name": name, "type": "mock", "endpoints": [{"name": format!("{name}-1"), "type": "mock",
        "secondary": false, "weight": 1, "inheritConfiguration": false, "configuration": mock}]})
}

/// A subscription to it.
fn subscription(settings: Value) -> Value {
    json!({"id": "s-1", "api": "a", "plan": "p", "application": "app", "applicationName": "App", "status": "ACCEPTED",
        "consumerStatus": "STARTED", "push": true, "metadata": {"k": "v"},
        "configuration": {"entrypointId": "webhook", "entrypointConfiguration": settings}})
}

async fn deployed(shared: Shared, api: Value) -> Arc<ApiRuntime> {
    let table = Table::new(shared);
    let body = canonical_bytes(&api).unwrap();
    let digest = resource_digest(KIND_API, API_SCHEMA_VERSION, &body);
    let op = ApplyOp::Upsert { digest, body: body.into(), revision: 1 };
    let outcomes = table.apply(vec![ApplyChange { kind: KIND_API.into(), id: "a".into(), op }]).await;
    assert_eq!(outcomes[0].level, Level::Active, "{:?}", outcomes[0].problem);
    table.api("a").await.unwrap()
}

/// What a node that allows this machine shares.
fn shared() -> Shared {
    let callback_networks = Arc::new(CallbackNetworks::default().with_loopback());
    Shared { callback_networks, ..Shared::default() }
}

/// A run of a subscription, and what stops it.
async fn prepared(api: Value, subscription: Value) -> (PushRun, CancellationToken) {
    let stop = CancellationToken::new();
    let api = deployed(shared(), api).await;
    let subscription = Arc::new(serde_json::from_value(subscription).unwrap());
    (PushRun { api, subscription, stop: stop.clone() }, stop)
}

/// Runs to the end.
async fn ran(api: Value, subscription: Value) -> Ended {
    let (run, _stop) = prepared(api, subscription).await;
    timeout(DEADLINE, super::run(run)).await.expect("it ends")
}

/// The reason of a failure that another run would not mend.
#[track_caller]
fn final_reason(ended: Ended) -> String {
    match ended {
        Ended::Failed { reason, retryable: false } => reason,
        ended @ (Ended::Failed { .. } | Ended::Stopped | Ended::Completed) => panic!("{ended:?}"),
    }
}

/// The next request and its body.
async fn request(peer: &mut Peer) -> Option<(String, String)> {
    let head = peer.head().await?;
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let body = peer.bytes(length).await;
    Some((head, String::from_utf8(body).unwrap()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
}
