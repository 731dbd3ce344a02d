//! Listeners and entrypoints: how clients reach an API.

use super::{ListenerType, LoggingContent, LoggingMode, LoggingScope, Qos};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Where clients come in.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Listener {
    #[schema(rename = "type")]
    pub listener_type: ListenerType,
    /// HTTP listeners: at least one.
    #[schema(required = false)]
    pub paths: Vec<Path>,
    #[schema(required = false)]
    pub path_mappings: Vec<String>,
    pub cors: Option<Cors>,
    pub logging: Option<Logging>,
    #[schema(min_items = 1)]
    pub entrypoints: Vec<Entrypoint>,
}

/// A context path. No other API of the environment may have a path that covers it or is covered by it.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Path {
    /// Only requests to this host. Absent: any host.
    pub host: Option<String>,
    #[schema(example = "/data/orders/")]
    pub path: String,
    #[schema(required = false)]
    pub override_access: bool,
}

/// Which browsers may call from other origins.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Cors {
    pub enabled: bool,
    #[schema(required = false)]
    pub allow_credentials: bool,
    /// `*`, `null`, an origin, or a regular expression.
    #[schema(required = false)]
    pub allow_origin: Vec<String>,
    #[schema(required = false)]
    pub allow_headers: Vec<String>,
    #[schema(required = false)]
    pub allow_methods: Vec<String>,
    #[schema(required = false)]
    pub expose_headers: Vec<String>,
    /// Seconds; -1: not sent.
    #[schema(required = false, default = -1)]
    pub max_age: i64,
    #[schema(required = false)]
    pub run_policies: bool,
}

/// What is logged of traffic.
#[derive(Debug, ToSchema)]
pub struct Logging {
    #[schema(required = false)]
    pub mode: LoggingMode,
    #[schema(required = false)]
    pub scope: LoggingScope,
    #[schema(required = false)]
    pub content: LoggingContent,
    /// An expression.
    pub condition: Option<String>,
}

/// A protocol that clients speak.
#[derive(Debug, ToSchema)]
pub struct Entrypoint {
    /// An id of the list of entrypoints.
    #[schema(rename = "type", example = "sse")]
    pub connector: String,
    #[schema(required = false)]
    pub qos: Qos,
    pub dlq: Option<Dlq>,
    /// Settings; their schema is `…/v4/entrypoints/{id}/schema`.
    #[schema(required = false, value_type = Object)]
    pub configuration: Map<String, Value>,
}

/// Where messages go that could not be delivered.
#[derive(Debug, ToSchema)]
pub struct Dlq {
    /// Name of an endpoint or of an endpoint group.
    pub endpoint: String,
}
