//! From a saved API to what gateways have to run.
//!
//! Deploying takes the definition and the plans of this moment; they become immutable content with a digest. Starting
//! and stopping only decide whether gateways are to run that content, so edits since then wait for the next deploy.

use super::{ApiRecord, ApiState, Published};
use crate::auth::Actor;
use crate::db::Tx;
use crate::deploy_log::{self, Appended, Change, Operation};
use crate::error::Result;
use crate::extract::too_large;
use crate::plans::{self, PlanRecord};
use crate::scope::Scope;
use crate::subscriptions::sweep;
use chrono::{DateTime, Utc};
use definition::deployment::{API_SCHEMA_VERSION, ApiDeployment, DeployedPlan, KIND_API};
use definition::dialect::check_start;
use definition::digest;
use definition::limits::MANAGEMENT_BODY_MAX_BYTES;
use definition::plan::PlanStatus;
use definition::references;

/// Who publishes, when, and under which label.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion<'a> {
    pub(super) actor: &'a Actor,
    pub(super) at: DateTime<Utc>,
    pub(super) label: Option<&'a str>,
}

/// Publishes the definition and the plans as they are now. A stopped API stays stopped: the content is kept for its
/// next start.
pub(super) async fn publish(
    tx: &mut Tx,
    scope: &Scope,
    api: &mut ApiRecord,
    occasion: Occasion<'_>,
) -> Result<Appended> {
    check_start(&api.definition)?;
    let plans = plans::store::list_for_update(tx, api).await?;
    let content = deployment(scope, api, &plans);
    let missing = references::of_deployment(&content);
    if !missing.is_empty() {
        return Err(missing.into());
    }
    let body = digest::canonical_bytes(&content)?;
    if body.len() > MANAGEMENT_BODY_MAX_BYTES {
        return Err(too_large("the definition together with its plans", MANAGEMENT_BODY_MAX_BYTES));
    }
    let digest = deploy_log::put_content(tx, KIND_API, API_SCHEMA_VERSION, &body).await?;
    let before = match api.published {
        Some(_) => Some(current_tags(tx, api).await?),
        None => None,
    };
    api.published = Some(Published { digest, at: occasion.at });
    let wanted = (api.state == ApiState::Started).then_some(digest);
    let change = Change {
        kind: KIND_API,
        id: &api.id.to_string(),
        operation: Operation::Publish,
        digest: wanted,
        tags: &content.tags,
        actor: &occasion.actor.name,
        label: occasion.label,
    };
    let appended = deploy_log::append(tx, scope, change).await?;
    if before.as_ref() != Some(&content.tags) {
        sweep::follow_tags(tx, scope, occasion.actor, api, &content.tags).await?;
    }
    Ok(appended)
}

/// The tags that decide which gateways are meant: those of the content that was last deployed, and not those edited
/// since.
pub(crate) async fn current_tags(tx: &mut Tx, api: &ApiRecord) -> Result<Vec<String>> {
    let Some(published) = api.published else { return Ok(api.definition.tags.clone()) };
    let content: ApiDeployment =
        digest::from_canonical(&super::store::published_body(tx, published.digest).await?)?;
    Ok(content.tags)
}

/// Makes gateways run content published earlier, or stop running it.
pub(super) async fn republish(
    tx: &mut Tx,
    scope: &Scope,
    api: &ApiRecord,
    published: Published,
    occasion: Occasion<'_>,
) -> Result<Appended> {
    let (operation, digest) = match api.state {
        ApiState::Started => (Operation::Start, Some(published.digest)),
        ApiState::Stopped => (Operation::Stop, None),
    };
    let tags = current_tags(tx, api).await?;
    let change = Change {
        kind: KIND_API,
        id: &api.id.to_string(),
        operation,
        digest,
        tags: &tags,
        actor: &occasion.actor.name,
        label: None,
    };
    Ok(deploy_log::append(tx, scope, change).await?)
}

/// Removes an API from gateways for good.
pub(super) async fn withdraw(
    tx: &mut Tx,
    scope: &Scope,
    api: &ApiRecord,
    occasion: Occasion<'_>,
) -> Result<()> {
    let change = Change {
        kind: KIND_API,
        id: &api.id.to_string(),
        operation: Operation::Delete,
        digest: None,
        tags: &[],
        actor: &occasion.actor.name,
        label: None,
    };
    deploy_log::append(tx, scope, change).await?;
    Ok(())
}

fn deployment(scope: &Scope, api: &ApiRecord, plans: &[PlanRecord]) -> ApiDeployment {
    let plans = plans.iter().filter(|plan| is_deployed(plan.status)).map(deployed_plan).collect();
    let id = api.id.to_string();
    ApiDeployment::new(&id, &scope.organization, &scope.environment, &api.definition, plans)
}

fn is_deployed(status: PlanStatus) -> bool {
    match status {
        PlanStatus::Published | PlanStatus::Deprecated => true,
        PlanStatus::Staging | PlanStatus::Closed => false,
    }
}

fn deployed_plan(plan: &PlanRecord) -> DeployedPlan {
    DeployedPlan {
        id: plan.id.to_string(),
        name: plan.definition.name.clone(),
        status: plan.status,
        security: plan.definition.security.clone(),
        selection_rule: plan.definition.selection_rule.clone(),
        flows: plan.definition.flows.clone(),
        tags: plan.definition.tags.clone(),
    }
}
