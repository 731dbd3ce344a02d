//! A subscription with everything that its changes touch, held until the transaction ends.

use super::{Outbox, SubscriptionRecord, store};
use crate::api_keys::{self, KeyRecord};
use crate::apis::{self, ApiRecord};
use crate::app::AppState;
use crate::applications::{self, ApplicationRecord};
use crate::audit::{self, store::Entry};
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::extract::id;
use crate::plans::{self, PlanRecord};
use crate::scope::Scope;
use http::StatusCode;
use uuid::Uuid;

/// The `technicalCode` of a subscription that is not there.
pub(super) const NOT_FOUND: &str = "subscription.notFound";

/// A subscription and what it binds together.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) api: ApiRecord,
    pub(crate) plans: Vec<PlanRecord>,
    pub(crate) application: ApplicationRecord,
    pub(crate) subscription: SubscriptionRecord,
    pub(crate) keys: Vec<KeyRecord>,
}

impl Held {
    /// Holds the subscription that a path names below its API.
    pub(crate) async fn of_api(tx: &mut Tx, scope: &Scope, api: &str, text: &str) -> Result<Held> {
        let wanted = id(api, "api.notFound", "api")?;
        if apis::store::find_in(tx, scope, wanted).await?.is_none() {
            return Err(ApiError::not_found("api.notFound", "api", api));
        }
        let found = find(tx, scope, text).await?;
        if found.api_id != wanted {
            return Err(not_found(text));
        }
        Held::hold(tx, scope, &found).await
    }

    /// Holds the subscription that a path names below its application.
    pub(crate) async fn of_application(
        tx: &mut Tx,
        scope: &Scope,
        application: &str,
        text: &str,
    ) -> Result<Held> {
        let application = applications::handlers::find_for_update(tx, scope, application).await?;
        let found = find(tx, scope, text).await?;
        if found.application_id != application.id {
            return Err(forbidden());
        }
        Held::hold(tx, scope, &found).await
    }

    /// Holds a subscription: first its application, then its API, then it is read again.
    pub(super) async fn hold(tx: &mut Tx, scope: &Scope, found: &SubscriptionRecord) -> Result<Held> {
        let missing = |what: &str| anyhow::anyhow!("subscription {} has no {what}", found.id);
        let application = applications::store::find_for_update(tx, scope, found.application_id).await?;
        let application = application.ok_or_else(|| missing("application"))?;
        let gone = || not_found(&found.id.to_string());
        let api = apis::store::find_for_update(tx, scope, found.api_id).await?.ok_or_else(gone)?;
        let subscription = store::find_in(tx, scope, found.id).await?.ok_or_else(gone)?;
        let plans = plans::store::list_for_update(tx, &api).await?;
        let keys = api_keys::store::of_subscription_in(tx, found.id).await?;
        Ok(Held { api, plans, application, subscription, keys })
    }

    /// The plan that is subscribed to.
    pub(crate) fn plan(&self) -> Result<&PlanRecord> {
        plan_of(&self.plans, self.subscription.plan_id)
    }

    /// Saves what was changed, writes the audit row and tells gateways. Called once, at the end.
    pub(crate) async fn save(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        actor: &Actor,
        audited: &'static str,
    ) -> Result<()> {
        self.store(tx, scope, actor, audited).await?;
        self.publish(tx, scope, actor).await
    }

    /// Tells gateways what is so now. Called last.
    pub(crate) async fn publish(&self, tx: &mut Tx, scope: &Scope, actor: &Actor) -> Result<()> {
        let mut outbox = Outbox::default();
        let tags = apis::publish::current_tags(tx, &self.api).await?;
        outbox.put(tx, &tags, self.plan()?, &self.application, &self.subscription, &self.keys).await?;
        outbox.flush(tx, scope, &actor.name).await
    }

    /// Saves what was changed and writes the audit row; the caller tells gateways.
    pub(super) async fn store(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        actor: &Actor,
        audited: &'static str,
    ) -> Result<()> {
        store::update(tx, &self.subscription).await?;
        for key in &self.keys {
            api_keys::store::save(tx, key).await?;
        }
        let entry = Entry { action: audited, kind: "subscription", id: &self.subscription.id.to_string() };
        audit::store::record(tx, scope, actor, entry, self.subscription.updated_at).await?;
        Ok(())
    }

    /// A subscription below its API as it is now, for reading.
    pub(crate) async fn read_of_api(app: &AppState, scope: &Scope, api: &str, text: &str) -> Result<Held> {
        let api = apis::handlers::find(app, scope, api).await?;
        let held = Held::read(app, scope, text).await?;
        if held.subscription.api_id == api.id { Ok(held) } else { Err(not_found(text)) }
    }

    /// A subscription below its application as it is now, for reading.
    pub(crate) async fn read_of_application(
        app: &AppState,
        scope: &Scope,
        application: &str,
        text: &str,
    ) -> Result<Held> {
        let application = applications::handlers::find(app, scope, application).await?;
        let held = Held::read(app, scope, text).await?;
        if held.application.id == application.id { Ok(held) } else { Err(forbidden()) }
    }

    async fn read(app: &AppState, scope: &Scope, text: &str) -> Result<Held> {
        let id = id(text, NOT_FOUND, "subscription")?;
        let found = store::find(&app.db, scope, id).await?.ok_or_else(|| not_found(text))?;
        Held::read_with(app, scope, found).await
    }

    /// A subscription that was read, with the rest as it is now.
    pub(super) async fn read_with(
        app: &AppState,
        scope: &Scope,
        subscription: SubscriptionRecord,
    ) -> Result<Held> {
        let gone = || not_found(&subscription.id.to_string());
        let api = apis::store::find(&app.db, scope, subscription.api_id).await?.ok_or_else(gone)?;
        let application = applications::store::find(&app.db, scope, subscription.application_id).await?;
        Ok(Held {
            plans: plans::store::list(&app.db, &api).await?,
            api,
            application: application.ok_or_else(gone)?,
            keys: api_keys::store::of_subscription(&app.db, subscription.id).await?,
            subscription,
        })
    }
}

fn not_found(text: &str) -> ApiError {
    ApiError::not_found(NOT_FOUND, "subscription", text)
}

fn forbidden() -> ApiError {
    let message = "You do not have sufficient rights to access this resource";
    ApiError::coded(StatusCode::FORBIDDEN, "forbidden", message, &[])
}

/// The plan of a subscription among those of its API. Plans with subscriptions cannot vanish alone.
pub(crate) fn plan_of(plans: &[PlanRecord], id: Uuid) -> Result<&PlanRecord> {
    let found = plans.iter().find(|plan| plan.id == id);
    Ok(found.ok_or_else(|| anyhow::anyhow!("plan {id} of a subscription is missing"))?)
}

async fn find(tx: &mut Tx, scope: &Scope, text: &str) -> Result<SubscriptionRecord> {
    let id = id(text, NOT_FOUND, "subscription")?;
    let found = store::find_in(tx, scope, id).await?;
    found.ok_or_else(|| not_found(text))
}
