//! A new subscription, from either side.

use super::rules::{self, Side, Wish};
use super::{Held, History, Person, SubscriptionRecord, store};
use crate::api_keys::issue;
use crate::apis::{self, ApiRecord};
use crate::app::AppState;
use crate::applications;
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::extract::id;
use crate::plans;
use crate::scope::Scope;
use definition::subscription::{ConsumerStatus, SubscriptionRequest, SubscriptionStatus};
use uuid::Uuid;

/// Who accepted a subscription that nobody had to look at.
pub(super) const SYSTEM: &str = "system";

/// What is asked for.
pub(super) struct Order<'a> {
    pub(super) side: Side,
    pub(super) application: &'a str,
    pub(super) plan: &'a str,
    /// `None`: the plan decides.
    pub(super) api: Option<&'a str>,
    pub(super) request: SubscriptionRequest,
}

/// Creates a subscription, accepts it where nobody has to look at it, and gives it a key where the plan wants one.
pub(super) async fn subscribe(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    order: Order<'_>,
) -> Result<Held> {
    let mut tx = app.db.begin().await?;
    let application = applications::handlers::find_for_update(&mut tx, scope, order.application).await?;
    let api = find_api(&mut tx, scope, &order).await?;
    let plans = plans::store::list_for_update(&mut tx, &api).await?;
    let plan = plans::handlers::named(&plans, order.plan)?;
    let mut others = store::of_application(&mut tx, application.id).await?;
    others.retain(|other| other.api_id == api.id);
    let Order { side, request, .. } = order;
    rules::check(&Wish {
        side,
        request: &request,
        plan,
        plans: &plans,
        application: &application,
        others: &others,
    })?;

    let now = app.clock.now();
    let waits = rules::waits(plan, side);
    let automatic = plan.definition.validation == definition::plan::PlanValidation::Auto;
    let processed_by = if automatic { SYSTEM.to_owned() } else { actor.id.to_string() };
    let custom_key = request.custom_api_key;
    let subscription = SubscriptionRecord {
        id: Uuid::new_v4(),
        api_id: api.id,
        plan_id: plan.id,
        application_id: application.id,
        status: if waits { SubscriptionStatus::Pending } else { SubscriptionStatus::Accepted },
        consumer_status: ConsumerStatus::Started,
        configuration: request.configuration,
        metadata: request.metadata,
        history: History {
            subscribed_by: Person { id: actor.id, display_name: actor.name.clone() },
            request: request.request,
            processed_by: (!waits).then_some(processed_by),
            processed_at: (!waits).then_some(now),
            ..History::default()
        },
        starting_at: (!waits).then_some(now),
        ending_at: None,
        created_at: now,
        updated_at: now,
    };
    store::insert(&mut tx, scope, &subscription).await?;
    let mut held = Held { api, plans, application, subscription, keys: Vec::new() };
    issue::first_key(app, &mut tx, scope, &mut held, custom_key.as_deref(), now).await?;
    held.save(&mut tx, scope, actor, "subscription.create").await?;
    tx.commit().await?;
    Ok(held)
}

/// The API that is subscribed to, held until the transaction ends.
async fn find_api(tx: &mut Tx, scope: &Scope, order: &Order<'_>) -> Result<ApiRecord> {
    if let Some(api) = order.api {
        return apis::handlers::find_for_update(tx, scope, api).await;
    }
    let unknown = || ApiError::not_found("plan.notFound", "plan", order.plan);
    let plan = id(order.plan, "plan.notFound", "plan")?;
    let api = plans::store::api_of(tx, scope, plan).await?.ok_or_else(unknown)?;
    apis::store::find_for_update(tx, scope, api).await?.ok_or_else(unknown)
}
