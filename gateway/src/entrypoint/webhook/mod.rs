//! Entrypoint `webhook`: one POST to the subscriber's callback per message.
//!
//! "Delivered" is an answer of 2xx, or that the dead-letter endpoint confirmed a message that the callback refused. At
//! at-least-once a message is acknowledged then and not before; at at-most-once the endpoint has done so before the call.
//!
//! Nobody calls here. Whoever decides that this gateway runs a push subscription calls `run`, which ends when it is asked
//! to, when the source is over, or when something failed.

mod auth;
mod call_log;
mod callback;
mod dead_letters;
mod deliver;
mod headers;
mod open;
mod pump;
mod retry;
#[cfg(test)]
mod tests;
mod token;

use super::Handler;
use crate::consumers::now_ms;
use crate::endpoint::Shared;
use crate::endpoint::http_proxy::Upstream;
use crate::failure::{Failure, key};
use crate::networks::CallbackNetworks;
use crate::security::PushPlan;
use crate::table::runtime::{ApiRuntime, DeployedEntrypoint};
use call_log::CallLog;
use callback::Callback;
use dead_letters::DeadLetters;
use definition::api::{Qos, Settings};
use definition::connector::webhook::Webhook;
use definition::consumer::SubscriptionResource;
use definition::limits::REQUEST_TIMEOUT_MS;
use definition::violation::Violation;
use deliver::Delivery;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longest reason of a failure, characters.
const REASON_MAX_CHARS: usize = 500;
/// Longest pause between two looks at the clock, milliseconds: it may be set while this sleeps.
const LOOK_AT_LEAST_EVERY_MS: i64 = 10_000;

/// One deployed webhook entrypoint: what the calls of all its subscriptions have in common.
pub(crate) struct Push {
    settings: Webhook,
    upstream: Option<Upstream>,
    networks: Arc<CallbackNetworks>,
}

/// Builds the entrypoint.
pub(crate) fn build(settings: &Settings, shared: &Shared) -> Result<Handler, Vec<Violation>> {
    let settings = Webhook::parse(settings)?;
    let upstream = settings.proxy.as_ref().map(|proxy| Upstream::of(proxy, shared.http.system_proxy()));
    let upstream = upstream.transpose().map_err(|error| {
        vec![Violation::new(error.path.clone(), "data.invalid", format!("{}: {}", error.path, error.message))]
    })?;
    Ok(Handler::Push(Box::new(Push { settings, upstream, networks: Arc::clone(&shared.callback_networks) })))
}

/// One run of a push subscription: accepted, started, and begun.
pub(crate) struct PushRun {
    pub(crate) api: Arc<ApiRuntime>,
    pub(crate) subscription: Arc<SubscriptionResource>,
    /// Asks to end: deliveries that are under way are finished, within a limit of time, and nothing else is begun.
    pub(crate) stop: CancellationToken,
}

/// Why a run is over. Whatever was not delivered by then is not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to.
    Stopped,
    /// The source has no more messages, or the subscription is past its end.
    Completed,
    /// It cannot go on.
    Failed {
        /// For the subscription's owner: without secrets, paths and queries.
        reason: String,
        /// The fault is with the endpoint, or with the API's being unavailable: another run may succeed without anybody
        /// changing anything. False: the owner of the subscription, of the API or of the callback has to act first.
        retryable: bool,
    },
}

impl Ended {
    /// Somebody has to act first.
    fn failed(reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref().chars().take(REASON_MAX_CHARS).collect();
        Ended::Failed { reason, retryable: false }
    }

    /// Another run may succeed.
    fn retryable(reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref().chars().take(REASON_MAX_CHARS).collect();
        Ended::Failed { reason, retryable: true }
    }

    /// Of an endpoint or a flow.
    fn of(failure: &Failure) -> Self {
        let text = match (failure.message.as_ref(), failure.status.canonical_reason()) {
            ("", Some(reason)) => reason,
            ("", None) => "failed",
            (message, _) => message,
        };
        let reason = match &failure.key {
            Some(key) => format!("{text} ({key})"),
            None => text.to_owned(),
        };
        let passing = [key::NO_ENDPOINT_FOUND, key::TOPIC_NOT_FOUND, key::REQUEST_TIMEOUT];
        let retryable = failure
            .key
            .as_deref()
            .is_some_and(|key| key.starts_with("FAILURE_ENDPOINT_") || passing.contains(&key));
        if retryable { Ended::retryable(reason) } else { Ended::failed(reason) }
    }
}

