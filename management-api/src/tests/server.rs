//! The node as a process would run it: what it refuses to start with, and what its listeners say.

use crate::config::ManagementConfig;
use crate::{Running, start};
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

fn config(folder: &tempfile::TempDir, listen: &str, password: Option<&str>) -> ManagementConfig {
    ManagementConfig {
        database_url: format!("sqlite://{}/store.db", folder.path().display()),
        rest_listen: listen.parse().unwrap(),
        sync_listen: "127.0.0.1:0".parse().unwrap(),
        node_listen: "127.0.0.1:0".parse().unwrap(),
        admin_password: password.map(SecretString::from),
        seal_key: None,
        sync_token: SecretString::from("a-token-for-gateways"),
    }
}

async fn try_start(config: ManagementConfig, shutdown: &CancellationToken) -> anyhow::Result<Running> {
    start(config, PrometheusBuilder::new().build_recorder().handle(), shutdown.clone()).await
}

/// Status line and body of a GET, over a connection of its own.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_empty_store_needs_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let shutdown = CancellationToken::new();
    let refused = try_start(config(&folder, "127.0.0.1:0", None), &shutdown).await.unwrap_err();
    assert!(format!("{refused:#}").contains("TIDEGATE_ADMIN_PASSWORD"), "{refused:#}");
    let running = try_start(config(&folder, "127.0.0.1:0", Some("secret")), &shutdown).await.unwrap();
    let again = try_start(config(&folder, "127.0.0.1:0", None), &shutdown).await.unwrap();
    shutdown.cancel();
    running.wait().await.unwrap();
    again.wait().await.unwrap();
}

#[tokio::test]
async fn default_credentials_stay_on_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let shutdown = CancellationToken::new();
    let refused = try_start(config(&folder, "0.0.0.0:0", Some("admin")), &shutdown).await.unwrap_err();
    assert!(format!("{refused:#}").contains("too short"), "{refused:#}");
    // The refused password was not stored: the store still asks for one.
    let refused = try_start(config(&folder, "127.0.0.1:0", None), &shutdown).await.unwrap_err();
    assert!(format!("{refused:#}").contains("TIDEGATE_ADMIN_PASSWORD"), "{refused:#}");
    let first = CancellationToken::new();
    let running = try_start(config(&folder, "127.0.0.1:0", Some("admin")), &first).await.unwrap();
    first.cancel();
    running.wait().await.unwrap();
    let refused = try_start(config(&folder, "0.0.0.0:0", None), &shutdown).await.unwrap_err();
    assert!(format!("{refused:#}").contains("default password"), "{refused:#}");
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let refused =
        try_start(config(&folder, &listen, Some("x")), &CancellationToken::new()).await.unwrap_err();
    assert!(format!("{refused:#}").contains(&listen), "{refused:#}");
}

#[tokio::test]
async fn a_node_tells_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let shutdown = CancellationToken::new();
    let running = try_start(config(&folder, "127.0.0.1:0", Some("admin")), &shutdown).await.unwrap();
    let (rest, node) = (running.rest, running.node);
    assert!(rest.port() != 0 && node.port() != 0 && running.sync.port() != 0);
    assert!(get(node, "/health").await.starts_with("HTTP/1.1 200"));
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !get(node, "/ready").await.starts_with("HTTP/1.1 200") {
        assert!(tokio::time::Instant::now() < deadline, "never ready");
        tokio::task::yield_now().await;
    }
    assert!(get(node, "/metrics").await.starts_with("HTTP/1.1 200"));
    assert!(get(rest, "/openapi.json").await.starts_with("HTTP/1.1 200"));
    assert!(
        get(rest, "/management/organizations/x/environments/y/v4/apis").await.starts_with("HTTP/1.1 401")
    );
    shutdown.cancel();
    running.wait().await.unwrap();
    assert!(TcpStream::connect(rest).await.is_err());
}
