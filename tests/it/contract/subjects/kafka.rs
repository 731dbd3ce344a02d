//! Apache Kafka, with librdkafka beside the product.

use crate::contract::subject::{Start, Subject, all_among};
use crate::harness::chaos::Chaos;
use crate::harness::definitions::{Endpoint, kafka_advanced, kafka_advanced_latest};
use crate::harness::kafka::Broker;
use crate::harness::records;
use crate::harness::services::topic_at;
use std::collections::BTreeSet;

const PARTITIONS: i32 = 2;

pub(crate) struct Kafka {
    broker: Broker,
    chaos: Chaos,
}

impl Subject for Kafka {
    const ID: &'static str = "kafka-advanced";
    const SURVIVES_KILL: bool = true;

    async fn start() -> Kafka {
        let broker = Broker::start().await;
        let (port, target) = broker.proxied();
        let chaos = Chaos::start(port, target).await;
        Kafka { broker, chaos }
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
        topic_at(&self.broker.bootstrap(), "contract", PARTITIONS).await
    }

    fn endpoint(&self, destination: &str, start: Start) -> Endpoint {
        let proxy = self.chaos.address().to_string();
        match start {
            Start::Now => kafka_advanced_latest(&proxy, destination),
            Start::Earliest => kafka_advanced(&proxy, destination),
        }
    }

    async fn produce(&self, destination: &str, payloads: &[String]) {
        records::produce(&self.broker.bootstrap(), destination, payloads).await;
    }

    /// A topic keeps everything by itself.
    async fn keep(&self, _destination: &str) {}

    async fn kept(&self, destination: &str, wanted: &BTreeSet<String>) -> Vec<String> {
        let bootstrap = self.broker.bootstrap();
        all_among("Kafka", wanted, async || records::everything(&bootstrap, destination).await).await
    }
}
