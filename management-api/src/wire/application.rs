//! Applications. Dates are milliseconds since 1970.

use super::{ApiKeyMode, ApplicationStatus, ApplicationType, SubscriptionPagePosition};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// A new or a changed application.
#[derive(Debug, ToSchema)]
#[schema(example = create_example)]
pub struct CreateApplication {
    /// Not blank; names may repeat.
    pub name: String,
    /// May be empty.
    pub description: String,
    pub domain: Option<String>,
    /// At most one of `app` and `oauth`. Absent: `{"app": {}}`, and a change keeps what was there.
    pub settings: Option<ApplicationSettings>,
    #[schema(required = false)]
    pub groups: Vec<String>,
    #[schema(required = false, default = "UNSPECIFIED")]
    pub api_key_mode: ApiKeyMode,
    #[schema(required = false)]
    pub disable_membership_notifications: bool,
}

/// What kind of application it is.
#[derive(Debug, ToSchema)]
pub struct ApplicationSettings {
    pub app: Option<AppSettings>,
    /// `client_id`, `application_type`, `grant_types`, `redirect_uris`, …; a `client_secret` is not kept.
    #[schema(value_type = Option<Object>)]
    pub oauth: Option<Map<String, Value>>,
}

/// A simple application.
#[derive(Debug, ToSchema)]
pub struct AppSettings {
    /// Free text.
    #[schema(rename = "type")]
    pub kind: Option<String>,
    /// What its tokens carry; unique among active applications. JWT and OAuth2 plans need it.
    pub client_id: Option<String>,
}

/// An application.
#[derive(Debug, ToSchema)]
pub struct Application {
    pub id: Uuid,
    pub name: String,
    pub description: String,
    pub domain: Option<String>,
    pub groups: Vec<String>,
    pub status: ApplicationStatus,
    #[schema(rename = "type")]
    pub application_type: ApplicationType,
    pub created_at: i64,
    pub updated_at: i64,
    pub owner: ApplicationOwner,
    pub settings: ApplicationSettings,
    pub disable_membership_notifications: bool,
    pub api_key_mode: ApiKeyMode,
}

/// The user who created the application.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ApplicationOwner {
    pub id: Uuid,
    pub display_name: String,
    /// `USER`. Absent where a subscription names its application.
    #[schema(rename = "type")]
    pub kind: Option<String>,
}

/// One page of applications.
#[derive(Debug, ToSchema)]
pub struct ApplicationPage {
    pub data: Vec<Application>,
    pub page: SubscriptionPagePosition,
}

fn create_example() -> Value {
    json!({ "name": "Weather app", "description": "Shows the weather", "settings": { "app": { "type": "demo" } } })
}
