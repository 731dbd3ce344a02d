//! The catalogue of connectors.

use super::{ApiType, ConnectorMode, Qos};
use serde::Serialize;
use utoipa::ToSchema;

/// A connector that this version runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    #[schema(example = "http-get")]
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub version: &'static str,
    #[schema(value_type = ApiType)]
    pub supported_api_type: &'static str,
    #[schema(value_type = Vec<ConnectorMode>)]
    pub supported_modes: &'static [definition::connector::Mode],
    #[schema(value_type = Vec<Qos>)]
    pub supported_qos: Vec<definition::api::Qos>,
    #[schema(value_type = Vec<String>)]
    pub available_features: &'static [definition::connector::Feature],
    /// JSON schema of the settings, as text; with `expand=schema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// JSON schema of what each subscription configures, as text, where there is one; with `expand=subscriptionSchema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_schema: Option<String>,
}

/// What is added to a connector.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expand {
    pub(crate) schema: bool,
    pub(crate) subscription_schema: bool,
}

impl Connector {
    pub(crate) fn new(connector: definition::catalogue::Connector, expand: Expand) -> Connector {
        let definition::catalogue::Connector {
            id,
            name,
            description,
            supported_api_type,
            supported_modes,
            supported_qos,
            available_features,
            schema,
            subscription_schema,
        } = connector;
        Connector {
            id,
            name,
            description,
            version: env!("CARGO_PKG_VERSION"),
            supported_api_type,
            supported_modes,
            supported_qos,
            available_features,
            schema: expand.schema.then(|| schema.to_string()),
            subscription_schema: subscription_schema
                .filter(|_| expand.subscription_schema)
                .map(ToString::to_string),
        }
    }
}
