//! The indexes behind the look-ups. Keys name their subscriptions by id and are joined with them per look-up, so that
//! the order in which they arrive means nothing.

use super::{ApiKey, Subscription};
use crate::call::Consumer;
use crate::stop::{Stop, StopReason};
use crate::table::Rejection;
use definition::consumer::{ApiKeyResource, SubscriptionResource};
use definition::digest::Digest;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What a date belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Subscription,
    Key,
}

#[derive(Default)]
pub(super) struct Registry {
    subscriptions: HashMap<Arc<str>, Arc<Subscription>>,
    /// By API, then by client id.
    by_client: HashMap<String, HashMap<String, Vec<Arc<Subscription>>>>,
    keys: HashMap<Arc<str>, Arc<ApiKey>>,
    by_hash: HashMap<Digest, Vec<Arc<ApiKey>>>,
    /// The first millisecond at which each is over.
    ends: BTreeSet<(i64, Kind, Arc<str>)>,
}

impl Registry {
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.subscriptions.len(), self.keys.len())
    }

    pub(super) fn put_subscription(&mut self, resource: SubscriptionResource, now_ms: i64) {
        let old = self.take_subscription(&resource.id);
        let mut subscription = subscription(resource);
        let live = subscription.is_live(now_ms);
        // Open streams live on as long as the subscription does, and see its metadata as it is now. Those of tokens that
        // name another client than the subscription does now end: it was that name that let them in.
        let goes_on = |old: &Subscription, new: &SubscriptionResource| {
            live && old.resource.api == new.api
                && old.resource.client_id == new.client_id
                && old.stop.reason().is_none()
        };
        match old {
            Some(old) if goes_on(&old, &subscription.resource) => {
                subscription.stop = Arc::clone(&old.stop);
                let metadata = old.consumer.metadata.clone();
                metadata.replace(subscription.resource.metadata.clone());
                subscription.consumer =
                    Arc::new(Consumer { metadata, ..Consumer::clone(&subscription.consumer) });
            }
            Some(old) => old.stop.signal(StopReason::AccessEnded),
            None => {}
        }
        let subscription = Arc::new(subscription);
        let id = Arc::clone(&subscription.id);
        if let Some(end) = subscription.resource.ending_at_ms.filter(|_| live) {
            self.ends.insert((end.saturating_add(1), Kind::Subscription, Arc::clone(&id)));
        }
        if let Some(client) = &subscription.resource.client_id {
            let clients = self.by_client.entry(subscription.resource.api.clone()).or_default();
            clients.entry(client.clone()).or_default().push(Arc::clone(&subscription));
        }
        self.subscriptions.insert(id, subscription);
    }

    pub(super) fn remove_subscription(&mut self, id: &str) {
        if let Some(old) = self.take_subscription(id) {
            old.stop.signal(StopReason::AccessEnded);
        }
    }

    fn take_subscription(&mut self, id: &str) -> Option<Arc<Subscription>> {
        let old = self.subscriptions.remove(id)?;
        if let Some(end) = old.resource.ending_at_ms {
            self.ends.remove(&(end.saturating_add(1), Kind::Subscription, Arc::clone(&old.id)));
        }
        if let Some(client) = &old.resource.client_id
            && let Some(clients) = self.by_client.get_mut(&old.resource.api)
        {
            if let Some(list) = clients.get_mut(client) {
                list.retain(|other| other.id != old.id);
                if list.is_empty() {
                    clients.remove(client);
                }
            }
            if clients.is_empty() {
                self.by_client.remove(&old.resource.api);
            }
        }
        Some(old)
    }

    pub(super) fn put_key(&mut self, resource: &ApiKeyResource, now_ms: i64) -> Result<(), Rejection> {
        let Some(hash) = digest(&resource.hash) else {
            let message = "the hash of the key is no SHA-256 in hexadecimal: renew the key";
            return Err(Rejection::new("CONSUMER_UNREADABLE", "hash", message));
        };
        let mut key = ApiKey {
            id: resource.id.as_str().into(),
            hash,
            subscriptions: resource.subscriptions.clone(),
            expire_at_ms: resource.expire_at_ms,
            live: !resource.revoked && !resource.paused,
            stop: Arc::default(),
        };
        let usable = key.is_usable(now_ms);
        match self.take_key(&resource.id) {
            Some(old) if usable && old.hash == hash && old.stop.reason().is_none() => {
                key.stop = Arc::clone(&old.stop);
            }
            Some(old) => old.stop.signal(StopReason::AccessEnded),
            None => {}
        }
        let key = Arc::new(key);
        if let Some(end) = key.expire_at_ms.filter(|_| usable) {
            self.ends.insert((end, Kind::Key, Arc::clone(&key.id)));
        }
        self.by_hash.entry(hash).or_default().push(Arc::clone(&key));
        self.keys.insert(Arc::clone(&key.id), key);
        Ok(())
    }

    pub(super) fn remove_key(&mut self, id: &str) {
        if let Some(old) = self.take_key(id) {
            old.stop.signal(StopReason::AccessEnded);
        }
    }

    fn take_key(&mut self, id: &str) -> Option<Arc<ApiKey>> {
        let old = self.keys.remove(id)?;
        if let Some(end) = old.expire_at_ms {
            self.ends.remove(&(end, Kind::Key, Arc::clone(&old.id)));
        }
        if let Some(keys) = self.by_hash.get_mut(&old.hash) {
            keys.retain(|other| other.id != old.id);
            if keys.is_empty() {
                self.by_hash.remove(&old.hash);
            }
        }
        Some(old)
    }

    pub(super) fn by_key(
        &self,
        api: &str,
        hash: &Digest,
        plan: &str,
    ) -> Option<(Arc<Subscription>, Arc<ApiKey>)> {
        let keys = self.by_hash.get(hash)?;
        keys.iter().find_map(|key| {
            let named = key.subscriptions.iter().filter_map(|id| self.subscriptions.get(id.as_str()));
            let mut fitting = named.filter(|subscription| fits(subscription, api, plan));
            fitting.next().map(|subscription| (Arc::clone(subscription), Arc::clone(key)))
        })
    }

    pub(super) fn by_client(&self, api: &str, client_id: &str, plan: &str) -> Option<Arc<Subscription>> {
        let subscriptions = self.by_client.get(api)?.get(client_id)?;
        subscriptions.iter().find(|subscription| fits(subscription, api, plan)).cloned()
    }

    pub(super) fn pushed(&self, id: &str) -> Option<Arc<SubscriptionResource>> {
        let subscription = self.subscriptions.get(id).filter(|subscription| subscription.resource.push)?;
        Some(Arc::clone(&subscription.resource))
    }

    /// Tells the streams of everything that is over; answers when the next one will be.
    pub(super) fn end_what_is_over(&mut self, now_ms: i64) -> Option<i64> {
        loop {
            let next = self.ends.first()?.0;
            if next > now_ms {
                return Some(next);
            }
            let (_, kind, id) = self.ends.pop_first()?;
            let stop = match kind {
                Kind::Subscription => self.subscriptions.get(&id).map(|subscription| &subscription.stop),
                Kind::Key => self.keys.get(&id).map(|key| &key.stop),
            };
            if let Some(stop) = stop {
                stop.signal(StopReason::AccessEnded);
            }
        }
    }
}

/// Push subscriptions authorize no call.
fn fits(subscription: &Subscription, api: &str, plan: &str) -> bool {
    subscription.resource.api == api && subscription.plan == plan && !subscription.resource.push
}

fn subscription(resource: SubscriptionResource) -> Subscription {
    let consumer = Consumer::of(&resource);
    let id = Arc::clone(&consumer.subscription);
    let plan = resource.plan.clone();
    let resource = Arc::new(resource);
    Subscription { id, plan, consumer: Arc::new(consumer), stop: Arc::<Stop>::default(), resource }
}

fn digest(hexadecimal: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let digits = hexadecimal.as_bytes();
    if digits.len() != digest.len() * 2 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
