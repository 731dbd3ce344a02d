//! Publishing: everybody who writes to a broker with the same settings shares one connection.
//!
//! A message counts as confirmed when the broker acknowledged *that* message (PUBACK of QoS 1) with a reason below 0x80; nobody
//! having subscribed is no failure. When the connection is lost before, nobody knows whether the broker has the message: it is
//! sent again where repeats are allowed. A publisher that nobody uses leaves, and one whose broker is gone is replaced by the
//! next message, so that a dead broker costs nothing while nobody writes.

use super::fault::{Cause, closed};
use super::line::{self, End, Wire};
use super::{Broker, BrokerKey, Clients, random_client_id};
use crate::failure::{Failure, key};
use bytes::Bytes;
use definition::limits::PUBLISH_TIMEOUT_MS;
use http::StatusCode;
use rumqttc::{
    AsyncClient, ConnAck, EventLoop, PubAckReason, PublishNoticeError, PublishOptions, PublishProperties,
    PublishResult,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// A confirmation is waited for until this much before the caller's deadline, so that the caller hears the reason, milliseconds.
const MARGIN_MS: u64 = 500;
/// How often a message is sent again whose confirmation was lost with its connection.
const RESENDS_MAX: usize = 3;
/// A publisher that nobody used for this long leaves its broker.
const IDLE: Duration = Duration::from_secs(60);
/// A publisher in use is looked at this often.
const LOOK: Duration = Duration::from_secs(1);
/// Publishers of one gateway; more only come from client ids that policies choose per message.
const PUBLISHERS_MAX: usize = 512;
/// Greatest text of a packet, bytes.
const TEXT_MAX_BYTES: usize = u16::MAX as usize;
/// What a packet has beside its texts and its payload at most, bytes.
const PACKET_OVERHEAD_BYTES: usize = 64;

const _: () = assert!(MARGIN_MS < PUBLISH_TIMEOUT_MS);

/// A message on its way to a broker. The topic is a topic name.
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// Whether the broker keeps it for those who come later.
    pub(crate) retain: bool,
    pub(crate) response_topic: Option<String>,
    /// Seconds after which the broker may drop it.
    pub(crate) message_expiry_interval: Option<u32>,
    pub(crate) content_type: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
}

impl Outgoing {
    /// Bytes of the packet, at most.
    fn size(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let properties: usize =
            self.user_properties.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
        PACKET_OVERHEAD_BYTES
            + self.topic.len()
            + self.payload.len()
            + optional(&self.response_topic)
            + optional(&self.content_type)
            + properties
    }

    /// The protocol has no room for longer texts, and the library would write them cut.
    fn has_long_text(&self) -> bool {
        let pairs = self.user_properties.iter().flat_map(|(name, value)| [name, value]);
        let texts = [Some(&self.topic), self.response_topic.as_ref(), self.content_type.as_ref()];
        texts.into_iter().flatten().chain(pairs).any(|text| text.len() > TEXT_MAX_BYTES)
    }

    fn options(&self) -> PublishOptions {
        PublishOptions::at_least_once().retain(self.retain).properties(PublishProperties {
            message_expiry_interval: self.message_expiry_interval,
            response_topic: self.response_topic.clone(),
            content_type: self.content_type.clone(),
            user_properties: self.user_properties.clone(),
            ..PublishProperties::default()
        })
    }
}

type Key = (BrokerKey, Option<String>);

/// The publishers of a gateway.
#[derive(Default)]
pub(super) struct Publishers(Mutex<HashMap<Key, Arc<Publisher>>>);

/// One connection that messages are written to.
struct Publisher {
    client: AsyncClient,
    state: watch::Sender<State>,
    usage: Mutex<Usage>,
}

struct Usage {
    users: usize,
    since: Instant,
}

#[derive(Clone)]
enum State {
    Connecting,
    Up(Limits),
    Over(Failure),
}

/// What the broker takes.
#[derive(Clone, Copy)]
struct Limits {
    packet_bytes: usize,
    confirms: bool,
}

impl Wire for Publisher {
    fn connected(&self, connack: &ConnAck, _away: bool) {
        let properties = connack.properties.as_ref();
        let packet_bytes = properties.and_then(|properties| properties.max_packet_size);
        let limits = Limits {
            packet_bytes: packet_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX),
            confirms: properties.and_then(|properties| properties.max_qos).is_none_or(|qos| qos > 0),
        };
        self.state.send_replace(State::Up(limits));
    }

    fn lost(&self) {
        self.state.send_replace(State::Connecting);
    }
}

