//! One Kafka with a listener for every way of being secured, and for every way in which a certificate can be wrong. It
//! is started by the first test that wants it and shared by all of them; the end of the run ends it.
//!
//! Users: `alice` (PLAIN), `bob` (SCRAM). The OAUTHBEARER listener takes tokens without a signature.

use super::certificates;
use super::kafka::{CLUSTER_ID, answers, java, settings_file};
use super::ports::free_port;
use super::process::Process;
use super::services::{folder, services};
use super::wait::{SOON, until};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::OnceCell;

/// Passwords of the users, by mechanism.
pub(crate) const ALICE_PLAIN: &str = "alice-hush-1";
pub(crate) const BOB_256: &str = "bob-hush-256";
pub(crate) const BOB_512: &str = "bob-hush-512";
/// Free ports are a guess until the broker holds them.
const ATTEMPTS_MAX: usize = 3;
/// Listeners by name: protocol, and the host that clients name.
const LISTENERS: [(&str, &str, &str); 8] = [
    ("PLAINTEXT", "PLAINTEXT", "127.0.0.1"),
    ("SASLPLAIN", "SASL_PLAINTEXT", "127.0.0.1"),
    ("OAUTH", "SASL_PLAINTEXT", "127.0.0.1"),
    ("SASLSSL", "SASL_SSL", "localhost"),
    ("TLS", "SSL", "localhost"),
    ("MTLS", "SSL", "localhost"),
    ("EXPIRED", "SSL", "localhost"),
    ("WRONGHOST", "SSL", "localhost"),
];

/// The broker.
pub(crate) struct Secured {
    _process: Process,
    ports: BTreeMap<&'static str, u16>,
    data: PathBuf,
}

impl Secured {
    /// The one of this run.
    pub(crate) async fn shared() -> &'static Secured {
        static BROKER: OnceCell<Secured> = OnceCell::const_new();
        BROKER.get_or_init(Secured::start).await
    }

    /// `host:port` of a listener.
    pub(crate) fn at(&self, listener: &str) -> String {
        let known = LISTENERS.iter().find(|(name, _, _)| *name == listener);
        let (name, _, host) = known.unwrap_or_else(|| panic!("there is no listener {listener}"));
        format!("{host}:{}", self.ports[name])
    }

    /// The listener that everybody may use, for the tests' own clients.
    pub(crate) fn open(&self) -> String {
        self.at("PLAINTEXT")
    }

    /// Bytes that the log of a topic's first partition takes on the disk.
    pub(crate) fn log_bytes(&self, topic: &str) -> u64 {
        let files =
            std::fs::read_dir(self.data.join(format!("{topic}-0"))).expect("the partition has a folder");
        let paths = files.map(|file| file.expect("the folder can be read").path());
        let logs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|path| std::fs::metadata(path).expect("the log is there").len()).sum()
    }

    async fn start() -> Secured {
        for attempt in 1..=ATTEMPTS_MAX {
            let (mut process, ports, data) = prepare().await;
            process.start();
            let bootstrap = format!("127.0.0.1:{}", ports["PLAINTEXT"]);
            let up = until("the secured Kafka to answer or to end", SOON * 2, async || {
                if process.exited().is_some() {
                    return Some(false);
                }
                answers(&bootstrap).await.then_some(true)
            })
            .await;
            if up {
                return Secured { _process: process, ports, data };
            }
            let output = process.output();
            let taken = output.contains("Address already in use") && attempt < ATTEMPTS_MAX;
            assert!(taken, "the secured Kafka ended while starting:\n{output}");
        }
        unreachable!("the last attempt returns or fails")
    }
}

async fn prepare() -> (Process, BTreeMap<&'static str, u16>, PathBuf) {
    let folder = folder("kafka-secured");
    let ports: BTreeMap<&str, u16> = LISTENERS.iter().map(|(name, _, _)| (*name, free_port())).collect();
    let settings = settings_file(&folder, free_port(), free_port(), free_port());
    let text = std::fs::read_to_string(&settings).expect("it was written");
    let (controllers, others): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("controller.quorum.voters="));
    let controller = controllers[0].rsplit(':').next().expect("a port").to_owned();
    let kept =
        others.into_iter().filter(|line| !line.contains("listeners=") && !line.contains("protocol.map="));
    let mut text: Vec<String> = kept.map(str::to_owned).collect();
    text.push(controllers[0].to_owned());
    text.extend(listeners(&ports, &controller));
    std::fs::write(&settings, text.join("\n")).expect("the run's folder is writable");
    let settings = settings.to_str().expect("the checkout's path is text");
    format(&folder, settings).await;
    (java("kafka", &folder, &["kafka.Kafka", settings]), ports, folder.join("data"))
}

async fn format(folder: &Path, settings: &str) {
    let scram = |mechanism: &str, password: &str| format!("{mechanism}=[name=bob,password={password}]");
    let (short, long) = (scram("SCRAM-SHA-256", BOB_256), scram("SCRAM-SHA-512", BOB_512));
    let arguments = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", settings];
    let users = ["--add-scram", &short, "--add-scram", &long];
    let mut format = java("kafka-format", folder, &[&arguments[..], &users[..]].concat());
    format.start();
    let status = until("Kafka to format its data folder", SOON, async || format.exited()).await;
    assert!(status.ends_with(": 0"), "Kafka's format ended with {status}:\n{}", format.output());
}

fn listeners(ports: &BTreeMap<&'static str, u16>, controller: &str) -> Vec<String> {
    let each = |line: &dyn Fn(&str, &str, &str) -> String| {
        let lines = LISTENERS.iter().map(|(name, protocol, host)| line(name, protocol, host));
        lines.collect::<Vec<_>>().join(",")
    };
    let address = |name: &str, _: &str, host: &str| format!("{name}://{host}:{}", ports[name]);
    let run = services().run.join("certs");
    let certificate = |file: &str| run.join(file).display().to_string();
    assert!(!certificates::pem("ca.crt").is_empty());
    let security = "org.apache.kafka.common.security";
    let mut lines = vec![
        format!("listeners={},CONTROLLER://127.0.0.1:{controller}", each(&address)),
        format!("advertised.listeners={}", each(&address)),
        format!(
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,{}",
            each(&|name, protocol, _| format!("{name}:{protocol}"))
        ),
        "inter.broker.listener.name=PLAINTEXT".to_owned(),
        "controller.listener.names=CONTROLLER".to_owned(),
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={}", certificate("server.pem")),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.location={}", certificate("ca.crt")),
        "listener.name.mtls.ssl.client.auth=required".to_owned(),
        "listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER".to_owned(),
        format!(
            "listener.name.oauth.oauthbearer.sasl.jaas.config={security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"
        ),
        format!(
            "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class={security}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
        ),
    ];
    for wrong in ["expired", "wronghost"] {
        lines.push(format!("listener.name.{wrong}.ssl.keystore.type=PEM"));
        lines.push(format!(
            "listener.name.{wrong}.ssl.keystore.location={}",
            certificate(&format!("{wrong}.pem"))
        ));
    }
    for listener in ["saslplain", "saslssl"] {
        let name = format!("listener.name.{listener}");
        lines.push(format!("{name}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"));
        lines.push(format!(
            "{name}.plain.sasl.jaas.config={security}.plain.PlainLoginModule required user_alice=\"{ALICE_PLAIN}\";"
        ));
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            lines.push(format!(
                "{name}.{mechanism}.sasl.jaas.config={security}.scram.ScramLoginModule required;"
            ));
        }
    }
    lines
}
