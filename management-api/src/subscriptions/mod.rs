//! Subscriptions: an application's use of a plan. They take effect on gateways without a deployment.
//!
//! Whoever changes a subscription holds its application and then its API until the transaction ends, so that keys, the
//! subscription and what gateways are told always agree.

pub(crate) mod actions;
pub(crate) mod change;
pub(crate) mod consumer;
pub(crate) mod ended;
pub(crate) mod export;
pub(crate) mod failure;
pub(crate) mod handlers;
mod held;
pub(crate) mod list;
mod publish;
mod rules;
pub(crate) mod store;
mod subscribe;
pub(crate) mod sweep;
pub(crate) mod v2;
pub(crate) mod verify;
mod view;

pub(crate) use held::Held;
pub(crate) use publish::Outbox;
pub(crate) use rules::check_active;
pub(crate) use view::subscription_item;

use crate::apis::Owner;
use chrono::{DateTime, Utc};
use definition::subscription::{ConsumerConfiguration, ConsumerStatus, SubscriptionStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A subscription with everything that the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SubscriptionRecord {
    pub(crate) id: Uuid,
    pub(crate) api_id: Uuid,
    pub(crate) plan_id: Uuid,
    pub(crate) application_id: Uuid,
    pub(crate) status: SubscriptionStatus,
    pub(crate) consumer_status: ConsumerStatus,
    pub(crate) configuration: Option<ConsumerConfiguration>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) history: History,
    pub(crate) starting_at: Option<DateTime<Utc>>,
    pub(crate) ending_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// Who did what when. For people: nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct History {
    pub(crate) subscribed_by: Person,
    /// What the consumer told the publisher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    /// What the publisher answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Why a gateway gave up delivering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure_cause: Option<String>,
    /// Id of a user, or `system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paused_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumer_paused_at: Option<DateTime<Utc>>,
}

/// A user as history names one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
}

impl From<&Owner> for Person {
    fn from(owner: &Owner) -> Self {
        Person { id: owner.id, display_name: owner.name.clone() }
    }
}

impl SubscriptionRecord {
    /// Channel of a push subscription, empty without one.
    pub(crate) fn channel(&self) -> &str {
        self.configuration
            .as_ref()
            .and_then(|configuration| configuration.channel.as_deref())
            .unwrap_or_default()
    }
}
