//! The product as its users run it: `tidegate management` and any number of `tidegate gateway`, each a process of the
//! built binary with its own ports and folder.

use super::client::{Client, http};
use super::ports::free_port;
use super::process::Process;
use super::services::{database, folder, unique};
use super::wait::{SOON, until};
use std::path::{Path, PathBuf};

/// Seals what management keeps in tests: 32 bytes in base64.
const SEAL_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Where management keeps its data in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// Management and its gateways; all of them end with the test.
pub(crate) struct Stack {
    pub(crate) management: Management,
    /// Further management nodes on the same store.
    pub(crate) others: Vec<Management>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) client: Client,
}

impl Stack {
    /// Starts management on an empty store and `gateways` gateways; every node answers `/ready` when this returns.
    pub(crate) async fn start(store: Store, gateways: usize) -> Stack {
        Stack::start_with(store, gateways, &[]).await
    }

    /// The same with further settings of the gateways.
    pub(crate) async fn start_with(store: Store, gateways: usize, settings: &[(&str, &str)]) -> Stack {
        Stack::cluster(store, 1, gateways, settings).await
    }

    /// The same with several management nodes. Gateways know all of them and begin at any.
    pub(crate) async fn cluster(
        store: Store,
        managements: usize,
        gateways: usize,
        settings: &[(&str, &str)],
    ) -> Stack {
        let folder = folder("stack");
        let token = unique("token");
        let database_url = match store {
            Store::Sqlite => format!("sqlite://{}", folder.join("tidegate.db").display()),
            Store::Postgres => database().await,
        };
        let mut management = Management::prepare(&folder, "management", &database_url, &token);
        management.start().await;
        let mut others = Vec::new();
        for number in 2..=managements {
            let mut other =
                Management::prepare(&folder, &format!("management-{number}"), &database_url, &token);
            other.start().await;
            others.push(other);
        }
        let syncs: Vec<u16> = std::iter::once(&management).chain(&others).map(|node| node.sync).collect();
        let client = Client::new(management.rest);
        let mut stack = Stack { client, management, others, gateways: Vec::new() };
        for number in 1..=gateways {
            let mut gateway = Gateway::prepare(&folder, number, &syncs, &token);
            settings.iter().for_each(|(name, value)| gateway.process.env(name, *value));
            stack.gateways.push(gateway);
        }
        for gateway in &mut stack.gateways {
            gateway.process.start();
        }
        for gateway in &mut stack.gateways {
            gateway.ready().await;
        }
        stack
    }

    /// Creates, plans and starts the API, then waits until every gateway serves `path`. Its id.
    pub(crate) async fn serve(&self, path: &str, definition: &serde_json::Value) -> String {
        let api = self.client.create_api(definition).await;
        self.client.create_keyless_plan(&api).await;
        self.client.start(&api).await;
        self.serves(path).await;
        api
    }

    /// Waits until every gateway serves something at `path`.
    pub(crate) async fn serves(&self, path: &str) {
        for gateway in &self.gateways {
            gateway.serves(path, true).await;
        }
    }
}

/// The management process.
pub(crate) struct Management {
    pub(crate) process: Process,
    pub(crate) rest: u16,
    pub(crate) sync: u16,
    pub(crate) node: u16,
}

impl Management {
    fn prepare(parent: &Path, name: &str, database_url: &str, token: &str) -> Management {
        let (rest, sync, node) = (free_port(), free_port(), free_port());
        let mut process = tidegate("management", &subfolder(parent, name));
        process.name = name.to_owned();
        process.env("TIDEGATE_DATABASE_URL", database_url);
        process.env("TIDEGATE_ADMIN_PASSWORD", "admin");
        process.env("TIDEGATE_SYNC_TOKEN", token);
        process.env("TIDEGATE_SEAL_KEY", SEAL_KEY);
        process.env("TIDEGATE_REST_LISTEN", loopback(rest));
        process.env("TIDEGATE_SYNC_LISTEN", loopback(sync));
        process.env("TIDEGATE_NODE_LISTEN", loopback(node));
        Management { process, rest, sync, node }
    }

    /// Starts it, for the first time or again: same data, same ports.
    pub(crate) async fn start(&mut self) {
        self.process.start();
        let node = self.node;
        self.process.ready("/ready answers 200", async || ready(node).await).await;
    }
}

/// One gateway process.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) node: u16,
}

impl Gateway {
    /// Starts a gateway of whoever listens on `sync`; it is not ready yet.
    pub(crate) fn of(sync: u16) -> Gateway {
        let mut gateway = Gateway::prepare(&folder("gateway"), 1, &[sync], &unique("token"));
        gateway.process.start();
        gateway
    }

    fn prepare(parent: &Path, number: usize, syncs: &[u16], token: &str) -> Gateway {
        let (port, node) = (free_port(), free_port());
        let name = format!("gateway-{number}");
        let mut process = tidegate("gateway", &subfolder(parent, &name));
        process.name = name;
        let management: Vec<String> =
            syncs.iter().map(|sync| format!("http://{}", loopback(*sync))).collect();
        process.env("TIDEGATE_MANAGEMENT", management.join(","));
        process.env("TIDEGATE_SYNC_TOKEN", token);
        process.env("TIDEGATE_GATEWAY_LISTEN", loopback(port));
        process.env("TIDEGATE_NODE_LISTEN", loopback(node));
        Gateway { process, port, node }
    }

    /// Waits until the gateway says that it runs everything.
    pub(crate) async fn ready(&mut self) {
        let node = self.node;
        self.process.ready("/ready answers 200", async || ready(node).await).await;
    }

    /// Starts it again on the same ports.
    pub(crate) async fn restart(&mut self) {
        self.process.start();
        self.ready().await;
    }

    /// `http://…` of a path on this gateway.
    pub(crate) fn http(&self, path: &str) -> String {
        format!("http://{}{path}", loopback(self.port))
    }

    /// `ws://…` of a path on this gateway.
    pub(crate) fn ws(&self, path: &str) -> String {
        format!("ws://{}{path}", loopback(self.port))
    }

    /// Waits until some API answers at `path`, or until none does. Asks with a method that no entrypoint takes, so that
    /// asking has no effect.
    pub(crate) async fn serves(&self, path: &str, wanted: bool) {
        let (http, url) = (http(), self.http(path));
        let what = format!("{} to {} {path}", self.process.name, if wanted { "serve" } else { "forget" });
        until(&what, SOON, async || {
            let answer = http.delete(&url).send().await.ok()?.text().await.ok()?;
            (wanted != answer.contains("No context-path matches")).then_some(())
        })
        .await;
    }
}

/// Whether the node answers 200 on `/ready`.
pub(crate) async fn ready(node: u16) -> bool {
    let answer = http().get(format!("http://{}/ready", loopback(node))).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

/// A process of the built binary; nothing runs yet.
pub(crate) fn tidegate(command: &str, folder: &Path) -> Process {
    Process::new(command, env!("CARGO_BIN_EXE_tidegate"), folder).arguments([command])
}

fn subfolder(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.join(name);
    std::fs::create_dir_all(&folder).expect("the run's folder is writable");
    folder
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
