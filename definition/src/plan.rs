//! Plans: who may call an API. Life-cycle rules are pure transitions here; the store only records them.

use crate::api::{Flow, Settings};
use crate::token::tokens;
use serde::{Deserialize, Serialize};

tokens! {
    /// How callers of a plan prove themselves. `Push` has no security: its traffic leaves the gateway.
    pub enum PlanSecurityType {
        KeyLess = "key-less",
        ApiKey = "api-key",
        Oauth2 = "oauth2",
        Jwt = "jwt",
        /// Push plans: the beta's `security.type: subscription`, 4.x's `mode: PUSH`.
        Subscription = "subscription",
    }
}

tokens! {
    /// Who accepts subscriptions.
    pub enum PlanValidation { Auto = "auto", Manual = "manual" }
}

tokens! {
    /// Life cycle; there is no way back.
    pub enum PlanStatus { Staging = "staging", Published = "published", Deprecated = "deprecated", Closed = "closed" }
}

/// What the author writes. Identity, status and dates are columns of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub name: String,
    pub description: String,
    pub validation: PlanValidation,
    pub security: PlanSecurity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_id: Option<String>,
    #[serde(default)]
    pub flows: Vec<Flow>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub characteristics: Vec<String>,
    #[serde(default)]
    pub excluded_groups: Vec<String>,
    #[serde(default)]
    pub comment_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub general_conditions: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSecurity {
    #[serde(rename = "type")]
    pub security_type: PlanSecurityType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Settings>,
}

/// A life-cycle action of the REST side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanAction {
    Publish,
    Deprecate,
    Close,
}

/// Why an action is refused: the text is the `technicalCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanTransitionError {
    #[error("plan.published")]
    Published,
    #[error("plan.deprecated")]
    Deprecated,
    #[error("plan.closed")]
    Closed,
    #[error("plan.notPublished")]
    NotPublished,
}

impl PlanStatus {
    /// The status after `action`, or why it is refused.
    pub fn after(self, action: PlanAction) -> Result<PlanStatus, PlanTransitionError> {
        use PlanTransitionError as E;
        match (self, action) {
            (PlanStatus::Closed, _) => Err(E::Closed),
            (PlanStatus::Staging | PlanStatus::Published | PlanStatus::Deprecated, PlanAction::Close) => {
                Ok(PlanStatus::Closed)
            }
            (PlanStatus::Staging, PlanAction::Publish) => Ok(PlanStatus::Published),
            (PlanStatus::Published, PlanAction::Publish) => Err(E::Published),
            (PlanStatus::Deprecated, PlanAction::Publish | PlanAction::Deprecate) => Err(E::Deprecated),
            (PlanStatus::Staging, PlanAction::Deprecate) => Err(E::NotPublished),
            (PlanStatus::Published, PlanAction::Deprecate) => Ok(PlanStatus::Deprecated),
        }
    }
}
