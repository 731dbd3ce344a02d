//! The two planes as processes of their own, and what every process needs before its first connection.

use crate::config::Settings;
use gateway::app::GatewayConfig;
use management_api::config::ManagementConfig;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;

/// Limits of the process, the TLS provider.
pub(crate) fn prepare_process() {
    // One provider for the whole process; that a library installed it first is no error.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    // Brokers and web clients are file descriptors: the usual soft limit of 1024 is for other programs.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// The recorder that both planes of a process report to.
pub(crate) fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    Ok(PrometheusBuilder::new().install_recorder()?)
}

/// Runs one management node.
pub(crate) async fn management(mut settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let config = ManagementConfig {
        database_url: settings.database_url(),
        admin_password: settings.secret("admin_password"),
        seal_key: settings.seal_key(),
        sync_token: settings.sync_token(),
        rest_listen: settings.address("rest_listen", "127.0.0.1:8083"),
        sync_listen: settings.address("sync_listen", "127.0.0.1:8084"),
        node_listen: settings.address("node_listen", "127.0.0.1:18083"),
    };
    settings.check()?;
    management_api::run(config, install_metrics()?, shutdown).await
}

/// Runs one gateway node.
pub(crate) async fn gateway(mut settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let config = GatewayConfig {
        listen: settings.address("gateway_listen", "127.0.0.1:8082"),
        node_listen: settings.address("node_listen", "127.0.0.1:18082"),
        management: settings.management(),
        token: settings.sync_token(),
        tags: settings.list("tags"),
        tenant: settings.text("tenant").map(str::to_owned),
        node_id: settings.text("node_id").map(str::to_owned),
        hostname: hostname(),
        connections_max: None,
        system_proxy: settings.system_proxy(),
        api_key_header: settings.named("api_key_header"),
        api_key_parameter: settings.named("api_key_parameter"),
        rate_limit_store: settings.rate_limit_store(),
        trusted_proxies: settings.trusted_proxies(),
        callback_networks: settings.callback_networks(),
        metrics: install_metrics()?,
        kafka_addresses: HashMap::new(),
    };
    settings.check()?;
    gateway::app::start(config, shutdown).await?.stopped().await;
    Ok(())
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unknown".to_owned() } else { name.trim().to_owned() }
}

/// SIGTERM and Ctrl-C end the process in good order; the second one at once.
pub(crate) fn cancel_on_signal(shutdown: CancellationToken) {
    tokio::spawn(async move {
        wait_for_signal().await;
        // First things first: writing the log may fail, ending must not.
        shutdown.cancel();
        tracing::info!("stopping");
        wait_for_signal().await;
        std::process::exit(1);
    });
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        }
        Err(error) => {
            tracing::warn!(%error, "cannot wait for SIGTERM, only Ctrl-C works");
            drop(tokio::signal::ctrl_c().await);
        }
    }
}
