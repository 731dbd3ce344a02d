//! A RabbitMQ node with plain and TLS listeners: one that tests share, and nodes of a test's own, to be stopped, killed and
//! started again without hurting other tests.

use super::amqp::Amqp;
use super::certificates;
use super::ports::free_port;
use super::process::Process;
use super::services::folder;
use super::wait::{SOON, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// Debian's own scripts; the ones in the search path change to another user.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
/// The user that definitions name; the only one that `tenant` lets in beside the default virtual host.
pub(crate) const USER: &str = "app";
pub(crate) const PASSWORD: &str = "app-secret";
/// A user without any right in `tenant`, and with no right but to read in the default virtual host.
pub(crate) const GUEST: (&str, &str) = ("reader", "reader-secret");
/// A second virtual host.
pub(crate) const TENANT: &str = "tenant";
/// Free ports are a guess until the node holds them.
const ATTEMPTS_MAX: usize = 3;

/// One node with its data and its own name server. Killed when dropped.
pub(crate) struct Broker {
    node: Process,
    /// Answers other nodes' and tools' questions for the node; without one of ours the node would start one that stays.
    _names: Process,
    environment: BTreeMap<String, String>,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
}

/// What the broker says about a queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFacts {
    pub(crate) name: String,
    pub(crate) ready: u64,
    pub(crate) unacknowledged: u64,
    pub(crate) consumers: u64,
}

impl Broker {
    /// The node that tests share: whoever uses it uses names that nobody else has. It ends with the run.
    pub(crate) async fn shared() -> &'static Broker {
        static SHARED: OnceCell<Broker> = OnceCell::const_new();
        SHARED.get_or_init(Broker::start).await
    }

    /// Starts a node on an empty data folder; answers when clients can use it.
    pub(crate) async fn start() -> Broker {
        for _ in 1..ATTEMPTS_MAX {
            let mut broker = Broker::prepare().await;
            broker.node.start();
            if broker.answers_or_ends().await {
                return broker;
            }
            let output = broker.node.output();
            assert!(output.contains("eaddrinuse"), "RabbitMQ ended while starting:\n{output}");
        }
        let mut broker = Broker::prepare().await;
        broker.restart().await;
        broker
    }

    async fn prepare() -> Broker {
        let folder = folder("rabbitmq");
        let (port, tls_port, names_port) = (free_port(), free_port(), free_port());
        settings_files(&folder, port, tls_port);
        let environment = environment(&folder, port, names_port);
        let mut names = Process::new("epmd", "epmd", &folder);
        names = names.arguments(["-address", "127.0.0.1", "-port", &names_port.to_string()]);
        names.start();
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", names_port)).await.is_ok();
        names.ready("its port answers", listens).await;
        let mut node = Process::new("rabbitmq", program("rabbitmq-server"), &folder);
        environment.iter().for_each(|(name, value)| node.env(name, value));
        // The script becomes the node instead of its parent, so that signals reach the node itself.
        node.env("RUNNING_UNDER_SYSTEMD", "true");
        Broker { node, _names: names, environment, port, tls_port }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// SIGTERM.
    pub(crate) async fn stop(&mut self) {
        self.node.stop().await;
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.node.kill().await;
    }

    /// Starts the stopped or killed node again: same data, same ports.
    pub(crate) async fn restart(&mut self) {
        self.node.start();
        let port = self.port;
        self.node.ready("it lets a client in", async || Amqp::try_connect(port, "/").await.is_some()).await;
    }

    async fn answers_or_ends(&mut self) -> bool {
        until("RabbitMQ to answer or to end", SOON * 2, async || {
            if self.node.exited().is_some() {
                return Some(false);
            }
            Amqp::try_connect(self.port, "/").await.map(|_| true)
        })
        .await
    }

    /// What the node's own tool prints.
    pub(crate) async fn control(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program("rabbitmqctl"));
        let output = command.arg("-q").args(arguments).envs(&self.environment).output().await;
        let output = output.expect("rabbitmqctl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Queues of the default virtual host that are bound to `exchange`.
    pub(crate) async fn queues_of(&self, exchange: &str) -> Vec<QueueFacts> {
        let bindings = self.control(&["list_bindings", "source_name", "destination_name"]).await;
        let bound = bindings.lines().filter_map(|line| line.split_once('\t'));
        let bound: Vec<&str> =
            bound.filter(|(source, _)| *source == exchange).map(|(_, queue)| queue).collect();
        let facts = ["list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers"];
        let queues = self.control(&facts).await;
        let queues = queues.lines().filter_map(|line| {
            let mut columns = line.split('\t');
            let name = columns.next()?.to_owned();
            let mut number = || columns.next()?.parse().ok();
            let (ready, unacknowledged, consumers) = (number()?, number()?, number()?);
            Some(QueueFacts { name, ready, unacknowledged, consumers })
        });
        queues.filter(|queue| bound.contains(&queue.name.as_str())).collect()
    }
}

fn program(name: &str) -> PathBuf {
    Path::new(PROGRAMS).join(name)
}

fn environment(folder: &Path, port: u16, names_port: u16) -> BTreeMap<String, String> {
    let path = |name: &str| folder.join(name).to_str().expect("the checkout's path is text").to_owned();
    let set = [
        ("RABBITMQ_NODENAME", format!("tidegate{port}@localhost")),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", free_port().to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("ERL_EPMD_PORT", names_port.to_string()),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("log")),
        ("RABBITMQ_LOGS", path("log/rabbit.log")),
        ("RABBITMQ_PID_FILE", path("pid")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        ("RABBITMQ_GENERATED_CONFIG_DIR", path("generated")),
        ("HOME", path("")),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} -setcookie tidegate".to_owned(),
        ),
        ("RABBITMQ_CTL_ERL_ARGS", "-setcookie tidegate".to_owned()),
    ];
    set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn settings_files(folder: &Path, port: u16, tls_port: u16) {
    let definitions = folder.join("definitions.json");
    let settings = format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{tls_port}\n\
         ssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
         ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false\n\
         load_definitions = {}\nlog.file.level = warning\ndisk_free_limit.absolute = 50MB\n",
        certificates::path("ca.crt"),
        certificates::path("server.crt"),
        certificates::path("server.key"),
        definitions.display(),
    );
    let right = |user: &str, vhost: &str, change: &str| json!({"user": user, "vhost": vhost, "configure": change, "write": change, "read": ".*"});
    let contents = json!({
        "vhosts": [{"name": "/"}, {"name": TENANT}],
        "users": [{"name": USER, "password": PASSWORD, "tags": ""},
                  {"name": GUEST.0, "password": GUEST.1, "tags": ""}],
        "permissions": [right(USER, "/", ".*"), right(USER, TENANT, ".*"), right(GUEST.0, "/", "")],
    });
    let files = [
        ("rabbitmq.conf", settings),
        ("definitions.json", contents.to_string()),
        ("enabled_plugins", "[].\n".to_owned()),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("the run's folder is writable");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_rabbitmq_confirmed_survives_a_kill_and_a_stop() {
        let mut broker = Broker::start().await;
        let client = Amqp::connect(broker.port, "/").await;
        client.exchange("survive", lapin::ExchangeKind::Topic).await;
        client.keep("survive", "#", "kept").await;
        client.produce("survive", "a.b", &["before"]).await;
        broker.kill().await;
        broker.restart().await;
        Amqp::connect(broker.port, "/").await.produce("survive", "a.b", &["between"]).await;
        broker.stop().await;
        broker.restart().await;
        let client = Amqp::connect(broker.port, "/").await;
        assert_eq!(client.take("kept", 2).await, ["before", "between"]);
    }
}
