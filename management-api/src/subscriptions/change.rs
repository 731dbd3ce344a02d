//! What a change of a subscription does to it and to its keys. Pure.

use super::Held;
use crate::api_keys::KeyRecord;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use chrono::{DateTime, Utc};
use definition::subscription::{
    ConsumerAction, ConsumerStatus, SubscriptionAction, SubscriptionStatus, SubscriptionTransitionError,
};

impl Held {
    /// Lets the publisher act.
    pub(crate) fn act(&mut self, action: SubscriptionAction, actor: &Actor, at: DateTime<Utc>) -> Result<()> {
        if action == SubscriptionAction::Resume && self.take_up_again(at) {
            return Ok(());
        }
        let after = self.subscription.status.after(action).map_err(|error| self.refusal(error))?;
        let subscription = &mut self.subscription;
        let history = &mut subscription.history;
        subscription.status = after;
        subscription.updated_at = subscription.updated_at.max(at);
        match action {
            SubscriptionAction::Accept | SubscriptionAction::Reject => {
                history.processed_at = Some(at);
                history.processed_by = Some(actor.id.to_string());
            }
            SubscriptionAction::Pause => history.paused_at = Some(at),
            SubscriptionAction::Resume => history.paused_at = None,
            SubscriptionAction::Close => {}
        }
        match after {
            SubscriptionStatus::Accepted => self.keys.iter_mut().for_each(|key| key.pause(false, at)),
            SubscriptionStatus::Paused => self.keys.iter_mut().for_each(|key| key.pause(true, at)),
            SubscriptionStatus::Rejected | SubscriptionStatus::Closed => {
                history.closed_at = Some(at);
                self.keys.iter_mut().for_each(|key| key.revoke(at));
            }
            SubscriptionStatus::Pending => {}
        }
        Ok(())
    }

    /// Clears a failure: gateways deliver again. True when that is all there was to resume.
    pub(crate) fn take_up_again(&mut self, at: DateTime<Utc>) -> bool {
        let subscription = &mut self.subscription;
        if subscription.consumer_status != ConsumerStatus::Failure {
            return false;
        }
        subscription.consumer_status = ConsumerStatus::Started;
        subscription.history.failure_cause = None;
        subscription.updated_at = subscription.updated_at.max(at);
        subscription.status == SubscriptionStatus::Accepted
    }

    /// Lets the consumer act.
    pub(crate) fn act_as_consumer(&mut self, action: ConsumerAction, at: DateTime<Utc>) -> Result<()> {
        let after = self.subscription.consumer_status.after(action).map_err(|error| self.refusal(error))?;
        self.subscription.consumer_status = after;
        self.subscription.updated_at = self.subscription.updated_at.max(at);
        let history = &mut self.subscription.history;
        history.consumer_paused_at = (after == ConsumerStatus::Stopped).then_some(at);
        history.failure_cause = None;
        Ok(())
    }

    /// Moves the end, and the expiry of keys with it.
    pub(crate) fn end_at(&mut self, ending_at: Option<DateTime<Utc>>, at: DateTime<Utc>) {
        let before = std::mem::replace(&mut self.subscription.ending_at, ending_at);
        if before == ending_at {
            return;
        }
        for key in self.keys.iter_mut().filter(|key| !key.revoked) {
            key.expire_at = expiry(key, before, ending_at);
            key.updated_at = at;
        }
    }

    fn refusal(&self, error: SubscriptionTransitionError) -> ApiError {
        let id = self.subscription.id.to_string();
        let status = self.subscription.status.label();
        let both = [("subscription", id.as_str()), ("status", status)];
        match error {
            SubscriptionTransitionError::Processed => {
                let message = "This subscription has already been processed.";
                ApiError::refused("subscription.processed", message, &both[..1])
            }
            SubscriptionTransitionError::NotPausable => {
                let message = format!("Subscription [{id}] is not pausable: its status is {status}");
                ApiError::refused("subscription.notPausable", message, &both)
            }
            SubscriptionTransitionError::NotPaused => {
                let message = format!("Subscription [{id}] is not paused, so it cannot be resumed");
                ApiError::refused("subscription.notPaused", message, &both[..1])
            }
            SubscriptionTransitionError::Closed => closed(&id, status),
        }
    }
}

/// A key that was renewed expires on its own, and never after its subscription.
fn expiry(
    key: &KeyRecord,
    before: Option<DateTime<Utc>>,
    ending_at: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    match (key.expire_at, ending_at) {
        (own, _) if own == before => ending_at,
        (Some(own), Some(end)) => Some(own.min(end)),
        (own, end) => own.or(end),
    }
}

/// 400 for what a subscription that is over cannot do any more.
pub(crate) fn closed(id: &str, status: &str) -> ApiError {
    let message = format!("Subscription [{id}] is not open any more: its status is {status}");
    ApiError::refused("subscription.closed", message, &[("subscription", id), ("status", status)])
}
