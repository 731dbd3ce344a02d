//! Accepts connections and serves a router on them, with what a public listener needs beside it: a limit on how long
//! the head of a request may take, a limit on connections, and an end in good order.

use axum::Router;
use definition::limits::HEADER_READ_TIMEOUT_MS;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections of one listener at the same time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// Pause after a failed accept: without free file descriptors it fails again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for running requests to end once the process is told to stop.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown`, then lets running requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    // HTTP/1 alone: telling the protocols apart would wait for the first bytes without a limit.
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    let head_timeout = Duration::from_millis(HEADER_READ_TIMEOUT_MS);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let running = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = running.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended badly");
            }
        });
    }
    if tokio::time::timeout(SHUTDOWN_GRACE, running.shutdown()).await.is_err() {
        tracing::warn!("requests are cut that did not end in time");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and written at once; waiting to fill a segment only adds latency.
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}
