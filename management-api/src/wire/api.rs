//! The document of an API.

use super::{
    ApiState, ApiType, DefinitionVersion, EndpointGroup, Flow, FlowMode, LifecycleState, Listener, Plan,
    PlanUpdate, Visibility,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A new API. Unknown members are ignored.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = create_example)]
pub struct CreateApi {
    /// Not blank.
    pub name: String,
    /// Version of the API itself; not blank.
    pub api_version: String,
    #[schema(required = false, default = "4.0.0")]
    pub definition_version: DefinitionVersion,
    #[schema(rename = "type")]
    pub api_type: ApiType,
    /// Not blank.
    pub description: String,
    /// Sharding tags: gateways with one of them serve the API; without tags every gateway does.
    #[schema(required = false)]
    pub tags: Vec<String>,
    pub listeners: Vec<Listener>,
    /// At least one.
    #[schema(min_items = 1)]
    pub endpoint_groups: Vec<EndpointGroup>,
    #[schema(required = false)]
    pub flow_mode: FlowMode,
    #[schema(required = false)]
    pub flows: Vec<Flow>,
    #[schema(required = false)]
    pub properties: Vec<Property>,
    #[schema(required = false)]
    pub resources: Vec<Resource>,
    #[schema(required = false)]
    pub response_templates: BTreeMap<String, BTreeMap<String, ResponseTemplate>>,
    #[schema(required = false)]
    pub groups: Vec<String>,
}

/// The whole document of an API, as PUT takes it. What is absent among `tags`, `properties`, `resources`,
/// `responseTemplates`, `services` and `flows` becomes empty.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = update_example)]
pub struct UpdateApi {
    /// The id in the path.
    pub id: Uuid,
    /// Not blank.
    pub name: String,
    /// Not blank.
    pub api_version: String,
    pub definition_version: DefinitionVersion,
    /// Cannot be changed.
    #[schema(rename = "type")]
    pub api_type: ApiType,
    /// Not blank.
    pub description: String,
    pub visibility: Visibility,
    /// Kept when absent.
    pub cross_id: Option<String>,
    #[schema(required = false)]
    pub tags: Vec<String>,
    pub listeners: Vec<Listener>,
    #[schema(min_items = 1)]
    pub endpoint_groups: Vec<EndpointGroup>,
    #[schema(required = false)]
    pub flow_mode: FlowMode,
    #[schema(required = false)]
    pub flows: Vec<Flow>,
    #[schema(required = false)]
    pub properties: Vec<Property>,
    #[schema(required = false)]
    pub resources: Vec<Resource>,
    /// Plans that exist, to be changed in place. Absent: plans are not touched.
    #[schema(required = false)]
    pub plans: Vec<PlanUpdate>,
    #[schema(required = false)]
    pub response_templates: BTreeMap<String, BTreeMap<String, ResponseTemplate>>,
    #[schema(required = false, value_type = Object)]
    pub services: Map<String, Value>,
    #[schema(required = false)]
    pub groups: Vec<String>,
    /// Kept when absent.
    #[schema(required = false)]
    pub categories: Vec<String>,
    /// Kept when absent.
    #[schema(required = false)]
    pub labels: Vec<String>,
    #[schema(required = false)]
    pub lifecycle_state: LifecycleState,
    #[schema(required = false)]
    pub disable_membership_notifications: bool,
}

/// An API. Secrets in connector settings read `********`; sent back unchanged they keep the stored value.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Api {
    pub id: Uuid,
    pub cross_id: Option<String>,
    pub name: String,
    pub api_version: String,
    pub definition_version: DefinitionVersion,
    #[schema(rename = "type")]
    pub api_type: ApiType,
    /// Milliseconds since 1970. Absent before the first deployment.
    pub deployed_at: Option<i64>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub updated_at: i64,
    pub description: String,
    #[schema(required = false)]
    pub tags: Vec<String>,
    /// Paths are completed to begin and end with a slash.
    pub listeners: Vec<Listener>,
    pub endpoint_groups: Vec<EndpointGroup>,
    /// Every plan, closed ones too.
    pub plans: Vec<Plan>,
    pub flow_mode: FlowMode,
    pub flows: Vec<Flow>,
    #[schema(required = false)]
    pub properties: Vec<Property>,
    #[schema(required = false)]
    pub resources: Vec<Resource>,
    #[schema(required = false)]
    pub response_templates: BTreeMap<String, BTreeMap<String, ResponseTemplate>>,
    #[schema(required = false, value_type = Object)]
    pub services: Map<String, Value>,
    #[schema(required = false)]
    pub groups: Vec<String>,
    pub visibility: Visibility,
    pub state: ApiState,
    pub primary_owner: PrimaryOwner,
    #[schema(required = false)]
    pub categories: Vec<String>,
    #[schema(required = false)]
    pub labels: Vec<String>,
    pub lifecycle_state: LifecycleState,
    #[schema(required = false)]
    pub disable_membership_notifications: bool,
}

/// The user who created the API.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct PrimaryOwner {
    pub id: Uuid,
    pub display_name: String,
    /// `USER`.
    #[schema(rename = "type", example = "USER")]
    pub owner_type: String,
}

/// A property that expressions can read.
#[derive(Debug, ToSchema)]
pub struct Property {
    pub key: String,
    pub value: String,
    #[schema(required = false)]
    pub encrypted: bool,
    #[schema(required = false)]
    pub dynamic: bool,
}

/// Something that policies share.
#[derive(Debug, ToSchema)]
pub struct Resource {
    pub name: String,
    #[schema(rename = "type")]
    pub resource_type: String,
    #[schema(required = false, value_type = Object)]
    pub configuration: Map<String, Value>,
    #[schema(required = false, default = true)]
    pub enabled: bool,
}

/// A response that replaces a gateway's own one.
#[derive(Debug, ToSchema)]
pub struct ResponseTemplate {
    pub status: u16,
    #[schema(required = false)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
}

/// One page of APIs.
#[derive(Debug, ToSchema)]
pub struct ApiPage {
    pub data: Vec<Api>,
    pub pagination: crate::page::Pagination,
    pub links: crate::page::Links,
}

/// The optional body of a deployment.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"deploymentLabel": "v1"}))]
pub struct Deploy {
    /// A note for people.
    #[schema(max_length = 32)]
    pub deployment_label: Option<String>,
}

/// The document of `create_example`, renamed; `id` has to be that of the API.
fn update_example() -> Value {
    let mut example = create_example();
    example["id"] = json!("the id in the path");
    example["visibility"] = json!("PUBLIC");
    example["name"] = json!("Orders, renamed");
    example
}

fn create_example() -> Value {
    json!({
        "name": "Orders",
        "apiVersion": "1.0",
        "definitionVersion": "4.0.0",
        "type": "async",
        "description": "Orders over HTTP",
        "listeners": [{
            "type": "http",
            "paths": [{ "path": "/data/orders" }],
            "entrypoints": [
                { "type": "http-post" },
                { "type": "http-get", "qos": "auto", "configuration": { "messagesLimitCount": 10 } },
                { "type": "sse", "qos": "auto" }
            ]
        }],
        "endpointGroups": [{
            "name": "default",
            "type": "kafka",
            "endpoints": [{
                "name": "default",
                "type": "kafka",
                "configuration": {
                    "bootstrapServers": "kafka:9092",
                    "topics": ["orders"],
                    "consumer": { "enabled": true, "autoOffsetReset": "latest" },
                    "producer": { "enabled": true }
                }
            }]
        }]
    })
}
