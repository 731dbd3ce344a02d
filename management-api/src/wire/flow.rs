//! Flows: policies on the way of requests and messages.

use super::{ChannelOperation, HttpMethod, PathOperator, SelectorType};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Steps that run when every selector matches.
#[derive(Debug, ToSchema)]
pub struct Flow {
    pub name: Option<String>,
    #[schema(required = false, default = true)]
    pub enabled: bool,
    /// Empty: always.
    #[schema(required = false)]
    pub selectors: Vec<Selector>,
    #[schema(required = false)]
    pub request: Vec<Step>,
    #[schema(required = false)]
    pub response: Vec<Step>,
    /// Per message that goes out to a client.
    #[schema(required = false)]
    pub subscribe: Vec<Step>,
    /// Per message that comes in from a client.
    #[schema(required = false)]
    pub publish: Vec<Step>,
    #[schema(required = false)]
    pub tags: Vec<String>,
}

/// A condition of a flow. Which members apply depends on `type`.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Selector {
    #[schema(rename = "type")]
    pub selector_type: SelectorType,
    /// `http`.
    pub path: Option<String>,
    /// `http`.
    #[schema(required = false)]
    pub path_operator: PathOperator,
    /// `http`; absent: all.
    #[schema(required = false)]
    pub methods: Vec<HttpMethod>,
    /// `channel`; empty: both.
    #[schema(required = false)]
    pub operations: Vec<ChannelOperation>,
    /// `channel`.
    pub channel: Option<String>,
    /// `channel`.
    #[schema(required = false)]
    pub channel_operator: PathOperator,
    /// `channel`: entrypoint ids; empty: all.
    #[schema(required = false)]
    pub entrypoints: Vec<String>,
    /// `condition`: an expression.
    pub condition: Option<String>,
}

/// One policy. Policies that this version does not have are refused.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Step {
    pub name: String,
    pub description: Option<String>,
    #[schema(required = false, default = true)]
    pub enabled: bool,
    pub policy: String,
    #[schema(required = false, value_type = Object)]
    pub configuration: Map<String, Value>,
    /// An expression.
    pub condition: Option<String>,
    /// An expression, per message.
    pub message_condition: Option<String>,
}
