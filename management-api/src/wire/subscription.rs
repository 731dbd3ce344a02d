//! Subscriptions. Dates are milliseconds since 1970.

use super::{
    ApiKey, ApiKeyMode, ApplicationOwner, ApplicationType, ConsumerStatus, PlanSecurityType,
    SubscriptionStatus,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a new subscription may say.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = create_example)]
pub struct CreateSubscription {
    /// Where to deliver; push plans need it. `entrypointId` with the entrypoint's settings beside it, or in
    /// `entrypointConfiguration`.
    #[schema(value_type = Option<Object>)]
    pub configuration: Option<Map<String, Value>>,
    /// For expressions: `{#subscription.metadata['key']}`.
    #[schema(required = false)]
    pub metadata: BTreeMap<String, String>,
    /// A message to the publisher.
    pub request: Option<String>,
    pub general_conditions_accepted: Option<bool>,
}

/// A changed subscription.
#[derive(Debug, ToSchema)]
pub struct UpdateSubscription {
    /// The id in the path, when given.
    pub id: Option<Uuid>,
    /// Absent: no bound.
    pub starting_at: Option<i64>,
    /// Absent: no bound.
    pub ending_at: Option<i64>,
    /// Absent: kept.
    #[schema(value_type = Option<Object>)]
    pub configuration: Option<Map<String, Value>>,
    /// Absent: kept.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// What a consumer changes.
#[derive(Debug, ToSchema)]
pub struct UpdateApplicationSubscription {
    /// Absent: kept.
    #[schema(value_type = Option<Object>)]
    pub configuration: Option<Map<String, Value>>,
    /// Absent: kept.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// The publisher's answer.
#[derive(Debug, ToSchema)]
pub struct ProcessSubscription {
    /// The id in the path, when given.
    pub id: Option<Uuid>,
    /// Absent: rejected.
    pub accepted: Option<bool>,
    /// A message to the consumer.
    pub reason: Option<String>,
    /// Absent: now.
    pub starting_at: Option<i64>,
    pub ending_at: Option<i64>,
    /// A key of the consumer's choice instead of a random one, for API-key plans.
    #[schema(rename = "customApiKey")]
    pub custom_api_key: Option<String>,
}

/// Another plan.
#[derive(Debug, ToSchema)]
pub struct TransferSubscription {
    /// The id in the path, when given.
    pub id: Option<Uuid>,
    /// A published plan with the same security and without general conditions.
    pub plan: Uuid,
}

macro_rules! subscriptions {
    ($($(#[$meta:meta])* $name:ident { $($(#[$part_meta:meta])* $part:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, ToSchema)]
        pub struct $name {
            pub id: Uuid,
            $($(#[$part_meta])* pub $part: $type,)+
            pub status: SubscriptionStatus,
            #[schema(rename = "consumerStatus")]
            pub consumer_status: ConsumerStatus,
            /// Why a gateway gave up delivering.
            #[schema(rename = "failureCause")]
            pub failure_cause: Option<String>,
            pub metadata: BTreeMap<String, String>,
            /// The consumer's message.
            pub request: Option<String>,
            /// The publisher's message.
            pub reason: Option<String>,
            pub processed_at: Option<i64>,
            /// Id of a user, or `system`.
            pub processed_by: Option<String>,
            pub starting_at: Option<i64>,
            pub ending_at: Option<i64>,
            pub created_at: i64,
            pub updated_at: i64,
            pub closed_at: Option<i64>,
            pub paused_at: Option<i64>,
            pub consumer_paused_at: Option<i64>,
        }
    )+};
}

subscriptions! {
    /// A subscription as the API's side sees it.
    Subscription {
        plan: SubscriptionPlan,
        application: SubscriptionApplication,
        client_id: Option<String>,
        subscribed_by: SubscriptionUser,
    }
    /// A subscription as the application's side sees it.
    ApplicationSubscription {
        api: SubscriptionApi,
        plan: SubscriptionPlan,
        client_id: Option<String>,
        subscribed_by: SubscriptionUser,
    }
    /// A subscription in a list: ids, whose names stand in `metadata` of the page.
    SubscriptionItem {
        api: Uuid,
        plan: Uuid,
        application: Uuid,
        subscribed_by: Uuid,
        /// JSON text; secrets read `********`.
        configuration: Option<String>,
        /// With `expand=keys`.
        #[schema(required = false)]
        keys: Vec<ApiKey>,
        /// With `expand=security`.
        #[schema(required = false)]
        security: PlanSecurityType,
    }
}

/// The plan of a subscription.
#[derive(Debug, ToSchema)]
pub struct SubscriptionPlan {
    pub id: Uuid,
    pub name: String,
    pub security: PlanSecurityType,
}

/// The API of a subscription.
#[derive(Debug, ToSchema)]
pub struct SubscriptionApi {
    pub id: Uuid,
    pub name: String,
    pub version: String,
    pub owner: ApplicationOwner,
}

/// The application of a subscription.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SubscriptionApplication {
    pub id: Uuid,
    pub name: String,
    #[schema(rename = "type")]
    pub application_type: ApplicationType,
    pub description: String,
    pub domain: Option<String>,
    pub owner: ApplicationOwner,
    pub api_key_mode: ApiKeyMode,
}

/// A user.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SubscriptionUser {
    pub id: Uuid,
    pub display_name: String,
}

/// One page of subscriptions.
#[derive(Debug, ToSchema)]
pub struct SubscriptionPage {
    pub data: Vec<SubscriptionItem>,
    /// By id: the name of each application, API and plan in `data`.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    pub page: SubscriptionPagePosition,
}

/// Where a page stands in its list.
#[derive(Debug, ToSchema)]
#[schema(as = PagePosition)]
pub struct SubscriptionPagePosition {
    /// From 1.
    pub current: i64,
    /// Items on this page.
    pub size: i64,
    pub per_page: i64,
    pub total_pages: i64,
    pub total_elements: i64,
}

fn create_example() -> Value {
    json!({
        "configuration": {
            "entrypointId": "webhook",
            "callbackUrl": "https://example.com/hook",
            "headers": [{ "name": "X-Source", "value": "tidegate" }]
        },
        "metadata": { "feature": "demo-filter" }
    })
}
