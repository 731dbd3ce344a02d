//! What a gateway needs to serve one API, nothing more: the unit of the sync stream.

use crate::api::{
    Api, ApiType, EndpointGroup, Family, Flow, FlowExecution, Listener, Property, Resource, ResponseTemplate,
    Settings,
};
use crate::plan::{PlanSecurity, PlanStatus};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Version of the canonical body below; part of the digest, and of a gateway's declared capabilities.
pub const API_SCHEMA_VERSION: u32 = 1;
/// Resource kind of `ApiDeployment` in the sync stream.
pub const KIND_API: &str = "api";

/// An API as deployed. Gateways read it back with serde; its canonical bytes are `digest::canonical_bytes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiDeployment {
    pub id: String,
    pub organization: String,
    pub environment: String,
    pub name: String,
    pub api_version: String,
    pub family: Family,
    #[serde(rename = "type")]
    pub api_type: ApiType,
    #[serde(default)]
    pub tags: Vec<String>,
    pub listeners: Vec<Listener>,
    pub endpoint_groups: Vec<EndpointGroup>,
    pub flow_execution: FlowExecution,
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// Published and deprecated plans, in selection order.
    pub plans: Vec<DeployedPlan>,
    #[serde(default)]
    pub properties: Vec<Property>,
    #[serde(default)]
    pub resources: Vec<Resource>,
    #[serde(default)]
    pub response_templates: IndexMap<String, IndexMap<String, ResponseTemplate>>,
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub services: Settings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Settings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analytics: Option<Settings>,
}

/// A plan as a gateway sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedPlan {
    pub id: String,
    pub name: String,
    pub status: PlanStatus,
    pub security: PlanSecurity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_rule: Option<String>,
    #[serde(default)]
    pub flows: Vec<Flow>,
    #[serde(default)]
    pub tags: Vec<String>,
}

impl ApiDeployment {
    /// Takes the deployed part of a definition. `plans`: published and deprecated ones only, in order.
    pub fn new(id: &str, organization: &str, environment: &str, api: &Api, plans: Vec<DeployedPlan>) -> Self {
        ApiDeployment {
            id: id.to_owned(),
            organization: organization.to_owned(),
            environment: environment.to_owned(),
            name: api.name.clone(),
            api_version: api.api_version.clone(),
            family: api.family,
            api_type: api.api_type,
            tags: api.tags.clone(),
            listeners: api.listeners.clone(),
            endpoint_groups: api.endpoint_groups.clone(),
            flow_execution: api.flow_execution.clone(),
            flows: api.flows.clone(),
            plans,
            properties: api.properties.clone(),
            resources: api.resources.clone(),
            response_templates: api.response_templates.clone(),
            services: api.services.clone(),
            failover: api.failover.clone(),
            analytics: api.analytics.clone(),
        }
    }
}
