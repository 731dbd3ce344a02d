//! Who may call: subscriptions and API keys, as management streams them. They take effect at once, without a redeploy.
//!
//! A call looks them up in memory and never asks anybody. They come in any order: a key may be here before its
//! subscription, and a subscription before its API. Only hashes of keys are ever here.

mod ends;
mod registry;
#[cfg(test)]
mod tests;

pub(crate) use ends::{close_at_their_end, now_ms};

use crate::call::Consumer;
use crate::stop::Stop;
use crate::sync::{ApplyChange, ApplyOp, Level};
use crate::table::Rejection;
use definition::consumer::{ApiKeyResource, KIND_API_KEY, KIND_SUBSCRIPTION, SubscriptionResource};
use definition::digest::{Digest, from_canonical};
use definition::subscription::SubscriptionStatus;
use registry::Registry;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Notify;

/// Subscriptions and keys of this node.
#[derive(Default)]
pub(crate) struct Consumers {
    registry: RwLock<Registry>,
    /// The next date at which somebody's access ends may be another one.
    dates_changed: Notify,
}

/// What one subscription is to the calls of its consumer.
pub(crate) struct Subscription {
    pub(crate) id: Arc<str>,
    pub(crate) plan: String,
    pub(crate) consumer: Arc<Consumer>,
    /// Ends the streams that were opened with it.
    pub(crate) stop: Arc<Stop>,
    resource: Arc<SubscriptionResource>,
}

/// What a key is to the calls that present it.
pub(crate) struct ApiKey {
    id: Arc<str>,
    hash: Digest,
    subscriptions: Vec<String>,
    expire_at_ms: Option<i64>,
    live: bool,
    /// Ends the streams that were opened with it.
    pub(crate) stop: Arc<Stop>,
}

impl Subscription {
    /// Whether it authorizes calls at this time, milliseconds since 1970.
    pub(crate) fn is_open(&self, now_ms: i64) -> bool {
        self.is_live(now_ms) && self.resource.starting_at_ms.is_none_or(|start| start <= now_ms)
    }

    /// Accepted, and not over; it may not have begun.
    fn is_live(&self, now_ms: i64) -> bool {
        self.resource.status == SubscriptionStatus::Accepted
            && self.resource.ending_at_ms.is_none_or(|end| now_ms <= end)
    }
}

impl ApiKey {
    /// Whether it opens anything at this time, milliseconds since 1970.
    pub(crate) fn is_usable(&self, now_ms: i64) -> bool {
        self.live && self.expire_at_ms.is_none_or(|end| now_ms < end)
    }
}

impl Consumers {
    /// Whether resources of a kind belong here.
    pub(crate) fn takes(kind: &str) -> bool {
        matches!(kind, KIND_SUBSCRIPTION | KIND_API_KEY)
    }

    /// Puts a resource in place or removes it; streams whose access ends by it are told. Errors: it cannot be read.
    pub(crate) fn apply(&self, change: &ApplyChange, now_ms: i64) -> Result<Level, Rejection> {
        let level = match &change.op {
            ApplyOp::Delete => {
                let mut registry = self.write();
                match change.kind.as_str() {
                    KIND_SUBSCRIPTION => registry.remove_subscription(&change.id),
                    _ => registry.remove_key(&change.id),
                }
                Level::Removed
            }
            ApplyOp::Upsert { body, .. } if change.kind == KIND_SUBSCRIPTION => {
                let resource: SubscriptionResource = from_canonical(body).map_err(unreadable)?;
                self.write().put_subscription(resource, now_ms);
                Level::Active
            }
            ApplyOp::Upsert { body, .. } => {
                let resource: ApiKeyResource = from_canonical(body).map_err(unreadable)?;
                self.write().put_key(&resource, now_ms)?;
                Level::Active
            }
        };
        self.dates_changed.notify_one();
        Ok(level)
    }

    /// The subscription of an API and a plan that a key stands for, whether or not either is valid now.
    pub(crate) fn by_key(
        &self,
        api: &str,
        hash: &Digest,
        plan: &str,
    ) -> Option<(Arc<Subscription>, Arc<ApiKey>)> {
        self.read().by_key(api, hash, plan)
    }

    /// The subscription of an API and a plan that belongs to an application's client id.
    pub(crate) fn by_client(&self, api: &str, client_id: &str, plan: &str) -> Option<Arc<Subscription>> {
        self.read().by_client(api, client_id, plan)
    }

    /// A push subscription by its id, whether or not it is to be delivered now.
    pub(crate) fn pushed(&self, id: &str) -> Option<Arc<SubscriptionResource>> {
        self.read().pushed(id)
    }

    /// Writes how many there are.
    pub(crate) fn measure(&self) {
        let registry = self.read();
        let (subscriptions, keys) = registry.counts();
        metrics::gauge!("tidegate_gateway_consumers", "kind" => KIND_SUBSCRIPTION).set(subscriptions as f64);
        metrics::gauge!("tidegate_gateway_consumers", "kind" => KIND_API_KEY).set(keys as f64);
    }

    fn read(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body is not repeated: it names people.
fn unreadable(_: impl std::error::Error) -> Rejection {
    let message = "this gateway cannot read it: upgrade the gateway, or report it";
    Rejection::new("CONSUMER_UNREADABLE", "", message)
}
