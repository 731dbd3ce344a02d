//! `tidegate dev`: both planes and a demo Kafka in one process, for a first try on one machine.

use crate::config::Settings;
use crate::{demo, run};
use anyhow::Context as _;
use gateway::app::GatewayConfig;
use management_api::config::ManagementConfig;
use management_api::seal::SealKey;
use rand::distr::{Alphanumeric, SampleString as _};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::HashMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Where `dev` keeps its data.
const DATA_FOLDER: &str = ".tidegate";
/// The seal key of that folder's store, readable by its owner only.
const SEAL_KEY_FILE: &str = "seal.key";
/// Characters of the generated sync token.
const SYNC_TOKEN_CHARS: usize = 43;
/// A plane's node port is this much above its own, 18083 and 18082. The setting is for the gateway's: it is the one that
/// tells about traffic.
const NODE_PORT_OFFSET: u16 = 10_000;

/// Runs until `shutdown`.
pub(crate) async fn run(mut settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let rest = settings.address("rest_listen", "127.0.0.1:8083");
    let sync = settings.address("sync_listen", "127.0.0.1:8084");
    let data = settings.address("gateway_listen", "127.0.0.1:8082");
    let node = settings.address("node_listen", &node_address(data).to_string());
    let database_url = settings.text("database_url").map(str::to_owned);
    let password = settings.secret("admin_password").unwrap_or_else(|| SecretString::from("admin"));
    let (api_key_header, api_key_parameter) =
        (settings.named("api_key_header"), settings.named("api_key_parameter"));
    let seal_key = settings.seal_key();
    let (rate_limit_store, trusted_proxies) = (settings.rate_limit_store(), settings.trusted_proxies());
    let system_proxy = settings.system_proxy();
    // Whoever tries this out receives on the same machine.
    let callback_networks = settings.callback_networks().with_loopback();
    settings.check()?;
    // The store holds password hashes and whatever secrets definitions carry.
    let mut folder = std::fs::DirBuilder::new();
    let created = folder.recursive(true).mode(0o700).create(DATA_FOLDER);
    created.with_context(|| format!("cannot create {DATA_FOLDER}"))?;
    let seal_key = match seal_key {
        Some(key) => key,
        None => kept_seal_key(&Path::new(DATA_FOLDER).join(SEAL_KEY_FILE))?,
    };
    let token = SecretString::from(Alphanumeric.sample_string(&mut rand::rng(), SYNC_TOKEN_CHARS));
    let kafka = demo::start_kafka()?;
    let metrics = run::install_metrics()?;

    let management = ManagementConfig {
        database_url: database_url.unwrap_or_else(|| format!("sqlite://{DATA_FOLDER}/tidegate.db")),
        admin_password: Some(password.clone()),
        seal_key: Some(seal_key),
        sync_token: token.clone(),
        rest_listen: rest,
        sync_listen: sync,
        node_listen: node_address(rest),
    };
    let management = management_api::start(management, metrics.clone(), shutdown.clone()).await?;
    let gateway = GatewayConfig {
        listen: data,
        node_listen: node,
        management: vec![format!("http://{}", management.sync)],
        token,
        tags: Vec::new(),
        tenant: None,
        node_id: None,
        hostname: run::hostname(),
        connections_max: None,
        system_proxy,
        api_key_header,
        api_key_parameter,
        rate_limit_store,
        trusted_proxies,
        callback_networks,
        metrics,
        kafka_addresses: HashMap::from([(demo::DOCUMENTED_BOOTSTRAP.to_owned(), kafka.bootstrap_servers())]),
    };
    let gateway = gateway::app::start(gateway, shutdown.clone()).await?;
    demo::create_api(management.rest, &password).await.context("cannot create the demo API")?;
    print_welcome(management.rest, gateway.addr)?;
    let ended = management.wait().await;
    shutdown.cancel();
    gateway.stopped().await;
    ended
}

/// The seal key of the data folder; the first start makes it.
fn kept_seal_key(file: &Path) -> anyhow::Result<SealKey> {
    let create = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match create {
        Ok(mut created) => created.write_all(SealKey::generate().expose_secret().as_bytes())?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot create {}", file.display())),
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    SealKey::parse(&text).map_err(|reason| anyhow::anyhow!("{} {reason}", file.display()))
}

/// Port 0, any free one, stays 0, and so does a port that has nothing so far above it.
fn node_address(plane: SocketAddr) -> SocketAddr {
    let port = if plane.port() == 0 { 0 } else { plane.port().checked_add(NODE_PORT_OFFSET).unwrap_or(0) };
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn print_welcome(rest: SocketAddr, gateway: SocketAddr) -> std::io::Result<()> {
    writeln!(
        std::io::stdout(),
        "\nTidegate is running (Ctrl-C stops it). User admin, password admin, data in ./{DATA_FOLDER}.

  Swagger UI       http://{rest}/swagger-ui
  management API   http://{rest}/management/organizations/DEFAULT/environments/DEFAULT/v4/apis
  gateway          http://{gateway}

Try it, the first line in a terminal of its own:

  curl -N -H 'Accept: text/event-stream' http://{gateway}/hello
  curl -i -X POST http://{gateway}/hello -d '{{\"hello\":\"world\"}}'
  curl -s -u admin:admin http://{rest}/management/organizations/DEFAULT/environments/DEFAULT/v4/apis
"
    )
}
