//! Who may subscribe to what: the checks of a new subscription in the order in which they answer. Pure.

use super::SubscriptionRecord;
use crate::applications::ApplicationRecord;
use crate::error::{ApiError, Result};
use crate::plans::PlanRecord;
use definition::application::ApplicationStatus;
use definition::plan::{PlanSecurityType, PlanStatus, PlanValidation};
use definition::subscription::SubscriptionRequest;

/// Who asks for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The API's side: what it asks for it has accepted.
    Publisher,
    Consumer,
}

/// Everything that decides.
pub(super) struct Wish<'a> {
    pub(super) side: Side,
    pub(super) request: &'a SubscriptionRequest,
    pub(super) plan: &'a PlanRecord,
    pub(super) plans: &'a [PlanRecord],
    pub(super) application: &'a ApplicationRecord,
    /// Subscriptions of this application to this API.
    pub(super) others: &'a [SubscriptionRecord],
}

/// Refuses a subscription that is not possible.
pub(super) fn check(wish: &Wish<'_>) -> Result<()> {
    check_plan(wish.plan)?;
    let security = wish.plan.definition.security.security_type;
    if security == PlanSecurityType::Subscription && wish.request.configuration.is_none() {
        let message =
            "Subscription configuration must contain entrypoint id: a push plan needs to know where to push";
        return Err(ApiError::refused("subscription.entrypoint.missing", message, &[]));
    }
    let plan = wish.plan.id.to_string();
    if wish.side == Side::Consumer
        && wish.plan.definition.general_conditions.is_some()
        && !wish.request.general_conditions_accepted
    {
        let message = "You must accept the general conditions: send `generalConditionsAccepted: true`";
        return Err(ApiError::refused("plan.general_conditions_accept", message, &[("plan", &plan)]));
    }
    check_active(wish.application)?;
    check_not_subscribed(wish)?;
    check_token_plan(wish)?;
    if wish.side == Side::Consumer && wish.plan.definition.comment_required && wish.request.request.is_none()
    {
        let asked = wish.plan.definition.comment_message.as_deref().unwrap_or("the plan requires a comment");
        return Err(ApiError::bad_request(format!("`request` must not be empty: {asked}")));
    }
    Ok(())
}

fn check_plan(plan: &PlanRecord) -> Result<()> {
    let id = plan.id.to_string();
    match plan.status {
        PlanStatus::Deprecated => {
            let message = format!("Plan [{id}] is deprecated and takes no new subscriptions");
            return Err(ApiError::plainly_refused("plan.notSubscribable", message));
        }
        PlanStatus::Closed => {
            let message = format!("Plan {id} is already closed !");
            return Err(ApiError::refused("plan.closed", message, &[("plan", &id)]));
        }
        PlanStatus::Staging => {
            let message = format!("Plan {id} is not yet published !");
            return Err(ApiError::refused("plan.notPublished", message, &[("plan", &id)]));
        }
        PlanStatus::Published => {}
    }
    if plan.definition.security.security_type == PlanSecurityType::KeyLess {
        return Err(ApiError::plainly_refused(
            "plan.notSubscribable",
            "A key_less plan is not subscribable !",
        ));
    }
    Ok(())
}

/// Refuses what an archived application cannot do.
pub(crate) fn check_active(application: &ApplicationRecord) -> Result<()> {
    match application.status {
        ApplicationStatus::Active => Ok(()),
        ApplicationStatus::Archived => {
            let id = application.id.to_string();
            let message = format!("The application [{id}] has been archived and cannot be used.");
            Err(ApiError::refused("application.archived", message, &[("application", &id)]))
        }
    }
}

/// One live subscription per plan; to a push plan one per channel.
fn check_not_subscribed(wish: &Wish<'_>) -> Result<()> {
    let channel = wish.request.configuration.as_ref().and_then(|found| found.channel.as_deref());
    let same = |other: &&SubscriptionRecord| other.channel() == channel.unwrap_or_default();
    match live(wish.others, wish.plan).find(same) {
        Some(_) => Err(subscribed(wish.plan)),
        None => Ok(()),
    }
}

pub(super) fn live<'a>(
    others: &'a [SubscriptionRecord],
    plan: &'a PlanRecord,
) -> impl Iterator<Item = &'a SubscriptionRecord> {
    others.iter().filter(|other| other.plan_id == plan.id && other.status.is_live())
}

/// 400 for a second live subscription to a plan.
pub(super) fn subscribed(plan: &PlanRecord) -> ApiError {
    let message = "There is already a PENDING or ACCEPTED subscription for this plan.";
    ApiError::refused("plan.subscribed", message, &[("plan", &plan.id.to_string())])
}

/// Tokens are matched with the application's client identifier, so it needs one, and one token plan per API.
fn check_token_plan(wish: &Wish<'_>) -> Result<()> {
    if !takes_tokens(wish.plan) {
        return Ok(());
    }
    let has_token_plan = |other: &&SubscriptionRecord| {
        let plan = wish.plans.iter().find(|plan| plan.id == other.plan_id);
        other.status.is_live() && plan.is_some_and(takes_tokens)
    };
    if wish.others.iter().any(|other| has_token_plan(&other)) {
        let message = "The application is subscribed to another OAuth2 or JWT plan of this API";
        return Err(ApiError::plainly_refused("plan.otherOAuth2OrJWTSubscribed", message));
    }
    if wish.application.definition.client_id().is_none() {
        let message =
            "An OAuth2 or JWT plan needs an application with a client_id; give it one in its settings";
        return Err(ApiError::plainly_refused("plan.notSubscribable", message));
    }
    Ok(())
}

/// True when callers are found by the client identifier that their tokens carry.
pub(super) fn takes_tokens(plan: &PlanRecord) -> bool {
    match plan.definition.security.security_type {
        PlanSecurityType::Oauth2 | PlanSecurityType::Jwt => true,
        PlanSecurityType::KeyLess | PlanSecurityType::ApiKey | PlanSecurityType::Subscription => false,
    }
}

/// True when the publisher has to look at a subscription before it is used.
pub(super) fn waits(plan: &PlanRecord, side: Side) -> bool {
    side == Side::Consumer && plan.definition.validation == PlanValidation::Manual
}

/// Refuses a move to a plan that subscribers of `from` cannot simply have.
pub(super) fn check_transfer(from: &PlanRecord, to: &PlanRecord) -> Result<()> {
    let possible = to.status == PlanStatus::Published
        && to.definition.security.security_type == from.definition.security.security_type
        && to.definition.general_conditions.is_none()
        && to.id != from.id;
    if possible {
        return Ok(());
    }
    let id = to.id.to_string();
    let message = format!(
        "Subscriptions cannot be moved to plan [{id}]: it must be another, published one with the same security and \
         without general conditions"
    );
    Err(ApiError::refused("plan.transferNotAllowed", message, &[("plan", &id)]))
}
