//! A Mosquitto of a test's own, with a listener for every kind of security, to be stopped, killed and started again without
//! hurting other tests; and the world's own MQTT client beside the product.
//!
//! Mosquitto acknowledges before it saves: a test that kills it saves first, or it would blame the gateway.

use super::certificates::path;
use super::ports::free_port;
use super::process::Process;
use super::services::folder;
use super::wait::{SOON, until, within};
use rumqttc::{
    AsyncClient, Event, Incoming, MqttOptions, Publish, PublishNotice, PublishOptions, PublishProperties, QoS,
};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use uuid::Uuid;

/// The user that the listeners with passwords know.
pub(crate) const USER: (&str, &str) = ("alice", "alice-secret");
/// Free ports are a guess until the broker holds them.
const ATTEMPTS_MAX: usize = 3;
/// Messages of a test's own client that wait for their acknowledgement at a time.
const IN_FLIGHT_MAX: usize = 500;

/// One broker process with its data. Killed when dropped.
pub(crate) struct Mosquitto {
    process: Process,
    data: PathBuf,
    /// Anybody.
    pub(crate) plain: u16,
    /// Anybody with the password.
    pub(crate) password: u16,
    /// TLS and the password.
    pub(crate) tls: u16,
    /// TLS and a certificate of the client.
    pub(crate) mutual: u16,
    /// TLS with a certificate that is expired.
    pub(crate) expired: u16,
    /// TLS with a certificate for another host.
    pub(crate) wrong_host: u16,
}

impl Mosquitto {
    /// Starts a broker on an empty folder.
    pub(crate) async fn start() -> Mosquitto {
        for _ in 1..ATTEMPTS_MAX {
            let mut broker = Mosquitto::prepare();
            broker.process.start();
            let port = broker.plain;
            let up = until("Mosquitto to answer or to end", SOON, async || match broker.process.exited() {
                Some(_) => Some(false),
                None => answers(port).await.then_some(true),
            });
            if up.await {
                return broker;
            }
            let output = broker.process.output();
            assert!(output.contains("Address already in use"), "Mosquitto ended while starting:\n{output}");
        }
        let mut broker = Mosquitto::prepare();
        broker.restart().await;
        broker
    }

    fn prepare() -> Mosquitto {
        let folder = folder("mosquitto");
        let data = folder.join("data");
        std::fs::create_dir_all(&data).expect("the run's folder is writable");
        let users = folder.join("passwd");
        let made =
            Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&users).args([USER.0, USER.1]).status();
        assert!(made.is_ok_and(|status| status.success()), "mosquitto_passwd makes a file of users");
        let ports: Vec<u16> = (0..6).map(|_| free_port()).collect();
        let users = format!("password_file {}", users.display());
        let listeners = [
            vec!["allow_anonymous true".to_owned()],
            vec!["allow_anonymous false".to_owned(), users.clone()],
            [vec!["allow_anonymous false".to_owned(), users], certificate("server")].concat(),
            [
                vec!["require_certificate true".to_owned(), "use_identity_as_username true".to_owned()],
                certificate("server"),
            ]
            .concat(),
            [vec!["allow_anonymous true".to_owned()], certificate("expired")].concat(),
            [vec!["allow_anonymous true".to_owned()], certificate("wronghost")].concat(),
        ];
        let mut settings = format!(
            "user root\nper_listener_settings true\npersistence true\npersistence_location {}/\nmax_queued_messages 0\n\
             log_dest stderr\nlog_type error\nlog_type warning\n",
            data.display()
        );
        for (port, lines) in ports.iter().zip(listeners) {
            write!(settings, "listener {port} 127.0.0.1\n{}\n", lines.join("\n"))
                .expect("text can be written");
        }
        let file = folder.join("mosquitto.conf");
        std::fs::write(&file, settings).expect("the run's folder is writable");
        let file = file.to_str().expect("the checkout's path is text").to_owned();
        let process =
            Process::new("mosquitto", "/usr/sbin/mosquitto", &folder).arguments(["-c".to_owned(), file]);
        let [plain, password, tls, mutual, expired, wrong_host] = ports[..] else {
            unreachable!("six ports")
        };
        Mosquitto { process, data, plain, password, tls, mutual, expired, wrong_host }
    }

    /// What a fault proxy connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.plain))
    }

    /// SIGTERM: everything is saved.
    pub(crate) async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// Saves, then `kill -9`.
    pub(crate) async fn save_and_kill(&mut self) {
        let file = self.data.join("mosquitto.db");
        let written =
            || std::fs::metadata(&file).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let before = written();
        self.process.signal("USR1").await;
        until("Mosquitto to save", SOON, async || (written() > before).then_some(())).await;
        self.process.kill().await;
    }

    /// Starts the stopped broker again: same data, same ports.
    pub(crate) async fn restart(&mut self) {
        self.process.start();
        let port = self.plain;
        self.process.ready("its port is open", async || answers(port).await).await;
    }
}

