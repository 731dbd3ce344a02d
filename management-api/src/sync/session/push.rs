//! The push subscriptions of one gateway: it is told what it owns and what it no longer owns, as the difference between
//! what the store says and what it was told or says itself.

use super::hello::Hello;
use super::{End, Session};
use crate::leases::roll::{Presence, Report, Roll};
use crate::leases::{Owned, Owner};
use crate::scope::Scope;
use crate::sync::view;
use chrono::Utc;
use definition::consumer::{CAPABILITY_PUSH, PUSH_LEASE_MS, PUSH_VERSION, PushState};
use proto::sync::v1::{Assign, Revoke, SubscriptionStatus, down};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Characters of a reason that are kept.
const REASON_MAX_CHARS: usize = 1_000;

pub(super) struct Push {
    pub(super) presence: Presence,
    /// What the gateway takes for its own.
    told: BTreeMap<Uuid, Owned>,
    /// How many environments the roll knows of, and whether it knows that the gateway holds everything.
    shown: (usize, bool),
}

impl Push {
    /// `None`: the gateway cannot own push subscriptions.
    pub(super) fn begin<'a>(
        roll: &Arc<Roll>,
        session: u64,
        hello: &Hello,
        scopes: impl Iterator<Item = &'a Scope>,
    ) -> Option<Push> {
        if !hello.capabilities.can_read(CAPABILITY_PUSH, PUSH_VERSION) {
            return None;
        }
        let owner = Owner { node: hello.node.clone(), process: hello.process.clone() };
        let environments: BTreeSet<String> = scopes.map(view::name).collect();
        let shown = (environments.len(), false);
        let presence = roll.enter(session, owner, hello.incarnation, hello.view.tags.clone(), environments);
        Some(Push { presence, told: BTreeMap::new(), shown })
    }
}

impl Session {
    /// Tells the gateway what changed about what it owns.
    pub(super) async fn assign(&mut self) -> Result<(), End> {
        let Some(push) = &mut self.push else { return Ok(()) };
        let complete = self.served.values().all(|served| served.environment.steady().is_some());
        let shown = (self.served.len(), push.shown.1 || complete);
        if push.shown != shown {
            push.shown = shown;
            push.presence.serves(self.served.keys().map(view::name).collect(), complete);
        }
        let Some(picture) = self.context.pictures.borrow().clone() else { return Ok(()) };
        let nothing = BTreeMap::new();
        let owned = picture.owned.get(push.presence.owner()).unwrap_or(&nothing);
        let mut messages = Vec::new();
        for (id, told) in &push.told {
            // A store that was restored may count from an earlier generation: the later one has to go first.
            if owned.get(id).is_none_or(|owned| owned.generation < told.generation) {
                messages.push(down::Message::Revoke(Revoke {
                    environment: told.environment.clone(),
                    subscription: id.to_string(),
                    generation: told.generation,
                }));
            }
        }
        let lease_ms = i64::try_from(PUSH_LEASE_MS).unwrap_or(i64::MAX);
        let expires = u64::try_from(Utc::now().timestamp_millis().saturating_add(lease_ms)).unwrap_or(0);
        for (id, owned) in owned {
            if push.told.get(id) != Some(owned) {
                messages.push(down::Message::Assign(Assign {
                    environment: owned.environment.clone(),
                    subscription: id.to_string(),
                    generation: owned.generation,
                    expires_unix_ms: expires,
                }));
            }
        }
        push.told = owned.clone();
        for message in messages {
            self.out.send(message).await?;
        }
        Ok(())
    }

    /// Takes what the gateway says about one of its subscriptions. What cannot be read is of no subscription.
    pub(super) fn subscription_status(&mut self, status: SubscriptionStatus) {
        let Some(push) = &mut self.push else { return };
        let SubscriptionStatus { environment, subscription, generation, state, reason } = status;
        let (Ok(id), Some(state)) = (Uuid::parse_str(&subscription), PushState::parse(&state)) else {
            return;
        };
        let told = push.told.get(&id);
        if told.is_some_and(|told| told.generation > generation) {
            return;
        }
        push.told.insert(id, Owned { environment: environment.clone(), generation });
        push.presence.report(Report {
            subscription: id,
            environment,
            owner: push.presence.owner().clone(),
            generation,
            state,
            reason: reason.chars().take(REASON_MAX_CHARS).collect(),
        });
    }
}
