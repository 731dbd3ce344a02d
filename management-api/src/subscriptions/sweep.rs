//! What changes many subscriptions at once: a closed plan, a deleted API, an archived or renamed application, an API
//! whose tags move it to other gateways.

use super::held::{Held, plan_of};
use super::{Outbox, rules, store};
use crate::api_keys;
use crate::apis::{self, ApiRecord};
use crate::applications::{self, ApplicationRecord};
use crate::auth::Actor;
use crate::db::Tx;
use crate::deploy_log::Operation;
use crate::error::Result;
use crate::plans;
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::subscription::{SubscriptionAction, SubscriptionStatus};
use uuid::Uuid;

/// True when a plan was ever subscribed to.
pub(crate) async fn plan_is_used(tx: &mut Tx, api: &ApiRecord, plan: Uuid) -> Result<bool> {
    Ok(store::of_api(tx, api.id).await?.iter().any(|subscription| subscription.plan_id == plan))
}

/// Closes the subscriptions of a plan that was closed. The caller holds the API and does nothing after this.
pub(crate) async fn close_plan(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    api: &ApiRecord,
    plan: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let mut outbox = Outbox::default();
    for subscription in store::of_api(tx, api.id).await? {
        if subscription.plan_id == plan && subscription.status.is_live() {
            let mut held = read(tx, scope, api, subscription).await?;
            held.act(SubscriptionAction::Close, actor, at)?;
            held.subscription.history.reason.get_or_insert_with(|| "The plan has been closed.".to_owned());
            held.store(tx, scope, actor, "subscription.close").await?;
            outbox.withdraw(held.subscription.id, &held.keys, Operation::Stop);
        }
    }
    outbox.flush(tx, scope, &actor.name).await
}

/// Everything of an API that gateways have to forget with it. Read before the API is deleted, flushed afterwards.
pub(crate) async fn of_deleted_api(tx: &mut Tx, api: &ApiRecord) -> Result<Outbox> {
    let mut outbox = Outbox::default();
    for subscription in store::of_api(tx, api.id).await? {
        let keys = api_keys::store::of_subscription_in(tx, subscription.id).await?;
        outbox.withdraw(subscription.id, &keys, Operation::Delete);
    }
    Ok(outbox)
}

/// Sends what an API's subscribers are to the gateways that its tags name now.
pub(crate) async fn follow_tags(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    api: &ApiRecord,
    tags: &[String],
) -> Result<()> {
    let plans = plans::store::list_for_update(tx, api).await?;
    let mut outbox = Outbox::default();
    for subscription in store::of_api(tx, api.id).await? {
        if subscription.status == SubscriptionStatus::Accepted {
            let plan = plan_of(&plans, subscription.plan_id)?;
            let held = read(tx, scope, api, subscription.clone()).await?;
            outbox.put(tx, tags, plan, &held.application, &subscription, &held.keys).await?;
        }
    }
    outbox.flush(tx, scope, &actor.name).await
}

/// Closes the subscriptions of an application that is archived. The caller holds the application.
pub(crate) async fn close_application(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    application: &ApplicationRecord,
    at: DateTime<Utc>,
) -> Result<()> {
    let mut outbox = Outbox::default();
    // Ordered by API, so that two of these hold APIs in the same order.
    for subscription in store::of_application(tx, application.id).await? {
        if subscription.status.is_live() {
            let mut held = Held::hold(tx, scope, &subscription).await?;
            // Its plan may have been closed while this waited for the API.
            if !held.subscription.status.is_live() {
                continue;
            }
            held.act(SubscriptionAction::Close, actor, at)?;
            held.store(tx, scope, actor, "subscription.close").await?;
            outbox.withdraw(held.subscription.id, &held.keys, Operation::Stop);
        }
    }
    outbox.flush(tx, scope, &actor.name).await
}

/// Tells gateways the name and the client identifier of a changed application. The caller holds it and has saved it.
pub(crate) async fn follow_application(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    application: &ApplicationRecord,
) -> Result<()> {
    let mut outbox = Outbox::default();
    for subscription in store::of_application(tx, application.id).await? {
        if subscription.status == SubscriptionStatus::Accepted {
            let held = Held::hold(tx, scope, &subscription).await?;
            if held.subscription.status != SubscriptionStatus::Accepted {
                continue;
            }
            let tags = apis::publish::current_tags(tx, &held.api).await?;
            outbox.put(tx, &tags, held.plan()?, application, &held.subscription, &held.keys).await?;
        }
    }
    outbox.flush(tx, scope, &actor.name).await
}

/// True when a live subscription of an application is found by its client identifier. The caller holds the application.
pub(crate) async fn needs_client_id(
    tx: &mut Tx,
    scope: &Scope,
    application: &ApplicationRecord,
) -> Result<bool> {
    for subscription in store::of_application(tx, application.id).await? {
        let live = subscription.status.is_live();
        if live && rules::takes_tokens(Held::hold(tx, scope, &subscription).await?.plan()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A subscription of an API that is held; its application is only read.
async fn read(
    tx: &mut Tx,
    scope: &Scope,
    api: &ApiRecord,
    subscription: super::SubscriptionRecord,
) -> Result<Held> {
    let application = applications::store::find_in(tx, scope, subscription.application_id).await?;
    let missing = || anyhow::anyhow!("subscription {} has no application", subscription.id);
    Ok(Held {
        api: api.clone(),
        plans: plans::store::list_for_update(tx, api).await?,
        application: application.ok_or_else(missing)?,
        keys: api_keys::store::of_subscription_in(tx, subscription.id).await?,
        subscription,
    })
}
