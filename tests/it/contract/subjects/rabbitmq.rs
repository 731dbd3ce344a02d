//! RabbitMQ, with a topic exchange and persistent messages.

use crate::contract::subject::{Start, Subject, all_among};
use crate::harness::amqp::Amqp;
use crate::harness::chaos::Chaos;
use crate::harness::definitions::Endpoint;
use crate::harness::rabbitmq::{Broker, PASSWORD, USER};
use crate::harness::services::unique;
use lapin::ExchangeKind;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

const ROUTING_KEY: &str = "contract.new";

pub(crate) struct RabbitMq {
    broker: Broker,
    chaos: Chaos,
    /// Taken out of the queue that keeps everything.
    kept: Mutex<Vec<String>>,
}

impl RabbitMq {
    async fn client(&self) -> Amqp {
        Amqp::connect(self.broker.port, "/").await
    }
}

fn queue(destination: &str) -> String {
    format!("kept-{destination}")
}

impl Subject for RabbitMq {
    const ID: &'static str = "rabbitmq";
    const SURVIVES_KILL: bool = true;
    const FORGETS_SETTLEMENTS: bool = true;

    async fn start() -> RabbitMq {
        let broker = Broker::start().await;
        let chaos = Chaos::start(0, broker.address()).await;
        RabbitMq { broker, chaos, kept: Mutex::default() }
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
        let exchange = unique("contract");
        self.client().await.exchange(&exchange, ExchangeKind::Topic).await;
        exchange
    }

    fn endpoint(&self, destination: &str, _start: Start) -> Endpoint {
        let side = |routing_key: &str| {
            json!({ "enabled": true, "exchange": { "name": destination, "type": "topic" },
                "routingKey": routing_key })
        };
        let settings = json!({ "serverHost": "127.0.0.1", "serverPort": self.chaos.address().port(),
            "security": { "auth": { "username": USER, "password": PASSWORD } },
            "consumer": side("contract.#"), "producer": side(ROUTING_KEY) });
        Endpoint::new("rabbitmq", settings)
    }

    async fn produce(&self, destination: &str, payloads: &[String]) {
        self.client().await.produce(destination, ROUTING_KEY, payloads).await;
    }

    async fn keep(&self, destination: &str) {
        self.client().await.keep(destination, "#", &queue(destination)).await;
    }

    async fn kept(&self, destination: &str, wanted: &BTreeSet<String>) -> Vec<String> {
        let client = self.client().await;
        all_among("RabbitMQ", wanted, async || {
            let taken = client.drain(&queue(destination)).await;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(taken);
            kept.clone()
        })
        .await
    }
}
