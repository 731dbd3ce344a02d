//! The catalogue of policies and resources.

use definition::policy::{Phase, PolicySpec};
use definition::resource::ResourceSpec;
use serde::Serialize;
use utoipa::ToSchema;

/// A policy that this version runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    #[schema(example = "transform-headers")]
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub version: &'static str,
    /// Whether it may stand in the request phase.
    pub on_request: bool,
    /// Whether it may stand in the response phase.
    pub on_response: bool,
    /// Phases of proxy APIs in which it may stand.
    #[schema(value_type = Vec<String>, example = json!(["request", "response"]))]
    pub proxy: &'static [Phase],
    /// Phases of message APIs in which it may stand.
    #[schema(value_type = Vec<String>, example = json!(["request", "response", "publish", "subscribe"]))]
    pub message: &'static [Phase],
    /// JSON schema of the settings, as text; with `expand=schema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

impl Policy {
    pub(crate) fn new(spec: &'static PolicySpec, expand_schema: bool) -> Policy {
        let stands = |phase| spec.proxy.contains(&phase) || spec.message.contains(&phase);
        Policy {
            id: spec.id,
            name: spec.name,
            description: spec.description,
            version: env!("CARGO_PKG_VERSION"),
            on_request: stands(Phase::Request),
            on_response: stands(Phase::Response),
            proxy: spec.proxy,
            message: spec.message,
            schema: expand_schema.then(|| (spec.schema)().document().to_string()),
        }
    }
}

/// A kind of resource that this version runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceKind {
    #[schema(example = "cache")]
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub version: &'static str,
    /// JSON schema of the settings, as text; with `expand=schema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

impl ResourceKind {
    pub(crate) fn new(spec: &'static ResourceSpec, expand_schema: bool) -> ResourceKind {
        ResourceKind {
            id: spec.id,
            name: spec.name,
            description: spec.description,
            version: env!("CARGO_PKG_VERSION"),
            schema: expand_schema.then(|| (spec.schema)().document().to_string()),
        }
    }
}
