//! Subscriptions whose end has come are closed. Gateways look at the dates themselves, so nothing depends on how soon
//! this happens; it makes the store say what is so. Every management node does it: whoever comes second finds it done.

use super::{Held, store};
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::scope::Scope;
use definition::subscription::SubscriptionAction;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pause between two looks.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// Subscriptions closed per look.
const CLOSED_PER_LOOK: i64 = 200;

/// Closes what has ended until `shutdown`.
pub(crate) async fn run(app: AppState, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut looks = tokio::time::interval(LOOK_PERIOD);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = looks.tick() => {}
        }
        if let Err(error) = close_ended(&app).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "ended subscriptions could not be closed, trying again"
            );
        }
    }
}

/// Closes what has ended by now, and answers how many were closed here.
pub(crate) async fn close_ended(app: &AppState) -> Result<usize> {
    let mut closed = 0;
    for (scope, id) in store::due(&app.db, app.clock.now(), CLOSED_PER_LOOK).await? {
        closed += usize::from(close(app, &scope, id).await?);
    }
    Ok(closed)
}

async fn close(app: &AppState, scope: &Scope, id: Uuid) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(found) = store::find_in(&mut tx, scope, id).await? else { return Ok(false) };
    let mut held = Held::hold(&mut tx, scope, &found).await?;
    let now = app.clock.now();
    let ended = held.subscription.ending_at.is_some_and(|end| end <= now);
    if !ended || !held.subscription.status.is_live() {
        return Ok(false);
    }
    let actor = Actor { id: Uuid::nil(), name: super::subscribe::SYSTEM.to_owned() };
    held.act(SubscriptionAction::Close, &actor, now)?;
    held.save(&mut tx, scope, &actor, "subscription.close").await?;
    tx.commit().await?;
    Ok(true)
}
