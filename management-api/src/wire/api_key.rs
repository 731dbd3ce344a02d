//! API keys. Dates are milliseconds since 1970.

use super::{Application, SubscriptionItem};
use utoipa::ToSchema;
use uuid::Uuid;

/// An API key, in clear.
#[derive(Debug, ToSchema)]
pub struct ApiKey {
    pub id: Uuid,
    pub key: String,
    /// Absent where the key itself is part of a subscription.
    #[schema(required = false, no_recursion)]
    pub subscriptions: Vec<SubscriptionItem>,
    #[schema(required = false)]
    pub application: Application,
    pub revoked: bool,
    /// Its subscription is paused.
    pub paused: bool,
    pub expired: bool,
    /// Absent: never.
    pub expire_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Another date of expiry.
#[derive(Debug, ToSchema)]
pub struct UpdateApiKey {
    /// The id in the path, when given.
    pub id: Option<Uuid>,
    /// Milliseconds since 1970. Absent: never.
    pub expire_at: Option<i64>,
}

/// A new key.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RenewApiKey {
    /// 8 to 64 visible ASCII characters, none of `^ # % @ \\ / ; = ? | ~ ,`. Absent: a random one.
    pub custom_api_key: Option<String>,
}
