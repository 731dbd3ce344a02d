//! The gateway over real sockets on the loopback interface, with the mock endpoint: what a client sees, byte by byte.

pub(crate) mod backend;
mod consumers;
mod echo;
mod flows;
mod http_get;
mod http_post;
mod listener;
mod protocols;
mod proxy;
mod proxy_expressions;
mod proxy_faults;
mod proxy_tls;
mod proxy_upstream;
mod proxy_websocket;
mod sse;
mod table;
mod websocket;

use crate::app::{GatewayConfig, Running, start};
use crate::networks::CallbackNetworks;
use crate::sync::{Applier as _, ApplyChange, ApplyOp, ApplyOutcome, Level};
use crate::trust::TrustedProxies;
use definition::deployment::{API_SCHEMA_VERSION, KIND_API};
use definition::digest::{canonical_bytes, resource_digest};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// No answer takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A running gateway.
struct Gateway {
    running: Running,
    shutdown: CancellationToken,
}

impl Gateway {
    async fn start(apis: &[Value]) -> Gateway {
        Gateway::with_connections(apis, None).await
    }

    async fn with_connections(apis: &[Value], connections_max: Option<usize>) -> Gateway {
        let config = GatewayConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            node_listen: "127.0.0.1:0".parse().unwrap(),
            // Nobody answers there: what these tests deploy, they hand to the table.
            management: vec!["http://127.0.0.1:9".to_owned()],
            token: "unused".to_owned().into(),
            tags: Vec::new(),
            tenant: None,
            node_id: None,
            hostname: "test".to_owned(),
            connections_max,
            kafka_addresses: HashMap::new(),
            system_proxy: None,
            api_key_header: None,
            api_key_parameter: None,
            rate_limit_store: None,
            trusted_proxies: TrustedProxies::parse(&["127.0.0.2".to_owned()]).unwrap(),
            callback_networks: CallbackNetworks::default().with_loopback(),
            metrics: recorder(),
        };
        let shutdown = CancellationToken::new();
        let gateway = Gateway { running: start(config, shutdown.clone()).await.unwrap(), shutdown };
        for outcome in gateway.deploy(apis).await {
            assert_eq!(outcome.level, Level::Active, "{:?}", outcome.problem);
        }
        gateway
    }

    async fn deploy(&self, apis: &[Value]) -> Vec<ApplyOutcome> {
        self.running.table.apply(apis.iter().map(upsert).collect()).await
    }

    async fn undeploy(&self, id: &str) {
        let change = ApplyChange { kind: KIND_API.into(), id: id.into(), op: ApplyOp::Delete };
        self.running.table.apply(vec![change]).await;
    }

    async fn connect(&self) -> Client {
        Client { tcp: TcpStream::connect(self.running.addr).await.unwrap(), seen: String::new() }
    }

    /// Sends a request on a connection of its own.
    async fn send(&self, request: &str) -> Client {
        let mut client = self.connect().await;
        client.send(request).await;
        client
    }

    /// GET on a connection of its own, with more header lines.
    async fn get(&self, target: &str, headers: &str) -> Client {
        self.send(&format!("GET {target} HTTP/1.1\r\nhost: h\r\n{headers}\r\n")).await
    }

    /// The whole answer to a GET.
    async fn answer(&self, target: &str, headers: &str) -> String {
        self.get(target, &format!("connection: close\r\n{headers}")).await.rest().await
    }
}

/// The one recorder that all gateways of this process share.
fn recorder() -> PrometheusHandle {
    static HANDLE: LazyLock<PrometheusHandle> =
        LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());
    HANDLE.clone()
}

fn upsert(api: &Value) -> ApplyChange {
    let body = canonical_bytes(api).unwrap();
    let digest = resource_digest(KIND_API, API_SCHEMA_VERSION, &body);
    let id = api["id"].as_str().unwrap().to_owned();
    ApplyChange { kind: KIND_API.into(), id, op: ApplyOp::Upsert { digest, body: body.into(), revision: 1 } }
}

/// A raw HTTP/1 client.
struct Client {
    tcp: TcpStream,
    seen: String,
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.tcp.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until `end` was seen; returns everything up to it and forgets it.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(end) {
                let rest = self.seen.split_off(at + end.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(self.read().await, "closed before {end:?}: {:?}", self.seen);
        }
    }

    /// Reads until the gateway closes.
    async fn rest(mut self) -> String {
        while self.read().await {}
        self.seen
    }

    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = timeout(DEADLINE, self.tcp.read(&mut buffer)).await;
        let count = read.unwrap_or_else(|_| panic!("nothing more came after {:?}", self.seen)).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        count > 0
    }
}

/// The body of a chunked response.
fn dechunk(response: &str) -> String {
    let (_, mut rest) = response.split_once("\r\n\r\n").unwrap();
    let mut body = String::new();
    while let Some((length, chunk)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body.push_str(&chunk[..length]);
        rest = &chunk[length + 2..];
        if length == 0 {
            break;
        }
    }
    assert_eq!(rest, "", "bytes behind the last chunk");
    body
}

/// The value of a response header.
fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// An API at `/<id>/` with all four entrypoints and a mock endpoint that makes `count` messages.
fn api(id: &str, mock: Value) -> Value {
    with_entrypoints(
        id,
        json!([
            {"type": "http-get", "qos": "auto", "configuration": {"messagesLimitDurationMs": 500}},
            {"type": "http-post", "qos": "auto"},
            {"type": "sse", "qos": "auto", "configuration": {"heartbeatIntervalInMs": 2000}},
            {"type": "websocket", "qos": "auto"},
        ]),
        mock,
    )
}

fn with_entrypoints(id: &str, entrypoints: Value, mock: Value) -> Value {
    json!({
        "id": id,
        "organization": "o",
        "environment": "e",
        "name": id,
        "apiVersion": "1",
        "family": "beta",
        "type": "message",
        "listeners": [{"type": "http", "paths": [{"path": format!("/{id}/")}], "entrypoints": entrypoints}],
        "endpointGroups": [{
            "name": "group",
            "type": "mock",
            "endpoints": [{
                "name": "endpoint",
                "type": "mock",
                "secondary": false,
                "weight": 1,
                "inheritConfiguration": false,
                "configuration": mock,
            }],
        }],
        "flowExecution": {"mode": "default"},
        "plans": [{"id": "p", "name": "free", "status": "published", "security": {"type": "key-less"}}],
    })
}

/// `count` messages `{"a":1}`, one each millisecond; none: endless.
fn messages(count: Option<u64>) -> Value {
    json!({"messageInterval": 1, "messageContent": "{\"a\":1}", "messageCount": count})
}

/// Never a message.
fn silence() -> Value {
    json!({"messageInterval": 86_400_000})
}
