//! A Kafka broker of a test's own, to be stopped, killed and started again without hurting other tests.

use super::ports::free_port;
use super::process::Process;
use super::services::{folder, services};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Any 22 characters of base64; the data folder belongs to it.
pub(super) const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";
/// How long one look at a starting broker may take.
const LOOK: Duration = Duration::from_millis(500);
/// Free ports are a guess until the broker holds them.
const ATTEMPTS_MAX: usize = 3;

/// One broker process with its data. Killed when dropped.
pub(crate) struct Broker {
    process: Process,
    plain: u16,
    proxied: u16,
    advertised: u16,
}

impl Broker {
    /// Formats a data folder and starts a broker on it; answers when it can be produced to.
    pub(crate) async fn start() -> Broker {
        for _ in 1..ATTEMPTS_MAX {
            let mut broker = Broker::prepare().await;
            broker.process.start();
            if broker.answers_or_ends().await {
                return broker;
            }
            let output = broker.process.output();
            assert!(output.contains("Address already in use"), "Kafka ended while starting:\n{output}");
        }
        let mut broker = Broker::prepare().await;
        broker.restart().await;
        broker
    }

    async fn prepare() -> Broker {
        let folder = folder("kafka");
        let (plain, proxied, advertised) = (free_port(), free_port(), free_port());
        let settings = settings_file(&folder, plain, proxied, advertised);
        let settings = settings.to_str().expect("the checkout's path is text");
        let mut format = java(
            "kafka-format",
            &folder,
            &["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", settings],
        );
        format.start();
        let done = super::wait::until("Kafka to format its data folder", super::wait::SOON, async || {
            format.exited()
        });
        let status = done.await;
        assert!(status.ends_with(": 0"), "Kafka's format ended with {status}:\n{}", format.output());
        let process = java("kafka", &folder, &["kafka.Kafka", settings]);
        Broker { process, plain, proxied, advertised }
    }

    /// `host:port` for clients.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    /// Where a fault proxy must listen and what it must connect to: the listener behind it advertises the first, so that
    /// clients stay with the proxy after the bootstrap.
    pub(crate) fn proxied(&self) -> (u16, SocketAddr) {
        (self.advertised, SocketAddr::from(([127, 0, 0, 1], self.proxied)))
    }

    pub(crate) async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts the stopped broker again: same data, same ports.
    pub(crate) async fn restart(&mut self) {
        self.process.start();
        let bootstrap = self.bootstrap();
        self.process.ready("its metadata names a broker", async || answers(&bootstrap).await).await;
    }

    async fn answers_or_ends(&mut self) -> bool {
        let bootstrap = self.bootstrap();
        super::wait::until("Kafka to answer or to end", super::wait::SOON * 2, async || {
            if self.process.exited().is_some() {
                return Some(false);
            }
            answers(&bootstrap).await.then_some(true)
        })
        .await
    }
}

/// Whether the cluster's metadata lists a broker: it does as soon as the controller let the broker in.
pub(super) async fn answers(bootstrap: &str) -> bool {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    let look = tokio::task::spawn_blocking(move || {
        let client: BaseProducer = config.create().expect("a client needs no connection");
        client.client().fetch_metadata(None, LOOK).is_ok_and(|metadata| !metadata.brokers().is_empty())
    });
    look.await.unwrap_or(false)
}

pub(super) fn java(name: &str, folder: &Path, arguments: &[&str]) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/kafka-java.sh");
    let mut process = Process::new(name, script, folder).arguments(arguments.iter().copied());
    process.env("TIDEGATE_TEST_KAFKA_HOME", services().kafka_home.to_string_lossy());
    process
}

pub(super) fn settings_file(folder: &Path, plain: u16, proxied: u16, advertised: u16) -> PathBuf {
    let data = folder.join("data");
    let text = include_str!("../../services/kafka.properties")
        .replace("@PLAIN_PORT@", &plain.to_string())
        .replace("@PROXIED_PORT@", &proxied.to_string())
        .replace("@ADVERTISED_PORT@", &advertised.to_string())
        .replace("@CONTROLLER_PORT@", &free_port().to_string())
        .replace("@DATA@", data.to_str().expect("the checkout's path is text"));
    let file = folder.join("server.properties");
    std::fs::write(&file, text).expect("the run's folder is writable");
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::chaos::{Chaos, Mode};
    use crate::harness::records::{consume, produce};
    use crate::harness::services::topic_at;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_acknowledged_survives_a_kill_and_a_stop() {
        let mut broker = Broker::start().await;
        let topic = topic_at(&broker.bootstrap(), "survive", 2).await;
        produce(&broker.bootstrap(), &topic, ["before"]).await;
        broker.kill().await;
        broker.restart().await;
        produce(&broker.bootstrap(), &topic, ["between"]).await;
        broker.stop().await;
        broker.restart().await;
        let mut seen = consume(&broker.bootstrap(), &topic, 2).await;
        seen.sort();
        assert_eq!(seen, ["before", "between"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_fault_proxy_stays_between_client_and_broker() {
        let broker = Broker::start().await;
        let (port, target) = broker.proxied();
        let chaos = Chaos::start(port, target).await;
        let through = chaos.address().to_string();
        let topic = topic_at(&through, "proxied", 1).await;
        produce(&through, &topic, ["one"]).await;
        let before = chaos.bytes();
        chaos.cut();
        chaos.set(Mode::Refuse);
        let sending = tokio::spawn({
            let (through, topic) = (through.clone(), topic.clone());
            async move { produce(&through, &topic, ["two"]).await }
        });
        chaos.set(Mode::Pass);
        sending.await.expect("the second record is acknowledged after mending");
        assert!(chaos.bytes().0 > before.0, "the produce request went through the proxy");
        assert_eq!(consume(&through, &topic, 2).await, ["one", "two"]);
    }
}