fn certificate(name: &str) -> Vec<String> {
    let file = |member: &str, file: &str| format!("{member} {}", path(file));
    vec![
        file("cafile", "ca.crt"),
        file("certfile", &format!("{name}.crt")),
        file("keyfile", &format!("{name}.key")),
    ]
}

async fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

/// One client of a broker without security.
pub(crate) struct Peer {
    client: AsyncClient,
    messages: mpsc::Receiver<Publish>,
    task: AbortHandle,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Messages that a client of a test may leave unread.
const UNREAD_MAX: usize = 100_000;

impl Peer {
    pub(crate) async fn connect(port: u16) -> Peer {
        let mut options = MqttOptions::new(
            format!("peer-{}", Uuid::new_v4().simple()),
            rumqttc::Broker::tcp("127.0.0.1", port),
        );
        options.set_unlimited_incoming_packet_size();
        let (client, mut events) = AsyncClient::builder(options).capacity(IN_FLIGHT_MAX).build();
        let (sender, messages) = mpsc::channel(UNREAD_MAX);
        let (up, connected) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut up = Some(up);
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => drop(up.take().map(|up| up.send(()))),
                    Ok(Event::Incoming(Incoming::Publish(publish))) => drop(sender.send(publish).await),
                    Ok(_) => {}
                    // The end of a client that was dropped.
                    Err(rumqttc::ConnectionError::RequestsDone) => return,
                    Err(error) => panic!("the test's own MQTT client lost its broker: {error}"),
                }
            }
        });
        let peer = Peer { client, messages, task: task.abort_handle() };
        within("the broker to accept the test's client", SOON, connected).await.expect("it is accepted");
        peer
    }

    pub(crate) async fn subscribe(&self, filter: &str) {
        let asked = self.client.subscribe_tracked(filter, QoS::AtLeastOnce).await.expect("the client lives");
        within("a subscription", SOON, asked.wait_completion_async()).await.expect("the broker accepts it");
    }

    /// Publishes every payload and answers when the broker acknowledged all of them.
    pub(crate) async fn publish<P: Into<String>>(&self, topic: &str, payloads: impl IntoIterator<Item = P>) {
        let mut notices = Vec::new();
        for payload in payloads {
            notices.push(self.send(topic, payload.into(), PublishProperties::default()).await);
            if notices.len() == IN_FLIGHT_MAX {
                acknowledged(std::mem::take(&mut notices)).await;
            }
        }
        acknowledged(notices).await;
    }

    /// Publishes one message with properties.
    pub(crate) async fn publish_with(&self, topic: &str, payload: &str, properties: PublishProperties) {
        acknowledged(vec![self.send(topic, payload.to_owned(), properties).await]).await;
    }

    async fn send(&self, topic: &str, payload: String, properties: PublishProperties) -> PublishNotice {
        let options = PublishOptions::at_least_once().properties(properties);
        self.client.publish_tracked(topic, payload, options).await.expect("the client lives")
    }

    /// The next message of what was subscribed.
    pub(crate) async fn message(&mut self) -> Publish {
        within("a message of the broker", SOON, self.messages.recv()).await.expect("the client lives")
    }

    /// Its content as text.
    pub(crate) async fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.message().await.payload).into_owned()
    }
}

async fn acknowledged(notices: Vec<PublishNotice>) {
    for notice in notices {
        let outcome = within("the broker's acknowledgement", SOON, notice.wait_completion_async()).await;
        outcome.expect("the broker acknowledges");
    }
}
