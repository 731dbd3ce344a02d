//! The gateways of this management node that can own push subscriptions, and what they reported and the store does
//! not know yet. Bounded by what exists: the newest word per gateway and per subscription.

use super::Owner;
use super::store::NodeRow;
use chrono::{DateTime, TimeDelta, Utc};
use definition::consumer::{PUSH_LEASE_MS, PushState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// What a gateway said about a subscription that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) subscription: Uuid,
    pub(crate) environment: String,
    pub(crate) owner: Owner,
    pub(crate) generation: u64,
    pub(crate) state: PushState,
    pub(crate) reason: String,
}

struct Live {
    session: u64,
    process: String,
    incarnation: u64,
    tags: BTreeSet<String>,
    environments: BTreeSet<String>,
    ready: bool,
    draining: bool,
    heard: Instant,
}

#[derive(Default)]
struct Pages {
    live: BTreeMap<String, Live>,
    /// Those that said good-bye.
    gone: BTreeSet<Owner>,
    reports: BTreeMap<Uuid, Report>,
}

#[derive(Default)]
pub(crate) struct Roll {
    pages: Mutex<Pages>,
    /// Something that others should know now.
    pub(super) news: Notify,
}

/// A session's place on the roll, given back when dropped.
pub(crate) struct Presence {
    roll: Arc<Roll>,
    owner: Owner,
    session: u64,
}

impl Roll {
    /// A session of a gateway began; an earlier one of the same node no longer counts.
    pub(crate) fn enter(
        self: &Arc<Self>,
        session: u64,
        owner: Owner,
        incarnation: u64,
        tags: BTreeSet<String>,
        environments: BTreeSet<String>,
    ) -> Presence {
        let live = Live {
            session,
            process: owner.process.clone(),
            incarnation,
            tags,
            environments,
            ready: false,
            draining: false,
            heard: Instant::now(),
        };
        self.pages().live.insert(owner.node.clone(), live);
        self.news.notify_one();
        Presence { roll: Arc::clone(self), owner, session }
    }

    /// The rows that say who lives, `now` being the store's time. A gateway that was not heard of for the time of a
    /// lease is left out: its row may be renewed by somebody who hears it.
    pub(super) fn rows(&self, now: DateTime<Utc>) -> Vec<NodeRow> {
        let lease = Duration::from_millis(PUSH_LEASE_MS);
        let pages = self.pages();
        let rows = pages.live.iter().filter_map(|(node, live)| {
            let left = lease.checked_sub(live.heard.elapsed())?;
            Some(NodeRow {
                owner: Owner { node: node.clone(), process: live.process.clone() },
                incarnation: live.incarnation,
                tags: live.tags.clone(),
                environments: live.environments.clone(),
                ready: live.ready,
                draining: live.draining,
                alive_until: now + TimeDelta::from_std(left).unwrap_or_default(),
            })
        });
        rows.collect()
    }

    /// The gateways that said good-bye and are still in the store.
    pub(super) fn gone(&self) -> Vec<Owner> {
        self.pages().gone.iter().cloned().collect()
    }

    /// The store knows that a gateway is gone.
    pub(super) fn forgotten(&self, owner: &Owner) {
        self.pages().gone.remove(owner);
    }

    /// What was reported and is not settled.
    pub(super) fn reports(&self) -> Vec<Report> {
        self.pages().reports.values().cloned().collect()
    }

    /// The store knows a report, unless something newer came meanwhile.
    pub(super) fn settled(&self, report: &Report) {
        let mut pages = self.pages();
        if pages.reports.get(&report.subscription) == Some(report) {
            pages.reports.remove(&report.subscription);
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The gateway gave a sign of life.
    pub(crate) fn heard(&self) {
        self.change(|live| {
            live.heard = Instant::now();
            false
        });
    }

    /// What the gateway serves, and whether it holds all of it. Once ready it stays so: from then on it only catches up.
    pub(crate) fn serves(&self, environments: BTreeSet<String>, complete: bool) {
        self.change(|live| {
            let ready = live.ready || complete;
            let news = live.ready != ready || live.environments != environments;
            (live.ready, live.environments) = (ready, environments);
            news
        });
    }

    /// The gateway is about to stop.
    pub(crate) fn drains(&self) {
        self.change(|live| !std::mem::replace(&mut live.draining, true));
    }

    /// The gateway reported something about one of its subscriptions.
    pub(crate) fn report(&self, report: Report) {
        let mut pages = self.roll.pages();
        let older =
            pages.reports.get(&report.subscription).is_none_or(|known| known.generation <= report.generation);
        if older {
            pages.reports.insert(report.subscription, report);
        }
        drop(pages);
        self.roll.news.notify_one();
    }

    /// The gateway said good-bye: nothing that it owned runs any more.
    pub(crate) fn gone(self) {
        self.roll.pages().gone.insert(self.owner.clone());
        drop(self);
    }

    fn change(&self, change: impl FnOnce(&mut Live) -> bool) {
        let mut pages = self.roll.pages();
        let live = pages.live.get_mut(&self.owner.node).filter(|live| live.session == self.session);
        let news = live.is_some_and(change);
        drop(pages);
        if news {
            self.roll.news.notify_one();
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut pages = self.roll.pages();
        if pages.live.get(&self.owner.node).is_some_and(|live| live.session == self.session) {
            pages.live.remove(&self.owner.node);
        }
        drop(pages);
        self.roll.news.notify_one();
    }
}
