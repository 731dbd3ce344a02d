//! Key sets by URL. A set is fetched once for all plans that name it, renewed in the background, and fetched early when a
//! token names a key that it does not hold: keys are rotated.
//!
//! While the server of a set does not answer, the set that is there is used.

use crate::outbound::{self, Wishes};
use crate::seldom::warn_seldom;
use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use url::Url;

/// Age at which a set is renewed, milliseconds.
const REFRESH_MS: u64 = 300_000;
/// Shortest time between two fetches because of unknown keys, milliseconds: tokens with invented keys must not become
/// requests to the server.
const EARLY_REFETCH_INTERVAL_MS: u64 = 5_000;
/// Shortest time between two attempts after one failed, milliseconds.
const RETRY_INTERVAL_MS: u64 = 1_000;
/// Greatest set, bytes.
const SET_MAX_BYTES: usize = 1024 * 1024;
/// Greatest number of keys of a set that are looked at.
const KEYS_MAX: usize = 200;

/// Where a set is, and how it is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Location {
    pub(super) url: String,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) follow_redirects: bool,
    pub(super) use_system_proxy: bool,
}

/// The sets of this gateway. One that no plan names any more is forgotten.
#[derive(Default)]
pub(crate) struct KeySets(Mutex<HashMap<Location, Weak<Source>>>);

impl KeySets {
    pub(super) fn source(&self, location: Location) -> Arc<Source> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(&location).and_then(Weak::upgrade) {
            return source;
        }
        sources.retain(|_, source| source.strong_count() > 0);
        let source = Arc::new(Source::new(location.clone()));
        sources.insert(location, Arc::downgrade(&source));
        source
    }
}

/// One set and how it is kept.
pub(super) struct Source {
    location: Location,
    client: OnceLock<reqwest::Client>,
    current: ArcSwapOption<KeySet>,
    /// Held while the set is fetched, so that one fetch serves all who wait for it.
    fetching: tokio::sync::Mutex<Fetching>,
}

#[derive(Default)]
struct Fetching {
    not_before: Option<Instant>,
    generation: u64,
}

/// The set cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key set cannot be fetched")]
pub(super) struct Unavailable;

/// A set as it was fetched.
#[derive(Debug)]
pub(super) struct KeySet {
    pub(super) generation: u64,
    fetched: Instant,
    body: Vec<u8>,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm that the key is for, when the set says so.
    algorithm: Option<String>,
    key: DecodingKey,
}

impl Source {
    fn new(location: Location) -> Self {
        let (client, current) = (OnceLock::new(), ArcSwapOption::empty());
        Source { location, client, current, fetching: tokio::sync::Mutex::default() }
    }

    /// The set, with a key of this id unless there is none.
    pub(super) async fn with_key(self: &Arc<Self>, id: Option<&str>) -> Result<Arc<KeySet>, Unavailable> {
        let Some(current) = self.current.load_full() else { return self.fetch(None).await };
        if current.fetched.elapsed() >= Duration::from_millis(REFRESH_MS) {
            let source = Arc::clone(self);
            let old = Arc::clone(&current);
            // Callers do not wait for it: what is there still holds.
            tokio::spawn(async move { source.fetch(Some(&old)).await });
        }
        if current.keys.iter().any(|key| key.may_be(id)) {
            Ok(current)
        } else {
            self.fetch(Some(&current)).await
        }
    }

    /// A set that is newer than `seen`, if one may be fetched now; else the one that is there.
    async fn fetch(&self, seen: Option<&Arc<KeySet>>) -> Result<Arc<KeySet>, Unavailable> {
        let mut fetching = self.fetching.lock().await;
        let current = self.current.load_full();
        let newer = current.as_ref().filter(|current| seen.is_none_or(|seen| !Arc::ptr_eq(seen, current)));
        if let Some(newer) = newer {
            return Ok(Arc::clone(newer));
        }
        if fetching.not_before.is_some_and(|at| Instant::now() < at) {
            return current.ok_or(Unavailable);
        }
        let pause = |ms| Some(Instant::now() + Duration::from_millis(ms));
        match self.download().await {
            Ok(body) => {
                let keys = parse(&body);
                if current.as_ref().is_none_or(|current| current.body != body) {
                    fetching.generation += 1;
                }
                let set = KeySet { generation: fetching.generation, fetched: Instant::now(), body, keys };
                let set = Arc::new(set);
                self.current.store(Some(Arc::clone(&set)));
                // The first fetch is nobody's invention.
                fetching.not_before = seen.and_then(|_| pause(EARLY_REFETCH_INTERVAL_MS));
                Ok(set)
            }
            Err(error) => {
                let url = Url::parse(&self.location.url).map(|url| outbound::shown(&url)).unwrap_or_default();
                warn_seldom!(url, "a key set cannot be fetched: {error:#}");
                fetching.not_before = pause(RETRY_INTERVAL_MS);
                current.ok_or(Unavailable)
            }
        }
    }

    async fn download(&self) -> anyhow::Result<Vec<u8>> {
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let wishes = Wishes {
                    connect_timeout: self.location.connect_timeout,
                    request_timeout: self.location.request_timeout,
                    follow_redirects: self.location.follow_redirects,
                    use_system_proxy: self.location.use_system_proxy,
                };
                let built = outbound::client(&wishes)?;
                self.client.get_or_init(|| built)
            }
        };
        let answer = client.get(&self.location.url).send().await.map_err(reqwest::Error::without_url)?;
        anyhow::ensure!(answer.status() == http::StatusCode::OK, "it answers {}", answer.status());
        let body = outbound::read(answer, SET_MAX_BYTES).await?;
        serde_json::from_slice::<Document>(&body)?;
        Ok(body)
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// The keys that signatures can be checked with; others are left out.
fn parse(body: &[u8]) -> Vec<Key> {
    let Ok(document) = serde_json::from_slice::<Document>(body) else { return Vec::new() };
    let keys = document.keys.into_iter().take(KEYS_MAX).filter_map(|key| {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| for_signatures)?;
        let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
        Some(Key { id: jwk.common.key_id, algorithm, key })
    });
    keys.collect()
}

impl Key {
    /// A key without an id may be any; a token without one may be of any.
    fn may_be(&self, id: Option<&str>) -> bool {
        match (&self.id, id) {
            (Some(own), Some(wanted)) => own == wanted,
            (None, _) | (_, None) => true,
        }
    }
}

impl KeySet {
    /// The keys that may have signed a token with this key id.
    pub(super) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> Arc<[DecodingKey]> {
        let name = format!("{algorithm:?}");
        let fitting = self.keys.iter().filter(|key| {
            key.may_be(id)
                && key.key.family() == family(algorithm)
                && key.algorithm.as_ref().is_none_or(|own| *own == name)
        });
        fitting.map(|key| key.key.clone()).collect()
    }
}

fn family(algorithm: Algorithm) -> jsonwebtoken::AlgorithmFamily {
    algorithm.family()
}