impl Publisher {
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the connection.
    async fn up(&self, deadline: Instant) -> Result<Limits, Failure> {
        let mut state = self.state.subscribe();
        let decided = timeout_at(deadline, state.wait_for(|state| !matches!(state, State::Connecting))).await;
        match decided {
            Ok(Ok(state)) => match &*state {
                State::Up(limits) => Ok(*limits),
                State::Over(failure) => Err(failure.clone()),
                State::Connecting => Err(Cause::Unreachable.failure()),
            },
            Ok(Err(_)) | Err(_) => Err(Cause::Unreachable.failure()),
        }
    }
}

/// A publisher in use.
struct InUse(Arc<Publisher>);

impl InUse {
    fn of(publisher: &Arc<Publisher>) -> InUse {
        publisher.usage().users += 1;
        InUse(Arc::clone(publisher))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut usage = self.0.usage();
        usage.users -= 1;
        usage.since = Instant::now();
    }
}

impl Publishers {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Arc<Publisher>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(self: &Arc<Self>, broker: &Broker, client_id: Option<&str>) -> Result<InUse, Failure> {
        let key = (broker.key, client_id.map(str::to_owned));
        let mut all = self.all();
        if let Some(publisher) = all.get(&key)
            && !matches!(&*publisher.state.borrow(), State::Over(_))
        {
            return Ok(InUse::of(publisher));
        }
        if all.len() >= PUBLISHERS_MAX {
            let text = format!("this gateway already writes to MQTT brokers as {PUBLISHERS_MAX} clients");
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::PUBLISH_FAILED, text));
        }
        let id =
            client_id.map_or_else(|| random_client_id("producer"), |id| format!("gio-apim-producer-{id}"));
        let (client, events) = line::client(broker.options(&id));
        let usage = Mutex::new(Usage { users: 0, since: Instant::now() });
        let publisher = Arc::new(Publisher { client, state: watch::Sender::new(State::Connecting), usage });
        let attempts = broker.reconnect_attempts;
        tokio::spawn(run(Arc::clone(self), key.clone(), Arc::clone(&publisher), events, attempts));
        let in_use = InUse::of(&publisher);
        all.insert(key, publisher);
        Ok(in_use)
    }

    fn forget(&self, key: &Key, publisher: &Arc<Publisher>) {
        let mut all = self.all();
        if all.get(key).is_some_and(|known| Arc::ptr_eq(known, publisher)) {
            all.remove(key);
        }
    }

    /// Returns once nobody has used the publisher for a while. Nobody can get it any more then.
    async fn unused(&self, key: &Key, publisher: &Arc<Publisher>) {
        loop {
            let since = publisher.usage().since;
            tokio::time::sleep_until((since + IDLE).max(Instant::now() + LOOK)).await;
            let mut all = self.all();
            let usage = publisher.usage();
            if usage.users == 0 && usage.since + IDLE <= Instant::now() {
                all.remove(key);
                return;
            }
        }
    }
}

async fn run(
    publishers: Arc<Publishers>,
    key: Key,
    publisher: Arc<Publisher>,
    mut events: EventLoop,
    attempts: u32,
) {
    let end = tokio::select! {
        end = line::drive(&mut events, &*publisher, attempts) => end,
        () = publishers.unused(&key, &publisher) => {
            line::goodbye(&publisher.client, &mut events, &*publisher, false).await;
            End::Closed
        }
    };
    publisher.state.send_replace(State::Over(end.failure().unwrap_or_else(closed)));
    publishers.forget(&key, &publisher);
}

