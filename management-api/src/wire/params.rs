//! What paths are made of.

use serde::Deserialize;
use utoipa::IntoParams;

/// An environment.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InEnvironment {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
}

/// An API.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InApi {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
}

/// A plan.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InPlan {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
    /// Id of the plan.
    pub plan: String,
}

/// A deployment.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InDeployment {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
    /// Id of the deployment.
    pub deployment: String,
}

/// A gateway.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InInstance {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the gateway.
    pub instance: String,
}

/// A connector.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InConnector {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the connector, policy or resource, such as `kafka`.
    pub connector: String,
}

/// A subscription of an API.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InSubscription {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the API.
    pub api: String,
    /// Id of the subscription.
    pub subscription: String,
}

/// A key of a subscription of an API.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InKey {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
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

/// An application.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InApplication {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the application.
    pub application: String,
}

/// A subscription of an application.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InApplicationSubscription {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the application.
    pub application: String,
    /// Id of the subscription.
    pub subscription: String,
}

/// A key of a subscription of an application.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InApplicationKey {
    /// Organization.
    #[param(example = "DEFAULT")]
    pub org: String,
    /// Environment.
    #[param(example = "DEFAULT")]
    pub env: String,
    /// Id of the application.
    pub application: String,
    /// Id of the subscription.
    pub subscription: String,
    /// Id of the key, not the key itself.
    pub key: String,
}

/// A subscription of an API as paths name it, whichever dialect they are of.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub api: &'a str,
    pub subscription: &'a str,
}

impl InSubscription {
    pub(crate) fn target(&self) -> Target<'_> {
        Target { api: &self.api, subscription: &self.subscription }
    }
}

impl InKey {
    pub(crate) fn target(&self) -> Target<'_> {
        Target { api: &self.api, subscription: &self.subscription }
    }
}
