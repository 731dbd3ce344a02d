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