/// Whether the API has an entrypoint and a push plan for the subscription.
pub(crate) fn takes(api: &ApiRuntime, subscription: &SubscriptionResource) -> bool {
    way(api, subscription).is_some()
}

/// What a subscription goes through.
struct Way<'a> {
    entrypoint: &'a DeployedEntrypoint,
    push: &'a Push,
    plan: &'a PushPlan,
}

fn way<'a>(api: &'a ApiRuntime, subscription: &SubscriptionResource) -> Option<Way<'a>> {
    let wanted = &subscription.configuration.as_ref()?.entrypoint_id;
    let plan = api.push_plans.iter().find(|plan| *plan.id == *subscription.plan)?;
    let webhooks = || {
        api.entrypoints.iter().filter_map(|entrypoint| match &entrypoint.handler {
            Handler::Push(push) => Some((entrypoint, &**push)),
            Handler::Messages(_) | Handler::Proxy => None,
        })
    };
    // Both ids name one implementation, and subscribers write either.
    let named = webhooks().find(|(entrypoint, _)| entrypoint.id == *wanted);
    let (entrypoint, push) = named.or_else(|| webhooks().next())?;
    (subscription.push && *subscription.api == *api.facts.id).then_some(Way { entrypoint, push, plan })
}

/// Delivers until the run is over. It never panics on what is configured, sent or answered.
pub(crate) async fn run(run: PushRun) -> Ended {
    let (api, subscription) = (&run.api, &run.subscription);
    let ended = match way(api, subscription) {
        None => Ended::failed("The API has no webhook entrypoint or no open push plan for this subscription"),
        Some(way) => follow(&run, &way).await,
    };
    if let Ended::Failed { reason, retryable } = &ended {
        tracing::warn!(api.id = %api.facts.id, subscription = subscription.id, retryable, "a webhook ended: {reason}");
    }
    ended
}

async fn follow(run: &PushRun, way: &Way<'_>) -> Ended {
    let Way { entrypoint, push, plan } = way;
    // A stop while nothing is delivered yet needs no grace.
    let opening = async {
        let limit = Duration::from_millis(REQUEST_TIMEOUT_MS);
        let late = |_| Ended::retryable("The flows and the endpoint did not begin in time (REQUEST_TIMEOUT)");
        timeout(limit, open::open(run, entrypoint, plan)).await.map_err(late)?
    };
    let opened = tokio::select! {
        opened = opening => opened,
        () = run.stop.cancelled() => return Ended::Stopped,
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(ended) => return ended,
    };
    let id = &run.subscription.id;
    let callback = match Callback::prepare(&run.subscription, push, entrypoint.qos, &opened.call) {
        Ok(callback) => callback,
        Err(reason) => {
            return Ended::failed(format!(
                "Unable to prepare the execution context for the webhook, with subscription id [{id}]: {reason}"
            ));
        }
    };
    let logged = push.settings.logging.as_ref().is_some_and(|logging| logging.enabled);
    let delivery = Delivery {
        calls: CallLog::new(&run.api.facts.id, id, callback.host(), logged),
        dead_letters: DeadLetters::of(run, entrypoint),
        callback,
        from_policies: opened.call.response.headers,
        settings: &push.settings,
        meter: deliver::Meter::new(entrypoint, &run.api.facts.id),
        closing: run.stop.child_token(),
    };
    let concurrent = match entrypoint.qos {
        Qos::None | Qos::Auto => push.settings.http.max_concurrent_connections,
        // In order, so one after the other.
        Qos::AtMostOnce | Qos::AtLeastOnce => 1,
    };
    let _open = entrypoint.meter.open();
    let over = past(run.subscription.ending_at_ms);
    pump::pump(opened.messages, &delivery, concurrent as usize, &run.stop, over).await
}

/// Waits for the end of the subscription.
async fn past(ending_at_ms: Option<i64>) {
    let Some(end) = ending_at_ms else { return std::future::pending().await };
    loop {
        let left = end.saturating_add(1).saturating_sub(now_ms());
        if left <= 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(left.min(LOOK_AT_LEAST_EVERY_MS).unsigned_abs())).await;
    }
}
