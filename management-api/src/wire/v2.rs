//! Subscriptions and API keys in the 4.x dialect. Dates are ISO 8601.

use super::{ConsumerStatus, SubscriptionStatus, Target};
use crate::page::{Links, Pagination};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// An API.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InApiV2 {
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
}

/// A subscription.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InSubscriptionV2 {
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
    /// Id of the subscription.
    pub subscription: String,
}

/// An API key.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InKeyV2 {
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
    /// Id of the subscription.
    pub subscription: String,
    /// Id of the key, not the key itself.
    pub key: String,
}

impl InSubscriptionV2 {
    pub(crate) fn target(&self) -> Target<'_> {
        Target { api: &self.api, subscription: &self.subscription }
    }
}

impl InKeyV2 {
    pub(crate) fn target(&self) -> Target<'_> {
        Target { api: &self.api, subscription: &self.subscription }
    }
}

/// A new subscription.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CreateSubscriptionV2 {
    pub application_id: Uuid,
    pub plan_id: Uuid,
    /// A key of the consumer's choice instead of a random one, for API-key plans.
    pub custom_api_key: Option<String>,
    pub consumer_configuration: Option<ConsumerConfigurationV2>,
    #[schema(required = false)]
    pub metadata: BTreeMap<String, String>,
}

/// A changed subscription. Absent dates are cleared; what else is absent stays.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UpdateSubscriptionV2 {
    pub consumer_configuration: Option<ConsumerConfigurationV2>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub starting_at: Option<DateTime<Utc>>,
    pub ending_at: Option<DateTime<Utc>>,
}

/// Where a push subscription delivers.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ConsumerConfigurationV2 {
    #[schema(example = "webhook")]
    pub entrypoint_id: String,
    pub channel: Option<String>,
    /// Secrets read `********`; sent back unchanged they keep the stored value.
    #[schema(value_type = Object)]
    pub entrypoint_configuration: Map<String, Value>,
}

/// How a pending subscription is accepted.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AcceptSubscriptionV2 {
    pub reason: Option<String>,
    pub custom_api_key: Option<String>,
    /// Absent: now.
    pub starting_at: Option<DateTime<Utc>>,
    pub ending_at: Option<DateTime<Utc>>,
}

/// Why a pending subscription is rejected.
#[derive(Debug, ToSchema)]
pub struct RejectSubscriptionV2 {
    pub reason: Option<String>,
}

/// Another plan.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct TransferSubscriptionV2 {
    pub plan_id: Uuid,
}

/// A key that an application would like to have.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct VerifySubscriptionV2 {
    pub application_id: Uuid,
    pub api_key: String,
}

/// Whether it can have it.
#[derive(Debug, ToSchema)]
pub struct VerifiedV2 {
    pub ok: bool,
}

/// Something that a subscription names; with `expands` more than its id.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NamedV2 {
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub display_name: Option<String>,
}

/// A subscription.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SubscriptionV2 {
    pub id: Uuid,
    pub api: NamedV2,
    pub plan: NamedV2,
    pub application: NamedV2,
    pub consumer_message: Option<String>,
    pub publisher_message: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub consumer_configuration: Option<ConsumerConfigurationV2>,
    pub failure_cause: Option<String>,
    pub status: SubscriptionStatus,
    pub consumer_status: ConsumerStatus,
    pub processed_by: Option<NamedV2>,
    pub subscribed_by: NamedV2,
    pub processed_at: Option<DateTime<Utc>>,
    pub starting_at: Option<DateTime<Utc>>,
    pub ending_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    pub paused_at: Option<DateTime<Utc>>,
    pub consumer_paused_at: Option<DateTime<Utc>>,
}

/// One page of subscriptions.
#[derive(Debug, ToSchema)]
pub struct SubscriptionPageV2 {
    pub data: Vec<SubscriptionV2>,
    pub pagination: Pagination,
    pub links: Links,
}

/// An API key, in clear.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ApiKeyV2 {
    pub id: Uuid,
    pub key: String,
    pub application: NamedV2,
    pub subscriptions: Vec<NamedV2>,
    pub revoked: bool,
    pub paused: bool,
    pub expired: bool,
    pub expire_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One page of API keys.
#[derive(Debug, ToSchema)]
pub struct ApiKeyPageV2 {
    pub data: Vec<ApiKeyV2>,
    pub pagination: Pagination,
    pub links: Links,
}

/// Another date of expiry.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UpdateApiKeyV2 {
    /// Absent: never.
    pub expire_at: Option<DateTime<Utc>>,
}
