//! The push subscriptions that management gives to this gateway and takes away, and what became of them.

use super::{Ended, Session};
use crate::sync::{Applier, Assignments};
use proto::sync::v1::{Assign, Revoke, up};
use std::sync::Arc;

impl<A: Applier> Session<'_, A> {
    pub(super) fn assigned(&self, assign: Assign) {
        if let Some(owns) = self.applier.owns() {
            owns.assign(assign);
        }
    }

    pub(super) fn revoked(&self, revoke: &Revoke) {
        if let Some(owns) = self.applier.owns() {
            owns.revoke(revoke);
        }
    }

    /// What management has not heard of the push subscriptions that it gave to this gateway.
    pub(super) async fn tell_news(&mut self) -> Result<(), Ended> {
        let Some(owns) = self.applier.owns() else { return Ok(()) };
        let (drains, statuses) = owns.take_news();
        if drains {
            self.up.health(true).await?;
        }
        for status in statuses {
            self.up.send(up::Message::SubscriptionStatus(status)).await?;
        }
        Ok(())
    }
}

/// Waits for something that management has not heard; for ever where nothing is owned.
pub(super) async fn news(owns: Option<&Arc<Assignments>>) {
    match owns {
        Some(owns) => owns.news().await,
        None => std::future::pending().await,
    }
}
