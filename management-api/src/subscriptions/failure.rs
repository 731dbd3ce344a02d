//! A gateway gave up delivering: the subscription says so, with the reason, until somebody takes it up again.

use super::subscribe::SYSTEM;
use super::{Held, store};
use crate::auth::Actor;
use crate::db::Db;
use crate::leases::{self, roll::Report};
use crate::sync::environment_scope;
use chrono::{DateTime, SubsecRound, Utc};
use definition::subscription::ConsumerStatus;
use uuid::Uuid;

/// Characters of a reason that are kept.
const REASON_MAX_CHARS: usize = 1_000;

/// Records a failure, if whoever reports it still owns the subscription.
pub(crate) async fn record(db: &Db, report: &Report, now: DateTime<Utc>) -> anyhow::Result<()> {
    let Some(scope) = environment_scope(&report.environment) else { return Ok(()) };
    let mut tx = db.begin().await?;
    let Some(found) = store::find_in(&mut tx, &scope, report.subscription).await? else { return Ok(()) };
    let mut held = Held::hold(&mut tx, &scope, &found).await?;
    if !leases::store::fail(&mut tx, report, now).await? {
        return Ok(());
    }
    let subscription = &mut held.subscription;
    if subscription.consumer_status == ConsumerStatus::Started {
        subscription.consumer_status = ConsumerStatus::Failure;
        subscription.history.failure_cause = Some(report.reason.chars().take(REASON_MAX_CHARS).collect());
        subscription.updated_at = subscription.updated_at.max(now.trunc_subsecs(3));
        let actor = Actor { id: Uuid::nil(), name: SYSTEM.to_owned() };
        held.save(&mut tx, &scope, &actor, "subscription.failure").await?;
    }
    tx.commit().await?;
    metrics::counter!("tidegate_push_failures_total").increment(1);
    tracing::warn!(subscription = %report.subscription, reason = report.reason, "a gateway gave up delivering");
    Ok(())
}
