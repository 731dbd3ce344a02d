//! A Redis server of a test's own: in memory only, on loopback, to be killed and started again.

use super::ports::free_port;
use super::process::Process;
use super::services::folder;
use redis::Client;
use std::time::Duration;

/// How long one look at a starting server may take.
const LOOK: Duration = Duration::from_millis(500);
/// A password, so that one is tried.
const PASSWORD: &str = "a-password-of-a-test";

/// One server process. Killed when dropped.
pub(crate) struct Redis {
    process: Process,
    port: u16,
}

impl Redis {
    /// Starts a server; answers when it does.
    pub(crate) async fn start() -> Redis {
        let port = free_port();
        let port_text = port.to_string();
        let arguments = ["--bind", "127.0.0.1", "--port", &port_text, "--requirepass", PASSWORD];
        let in_memory = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
        let process = Process::new("redis", "redis-server", &folder("redis"));
        let process = process.arguments(arguments.into_iter().chain(in_memory));
        let mut redis = Redis { process, port };
        redis.restart().await;
        redis
    }

    /// As a gateway names it.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// `kill -9`; what it held is gone.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again on the same port, empty.
    pub(crate) async fn restart(&mut self) {
        self.process.start();
        let url = self.url();
        self.process.ready("it answers PING", async || answers(&url).await.is_some()).await;
    }
}

async fn answers(url: &str) -> Option<()> {
    let client = Client::open(url).ok()?;
    let ping = async {
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
    };
    tokio::time::timeout(LOOK, ping).await.ok().flatten().map(drop)
}
