//! One message: calls until the callback took it, refused it or cannot be reached, and what follows from that.

use super::call_log::CallLog;
use super::callback::{Callback, Post, Verdict};
use super::dead_letters::DeadLetters;
use super::{Ended, retry};
use crate::message::{Ack, Message};
use crate::table::runtime::DeployedEntrypoint;
use definition::connector::webhook::Webhook;
use http::HeaderMap;
use metrics::{Counter, counter};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Messages of webhooks by API and by what became of them.
const DELIVERIES: &str = "tidegate_gateway_webhook_deliveries_total";
/// Calls that were made again.
const RETRIES: &str = "tidegate_gateway_webhook_retries_total";

/// What the deliveries of a run have in common.
pub(super) struct Delivery<'a> {
    pub(super) callback: Callback,
    pub(super) dead_letters: Option<DeadLetters>,
    /// Headers that policies set on the response.
    pub(super) from_policies: HeaderMap,
    pub(super) settings: &'a Webhook,
    pub(super) meter: Meter,
    pub(super) calls: CallLog,
    /// The run ends: no call is made again.
    pub(super) closing: CancellationToken,
}

/// Why a message was not delivered. It is not acknowledged.
pub(super) enum Undelivered {
    /// The run ends before the next call.
    Closing,
    /// The run has to end.
    Failed(Ended),
}

/// Counters of one run.
pub(super) struct Meter {
    received: Counter,
    delivered: Counter,
    dead_lettered: Counter,
    skipped: Counter,
    failed: Counter,
    retried: Counter,
}

impl Meter {
    pub(super) fn new(entrypoint: &DeployedEntrypoint, api: &Arc<str>) -> Self {
        let of = |outcome: &'static str| counter!(DELIVERIES, "api" => api.to_string(), "outcome" => outcome);
        Meter {
            received: entrypoint.meter.subscribed.clone(),
            delivered: of("delivered"),
            dead_lettered: of("dead-lettered"),
            skipped: of("skipped"),
            failed: of("failed"),
            retried: counter!(RETRIES, "api" => api.to_string()),
        }
    }
}

impl Delivery<'_> {
    /// Delivers a message and settles it.
    pub(super) async fn deliver(&self, mut message: Message) -> Result<(), Undelivered> {
        self.meter.received.increment(1);
        let ack = std::mem::replace(&mut message.ack, Ack::none());
        match self.settle(message).await {
            Ok(counter) => {
                ack.delivered();
                counter.increment(1);
                Ok(())
            }
            Err(Undelivered::Closing) => Err(Undelivered::Closing),
            Err(failed @ Undelivered::Failed(_)) => {
                self.meter.failed.increment(1);
                Err(failed)
            }
        }
    }

    /// Answers what to count when the message may be acknowledged.
    async fn settle(&self, message: Message) -> Result<&Counter, Undelivered> {
        let post = Post { headers: &message.headers, content: message.content.clone().unwrap_or_default() };
        match self.call(&post).await? {
            Verdict::Delivered(_) => Ok(&self.meter.delivered),
            Verdict::Refused(status) => {
                let reason = format!(
                    "Error occurred during message processing (MESSAGE_PROCESSING_FAILED): the callback answered {}",
                    status.as_u16()
                );
                match &self.dead_letters {
                    Some(_) => self.to_dead_letters(message).await,
                    None => Err(Undelivered::Failed(Ended::failed(reason))),
                }
            }
            Verdict::Hopeless(reason) => Err(Undelivered::Failed(Ended::failed(reason))),
            Verdict::Unreachable { server_error, reason } => {
                let interrupts = match server_error {
                    true => self.settings.interrupt_consumption_on_server_error,
                    false => self.settings.interrupt_consumption_on_exception,
                };
                if interrupts {
                    let reason =
                        format!("Webhook callback url is unreachable (WEBHOOK_UNREACHABLE): {reason}");
                    return Err(Undelivered::Failed(Ended::failed(reason)));
                }
                tracing::warn!(callback = self.callback.host(), "a message is not delivered: {reason}");
                self.to_dead_letters(message).await
            }
        }
    }

    /// Calls until there is something to say. Retries are those of the subscription.
    async fn call(&self, post: &Post<'_>) -> Result<Verdict, Undelivered> {
        let mut retries = 0;
        loop {
            let begun = Instant::now();
            let verdict = self.callback.call(&self.from_policies, post).await;
            self.calls.called(retries + 1, post.content.len(), begun.elapsed(), &verdict);
            let Verdict::Unreachable { reason, .. } = &verdict else { return Ok(verdict) };
            let Some(pause) = retry::pause(self.callback.retry(), retries, rand::random()) else {
                return Ok(verdict);
            };
            tracing::debug!(callback = self.callback.host(), ?pause, "a callback is called again: {reason}");
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return Err(Undelivered::Closing),
                () = tokio::time::sleep(pause) => {}
            }
            retries += 1;
            self.meter.retried.increment(1);
        }
    }

    async fn to_dead_letters(&self, message: Message) -> Result<&Counter, Undelivered> {
        let Some(dead_letters) = &self.dead_letters else {
            self.calls.passed_over("skipped");
            return Ok(&self.meter.skipped);
        };
        match dead_letters.take(message).await {
            Ok(()) => {
                self.calls.passed_over("dead-lettered");
                Ok(&self.meter.dead_lettered)
            }
            Err(failure) => {
                let Ended::Failed { reason, .. } = Ended::of(&failure) else {
                    return Err(Undelivered::Closing);
                };
                let reason = format!("The dead-letter endpoint did not take a message: {reason}");
                Err(Undelivered::Failed(Ended::retryable(reason)))
            }
        }
    }
}
