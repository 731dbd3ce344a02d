//! Policy `cache`: answers from a cache what the backend answered before.
//!
//! Bodies are copied while they go to the client, so that a cache makes nobody wait. An answer that the backend makes
//! dependent on headers of the request (`Vary`) is only given to requests with the same ones; cookies are never kept.

mod control;
mod freshness;

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::call::tee::tee;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::flow::layer::{Layer, Next};
use crate::policy::evaluate;
use crate::resource::Resource;
use crate::resource::cache::{Cache, ENTRY_MAX_BYTES, Entry};
use async_trait::async_trait;
use control::Control;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::cache::CachePolicy as CacheSettings;
use definition::violation::Violation;
use http::header::{CONNECTION, CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Headers of one connection or one client.
static NOT_KEPT: [HeaderName; 6] = [
    CONNECTION,
    CONTENT_LENGTH,
    SET_COOKIE,
    TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = CacheSettings::parse(settings)?;
    let cache = match site.resources.get(&settings.cache_name) {
        Some(Resource::Cache(cache)) => Some(Arc::clone(cache)),
        Some(Resource::Oauth2(_) | Resource::Users(_)) | None => None,
    };
    let needs = evaluate::needs(settings.key.iter().chain(&settings.response_condition));
    Ok(Arc::new(CachePolicy { settings: Arc::new(settings), cache, needs }))
}

struct CachePolicy {
    settings: Arc<CacheSettings>,
    cache: Option<Arc<Cache>>,
    needs: Needs,
}

/// What one request has to do with the cache.
struct Access {
    settings: Arc<CacheSettings>,
    cache: Arc<Cache>,
    read: bool,
}

#[async_trait]
impl Policy for CachePolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let Some(cache) = &self.cache else {
            let message = format!("No cache has been defined with name {}", self.settings.cache_name);
            return Err(Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, message));
        };
        let control = control::take(call);
        let method = call.request.head.method.as_str();
        let cached = self.settings.methods.iter().any(|known| known.label() == method);
        if cached && control != Control::ByPass {
            let (settings, cache) = (Arc::clone(&self.settings), Arc::clone(cache));
            call.layers.push(Arc::new(Access { settings, cache, read: control == Control::Use }));
        }
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Layer for Access {
    async fn invoke(&self, call: &mut Call, next: Next<'_>) -> Result<(), Failure> {
        let more = self.settings.key.as_ref().map(|key| evaluate::text(key, &Scope::of(call))).transpose()?;
        let key = control::key(call, self.settings.scope, &more.unwrap_or_default());
        if self.read
            && let Some(entry) = self.cache.get(&key).filter(|entry| suits(entry, &call.request.head.headers))
        {
            answer(call, &entry);
            return Ok(());
        }
        let request = call.request.head.headers.clone();
        next.run(call).await?;
        if let Some(entry) = self.entry(call, &request) {
            let (cache, body) = (Arc::clone(&self.cache), call.response.body.take());
            call.response.body =
                tee(body, ENTRY_MAX_BYTES, move |body| cache.put(key, Entry { body, ..entry }));
        }
        Ok(())
    }
}

impl Access {
    /// The answer as it is kept, still without its body; `None`: it is not kept.
    fn entry(&self, call: &Call, request: &HeaderMap) -> Option<Entry> {
        let response = &call.response;
        if response.upgrade.is_some() || !self.is_wanted(call) {
            return None;
        }
        let wanted = Duration::from_secs(self.settings.time_to_live_seconds);
        let time_to_live = match freshness::time_to_live(&response.headers, chrono::Utc::now()) {
            Some(time) if self.settings.use_response_cache_headers => match time.is_zero() {
                true => return None,
                false if wanted.is_zero() => time,
                false => time.min(wanted),
            },
            Some(_) | None => wanted,
        };
        let varies = varies(&response.headers, request)?;
        let mut headers = response.headers.clone();
        // The length of an answer to HEAD is that of a body which is not sent.
        let kept = |name: &HeaderName| name == CONTENT_LENGTH && call.request.head.method == Method::HEAD;
        for name in NOT_KEPT.iter().filter(|name| !kept(name)) {
            headers.remove(name);
        }
        Some(Entry { status: response.status, headers, varies, time_to_live, ..Entry::default() })
    }

    fn is_wanted(&self, call: &Call) -> bool {
        let Some(condition) = &self.settings.response_condition else {
            return call.response.status.is_success();
        };
        let root =
            json!({"status": call.response.status.as_u16(), "headers": listed(&call.response.headers)});
        let roots = [("upstreamResponse", root)];
        let truth = expression::truth(condition, &Scope { extra: &roots, ..Scope::of(call) });
        truth.is_ok_and(|truth| truth == Some(true))
    }
}

/// Headers as expressions see them: lists of values by name.
fn listed(headers: &HeaderMap) -> Value {
    let values =
        |name| headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let entries = headers.keys().map(|name| (name.to_string(), values(name).collect::<Vec<_>>().into()));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// The headers that the answer depends on, as this request has them. `None`: it depends on everything.
fn varies(response: &HeaderMap, request: &HeaderMap) -> Option<Vec<(HeaderName, Vec<HeaderValue>)>> {
    let mut varies = Vec::new();
    for names in response.get_all(VARY) {
        for name in names.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = HeaderName::try_from(name).ok().filter(|name| name != "*")?;
            let values = request.get_all(&name).iter().cloned().collect();
            varies.push((name, values));
        }
    }
    Some(varies)
}

fn suits(entry: &Entry, request: &HeaderMap) -> bool {
    entry.varies.iter().all(|(name, values)| request.get_all(name).iter().eq(values.iter()))
}

fn answer(call: &mut Call, entry: &Entry) {
    call.response.status = entry.status;
    for name in entry.headers.keys() {
        call.response.headers.remove(name);
    }
    for (name, value) in &entry.headers {
        call.response.headers.append(name, value.clone());
    }
    let without_body = matches!(entry.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !without_body && call.request.head.method != Method::HEAD {
        call.response.set_body(entry.body.clone());
    }
}

#[cfg(test)]
mod tests;
