//! The API definition in its one canonical form: what is stored, digested and sent to gateways.
//! Both dialects are read into it by `dialect`, and printed from it.

use crate::token::tokens;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Settings of a connector or policy as the author wrote them, completed with defaults.
pub type Settings = Map<String, Value>;

tokens! {
    /// The dialect a definition was created in; decides the column of the quality matrix.
    pub enum Family {
        /// Beta spelling: `async`, `4.0.0`, flat endpoint configuration.
        Beta = "beta",
        /// 4.x spelling: `MESSAGE` or `V4`.
        V4 = "v4",
    }
}

tokens! {
    /// Kind of API.
    pub enum ApiType {
        /// Messages over brokers.
        Message = "message" | "async",
        /// Plain HTTP backends.
        Proxy = "proxy" | "sync",
    }
}

tokens! {
    /// Who sees the API in a portal.
    pub enum Visibility { Public = "PUBLIC", Private = "PRIVATE" }
}

tokens! {
    /// Publication state in a portal.
    pub enum LifecycleState {
        Created = "CREATED", Published = "PUBLISHED", Unpublished = "UNPUBLISHED", Deprecated = "DEPRECATED", Archived = "ARCHIVED",
    }
}

tokens! {
    /// Listener kinds.
    pub enum ListenerType { Http = "http", Subscription = "subscription", Tcp = "tcp" }
}

tokens! {
    /// Qualities of service, weakest promise first.
    pub enum Qos { None = "none", Auto = "auto", AtMostOnce = "at-most-once", AtLeastOnce = "at-least-once" }
}

tokens! {
    /// Choice among the endpoints of a group.
    pub enum LoadBalancerType {
        RoundRobin = "round-robin", Random = "random", WeightedRoundRobin = "weighted-round-robin", WeightedRandom = "weighted-random",
    }
}

tokens! {
    /// Which flows run: all that match, or the best one.
    pub enum FlowMode { Default = "default", BestMatch = "best-match" }
}

tokens! {
    /// How a selector compares paths and channels.
    pub enum PathOperator { StartsWith = "STARTS_WITH", Equals = "EQUALS" }
}

tokens! {
    /// Direction of a channel selector.
    pub enum ChannelOperation { Subscribe = "subscribe", Publish = "publish" }
}

impl ApiType {
    /// The beta's word.
    pub fn beta_label(self) -> &'static str {
        match self {
            ApiType::Message => "async",
            ApiType::Proxy => "sync",
        }
    }
}

/// The whole definition. Identity, state and dates are columns of the store, not members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    pub family: Family,
    #[serde(rename = "type")]
    pub api_type: ApiType,
    pub name: String,
    pub api_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_id: Option<String>,
    pub visibility: Visibility,
    pub lifecycle_state: LifecycleState,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub disable_membership_notifications: bool,
    pub listeners: Vec<Listener>,
    pub endpoint_groups: Vec<EndpointGroup>,
    pub flow_execution: FlowExecution,
    #[serde(default)]
    pub flows: Vec<Flow>,
    #[serde(default)]
    pub properties: Vec<Property>,
    #[serde(default)]
    pub resources: Vec<Resource>,
    #[serde(default)]
    pub response_templates: IndexMap<String, IndexMap<String, ResponseTemplate>>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub services: Settings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Settings>,
    /// 4.x `analytics`; the beta's `listeners[].logging` is converted into its `logging` member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analytics: Option<Settings>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    #[serde(rename = "type")]
    pub listener_type: ListenerType,
    /// HTTP only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Path>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_mappings: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// 4.x `servers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// TCP only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    pub entrypoints: Vec<Entrypoint>,
}

/// A context path. `path` is sanitised: it begins and ends with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub path: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub override_access: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    pub enabled: bool,
    #[serde(default)]
    pub allow_credentials: bool,
    #[serde(default)]
    pub allow_origin: Vec<String>,
    #[serde(default)]
    pub allow_headers: Vec<String>,
    #[serde(default)]
    pub allow_methods: Vec<String>,
    #[serde(default)]
    pub expose_headers: Vec<String>,
    /// Seconds; -1: not sent.
    pub max_age: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub run_policies: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entrypoint {
    /// Connector id as written (`sse`, `sse-advanced`, …).
    #[serde(rename = "type")]
    pub connector: String,
    /// Resolved, never absent for message APIs; `None` for `http-proxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<Qos>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dlq: Option<Dlq>,
    /// `None`: the author sent none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Settings>,
}

/// Dead letter queue: the name of an endpoint or of an endpoint group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dlq {
    pub endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointGroup {
    pub name: String,
    #[serde(rename = "type")]
    pub connector: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_configuration: Option<Settings>,
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub services: Settings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    #[serde(rename = "type")]
    pub balancer: LoadBalancerType,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub name: String,
    #[serde(rename = "type")]
    pub connector: String,
    pub secondary: bool,
    pub weight: u32,
    pub inherit_configuration: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Settings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_configuration_override: Option<Settings>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub services: Settings,
}

impl Endpoint {
    /// The settings that the connector reads: `configuration` with the shared part laid over it, whole and never
    /// merged field by field.
    pub fn effective_settings(&self, group: &EndpointGroup) -> Settings {
        let mut effective = self.configuration.clone().unwrap_or_default();
        let shared = if self.inherit_configuration {
            group.shared_configuration.as_ref()
        } else {
            self.shared_configuration_override.as_ref()
        };
        for (key, value) in shared.into_iter().flatten() {
            effective.insert(key.clone(), value.clone());
        }
        effective
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowExecution {
    pub mode: FlowMode,
    #[serde(default)]
    pub match_required: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub enabled: bool,
    #[serde(default)]
    pub selectors: Vec<Selector>,
    #[serde(default)]
    pub request: Vec<Step>,
    #[serde(default)]
    pub response: Vec<Step>,
    #[serde(default)]
    pub subscribe: Vec<Step>,
    #[serde(default)]
    pub publish: Vec<Step>,
    #[serde(default)]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Selector {
    /// Proxy APIs.
    Http {
        path: String,
        path_operator: PathOperator,
        #[serde(default)]
        methods: Vec<String>,
    },
    /// Message APIs. Empty `operations` or `entrypoints`: all.
    Channel {
        #[serde(default)]
        operations: Vec<ChannelOperation>,
        channel: String,
        channel_operator: PathOperator,
        #[serde(default)]
        entrypoints: Vec<String>,
    },
    /// An expression that must hold.
    Condition { condition: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub enabled: bool,
    pub policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Settings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_condition: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    pub key: String,
    pub value: String,
    #[serde(default)]
    pub encrypted: bool,
    #[serde(default)]
    pub dynamic: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub name: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Settings>,
    pub enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseTemplate {
    pub status: u16,
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}
