//! The node API: is this process alive, may it get traffic, what has it counted. No credentials, nothing secret.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the node API tells.
#[derive(Clone)]
pub(crate) struct Node {
    /// Whether the gateway holds a configuration and takes traffic.
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) metrics: PrometheusHandle,
}

/// Serves until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, node: Node, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(node);
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(%error, "the node API ended");
    }
}

async fn health() -> impl IntoResponse {
    Json(json!({"status": "up"}))
}

async fn ready(State(node): State<Node>) -> impl IntoResponse {
    if *node.ready.borrow() {
        (StatusCode::OK, Json(json!({"status": "ready"})))
    } else {
        let reason = "no configuration was received from management yet, or the node is shutting down";
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready", "reason": reason})))
    }
}

async fn metrics(State(node): State<Node>) -> impl IntoResponse {
    ([(CONTENT_TYPE, METRICS_TEXT)], node.metrics.render())
}
