//! The product under test: the release binary as `management` and any number of `gateway` processes, on free ports, with
//! an SQLite store in the run's folder.

use crate::{
    http_client::{get, status_of},
    management::Management,
    process::{Process, Program},
    rig::{Cpu, Rig},
    wait,
};
use anyhow::Context;
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use serde_json::Value;
use std::{
    ffi::OsString,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

/// Deadline for a process to be ready and for an API to be served.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The product that is measured.
#[derive(clap::Args, Clone)]
pub(crate) struct Product {
    /// The product's binary [default: `tidegate` beside this program].
    #[arg(long, value_name = "PATH")]
    pub(crate) tidegate: Option<PathBuf>,
}

impl Product {
    /// The binary, checked to be there.
    pub(crate) fn binary(&self) -> anyhow::Result<PathBuf> {
        let path = match &self.tidegate {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("tidegate"),
        };
        path.canonicalize()
            .with_context(|| format!("{} is missing: cargo build --release --workspace", path.display()))
    }
}

/// A gateway process and where it listens.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) node: SocketAddr,
}

/// A running management process; gateways are started beside it.
pub(crate) struct Stack<'r> {
    rig: &'r Rig,
    binary: PathBuf,
    process: Process,
    sync: SocketAddr,
    token: String,
    gateways_started: usize,
    pub(crate) management: Management,
}

impl<'r> Stack<'r> {
    /// Starts management and waits until it is ready.
    pub(crate) async fn start(rig: &'r Rig, product: &Product) -> anyhow::Result<Self> {
        let binary = product.binary()?;
        let [rest, sync, node] = free_addresses()?;
        // Fresh secrets for each run: the ports are open to every user of the machine.
        let (password, token) = (secret(), secret());
        let env = vec![
            ("TIDEGATE_DATABASE_URL", format!("sqlite://{}", rig.path("store.db").display())),
            ("TIDEGATE_ADMIN_PASSWORD", password.clone()),
            ("TIDEGATE_SYNC_TOKEN", token.clone()),
            ("TIDEGATE_SEAL_KEY", BASE64.encode(rand::random::<[u8; 32]>())),
            ("TIDEGATE_REST_LISTEN", rest.to_string()),
            ("TIDEGATE_SYNC_LISTEN", sync.to_string()),
            ("TIDEGATE_NODE_LISTEN", node.to_string()),
        ];
        let mut process = spawn(rig, &binary, "management", "management", env, Cpu::Load)?;
        ready(&mut process, node).await?;
        let management = Management::new(rest, &password);
        Ok(Self { rig, binary, process, sync, token, gateways_started: 0, management })
    }

    /// Starts one more gateway without waiting for it.
    pub(crate) fn spawn_gateway(&mut self, cpu: Cpu) -> anyhow::Result<Gateway> {
        let [http, node] = free_addresses()?;
        self.gateways_started += 1;
        let env = vec![
            ("TIDEGATE_MANAGEMENT", format!("http://{}", self.sync)),
            ("TIDEGATE_SYNC_TOKEN", self.token.clone()),
            ("TIDEGATE_GATEWAY_LISTEN", http.to_string()),
            ("TIDEGATE_NODE_LISTEN", node.to_string()),
        ];
        let name = format!("gateway-{}", self.gateways_started);
        let process = spawn(self.rig, &self.binary, &name, "gateway", env, cpu)?;
        Ok(Gateway { process, http, node })
    }

    /// Starts one more gateway and waits until it is ready.
    pub(crate) async fn gateway(&mut self, cpu: Cpu) -> anyhow::Result<Gateway> {
        let mut gateway = self.spawn_gateway(cpu)?;
        ready(&mut gateway.process, gateway.node).await?;
        Ok(gateway)
    }

    /// Publishes an API and waits until every gateway answers `probe` (a prepared request) with 2xx. Returns the API's
    /// id and stored definition.
    pub(crate) async fn publish(
        &self,
        gateways: &[Gateway],
        definition: &Value,
        probe: &[u8],
    ) -> anyhow::Result<(String, Value)> {
        let published = self.management.publish(definition).await?;
        served(gateways, probe).await?;
        Ok(published)
    }

    /// Publishes an API that asks for a key and waits until every gateway lets `probe` with the key pass. Returns the key.
    pub(crate) async fn publish_keyed(
        &self,
        gateways: &[Gateway],
        definition: &Value,
        probe: impl Fn(&str) -> Vec<u8>,
    ) -> anyhow::Result<String> {
        let key = self.management.publish_keyed(definition).await?;
        served(gateways, &probe(&key)).await?;
        Ok(key)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// Waits until every gateway answers with 2xx.
async fn served(gateways: &[Gateway], probe: &[u8]) -> anyhow::Result<()> {
    for gateway in gateways {
        let mut status = 0;
        wait::until("the gateway to serve the new API", READY_LIMIT, async || {
            status = status_of(gateway.http, probe).await?;
            Ok((200..300).contains(&status).then_some(()))
        })
        .await
        .with_context(|| format!("the last answer had status {status}"))?;
    }
    Ok(())
}

/// Starts one of the product's commands with exactly these settings.
pub(crate) fn spawn(
    rig: &Rig,
    binary: &std::path::Path,
    name: &str,
    command: &str,
    env: Vec<(&'static str, String)>,
    cpu: Cpu,
) -> anyhow::Result<Process> {
    Process::spawn(
        rig,
        Program { name: name.into(), path: binary.into(), args: vec![OsString::from(command)], env, cpu },
    )
}

/// Waits until `/ready` on the node port answers 200.
pub(crate) async fn ready(process: &mut Process, node: SocketAddr) -> anyhow::Result<()> {
    answers(process, node, &get("/ready", "*/*")).await
}

/// Waits until a prepared request is answered with 200.
pub(crate) async fn answers(
    process: &mut Process,
    address: SocketAddr,
    request: &[u8],
) -> anyhow::Result<()> {
    wait::until("a process to be ready", READY_LIMIT, async || {
        process.ensure_running()?;
        Ok(matches!(status_of(address, request).await, Ok(200)).then_some(()))
    })
    .await
}

/// Free loopback addresses, all different because all are held until the last is found.
pub(crate) fn free_addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<std::io::Result<_>>()?;
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
}

fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}
