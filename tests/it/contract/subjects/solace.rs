//! Solace over both of its open protocols, with Apache Artemis in its place and AMQP 1.0 beside the product.

use crate::contract::subject::{Start, Subject, all_among};
use crate::harness::amqp10::{Reader, send};
use crate::harness::artemis::{APP, Broker};
use crate::harness::chaos::Chaos;
use crate::harness::definitions::Endpoint;
use crate::harness::services::unique;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Who keeps everything.
const KEEPER: &str = "keeper";
/// Nothing more is there when nothing came for so long.
const EMPTY: Duration = Duration::from_millis(500);

/// With `MQTT` over MQTT 5, otherwise over AMQP 1.0.
pub(crate) struct Solace<const MQTT: bool> {
    broker: Broker,
    chaos: Chaos,
    /// Taken out of the subscription that keeps everything.
    kept: Mutex<Vec<String>>,
}

impl<const MQTT: bool> Subject for Solace<MQTT> {
    const ID: &'static str = "solace";
    const SURVIVES_KILL: bool = true;
    const FORGETS_SETTLEMENTS: bool = true;
    /// Artemis over MQTT does.
    const REPEATS_SETTLED: bool = MQTT;

    async fn start() -> Self {
        let broker = Broker::start().await;
        let mut target = broker.address();
        if MQTT {
            target.set_port(broker.ports.mqtt);
        }
        let chaos = Chaos::start(0, target).await;
        Solace { broker, chaos, kept: Mutex::default() }
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
        self.broker.kill().await;
    }

    async fn destination(&self) -> String {
        unique("contract/of")
    }

    fn endpoint(&self, destination: &str, _start: Start) -> Endpoint {
        let scheme = if MQTT { "mqtt" } else { "amqp" };
        let settings = json!({ "url": format!("{scheme}://{}", self.chaos.address()),
            "security": { "auth": { "username": APP.0, "password": APP.1 } },
            "consumer": { "enabled": true, "topics": [destination] },
            "producer": { "enabled": true, "topics": [destination] } });
        Endpoint::new("solace", settings)
    }

    async fn produce(&self, destination: &str, payloads: &[String]) {
        send(self.broker.address(), destination, payloads).await;
    }

    async fn keep(&self, destination: &str) {
        Reader::durable(self.broker.address(), KEEPER, destination).await.leave().await;
    }

    async fn kept(&self, destination: &str, wanted: &BTreeSet<String>) -> Vec<String> {
        let mut reader = Reader::durable(self.broker.address(), KEEPER, destination).await;
        let there = all_among("Artemis", wanted, async || {
            while let Ok(payload) = tokio::time::timeout(EMPTY, reader.text()).await {
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
            }
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
        .await;
        reader.leave().await;
        there
    }
}
