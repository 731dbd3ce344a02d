//! Resource `cache`: answers in memory, bounded in entries and in bytes. It lives as long as one version of its API.

use super::Resource;
use crate::endpoint::Shared;
use bytes::Bytes;
use definition::api::Settings;
use definition::resource::cache::Cache as CacheSettings;
use definition::violation::Violation;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use moka::Expiry;
use moka::policy::EvictionPolicy;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Memory of one cache, bytes of bodies and headers.
const CACHE_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Greatest body that is kept, bytes.
pub(crate) const ENTRY_MAX_BYTES: usize = 1024 * 1024;
/// What an entry takes besides its contents, bytes.
const ENTRY_OVERHEAD_BYTES: usize = 512;

/// An answer that was kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Headers of the request that the answer depends on, with their values.
    pub(crate) varies: Vec<(HeaderName, Vec<HeaderValue>)>,
    pub(crate) time_to_live: Duration,
}

/// A cache.
pub(crate) struct Cache {
    entries: moka::sync::Cache<String, Arc<Entry>>,
    time_to_live: Option<Duration>,
}

/// Builds the resource.
pub(crate) fn build(settings: &Settings, _shared: &Shared) -> Result<Resource, Vec<Violation>> {
    let settings = CacheSettings::parse(settings)?;
    Ok(Resource::Cache(Arc::new(Cache::new(&settings))))
}

impl Cache {
    fn new(settings: &CacheSettings) -> Self {
        let seconds = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        // The bytes bound the number of entries too: each of them counts for at least its share.
        let least = CACHE_MAX_BYTES / settings.max_entries_local_heap.max(1);
        let mut builder = moka::sync::Cache::builder()
            .max_capacity(CACHE_MAX_BYTES)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(move |key: &String, entry: &Arc<Entry>| {
                let weight = u64::try_from(weight(key, entry)).unwrap_or(u64::MAX).max(least);
                u32::try_from(weight).unwrap_or(u32::MAX)
            })
            .expire_after(Lifetime);
        if let Some(idle) = seconds(settings.time_to_idle_seconds) {
            builder = builder.time_to_idle(idle);
        }
        Cache { entries: builder.build(), time_to_live: seconds(settings.time_to_live_seconds) }
    }

    /// The entry of a key, when there is one and its time is not over.
    pub(crate) fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    /// Keeps an answer for its time, but not longer than the cache keeps anything. A time of zero: for as long as the
    /// cache does. Too large ones are not kept.
    pub(crate) fn put(&self, key: String, mut entry: Entry) {
        let wanted = (!entry.time_to_live.is_zero()).then_some(entry.time_to_live);
        let Some(time) = [wanted, self.time_to_live].into_iter().flatten().min() else { return };
        if entry.body.len() <= ENTRY_MAX_BYTES {
            entry.time_to_live = time;
            self.entries.insert(key, Arc::new(entry));
        }
    }
}

fn weight(key: &str, entry: &Entry) -> usize {
    let headers = entry.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    key.len() + headers.sum::<usize>() + entry.body.len() + ENTRY_OVERHEAD_BYTES
}

/// Each entry has a time of its own.
struct Lifetime;

impl Expiry<String, Arc<Entry>> for Lifetime {
    fn expire_after_create(&self, _: &String, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.time_to_live)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Arc<Entry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.time_to_live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn cache(settings: Value) -> Arc<Cache> {
        let settings = settings.as_object().unwrap().clone();
        match build(&settings, &Shared::default()).unwrap() {
            Resource::Cache(cache) => cache,
            Resource::Oauth2(_) | Resource::Users(_) => unreachable!("a cache was built"),
        }
    }

    fn entry(body: Vec<u8>, seconds: u64) -> Entry {
        Entry { body: body.into(), time_to_live: Duration::from_secs(seconds), ..Entry::default() }
    }

    #[test]
    fn a_cache_is_bounded_in_entries_and_bytes() {
        let check = |settings: Value, body: usize, expected: std::ops::RangeInclusive<u64>| {
            let cache = cache(settings);
            for number in 0..100 {
                cache.put(number.to_string(), entry(vec![0; body], 60));
                cache.entries.run_pending_tasks();
            }
            assert!(expected.contains(&cache.entries.entry_count()), "{}", cache.entries.entry_count());
            assert_eq!(cache.get("99").is_some(), body <= ENTRY_MAX_BYTES, "the newest stays");
        };
        check(json!({"maxEntriesLocalHeap": 10}), 1, 10..=10);
        check(json!({}), ENTRY_MAX_BYTES, 30..=32);
        check(json!({}), ENTRY_MAX_BYTES + 1, 0..=0);
    }

    #[test]
    fn the_shorter_time_counts_and_without_any_nothing_is_kept() {
        let kept = |settings: Value, seconds: u64| {
            let cache = cache(settings);
            cache.put("k".to_owned(), entry(vec![1], seconds));
            cache.get("k").map(|entry| entry.time_to_live.as_secs())
        };
        assert_eq!(kept(json!({}), 60), Some(60));
        assert_eq!(kept(json!({"timeToLiveSeconds": 5}), 60), Some(5));
        assert_eq!(kept(json!({"timeToLiveSeconds": 5}), 0), Some(5));
        assert_eq!(kept(json!({}), 0), None);
    }
}
