//! Accepts connections, up to a limit, until it is told to drain.

use super::connection::serve_connection;
use super::serve::{Front, Peer};
use crate::seldom::warn_seldom;
use crate::stop::Stop;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Pause after a failed accept (out of descriptors, above all), milliseconds.
const ACCEPT_RETRY_MS: u64 = 50;
/// Descriptors that connections leave for brokers, the control plane and files.
const DESCRIPTORS_RESERVED: usize = 256;
/// Connections when the system does not say how many descriptors there are.
const CONNECTIONS_DEFAULT: usize = 10_000;

/// As many connections as the descriptors of this process allow.
pub(crate) fn connections_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    // One descriptor per connection; Kafka clients need some each.
    soft.map_or(CONNECTIONS_DEFAULT, |soft| (soft - soft / 4).saturating_sub(DESCRIPTORS_RESERVED).max(1))
}

/// Runs until `drain`; connections go on in `connections` and end by themselves.
pub(crate) async fn accept(
    listener: TcpListener,
    front: Arc<Front>,
    limit: usize,
    drain: Arc<Stop>,
    connections: TaskTracker,
) {
    let permits = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    loop {
        // Beyond the limit clients wait in the backlog of the listener, where they cost nothing here.
        let accepted = tokio::select! {
            _ = drain.wait() => return,
            accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (permit, listener.accept().await)
            } => accepted,
        };
        let (Ok(permit), accepted) = accepted else { return };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn_seldom!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
                continue;
            }
        };
        // Events are written when they are there; waiting for more is the batching's business, not the kernel's.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            continue;
        }
        let Ok(local) = tcp.local_addr() else { continue };
        let (front, drain) = (Arc::clone(&front), Arc::clone(&drain));
        connections.spawn(async move {
            serve_connection(tcp, Peer::new(address.ip(), local), front, drain).await;
            drop(permit);
        });
    }
}
