//! Subscriptions: an application's use of a plan. What is allowed when are pure transitions here; the store only
//! records them.

use crate::api::Settings;
use crate::token::tokens;
use serde::{Deserialize, Serialize};

tokens! {
    /// Where a subscription stands with the publisher of the API.
    pub enum SubscriptionStatus {
        Pending = "PENDING",
        Accepted = "ACCEPTED",
        Rejected = "REJECTED",
        Paused = "PAUSED",
        Closed = "CLOSED",
    }
}

tokens! {
    /// Whether the consumer wants messages now; independent of the publisher's status.
    pub enum ConsumerStatus { Started = "STARTED", Stopped = "STOPPED", Failure = "FAILURE" }
}

/// Where and how a push subscription delivers, in the one form that is stored and sent to gateways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerConfiguration {
    /// The entrypoint that delivers, such as `webhook`.
    pub entrypoint_id: String,
    /// Channel of the entrypoint that is subscribed to; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What the entrypoint needs, such as `callbackUrl` and `headers`.
    #[serde(default)]
    pub entrypoint_configuration: Settings,
}
