//! The connections to one origin, within the limit of their number.
//!
//! A call that has a permit takes the connection that was used last, or makes one. Connections that nobody uses need no
//! permit: a new one is only made when there is none of them, so that there are never more connections than permits.

use super::fault::Fault;
use super::http1::Http1;
use super::http2::Http2;
use super::target::Origin;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The connections to one origin.
pub(super) struct Pool {
    pub(super) origin: Arc<Origin>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Locked while a connection is made, so that calls that come meanwhile share it.
    pub(super) http2: tokio::sync::Mutex<Vec<Http2>>,
}

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

impl Pool {
    pub(super) fn new(origin: Arc<Origin>, connections_max: usize) -> Pool {
        let permits = Arc::new(Semaphore::new(connections_max));
        Pool { origin, permits, idle: Mutex::default(), http2: tokio::sync::Mutex::default() }
    }

    /// The right to use a connection.
    pub(super) async fn permit(&self, patience: Option<Duration>) -> Result<OwnedSemaphorePermit, Fault> {
        permit(&self.permits, patience).await
    }

    /// The right to one more connection, when it is there at once.
    pub(super) fn try_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// A connection that is still good.
    pub(super) async fn take(&self, keep_alive: Duration) -> Option<Box<Http1>> {
        loop {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            // What the backend did meanwhile, above all to close it, is seen only now.
            let free = poll_fn(|cx| Poll::Ready(idle.connection.is_free(cx))).await;
            if free && idle.since.elapsed() < keep_alive {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection for the next call.
    pub(super) fn put(&self, connection: Box<Http1>) {
        let idle = Idle { connection, since: Instant::now() };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }

    /// Closes what is unused for too long, or was closed by the backend.
    pub(super) fn sweep(&self, keep_alive: Duration, cx: &mut Context<'_>) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain_mut(|idle| idle.since.elapsed() < keep_alive && idle.connection.is_free(cx));
        if let Ok(mut shared) = self.http2.try_lock() {
            shared.retain_mut(|connection| connection.is_open() && !connection.unused_for(keep_alive));
        }
    }

    /// Whether there is no connection at all.
    pub(super) fn is_empty(&self) -> bool {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        idle && self.http2.try_lock().is_ok_and(|shared| shared.is_empty())
    }
}

/// A permit within the time that a connection may take.
pub(super) async fn permit(
    permits: &Arc<Semaphore>,
    patience: Option<Duration>,
) -> Result<OwnedSemaphorePermit, Fault> {
    if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
        return Ok(permit);
    }
    let waiting = Arc::clone(permits).acquire_owned();
    let permit = match patience {
        None => waiting.await,
        Some(patience) => timeout(patience, waiting).await.map_err(|_| Fault::PoolExhausted)?,
    };
    permit.map_err(|_| Fault::PoolExhausted)
}
