//! What gateways are told of subscriptions and keys: the live ones, and that others are gone.

use super::SubscriptionRecord;
use crate::api_keys::KeyRecord;
use crate::applications::ApplicationRecord;
use crate::db::Tx;
use crate::deploy_log::{self, Change, Operation};
use crate::error::Result;
use crate::extract::too_large;
use crate::leases;
use crate::plans::PlanRecord;
use crate::scope::Scope;
use definition::consumer::{
    API_KEY_SCHEMA_VERSION, ApiKeyResource, KIND_API_KEY, KIND_SUBSCRIPTION, SUBSCRIPTION_SCHEMA_VERSION,
    SubscriptionResource,
};
use definition::digest::{Digest, canonical_bytes};
use definition::plan::PlanSecurityType;
use definition::subscription::{ConsumerStatus, SubscriptionStatus};
use uuid::Uuid;

/// Greatest body of a subscription on its way to gateways, bytes.
const SUBSCRIPTION_MAX_BYTES: usize = 64 * 1024;

/// Changes that are collected during a transaction and appended at its end, because everything after the first one
/// keeps the environment's other deployments waiting.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pending: Vec<Pending>,
    owning: Vec<Owning>,
}

/// What becomes of the owner of a subscription.
#[derive(Debug)]
enum Owning {
    /// It is one that is pushed, of this API; true while somebody is to run it.
    Pushed(Uuid, String, bool),
    /// Nobody is to run it, if it is one that is pushed.
    Over(Uuid),
}

#[derive(Debug)]
struct Pending {
    kind: &'static str,
    id: String,
    operation: Operation,
    digest: Option<Digest>,
    tags: Vec<String>,
}

impl Outbox {
    /// A subscription and its keys as they are now. `tags`: those of the API as it is deployed.
    pub(crate) async fn put(
        &mut self,
        tx: &mut Tx,
        tags: &[String],
        plan: &PlanRecord,
        application: &ApplicationRecord,
        subscription: &SubscriptionRecord,
        keys: &[KeyRecord],
    ) -> Result<()> {
        let id = subscription.id.to_string();
        if subscription.status != SubscriptionStatus::Accepted {
            self.withdraw(subscription.id, keys, Operation::Stop);
            return Ok(());
        }
        let body = canonical_bytes(&resource(plan, application, subscription))?;
        if body.len() > SUBSCRIPTION_MAX_BYTES {
            return Err(too_large(
                "the subscription with its configuration and metadata",
                SUBSCRIPTION_MAX_BYTES,
            ));
        }
        let digest =
            deploy_log::put_content(tx, KIND_SUBSCRIPTION, SUBSCRIPTION_SCHEMA_VERSION, &body).await?;
        self.push(KIND_SUBSCRIPTION, id, Operation::Publish, Some(digest), tags);
        if plan.definition.security.security_type == PlanSecurityType::Subscription {
            let wanted = subscription.consumer_status == ConsumerStatus::Started;
            self.owning.push(Owning::Pushed(subscription.id, subscription.api_id.to_string(), wanted));
        }
        for key in keys {
            let live = !key.revoked && !key.paused;
            let digest = if live {
                let body = canonical_bytes(&key_resource(key))?;
                Some(deploy_log::put_content(tx, KIND_API_KEY, API_KEY_SCHEMA_VERSION, &body).await?)
            } else {
                None
            };
            let operation = if live { Operation::Publish } else { Operation::Stop };
            self.push(KIND_API_KEY, key.id.to_string(), operation, digest, tags);
        }
        Ok(())
    }

    /// A subscription and its keys that gateways have to let go.
    pub(crate) fn withdraw(&mut self, subscription: Uuid, keys: &[KeyRecord], operation: Operation) {
        for key in keys {
            self.push(KIND_API_KEY, key.id.to_string(), operation, None, &[]);
        }
        self.push(KIND_SUBSCRIPTION, subscription.to_string(), operation, None, &[]);
        self.owning.push(Owning::Over(subscription));
    }

    fn push(
        &mut self,
        kind: &'static str,
        id: String,
        operation: Operation,
        digest: Option<Digest>,
        tags: &[String],
    ) {
        self.pending.push(Pending { kind, id, operation, digest, tags: tags.to_vec() });
    }

    /// Appends everything to the deploy log. What gateways hold already costs no revision.
    pub(crate) async fn flush(self, tx: &mut Tx, scope: &Scope, actor: &str) -> Result<()> {
        for owning in &self.owning {
            match owning {
                Owning::Pushed(id, api, wanted) => {
                    leases::store::want(tx, scope, *id, api, *wanted).await?;
                }
                Owning::Over(id) => leases::store::unwant(tx, *id).await?,
            }
        }
        for Pending { kind, id, operation, digest, tags } in &self.pending {
            let change =
                Change { kind, id, operation: *operation, digest: *digest, tags, actor, label: None };
            deploy_log::append(tx, scope, change).await?;
        }
        Ok(())
    }
}

fn resource(
    plan: &PlanRecord,
    application: &ApplicationRecord,
    subscription: &SubscriptionRecord,
) -> SubscriptionResource {
    SubscriptionResource {
        id: subscription.id.to_string(),
        api: subscription.api_id.to_string(),
        plan: subscription.plan_id.to_string(),
        application: application.id.to_string(),
        application_name: application.definition.name.clone(),
        client_id: application.definition.client_id().map(str::to_owned),
        status: subscription.status,
        consumer_status: subscription.consumer_status,
        configuration: subscription.configuration.clone(),
        metadata: subscription.metadata.clone(),
        starting_at_ms: subscription.starting_at.map(|at| at.timestamp_millis()),
        ending_at_ms: subscription.ending_at.map(|at| at.timestamp_millis()),
        push: plan.definition.security.security_type == PlanSecurityType::Subscription,
    }
}

fn key_resource(key: &KeyRecord) -> ApiKeyResource {
    ApiKeyResource {
        id: key.id.to_string(),
        hash: key.hash.clone(),
        subscriptions: vec![key.subscription_id.to_string()],
        expire_at_ms: key.expire_at.map(|at| at.timestamp_millis()),
        revoked: key.revoked,
        paused: key.paused,
    }
}
