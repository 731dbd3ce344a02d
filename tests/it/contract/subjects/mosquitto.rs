//! MQTT 5 over Mosquitto. It acknowledges before it saves, so it is killed after it saved: what it loses by itself is no
//! fault of the gateway.

use crate::contract::subject::{Start, Subject, all_among};
use crate::harness::chaos::Chaos;
use crate::harness::definitions::Endpoint;
use crate::harness::mosquitto::{Mosquitto, Peer};
use crate::harness::services::unique;
use crate::harness::wait::{SOON, be_slow, within};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS, SessionMode};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Pause of the keeper while the broker is away.
const KEEPER_PAUSE: Duration = Duration::from_millis(200);
/// What a client asks at a time.
const CAPACITY: usize = 10;

pub(crate) struct Mqtt5 {
    broker: Mosquitto,
    chaos: Chaos,
    keeper: Mutex<Option<Keeper>>,
}

/// A client with a session of its own that reads everything, and comes back.
struct Keeper {
    task: AbortHandle,
    /// The session ends with it.
    _client: AsyncClient,
    payloads: Arc<Mutex<Vec<String>>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subject for Mqtt5 {
    const ID: &'static str = "mqtt5";
    const SURVIVES_KILL: bool = false;
    /// Version 2.0 restores a session with its queue, and forgets that it subscribed to a shared topic.
    const KEEPS_SUBSCRIPTIONS: bool = false;

    async fn start() -> Mqtt5 {
        let broker = Mosquitto::start().await;
        let chaos = Chaos::start(0, broker.address()).await;
        Mqtt5 { broker, chaos, keeper: Mutex::default() }
    }

    fn chaos(&self) -> &Chaos {
        &self.chaos
    }

    async fn restart(&mut self) {
        self.broker.restart().await;
    }

    async fn stop(&mut self) {
        self.broker.stop().await;
    }

    async fn kill(&mut self) {
        self.broker.save_and_kill().await;
    }

    async fn destination(&self) -> String {
        unique("contract/of")
    }

    fn endpoint(&self, destination: &str, _start: Start) -> Endpoint {
        let settings = json!({ "serverHost": "127.0.0.1", "serverPort": self.chaos.address().port(),
            "topic": destination, "consumer": { "enabled": true }, "producer": { "enabled": true } });
        Endpoint::new("mqtt5", settings)
    }

    async fn produce(&self, destination: &str, payloads: &[String]) {
        Peer::connect(self.broker.plain).await.publish(destination, payloads.iter().cloned()).await;
    }

    async fn keep(&self, destination: &str) {
        let mut options =
            MqttOptions::new(unique("keeper"), rumqttc::Broker::tcp("127.0.0.1", self.broker.plain));
        options.set_session_mode(SessionMode::Persistent).set_unlimited_incoming_packet_size();
        let (client, mut events) = AsyncClient::builder(options).capacity(CAPACITY).build();
        let payloads = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let payloads = Arc::clone(&payloads);
            async move {
                loop {
                    match events.poll().await {
                        Ok(Event::Incoming(Incoming::Publish(publish))) => {
                            let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                            payloads.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
                        }
                        Ok(_) => {}
                        // It connects again with the next look.
                        Err(_) => be_slow(KEEPER_PAUSE).await,
                    }
                }
            }
        });
        let keeper = Keeper { task: task.abort_handle(), _client: client.clone(), payloads };
        let asked = client.subscribe_tracked(destination, QoS::AtLeastOnce).await.expect("the client lives");
        within("the keeper's subscription", SOON, asked.wait_completion_async())
            .await
            .expect("it is accepted");
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
    }

    async fn kept(&self, _destination: &str, wanted: &BTreeSet<String>) -> Vec<String> {
        all_among("Mosquitto", wanted, async || {
            let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
            let keeper = keeper.as_ref().expect("something is kept");
            keeper.payloads.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
        .await
    }
}
