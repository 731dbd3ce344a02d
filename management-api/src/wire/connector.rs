//! The catalogue of connectors.

use super::{ApiType, ConnectorMode, Qos};
use utoipa::ToSchema;

/// A connector that this version runs.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Connector {
    #[schema(example = "http-get")]
    pub id: String,
    pub name: String,
    pub description: String,
    pub version: String,
    pub supported_api_type: ApiType,
    pub supported_modes: Vec<ConnectorMode>,
    pub supported_qos: Vec<Qos>,
    #[schema(required = false)]
    pub available_features: Vec<String>,
    /// JSON schema of the settings, as text; with `expand=schema`.
    pub schema: Option<String>,
}
