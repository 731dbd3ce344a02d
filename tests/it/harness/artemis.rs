//! A broker that speaks AMQP 1.0 and MQTT 5, of a test's own: Apache Artemis, with topics as Solace names them.
//!
//! The user `app` has every right, the user `other` none. Topics below `full/` take 100,000 bytes, then refuse.

use super::certificates;
use super::ports::free_port;
use super::process::Process;
use super::services::{folder, services};
use super::wait::{SOON, until};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Who may do everything, with the password.
pub(crate) const APP: (&str, &str) = ("app", "app-secret");
/// Who may do nothing.
pub(crate) const OTHER: (&str, &str) = ("other", "other-secret");
/// What the process says when it answers.
const READY: &str = "READY";
/// Free ports are a guess until the broker holds them.
const ATTEMPTS_MAX: usize = 3;

/// Ports of one broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) amqp: u16,
    pub(crate) amqps: u16,
    /// With a certificate that has expired.
    pub(crate) expired: u16,
    /// With a certificate for another host.
    pub(crate) wronghost: u16,
    /// Wants a certificate of the client.
    pub(crate) mutual: u16,
    pub(crate) mqtt: u16,
    pub(crate) mqtts: u16,
}

/// One broker process with its data. Killed when dropped.
pub(crate) struct Broker {
    process: Process,
    pub(crate) ports: Ports,
    starts: usize,
}

impl Broker {
    /// Starts a broker without data; it answers when this returns.
    pub(crate) async fn start() -> Broker {
        for _ in 1..ATTEMPTS_MAX {
            let mut broker = Broker::prepare();
            broker.process.start();
            if broker.answers_or_ends().await {
                return broker;
            }
            let output = broker.process.output();
            assert!(output.contains("Address already in use"), "Artemis ended while starting:\n{output}");
        }
        let mut broker = Broker::prepare();
        broker.restart().await;
        broker
    }

    fn prepare() -> Broker {
        let folder = folder("artemis");
        let ports = Ports {
            amqp: free_port(),
            amqps: free_port(),
            expired: free_port(),
            wronghost: free_port(),
            mutual: free_port(),
            mqtt: free_port(),
            mqtts: free_port(),
        };
        let settings = settings_file(&folder, &ports);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/artemis-java.sh");
        let user = |(name, password), role| format!("{name}:{password}:{role}");
        let mut process = Process::new("artemis", script, &folder).arguments([
            format!("file:{}", settings.display()),
            user(APP, "app"),
            user(OTHER, "none"),
        ]);
        process.env("TIDEGATE_TEST_ARTEMIS_HOME", services().artemis_home.to_string_lossy());
        Broker { process, ports, starts: 1 }
    }

    /// `host:port` for AMQP.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.amqp))
    }

    /// Where AMQP is, for documents.
    pub(crate) fn url(&self) -> String {
        format!("amqp://{}", self.address())
    }

    pub(crate) async fn stop(&mut self) {
        self.process.stop().await;
        self.starts += 1;
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
        self.starts += 1;
    }

    /// Starts the stopped broker again: same data, same ports.
    pub(crate) async fn restart(&mut self) {
        self.process.start();
        let answered = self.answers_or_ends().await;
        assert!(answered, "Artemis ended while starting:\n{}", self.process.output());
    }

    async fn answers_or_ends(&mut self) -> bool {
        until("Artemis to answer or to end", SOON * 2, async || {
            if self.process.exited().is_some() {
                return Some(false);
            }
            (self.process.output().matches(READY).count() >= self.starts).then_some(true)
        })
        .await
    }
}

fn settings_file(folder: &Path, ports: &Ports) -> PathBuf {
    let certificates = Path::new(&certificates::path("server.pem")).parent().map(Path::to_owned);
    let certificates = certificates.expect("certificates are in a folder");
    let text = include_str!("../../services/artemis.xml")
        .replace("@DATA@", folder.join("data").to_str().expect("the checkout's path is text"))
        .replace("@CERTS@", certificates.to_str().expect("the checkout's path is text"))
        .replace("@AMQP@", &ports.amqp.to_string())
        .replace("@AMQPS@", &ports.amqps.to_string())
        .replace("@EXPIRED@", &ports.expired.to_string())
        .replace("@WRONGHOST@", &ports.wronghost.to_string())
        .replace("@MUTUAL@", &ports.mutual.to_string())
        .replace("@MQTT@", &ports.mqtt.to_string())
        .replace("@MQTTS@", &ports.mqtts.to_string());
    let file = folder.join("broker.xml");
    std::fs::write(&file, text).expect("the run's folder is writable");
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::amqp10::{Reader, send};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_accepted_for_a_subscription_survives_a_kill_and_a_stop() {
        let mut broker = Broker::start().await;
        let reader = Reader::durable(broker.address(), "somebody", "survive").await;
        reader.leave().await;
        send(broker.address(), "survive", ["before"]).await;
        broker.kill().await;
        broker.restart().await;
        send(broker.address(), "survive", ["between"]).await;
        broker.stop().await;
        broker.restart().await;
        let mut reader = Reader::durable(broker.address(), "somebody", "survive").await;
        assert_eq!((reader.text().await, reader.text().await), ("before".to_owned(), "between".to_owned()));
    }
}
