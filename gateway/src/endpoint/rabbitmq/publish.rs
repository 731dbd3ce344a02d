//! Publishing. "Confirmed" means: the broker acknowledged this message (publisher confirms) and did not return it.
//!
//! Messages are sent as mandatory at every level: one that no queue gets is returned by the broker, although it is
//! acknowledged too, and is an error here. A channel carries one message at a time, so that an answer is never taken
//! for that of another message; how many are under way is bounded by the number of channels.

use super::fault::{self, About, Fault};
use super::link::{ANSWER_TIMEOUT, Lane, Link};
use super::place::Place;
use super::record::Outgoing;
use super::topology;
use crate::failure::Failure;
use definition::limits::PUBLISH_TIMEOUT_MS;
use lapin::Confirmation;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Messages under way to one broker at a time, each on a channel of its own.
const IN_FLIGHT_MAX: usize = 128;
/// A message that is not confirmed within this time is given up; the caller waits no longer than `PUBLISH_TIMEOUT_MS`.
const CONFIRM_TIMEOUT: Duration = Duration::from_millis(PUBLISH_TIMEOUT_MS - 500);

/// What everybody who publishes to one target shares.
pub(super) struct Producer {
    link: Arc<Link>,
    idle: Mutex<Vec<Lane>>,
    in_flight: Semaphore,
}

/// What became of one attempt.
enum Attempt {
    Confirmed,
    /// There is no such exchange any more; the message is nowhere.
    NoExchange,
    /// The channel has nothing under way any more.
    Refused(Failure),
    /// An answer may still come; it must not meet another message, so the channel is not used again.
    Lost(Failure),
}

impl Producer {
    pub(super) fn new(link: Arc<Link>) -> Producer {
        Producer { link, idle: Mutex::default(), in_flight: Semaphore::new(IN_FLIGHT_MAX) }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel with confirmations, one that was used before when there is one.
    async fn lane(&self) -> Result<Lane, Failure> {
        loop {
            let Some(lane) = self.idle().pop() else { break };
            if lane.open.is_connected() && lane.channel.status().connected() {
                return Ok(lane);
            }
        }
        let lane = self.link.lane().await.map_err(|fault| fault.failure())?;
        let confirmed = lane.channel.confirm_select(ConfirmSelectOptions::default());
        match timeout(ANSWER_TIMEOUT, confirmed).await {
            Ok(Ok(())) => Ok(lane),
            Ok(Err(error)) => Err(Fault::of_handshake(&error).failure()),
            Err(_) => Err(Fault::Unreachable.failure()),
        }
    }

    /// Sends a message; returns when the broker has confirmed it.
    pub(super) async fn publish(&self, place: &Place, outgoing: &Outgoing) -> Result<(), Failure> {
        let sending = async {
            let permit = self.in_flight.acquire().await;
            // One more attempt when the exchange went away since it was declared: nobody has the message then.
            for _ in 0..2 {
                let lane = self.lane().await?;
                self.declare(&lane, place).await?;
                match attempt(&lane, place, outgoing).await {
                    Attempt::Confirmed => {
                        self.idle().push(lane);
                        return Ok(());
                    }
                    Attempt::NoExchange => lane.open.forget(&place.exchange),
                    Attempt::Refused(failure) => {
                        self.idle().push(lane);
                        return Err(failure);
                    }
                    Attempt::Lost(failure) => return Err(failure),
                }
            }
            drop(permit);
            Err(fault::not_taken(format!("there is no exchange {:?}", place.exchange.name)))
        };
        let limit = Duration::from_millis(PUBLISH_TIMEOUT_MS);
        timeout(limit, sending).await.unwrap_or_else(|_| Err(fault::unconfirmed()))
    }

    async fn declare(&self, lane: &Lane, place: &Place) -> Result<(), Failure> {
        if lane.open.has_declared(&place.exchange) {
            return Ok(());
        }
        topology::exchange(&self.link, lane, place).await?;
        lane.open.declared(&place.exchange);
        Ok(())
    }
}

async fn attempt(lane: &Lane, place: &Place, outgoing: &Outgoing) -> Attempt {
    if lane.open.is_blocked() {
        let text = "RabbitMQ takes no messages at present: its memory or disk space has run out";
        return Attempt::Refused(fault::not_taken(text));
    }
    let names = (topology::name(&place.exchange.name), topology::name(&place.routing_key));
    let (exchange, routing_key) = match names {
        (Ok(exchange), Ok(routing_key)) => (exchange, routing_key),
        (Err(failure), _) | (_, Err(failure)) => return Attempt::Refused(failure),
    };
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let properties = outgoing.properties.clone();
    let confirmation = async {
        lane.channel.basic_publish(exchange, routing_key, options, &outgoing.body, properties).await?.await
    };
    match timeout(CONFIRM_TIMEOUT, confirmation).await {
        Ok(Ok(confirmation)) => judge(&confirmation, place),
        Ok(Err(error)) if fault::is_missing(&error) => Attempt::NoExchange,
        Ok(Err(error)) if error.is_amqp_soft_error() => {
            Attempt::Lost(fault::refused(&error, About::Exchange(&place.exchange.name)))
        }
        Ok(Err(_)) | Err(_) => Attempt::Lost(fault::unconfirmed()),
    }
}

fn judge(confirmation: &Confirmation, place: &Place) -> Attempt {
    match confirmation {
        Confirmation::Ack(None) => Attempt::Confirmed,
        Confirmation::Ack(Some(_)) => Attempt::Refused(fault::not_taken(format!(
            "the message was not kept: at the exchange {:?} no queue is bound that takes the routing key {:?}",
            place.exchange.name, place.routing_key
        ))),
        Confirmation::Nack(_) => Attempt::Refused(fault::not_taken("RabbitMQ refused the message")),
        Confirmation::NotRequested => Attempt::Lost(fault::unconfirmed()),
    }
}