impl Clients {
    /// Sends a message; returns when the broker acknowledged it. `client_id`: who writes, where it matters. `resend`: whether
    /// the broker may get it twice when its acknowledgement was lost.
    ///
    /// # Errors
    /// The broker refused it, cannot be reached, or did not answer in time; in the last case it may have the message.
    pub(crate) async fn publish(
        &self,
        broker: &Broker,
        client_id: Option<&str>,
        message: &Outgoing,
        resend: bool,
    ) -> Result<(), Failure> {
        if message.has_long_text() {
            return Err(too_large());
        }
        let deadline = Instant::now() + Duration::from_millis(PUBLISH_TIMEOUT_MS - MARGIN_MS);
        for _ in 0..=if resend { RESENDS_MAX } else { 0 } {
            let publisher = self.publishers.get(broker, client_id)?;
            let limits = publisher.0.up(deadline).await?;
            if !limits.confirms {
                let text =
                    "Endpoint configuration invalid: the broker takes no messages with an acknowledgement";
                return Err(Failure::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    key::CONFIGURATION_INVALID,
                    text,
                ));
            }
            if message.size() > limits.packet_bytes {
                return Err(too_large());
            }
            match timeout_at(deadline, send(&publisher.0.client, message)).await {
                Ok(Some(outcome)) => return outcome,
                Ok(None) => {}
                Err(_) => return Err(unconfirmed("the broker did not confirm the message in time")),
            }
        }
        Err(unconfirmed("the connection was lost before the broker confirmed the message"))
    }
}

/// What the broker said; `None`: the connection was lost before it said anything.
async fn send(client: &AsyncClient, message: &Outgoing) -> Option<Result<(), Failure>> {
    let sent =
        client.publish_tracked(message.topic.as_str(), message.payload.clone(), message.options()).await;
    let confirmed = match sent {
        Ok(notice) => notice.wait_async().await,
        Err(error) => {
            tracing::debug!(%error, "an MQTT client took no message");
            return None;
        }
    };
    match confirmed {
        Ok(PublishResult::Qos1(puback)) => Some(judge(puback.reason)),
        Ok(
            PublishResult::Qos0Flushed
            | PublishResult::Qos2Completed(_)
            | PublishResult::Qos2PubRecRejected(_),
        ) => Some(Err(Failure::unexpected())),
        Err(PublishNoticeError::RetainNotSupported) => {
            let text = "Endpoint configuration invalid: the broker keeps no retained messages";
            Some(Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text)))
        }
        Err(error) => {
            tracing::debug!(%error, "a message to an MQTT broker was not confirmed");
            None
        }
    }
}

fn judge(reason: PubAckReason) -> Result<(), Failure> {
    let refused = |status, key, text: &'static str| Err(Failure::new(status, key, text));
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        PubAckReason::NotAuthorized => refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            key::CONFIGURATION_INVALID,
            "Endpoint configuration invalid: the broker does not let this gateway write to the topic",
        ),
        PubAckReason::QuotaExceeded => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            key::PUBLISH_FAILED,
            "the broker takes no more messages for now",
        ),
        PubAckReason::TopicNameInvalid => refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            key::PUBLISH_FAILED,
            "the broker does not accept this topic",
        ),
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::PayloadFormatInvalid => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, key::PUBLISH_FAILED, "the broker refused the message")
        }
    }
}

fn too_large() -> Failure {
    let text = "the message is larger than the broker or the protocol allows";
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, key::PUBLISH_FAILED, text)
}

fn unconfirmed(text: &'static str) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::PUBLISH_FAILED, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reasons_of_success_confirm() {
        let check = |reason, expected: Option<u16>| {
            assert_eq!(judge(reason).err().map(|failure| failure.status.as_u16()), expected, "{reason:?}");
        };
        check(PubAckReason::Success, None);
        check(PubAckReason::NoMatchingSubscribers, None);
        check(PubAckReason::NotAuthorized, Some(500));
        check(PubAckReason::QuotaExceeded, Some(503));
        check(PubAckReason::UnspecifiedError, Some(500));
    }

    #[test]
    fn texts_beyond_the_protocol_are_seen_and_sizes_are_not_underestimated() {
        let mut message = Outgoing {
            topic: "t".to_owned(),
            payload: Bytes::from_static(&[0; 100]),
            retain: false,
            response_topic: None,
            message_expiry_interval: Some(1),
            content_type: None,
            user_properties: vec![("n".to_owned(), "v".repeat(1_000))],
        };
        let mut packet = rumqttc::Publish::new("t", rumqttc::QoS::AtLeastOnce, message.payload.clone(), None);
        packet.properties = Some(PublishProperties {
            message_expiry_interval: Some(1),
            user_properties: message.user_properties.clone(),
            ..PublishProperties::default()
        });
        assert!(message.size() >= packet.size());
        assert!(!message.has_long_text());
        message.user_properties[0].1 = "v".repeat(TEXT_MAX_BYTES + 1);
        assert!(message.has_long_text());
    }
}
