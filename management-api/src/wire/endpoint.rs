//! Endpoint groups and endpoints: where messages come from and go to.

use super::LoadBalancerType;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Endpoints of one type.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EndpointGroup {
    /// Unique among the groups; no `:`.
    pub name: String,
    /// An id of the list of endpoints.
    #[schema(rename = "type", example = "kafka")]
    pub connector: String,
    pub load_balancer: Option<LoadBalancer>,
    /// Settings for endpoints with `inheritConfiguration`.
    #[schema(required = false, value_type = Object)]
    pub shared_configuration: Map<String, Value>,
    #[schema(min_items = 1)]
    pub endpoints: Vec<Endpoint>,
    #[schema(required = false, value_type = Object)]
    pub services: Map<String, Value>,
}

/// How one endpoint of several is chosen.
#[derive(Debug, ToSchema)]
pub struct LoadBalancer {
    #[schema(rename = "type")]
    pub balancer: LoadBalancerType,
}

/// A broker or another source.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Endpoint {
    /// Unique among the endpoints; no `:`.
    pub name: String,
    /// The type of the group.
    #[schema(rename = "type", example = "kafka")]
    pub connector: String,
    /// Used only while every other endpoint is down.
    #[schema(required = false)]
    pub secondary: bool,
    #[schema(required = false, default = 1)]
    pub weight: u32,
    #[schema(required = false)]
    pub inherit_configuration: bool,
    #[schema(required = false)]
    pub tenants: Vec<String>,
    /// Settings; their schema is `…/v4/endpoints/{id}/schema`.
    #[schema(required = false, value_type = Object)]
    pub configuration: Map<String, Value>,
    /// 4.x spelling: laid over `configuration` unless it is inherited.
    #[schema(required = false, value_type = Object)]
    pub shared_configuration_override: Map<String, Value>,
    #[schema(required = false, value_type = Object)]
    pub services: Map<String, Value>,
}
