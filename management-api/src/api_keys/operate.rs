//! What is done to the keys of a subscription, whichever side asks. The caller holds the subscription.

use super::issue::add_key;
use super::{KeyRecord, store};
use crate::app::AppState;
use crate::audit::{self, store::Entry};
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::extract::id;
use crate::scope::Scope;
use crate::subscriptions::Held;
use crate::subscriptions::change::closed;
use chrono::{DateTime, TimeDelta, Utc};
use definition::api_key::{KeyAction, KeyActionError};
use definition::plan::PlanSecurityType;
use definition::subscription::SubscriptionStatus;
use uuid::Uuid;

/// How long the keys before a new one still work, so that clients can change over.
const OVERLAP: TimeDelta = TimeDelta::hours(2);
const NOT_FOUND: &str = "apiKey.notFound";

/// Adds a key; the live ones before it end after the overlap at the latest.
pub(super) async fn renew(
    app: &AppState,
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    held: &mut Held,
    custom: Option<&str>,
) -> Result<Uuid> {
    let now = app.clock.now();
    if held.plan()?.definition.security.security_type != PlanSecurityType::ApiKey {
        let id = held.subscription.id.to_string();
        let message = format!("Subscription [{id}] is not to an API-key plan, so it has no keys");
        return Err(ApiError::refused("subscription.invalid", message, &[("subscription", &id)]));
    }
    check_open(held, now)?;
    let end = now + OVERLAP;
    for key in held.keys.iter_mut().filter(|key| !key.revoked && key.expire_at.is_none_or(|at| at > end)) {
        key.expire_at = Some(end);
        key.updated_at = now;
    }
    add_key(app, tx, scope, held, custom, now).await?;
    let id = held.keys.first().map(|key| key.id).unwrap_or_default();
    finish(tx, scope, actor, held, id, "api-key.renew", now).await?;
    Ok(id)
}

/// Does something to one key.
pub(super) async fn act(
    app: &AppState,
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    held: &mut Held,
    (text, action): (&str, Action),
) -> Result<Uuid> {
    let now = app.clock.now();
    let id = id(text, NOT_FOUND, "apiKey")?;
    let index = held.keys.iter().position(|key| key.id == id);
    let index = index.ok_or_else(|| ApiError::not_found(NOT_FOUND, "apiKey", text))?;
    held.keys[index].state().check(action.rule(), now.timestamp_millis()).map_err(refusal)?;
    if action == Action::Reactivate {
        check_open(held, now)?;
    }
    let (ending_at, paused) =
        (held.subscription.ending_at, held.subscription.status == SubscriptionStatus::Paused);
    let key: &mut KeyRecord = &mut held.keys[index];
    let audited = match action {
        Action::Revoke => {
            key.revoke(now);
            "api-key.revoke"
        }
        Action::Reactivate => {
            (key.revoked, key.revoked_at, key.expire_at, key.paused) = (false, None, ending_at, paused);
            "api-key.reactivate"
        }
        Action::ExpireAt(at) => {
            key.expire_at = at;
            "api-key.expire"
        }
    };
    key.updated_at = now;
    finish(tx, scope, actor, held, id, audited, now).await?;
    Ok(id)
}

/// What may be done to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Revoke,
    Reactivate,
    ExpireAt(Option<DateTime<Utc>>),
}

impl Action {
    fn rule(self) -> KeyAction {
        match self {
            Action::Revoke => KeyAction::Revoke,
            Action::Reactivate => KeyAction::Reactivate,
            Action::ExpireAt(_) => KeyAction::Expire,
        }
    }
}

/// Only a subscription that is in use has keys that work.
fn check_open(held: &Held, now: DateTime<Utc>) -> Result<()> {
    let status = held.subscription.status;
    let open = match status {
        SubscriptionStatus::Accepted | SubscriptionStatus::Paused => true,
        SubscriptionStatus::Pending | SubscriptionStatus::Rejected | SubscriptionStatus::Closed => false,
    };
    let ended = held.subscription.ending_at.is_some_and(|end| end <= now);
    if open && !ended {
        return Ok(());
    }
    Err(closed(&held.subscription.id.to_string(), status.label()))
}

fn refusal(error: KeyActionError) -> ApiError {
    match error {
        KeyActionError::Expired => {
            ApiError::plainly_refused("apiKey.expired", "The API key is revoked or expired already")
        }
        KeyActionError::Activated => {
            ApiError::plainly_refused("apiKey.activated", "The API key works, so it cannot be reactivated")
        }
    }
}

/// Saves keys and subscription, writes both audit rows and tells gateways.
async fn finish(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    held: &mut Held,
    key: Uuid,
    audited: &'static str,
    at: DateTime<Utc>,
) -> Result<()> {
    for key in &held.keys {
        store::save(tx, key).await?;
    }
    let entry = Entry { action: audited, kind: "api-key", id: &key.to_string() };
    audit::store::record(tx, scope, actor, entry, at).await?;
    held.publish(tx, scope, actor).await
}
