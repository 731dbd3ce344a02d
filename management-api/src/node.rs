//! The node API: whether this process lives, whether it should get requests, and its counters. On a port of its own,
//! without credentials, with nothing secret in it.

use crate::db::Db;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Json, Router, routing};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

/// A store that takes longer to answer than this is not ready.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the node API reports on.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) db: Db,
    /// True once the sync server has loaded what gateways have to run.
    pub(crate) sync_ready: watch::Receiver<bool>,
    pub(crate) metrics: PrometheusHandle,
}

/// `/health`, `/ready`, `/metrics`.
pub(crate) fn router(node: Node) -> Router {
    Router::new()
        .route("/health", routing::get(health))
        .route("/ready", routing::get(ready))
        .route("/metrics", routing::get(metrics))
        .with_state(node)
}

async fn health() -> Json<Value> {
    Json(json!({"status": "UP"}))
}

async fn ready(State(node): State<Node>) -> impl IntoResponse {
    let store = tokio::time::timeout(STORE_TIMEOUT, node.db.ping()).await.is_ok_and(|answer| answer.is_ok());
    let sync = *node.sync_ready.borrow();
    let word = |up: bool| if up { "UP" } else { "DOWN" };
    let status = if store && sync { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"status": word(store && sync), "store": word(store), "sync": word(sync)})))
}

async fn metrics(State(node): State<Node>) -> impl IntoResponse {
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], node.metrics.render())
}
